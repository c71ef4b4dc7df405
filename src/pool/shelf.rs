//! Where idle connections stand.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::limits::{Limits, ServerLimits};
use super::places::Offer;
use super::ready::Filled;
use crate::backend::{Connection, Purpose};
use crate::pooling::{self, Fit, Setting};
use crate::topology::ServerId;
use crate::wire::capabilities::Capabilities;

/// What connections must have in common to stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The server.
    pub server: ServerId,
    /// What the connections are prepared for: replica connections are read only.
    pub purpose: Purpose,
    /// The account's name, as the client gave it.
    pub user: Box<[u8]>,
    /// The capability flags that change meaning ([`Capabilities::MEANINGFUL`]).
    pub capabilities: Capabilities,
    /// The client that the server was told of, if it was: which account its user is, and what it may, can
    /// depend on it.
    pub client: Option<IpAddr>,
}

/// Names a connection as it was when it was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    thread_id: u32,
    uses: u64,
}

impl Ticket {
    /// The ticket of a connection about to be put back.
    #[must_use]
    pub const fn of(connection: &Connection) -> Self {
        Self { thread_id: connection.thread_id(), uses: connection.uses }
    }
}

/// A connection that has idled for longer is asked whether it is still there: something on the way may have forgotten
/// it without a word.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// The idle connections of one key.
#[derive(Debug)]
pub struct Shelf {
    pub(super) idle: Mutex<Vec<Idle>>,
    /// No new connections are tried before this time: the last attempt failed.
    paused_until: Mutex<Option<Instant>>,
    /// Whose they are.
    user: Box<[u8]>,
    /// What it is kept filled with, if it is.
    pub(super) filled: Mutex<Option<Filled>>,
    pub(super) limits: Arc<ServerLimits>,
}

#[derive(Debug)]
pub(super) struct Idle {
    pub(super) connection: Connection,
    pub(super) since: Instant,
}

/// One worker's idle connections.
#[derive(Debug)]
pub struct Pool {
    pub(super) shelves: Mutex<HashMap<Key, Arc<Shelf>>>,
    pub(super) limits: Arc<ServerLimits>,
    /// Other workers have pools too, with idle connections that nobody who waits here can be given.
    pub(super) one_of_several: bool,
}

impl Shelf {
    /// Takes the connection that is nearest to `wants`, and says what must be sent on it first.
    /// Connections that have hung up, or whose proof is older than allowed, are closed on the way.
    #[must_use]
    pub fn take(&self, wants: Setting<'_>, now: Instant) -> Option<(Connection, Fit)> {
        loop {
            let (Idle { mut connection, since }, fit) = {
                let mut idle = self.idle.lock();
                let (at, fit) = pooling::choose(idle.iter().map(|idle| idle.connection.setting()), wants)?;
                // The order of what is left does not matter: all of it is of the same kind.
                (idle.swap_remove(at), fit)
            };
            if self.is_good(&mut connection, since, now) {
                connection.uses += 1;
                connection.long_idle = now.saturating_duration_since(since) > PROBE_AFTER;
                return Some((connection, fit));
            }
            connection.leave();
        }
    }

    /// Takes any connection, for a login that will set it up anew.
    #[must_use]
    pub fn take_any(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().pop()?.connection;
            if connection.is_quiet() {
                connection.uses += 1;
                return Some(connection);
            }
            connection.leave();
        }
    }

    /// Lets no new connection be tried until `time`.
    pub fn pause_until(&self, time: Instant) {
        *self.paused_until.lock() = Some(time);
    }

    /// Whether new connections shall not be tried yet.
    #[must_use]
    pub fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.lock().is_some_and(|until| now < until)
    }

    /// Takes one connection back, if nobody has used it since.
    #[must_use]
    pub fn take_again(&self, ticket: Ticket) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let at = idle.iter().position(|idle| Ticket::of(&idle.connection) == ticket)?;
        let mut connection = idle.swap_remove(at).connection;
        drop(idle);
        connection.is_quiet().then_some(connection)
    }

    /// Puts a clean connection back: into the hands of somebody who waits for it, or on the shelf. Past the limit it
    /// is closed instead, and so is one that is spent.
    pub fn put(&self, connection: Connection, now: Instant) {
        if connection.spent {
            return connection.leave();
        }
        let server = connection.server();
        let mut back = Idle { connection, since: now };
        loop {
            let (connection, arrivals) = match self.limits.offer(back.connection, &self.user, self.address())
            {
                Offer::Taken => return,
                Offer::Close(connection) => return connection.leave(),
                Offer::Keep(connection, arrivals) => (connection, arrivals),
            };
            let mut idle = self.idle.lock();
            if idle.len() >= self.limits.limits().idle_per_shelf {
                drop(idle);
                return connection.leave();
            }
            idle.push(Idle { connection, since: back.since });
            drop(idle);
            // Who has got in line in between has not seen it.
            if !self.limits.has_come_since(server, arrivals) {
                return;
            }
            let Some(again) = self.idle.lock().pop() else { return };
            back = again;
        }
    }

    /// What names this shelf among those that wait.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Whether a connection that was just put back may serve.
    #[must_use]
    pub fn serves(&self, connection: &mut Connection, now: Instant) -> bool {
        self.is_good(connection, now, now)
    }

    /// Whether a connection may serve as it is: still there, and proven lately. Connections that were opened together
    /// do not come of age together.
    fn is_good(&self, connection: &mut Connection, since: Instant, now: Instant) -> bool {
        /// Of 16 parts of the time, so many are anybody's.
        const SURE: u32 = 12;
        let max_age = self.limits.limits().max_age;
        let spread = connection.thread_id() % (16 - SURE + 1);
        let age = now.saturating_duration_since(connection.proven);
        let aged = self.limits.aged_at().is_some_and(|aged| connection.proven <= aged);
        let closes =
            connection.closes_after.is_some_and(|limit| now.saturating_duration_since(since) > limit / 2);
        age <= max_age / 16 * (SURE + spread) && !aged && !closes && connection.is_quiet()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.idle.lock().len()
    }

    fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        idle.into_iter().for_each(|idle| idle.connection.leave());
    }

    /// Closes what has been idle for too long, or has hung up. Says how many are left.
    fn expire(&self, limits: &Limits, now: Instant) -> usize {
        let is_filled = self.filled.lock().is_some();
        let mut idle = self.idle.lock();
        let (mut kept, mut expired) = (Vec::with_capacity(idle.len()), Vec::new());
        // The newest ones are kept ready.
        for mut one in std::mem::take(&mut *idle).into_iter().rev() {
            let recent = now.saturating_duration_since(one.since) < limits.idle_timeout;
            let keep = match is_filled {
                true => {
                    (recent || kept.len() < limits.ready.min_idle)
                        && self.is_good(&mut one.connection, one.since, now)
                }
                false => recent,
            };
            if keep { kept.push(one) } else { expired.push(one) }
        }
        kept.reverse();
        *idle = kept;
        let left = idle.len();
        drop(idle);
        expired.into_iter().for_each(|idle| idle.connection.leave());
        left
    }
}

