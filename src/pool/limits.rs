//! How many connections a server may have from this process, over all workers.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::places::{Offer, Place, Places, Turn};
use crate::backend::{BackendError, Connection};
use crate::pooling::{Claim, Readiness, Shortage, Want};
use crate::runtime::clock;
use crate::telemetry;
use crate::topology::ServerId;

/// Bounds of the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections to one server, in use and idle; what the server takes decides where nothing is set.
    pub per_server: Option<usize>,
    /// Idle connections kept for one user at one server by one worker.
    pub idle_per_shelf: usize,
    /// An idle connection is closed after this time.
    pub idle_timeout: Duration,
    /// How long a login, or a statement, waits for a connection.
    pub wait: Duration,
    /// How many may wait for connections to one server at a time.
    pub waiting_room: usize,
    /// A connection serves sessions for at most this long after its login was proven, so that a grant taken away at
    /// the server is honoured.
    pub max_age: Duration,
    /// What is kept ready for users that have been here lately.
    pub ready: Readiness,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_server: None,
            idle_per_shelf: 64,
            idle_timeout: Duration::from_secs(60),
            wait: Duration::from_secs(10),
            waiting_room: 10_000,
            max_age: Duration::from_secs(30),
            ready: Readiness { min_idle: 0, lasts: Duration::from_secs(600) },
        }
    }
}

/// What holds for the account: its own limit, or else the one for all (sys_vars.cc, `Sys_var_max_user_conn`).
const MAX_USER_CONNECTIONS: &str = "SELECT @@max_user_connections AS most";

/// The places at every server, shared by all workers.
#[derive(Debug)]
pub struct ServerLimits {
    limits: Limits,
    /// Replaced as a whole when a server comes or goes.
    servers: ArcSwap<HashMap<ServerId, Arc<Server>>>,
    /// Connections proven before this serve nobody: accounts or defaults have changed since.
    aged_at: Mutex<Option<Instant>>,
    /// What is known of changes of the defaults that sessions begin with.
    defaults: Mutex<Defaults>,
}

/// Statements that change the defaults of sessions, as far as they come through this Headgate.
#[derive(Debug, Default)]
struct Defaults {
    /// When each of those under way was sent.
    under_way: Vec<Instant>,
    /// When the last of the others ended.
    changed: Option<Instant>,
}

/// One server's places.
#[derive(Debug)]
struct Server {
    places: Arc<Places>,
    /// Clients that leave a reply unread while they hold a connection: at most half as many (HAZARDS 27).
    stalled: Arc<AtomicUsize>,
    /// There are no places any more, and connections are closed as they come back.
    leaving: AtomicBool,
    /// Connections are closed as they come back.
    drained: AtomicBool,
}

/// A server to which there may be connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub server: ServerId,
    /// Connections to it are closed as they come back, and there are no new ones.
    pub leaving: bool,
    /// Connections to it are closed as they come back. What was about to run there still finds one.
    pub drained: bool,
}

impl Server {
    fn keeps(&self) -> bool {
        !self.leaving.load(Ordering::SeqCst) && !self.drained.load(Ordering::SeqCst)
    }
}

/// A client that holds a connection and does not read from it, for as long as this lives.
#[derive(Debug)]
pub struct Stalled(Arc<AtomicUsize>);

