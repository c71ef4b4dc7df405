//! How many connections a server may have from this process, over all workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::BackendError;
use crate::runtime::clock;
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
    /// How long a login waits for a place.
    pub wait: Duration,
    /// A replica connection serves sessions for at most this long after its login was proven, so that
    /// a grant taken away at the server is honoured.
    pub proof_lasts: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_server: 4000,
            idle_per_shelf: 64,
            idle_timeout: Duration::from_secs(60),
            wait: Duration::from_secs(10),
            proof_lasts: Duration::from_secs(30),
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

/// One server's places, and what is counted of them.
#[derive(Debug)]
struct Server {
    places: Arc<Semaphore>,
    /// Half as many: for clients that leave a reply unread while they hold a connection (HAZARDS 27).
    stalls: Arc<Semaphore>,
    counters: telemetry::Server,
}

/// A place at a server, for as long as its connection lives.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: telemetry::Held,
}

impl ServerLimits {
    /// All places free.
    #[must_use]
    pub fn new(
        limits: Limits,
        counters: impl IntoIterator<Item = (ServerId, telemetry::Server)>,
    ) -> Arc<Self> {
        let server = |(id, counters)| {
            let places = Arc::new(Semaphore::new(limits.per_server));
            let stalls = Arc::new(Semaphore::new(limits.per_server.div_ceil(2)));
            (id, Server { places, stalls, counters })
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

    /// Takes a place, first come, first served, waiting at most [`Limits::wait`].
    ///
    /// # Errors
    /// [`BackendError::Full`] past the deadline.
    pub async fn wait_for_place(&self, id: ServerId) -> Result<Place, BackendError> {
        if let Ok(place) = self.place_now(id) {
            return Ok(place);
        }
        let server = self.server(id)?;
        server.counters.waits.increment(1);
        let permit = clock::within(self.limits.wait, Arc::clone(&server.places).acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => Ok(server.place(permit)),
            // The semaphores are never closed; a closed one would be as good as full.
            Ok(Err(_)) | Err(_) => {
                server.counters.wait_timeouts.increment(1);
                Err(self.full())
            }
        }
    }

    /// Takes a place if one is free now.
    ///
    /// # Errors
    /// [`BackendError::Full`].
    pub fn place_now(&self, id: ServerId) -> Result<Place, BackendError> {
        let server = self.server(id)?;
        match Arc::clone(&server.places).try_acquire_owned() {
            Ok(permit) => Ok(server.place(permit)),
            Err(_) => Err(self.full()),
        }
    }

    /// Lets a client hold a connection that it does not read from, unless half of them are held so already.
    #[must_use]
    pub fn may_stall(&self, id: ServerId) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.servers.get(&id)?.stalls).try_acquire_owned().ok()
    }

    /// Connections to a server, in use and idle.
    #[must_use]
    pub fn open(&self, id: ServerId) -> usize {
        let free = self.servers.get(&id).map(|server| server.places.available_permits());
        free.map_or(0, |free| self.limits.per_server.saturating_sub(free))
    }

    /// Counts a connection that could not be opened.
    pub fn failed(&self, id: ServerId) {
        if let Some(server) = self.servers.get(&id) {
            server.counters.connect_failures.increment(1);
        }
    }

    /// Shows how many connections to a server are idle.
    pub fn show_idle(&self, idle: impl Fn(ServerId) -> usize) {
        for (id, server) in &self.servers {
            server.counters.idle.set(u32::try_from(idle(*id)).map_or(f64::MAX, f64::from));
        }
    }

    fn server(&self, id: ServerId) -> Result<&Server, BackendError> {
        self.servers.get(&id).ok_or_else(|| self.full())
    }

    const fn full(&self) -> BackendError {
        BackendError::Full { limit: self.limits.per_server }
    }
}

impl Server {
    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place { _permit: permit, _counted: self.counters.connected() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_and_come_back() {
        let registry = telemetry::Registry::new();
        let counters = [1, 2].map(|id| (ServerId(id), telemetry::Server::new(&registry, "db")));
        let limits = ServerLimits::new(Limits { per_server: 1, ..Limits::default() }, counters);
        let held = limits.wait_for_place(ServerId(1)).await.unwrap();
        assert!(matches!(limits.wait_for_place(ServerId(1)).await, Err(BackendError::Full { limit: 1 })));
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
}
