//! How many connections a server may have from this process, over all workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::places::{Handed, Offer, Place, Places, Turn};
use crate::backend::{BackendError, Connection};
use crate::runtime::clock::LazyTimer;
use crate::telemetry;
use crate::topology::ServerId;

/// Bounds of the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections to one server, in use and idle.
    pub per_server: usize,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_server: 4000,
            idle_per_shelf: 64,
            idle_timeout: Duration::from_secs(60),
            wait: Duration::from_secs(10),
            waiting_room: 10_000,
            max_age: Duration::from_secs(30),
        }
    }
}

/// The places at every server, shared by all workers.
#[derive(Debug)]
pub struct ServerLimits {
    limits: Limits,
    servers: HashMap<ServerId, Server>,
    /// Connections proven before this serve nobody: accounts or defaults have changed since.
    aged_at: Mutex<Option<Instant>>,
}

/// One server's places.
#[derive(Debug)]
struct Server {
    places: Arc<Places>,
    /// Half as many: for clients that leave a reply unread while they hold a connection (HAZARDS 27).
    stalls: Arc<Semaphore>,
}

impl ServerLimits {
    /// All places free.
    #[must_use]
    pub fn new(
        limits: Limits,
        counters: impl IntoIterator<Item = (ServerId, telemetry::Server)>,
    ) -> Arc<Self> {
        let server = |(id, counters)| {
            let places = Places::new(limits.per_server, limits.waiting_room, counters);
            let stalls = Arc::new(Semaphore::new(limits.per_server.div_ceil(2)));
            (id, Server { places, stalls })
        };
        let servers = counters.into_iter().map(server).collect();
        Arc::new(Self { limits, servers, aged_at: Mutex::new(None) })
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

    /// Takes a place if one is free now.
    ///
    /// # Errors
    /// [`BackendError::Full`].
    pub fn place_now(&self, id: ServerId) -> Result<Place, BackendError> {
        self.server(id)?.places.now()
    }

    /// Gets in line for a place, or for a connection of the shelf named.
    pub(super) fn queue(&self, id: ServerId, shelf: Option<usize>) -> Result<Turn, BackendError> {
        self.server(id)?.places.queue(shelf)
    }

    /// Waits for a place, first come, first served, for at most [`Limits::wait`].
    ///
    /// # Errors
    /// [`BackendError::Full`] past the deadline, or where too many wait.
    pub(super) async fn wait(&self, turn: Turn, timer: &mut LazyTimer) -> Result<Handed, BackendError> {
        turn.wait(self.limits.wait, timer).await
    }

    /// Offers a connection of a shelf to those who wait for one.
    pub(super) fn offer(&self, connection: Connection, shelf: usize) -> Offer {
        match self.servers.get(&connection.server()) {
            Some(server) => server.places.offer(connection, shelf),
            None => Offer::Keep(connection),
        }
    }

    /// How many wait for a connection to a server.
    #[must_use]
    pub fn waiting(&self, id: ServerId) -> usize {
        self.servers.get(&id).map_or(0, |server| server.places.waiting())
    }

    /// Lets a client hold a connection that it does not read from, unless half of them are held so already.
    #[must_use]
    pub fn may_stall(&self, id: ServerId) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.servers.get(&id)?.stalls).try_acquire_owned().ok()
    }

    /// Connections to a server, in use and idle.
    #[must_use]
    pub fn open(&self, id: ServerId) -> usize {
        self.servers.get(&id).map_or(0, |server| server.places.open())
    }

    /// Counts a connection that could not be opened.
    pub fn failed(&self, id: ServerId) {
        if let Some(server) = self.servers.get(&id) {
            server.places.counters.connect_failures.increment(1);
        }
    }

    /// Shows how many connections to a server are idle.
    pub fn show_idle(&self, idle: impl Fn(ServerId) -> usize) {
        for (id, server) in &self.servers {
            server.places.counters.idle.set(u32::try_from(idle(*id)).map_or(f64::MAX, f64::from));
        }
    }

    fn server(&self, id: ServerId) -> Result<&Server, BackendError> {
        self.servers.get(&id).ok_or_else(|| self.full())
    }

    const fn full(&self) -> BackendError {
        BackendError::Full { limit: self.limits.per_server }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock;

    fn limits(per_server: usize, waiting_room: usize) -> Arc<ServerLimits> {
        let registry = telemetry::Registry::new();
        let counters = [1, 2].map(|id| (ServerId(id), telemetry::Server::new(&registry, "db")));
        ServerLimits::new(Limits { per_server, waiting_room, ..Limits::default() }, counters)
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_and_come_back() {
        let limits = limits(1, 1);
        let held = limits.place_now(ServerId(1)).unwrap();
        let turn = limits.queue(ServerId(1), None).unwrap();
        assert!(limits.queue(ServerId(1), None).is_err(), "one waits, and no more may");
        let timer = &mut LazyTimer::default();
        assert!(matches!(limits.wait(turn, timer).await, Err(BackendError::Full { limit: 1 })));
        assert_eq!(limits.waiting(ServerId(1)), 0);
        assert!(limits.place_now(ServerId(1)).is_err());
        assert!(limits.place_now(ServerId(2)).is_ok());
        drop(held);
        assert!(limits.place_now(ServerId(1)).is_ok());
        assert!(limits.place_now(ServerId(9)).is_err());
        let stalled = limits.may_stall(ServerId(1));
        assert!(stalled.is_some() && limits.may_stall(ServerId(1)).is_none());
        drop(stalled);
        assert!(limits.may_stall(ServerId(1)).is_some() && limits.may_stall(ServerId(9)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first_and_who_has_gone_is_passed_over() {
        let limits = limits(1, 8);
        let id = ServerId(1);
        let held = limits.place_now(id).unwrap();
        let gone = limits.queue(id, None).unwrap();
        let mut first = limits.queue(id, None).unwrap();
        let mut second = limits.queue(id, None).unwrap();
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
    async fn who_leaves_the_middle_of_the_line_moves_nobody_else() {
        let limits = limits(1, 8);
        let id = ServerId(1);
        let held = limits.place_now(id).unwrap();
        let mut line: Vec<_> = (0..5).map(|_| limits.queue(id, None).unwrap()).collect();
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
        let held = limits.place_now(id).unwrap();
        let turn = limits.queue(id, None).unwrap();
        let served = async {
            clock::sleep(Duration::from_secs(9)).await;
            drop(held);
        };
        let (handed, ()) = tokio::join!(limits.wait(turn, timer), served);
        assert_eq!(limits.waiting(id), 0);
        let turn = limits.queue(id, None).unwrap();
        let begun = clock::now();
        assert!(limits.wait(turn, timer).await.is_err());
        let waited = clock::now().saturating_duration_since(begun);
        assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11), "{waited:?}");
        drop(handed);
        assert_eq!((limits.waiting(id), limits.open(id)), (0, 0));
    }
}