impl Drop for Stalled {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ServerLimits {
    /// No servers yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            servers: ArcSwap::default(),
            aged_at: Mutex::new(None),
            defaults: Mutex::default(),
        })
    }

    /// There are these servers now. New ones have all their places free; at those that are gone there are none any
    /// more, and connections to them are closed as they come back.
    pub fn follow(&self, members: &[Member], counters: impl Fn(ServerId) -> telemetry::Server) {
        let known = self.servers.load();
        for member in members {
            if let Some(known) = known.get(&member.server) {
                known.leaving.store(member.leaving, Ordering::SeqCst);
                known.drained.store(member.drained, Ordering::SeqCst);
            }
        }
        if known.len() == members.len() && members.iter().all(|member| known.contains_key(&member.server)) {
            return;
        }
        let is_gone = |id: ServerId| !members.iter().any(|member| member.server == id);
        for (_, gone) in known.iter().filter(|(id, _)| is_gone(**id)) {
            gone.places.counters.show(None);
            gone.places.counters.idle.set(0.0);
        }
        let server = |member: &Member| match known.get(&member.server) {
            Some(known) => Arc::clone(known),
            None => {
                let (leaving, drained) = (AtomicBool::new(member.leaving), AtomicBool::new(member.drained));
                let places = Places::new(member.server, &self.limits, counters(member.server));
                Arc::new(Server { places, stalled: Arc::default(), leaving, drained })
            }
        };
        self.servers.store(Arc::new(members.iter().map(|member| (member.server, server(member))).collect()));
    }

    /// Whether a server is there.
    pub(super) fn knows(&self, id: ServerId) -> bool {
        self.servers.load().get(&id).is_some_and(|server| !server.leaving.load(Ordering::SeqCst))
    }

    /// Whether connections to a server are kept when they come back.
    pub(super) fn keeps(&self, id: ServerId) -> bool {
        self.servers.load().get(&id).is_some_and(|server| server.keeps())
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Accounts or defaults have changed: connections opened before `now` serve nobody any more.
    pub fn age(&self, now: Instant) {
        *self.aged_at.lock() = Some(now);
    }

    /// When [`Self::age`] was last called.
    #[must_use]
    pub fn aged_at(&self) -> Option<Instant> {
        *self.aged_at.lock()
    }

    /// A statement is sent at `now` that changes the defaults of sessions.
    pub fn change_defaults(&self, now: Instant) {
        self.defaults.lock().under_way.push(now);
    }

    /// The statement that was sent at `since` has ended. Its client may have heard of it before.
    pub fn defaults_changed(&self, since: Instant, now: Instant) {
        let mut defaults = self.defaults.lock();
        if let Some(at) = defaults.under_way.iter().position(|one| *one == since) {
            defaults.under_way.swap_remove(at);
        }
        defaults.changed = Some(now);
    }

    /// When the defaults of sessions were last changed.
    #[must_use]
    pub fn defaults_changed_at(&self) -> Option<Instant> {
        self.defaults.lock().changed
    }

    /// When the youngest of the statements was sent that change them at the moment.
    #[must_use]
    pub fn defaults_change_since(&self) -> Option<Instant> {
        self.defaults.lock().under_way.iter().max().copied()
    }

    /// Takes a place if one is free now.
    ///
    /// # Errors
    /// None is free, or the user has all that it may have.
    pub fn place_now(&self, id: ServerId, claim: Claim<'_>) -> Result<Place, Shortage> {
        if !self.knows(id) {
            return Err(Shortage::Server { limit: 0 });
        }
        self.server(id)?.places.now(claim)
    }

    /// Gets in line for a place or a connection.
    pub(super) fn queue(&self, id: ServerId, claim: Claim<'_>, want: Want) -> Result<Turn, BackendError> {
        if !self.knows(id) {
            return Err(Shortage::Server { limit: 0 }.into());
        }
        self.server(id)?.places.queue(claim, want)
    }

    /// Offers a connection of a shelf to those who wait for one.
    pub(super) fn offer(&self, connection: Connection, user: &[u8], shelf: usize) -> Offer {
        match self.servers.load().get(&connection.server()) {
            Some(server) if server.keeps() => server.places.offer(connection, user, shelf),
            // It is gone, or going, or drained.
            Some(_) | None => Offer::Close(connection),
        }
    }

    /// Whether somebody has got in line for a connection to a server since so many had.
    pub(super) fn has_come_since(&self, id: ServerId, arrivals: u64) -> bool {
        self.servers.load().get(&id).is_some_and(|server| server.places.has_come_since(arrivals))
    }

    /// How many wait for a connection to a server.
    #[must_use]
    pub fn waiting(&self, id: ServerId) -> usize {
        self.servers.load().get(&id).map_or(0, |server| server.places.waiting())
    }

    /// Lets a client hold a connection that it does not read from, unless half of them are held so already.
    #[must_use]
    pub fn may_stall(&self, id: ServerId) -> Option<Stalled> {
        let server = self.server(id).ok()?;
        let most = server.places.allowed().div_ceil(2);
        let before = server.stalled.fetch_add(1, Ordering::SeqCst);
        let stalled = Stalled(Arc::clone(&server.stalled));
        (before < most).then_some(stalled)
    }

    /// Time has passed: what a server has refused is tried again. `max_connections` says what it takes at all, where
    /// that is known.
    pub fn ease(&self, max_connections: impl Fn(ServerId) -> Option<usize>, now: Instant) {
        for (id, server) in self.servers.load().iter() {
            server.places.ease(max_connections(*id), now);
        }
    }

    /// Most connections to a server by now.
    #[must_use]
    pub fn allowed(&self, id: ServerId) -> usize {
        self.servers.load().get(&id).map_or(0, |server| server.places.allowed())
    }

    /// Connections to a server, in use and idle.
    #[must_use]
    pub fn open(&self, id: ServerId) -> usize {
        self.servers.load().get(&id).map_or(0, |server| server.places.open())
    }

    /// Asks the server how many connections the user of one may have, unless that was asked lately.
    ///
    /// # Errors
    /// The connection is of no further use.
    pub async fn learn(
        &self,
        user: &[u8],
        connection: &mut Connection,
        within: Duration,
    ) -> Result<(), BackendError> {
        let Ok(server) = self.server(connection.server()) else { return Ok(()) };
        if !server.places.is_to_ask(user, clock::now()) {
            return Ok(());
        }
        match connection.query(MAX_USER_CONNECTIONS, within).await {
            Ok(answer) => {
                let most =
                    answer.value("most").and_then(|most| most.parse().ok()).and_then(NonZeroUsize::new);
                server.places.told(user, most);
                Ok(())
            }
            // Where its password has expired, for one. Then its refusals will tell.
            Err(BackendError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Counts a connection that could not be opened.
    pub fn failed(&self, id: ServerId) {
        if let Some(server) = self.servers.load().get(&id) {
            server.places.counters.connect_failures.increment(1);
        }
    }

    /// Shows how many connections to a server are idle, and what it is by now.
    pub fn show(
        &self,
        idle: impl Fn(ServerId) -> usize,
        standing: impl Fn(ServerId) -> Option<telemetry::Standing>,
    ) {
        for (id, server) in self.servers.load().iter() {
            server.places.counters.show(standing(*id));
            server.places.counters.idle.set(u32::try_from(idle(*id)).map_or(f64::MAX, f64::from));
        }
    }

    fn server(&self, id: ServerId) -> Result<Arc<Server>, Shortage> {
        self.servers.load().get(&id).map(Arc::clone).ok_or(Shortage::Server { limit: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::Handed;
    use super::*;
    use crate::runtime::clock::{self, LazyTimer};

    fn limits(per_server: usize, waiting_room: usize) -> Arc<ServerLimits> {
        let registry = telemetry::Registry::new();
        let limits = Limits { per_server: Some(per_server), waiting_room, ..Limits::default() };
        let limits = ServerLimits::new(limits);
        limits.follow(&[1, 2].map(member), |_| telemetry::Server::new(&registry, "db"));
        limits
    }

    fn member(id: u16) -> Member {
        Member { server: ServerId(id), leaving: false, drained: false }
    }

    const APP: Claim<'_> = Claim { user: b"app", most: None };

    const WAIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_line_that_stands_still_is_left_by_those_who_may() {
        let limits = limits(1, 8);
        let (id, shelf) = (ServerId(1), Some(7));
        let held = limits.place_now(id, APP).unwrap();
        let leaves = Want { shelf, leaves: true };
        let [one, other, stays] =
            [leaves, leaves, Want::PLACE].map(|want| limits.queue(id, APP, want).unwrap());
        limits.ease(|_| None, clock::now());
        clock::sleep(Duration::from_millis(100)).await;
        limits.ease(|_| None, clock::now());
        for turn in [one, other] {
            let told = turn.wait(WAIT, &mut LazyTimer::default()).await.unwrap_err();
            assert!(matches!(told, BackendError::Full { shortage: Shortage::Standing }), "{told}");
        }
        assert_eq!(limits.waiting(id), 1);
        assert!(limits.queue(id, APP, leaves).is_err());
        drop(held);
        assert!(matches!(stays.wait(WAIT, &mut LazyTimer::default()).await, Ok(Handed::Place(_))));
        // It has moved.
        assert!(limits.queue(id, APP, leaves).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_and_come_back() {
        let limits = limits(1, 1);
        let id = ServerId(1);
        let held = limits.place_now(id, APP).unwrap();
        let turn = limits.queue(id, APP, Want::PLACE).unwrap();
        let no_room = limits.queue(id, APP, Want::PLACE).unwrap_err();
        assert!(matches!(no_room, BackendError::Full { shortage: Shortage::Room { limit: 1 } }));
        let late = turn.wait(WAIT, &mut LazyTimer::default()).await.unwrap_err();
        assert!(matches!(late, BackendError::Full { shortage: Shortage::Server { limit: 1 } }));
        assert_eq!(limits.waiting(id), 0);
        assert!(limits.place_now(id, APP).is_err());
        assert!(limits.place_now(ServerId(2), APP).is_ok());
        drop(held);
        assert!(limits.place_now(id, APP).is_ok());
        assert!(limits.place_now(ServerId(9), APP).is_err());
        let stalled = limits.may_stall(id);
        assert!(stalled.is_some() && limits.may_stall(id).is_none());
        drop(stalled);
        assert!(limits.may_stall(id).is_some() && limits.may_stall(ServerId(9)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn servers_come_and_go() {
        let limits = limits(1, 1);
        let counters = |_| telemetry::Server::new(&telemetry::Registry::new(), "db");
        let held = limits.place_now(ServerId(1), APP).unwrap();
        limits.follow(&[Member { leaving: true, ..member(1) }, member(2), member(3)], counters);
        assert!(limits.place_now(ServerId(1), APP).is_err(), "it is going");
        assert_eq!(limits.open(ServerId(1)), 1);
        limits.follow(&[2, 3].map(member), counters);
        assert_eq!(limits.open(ServerId(1)), 0);
        assert!(limits.place_now(ServerId(3), APP).is_ok());
        limits.follow(&[1, 2].map(member), counters);
        assert!(limits.place_now(ServerId(1), APP).is_ok(), "another one, with places of its own");
        drop(held);
        assert_eq!(limits.open(ServerId(1)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first_and_who_has_gone_is_passed_over() {
        let limits = limits(1, 8);
        let id = ServerId(1);
        let held = limits.place_now(id, APP).unwrap();
        let gone = limits.queue(id, APP, Want::PLACE).unwrap();
        let mut first = limits.queue(id, APP, Want::PLACE).unwrap();
        let mut second = limits.queue(id, APP, Want::PLACE).unwrap();
        drop(gone);
        assert_eq!(limits.waiting(id), 2);
        drop(held);
        let place = first.handed();
        assert!(matches!(place, Some(Handed::Place(_))) && second.handed().is_none());
        drop((first, place));
        assert_eq!((limits.waiting(id), limits.open(id)), (0, 1));
        // What was handed to somebody who left without taking it is not lost.
        drop(second);
        assert_eq!(limits.open(id), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_waits_for_its_own_limit_alone() {
        let limits = limits(3, 8);
        let id = ServerId(1);
        let one = Claim { most: NonZeroUsize::new(1), ..APP };
        let held = limits.place_now(id, one).unwrap();
        let turn = limits.queue(id, one, Want::PLACE).unwrap();
        assert!(limits.place_now(id, Claim { user: b"other", most: None }).is_ok());
        let late = turn.wait(WAIT, &mut LazyTimer::default()).await.unwrap_err();
        assert_eq!(late.to_client().code, 1226, "{late}");
        let mut turn = limits.queue(id, one, Want::PLACE).unwrap();
        drop(held);
        assert!(matches!(turn.handed(), Some(Handed::Place(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_middle_of_the_line_moves_nobody_else() {
        let limits = limits(1, 8);
        let id = ServerId(1);
        let held = limits.place_now(id, APP).unwrap();
        let mut line: Vec<_> = (0..5).map(|_| limits.queue(id, APP, Want::PLACE).unwrap()).collect();
        drop(line.remove(2));
        drop(line.remove(0));
        assert_eq!(limits.waiting(id), 3);
        let mut place = held;
        for mut turn in line {
            assert!(turn.handed().is_none());
            drop(place);
            place = match turn.handed() {
                Some(Handed::Place(place)) => place,
                other => panic!("{other:?}"),
            };
        }
        drop(place);
        assert_eq!((limits.waiting(id), limits.open(id)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_timer_serves_many_turns() {
        let limits = limits(1, 8);
        let (id, timer) = (ServerId(1), &mut LazyTimer::default());
        let held = limits.place_now(id, APP).unwrap();
        let turn = limits.queue(id, APP, Want::PLACE).unwrap();
        let served = async {
            clock::sleep(Duration::from_secs(9)).await;
            drop(held);
        };
        let (handed, ()) = tokio::join!(turn.wait(WAIT, timer), served);
        assert_eq!(limits.waiting(id), 0);
        let turn = limits.queue(id, APP, Want::PLACE).unwrap();
        let begun = clock::now();
        assert!(turn.wait(WAIT, timer).await.is_err());
        let waited = clock::now().saturating_duration_since(begun);
        assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11), "{waited:?}");
        drop(handed);
        assert_eq!((limits.waiting(id), limits.open(id)), (0, 0));
    }
}