impl Pool {
    /// An empty pool; `one_of_several` where other workers have their own.
    #[must_use]
    pub fn new(limits: Arc<ServerLimits>, one_of_several: bool) -> Self {
        Self { shelves: Mutex::default(), limits, one_of_several }
    }

    /// The limits over all workers.
    #[must_use]
    pub fn limits(&self) -> &Arc<ServerLimits> {
        &self.limits
    }

    /// The shelf of a key. Sessions keep it, so that a statement needs no look-up.
    #[must_use]
    pub fn shelf(&self, key: Key) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock();
        let user = key.user.clone();
        let fresh = || {
            Arc::new(Shelf {
                idle: Mutex::default(),
                paused_until: Mutex::default(),
                user,
                filled: Mutex::default(),
                limits: Arc::clone(&self.limits),
            })
        };
        Arc::clone(shelves.entry(key).or_insert_with(fresh))
    }

    /// Closes idle connections past their time and forgets shelves that nobody uses.
    pub fn expire(&self, now: Instant) {
        // One may have been put back while its server was on its way out, or was being drained.
        let keys: HashSet<ServerId> = self.shelves.lock().keys().map(|key| key.server).collect();
        for server in keys.into_iter().filter(|server| !self.limits.keeps(*server)) {
            match self.limits.knows(server) {
                true => self.close_idle(server),
                false => self.leave_server(server),
            }
        }
        let mut shelves = self.shelves.lock();
        shelves.retain(|_, shelf| {
            let left = shelf.expire(self.limits.limits(), now);
            left > 0 || Arc::strong_count(shelf) > 1 || shelf.filled.lock().is_some()
        });
    }

    /// A server is gone: its idle connections are closed, and none is kept ready there any more.
    pub fn leave_server(&self, server: ServerId) {
        let of_server: Vec<Arc<Shelf>> = {
            let mut shelves = self.shelves.lock();
            shelves.extract_if(|key, _| key.server == server).map(|(_, shelf)| shelf).collect()
        };
        for shelf in of_server {
            *shelf.filled.lock() = None;
            shelf.close_idle();
        }
    }

    /// A server is drained: its idle connections are closed.
    pub fn close_idle(&self, server: ServerId) {
        let shelves = self.shelves.lock();
        let of_server: Vec<Arc<Shelf>> = shelves
            .iter()
            .filter(|(key, _)| key.server == server)
            .map(|(_, shelf)| Arc::clone(shelf))
            .collect();
        drop(shelves);
        of_server.iter().for_each(|shelf| shelf.close_idle());
    }

    /// Every shelf with idle connections: its key, how many there are, and since when the oldest waits.
    #[must_use]
    pub fn shelves(&self) -> Vec<(Key, usize, Option<Instant>)> {
        let shelves = self.shelves.lock();
        let entry = |(key, shelf): (&Key, &Arc<Shelf>)| {
            let idle = shelf.idle.lock();
            (key.clone(), idle.len(), idle.iter().map(|idle| idle.since).min())
        };
        shelves.iter().map(entry).filter(|(_, idle, _)| *idle > 0).collect()
    }

    /// Idle connections at each server.
    #[must_use]
    pub fn idle(&self) -> HashMap<ServerId, usize> {
        let mut counts = HashMap::new();
        for (key, shelf) in self.shelves.lock().iter() {
            *counts.entry(key.server).or_default() += shelf.idle.lock().len();
        }
        counts
    }
}
