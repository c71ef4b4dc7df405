//! How many connections a server may have from this process, over all workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::Full;
use crate::runtime::clock;
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
    places: Mutex<HashMap<ServerId, Arc<Semaphore>>>,
}

impl ServerLimits {
    /// All places free.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, places: Mutex::default() })
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    fn places(&self, server: ServerId) -> Arc<Semaphore> {
        let mut places = self.places.lock();
        let fresh = || Arc::new(Semaphore::new(self.limits.per_server));
        Arc::clone(places.entry(server).or_insert_with(fresh))
    }

    /// Takes a place, first come, first served, waiting at most [`Limits::wait`].
    pub async fn wait_for_place(&self, server: ServerId) -> Result<OwnedSemaphorePermit, Full> {
        let full = Full { limit: self.limits.per_server };
        let place = self.places(server).acquire_owned();
        match clock::within_if_slow(self.limits.wait, place).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphores are never closed; a closed one would be as good as full.
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// Takes a place if one is free now.
    pub fn place_now(&self, server: ServerId) -> Result<OwnedSemaphorePermit, Full> {
        self.places(server).try_acquire_owned().map_err(|_| Full { limit: self.limits.per_server })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded_and_come_back() {
        let limits = ServerLimits::new(Limits { per_server: 1, ..Limits::default() });
        let held = limits.wait_for_place(ServerId(1)).await.unwrap();
        assert_eq!(limits.wait_for_place(ServerId(1)).await.err(), Some(Full { limit: 1 }));
        assert!(limits.place_now(ServerId(1)).is_err());
        assert!(limits.place_now(ServerId(2)).is_ok());
        drop(held);
        assert!(limits.place_now(ServerId(1)).is_ok());
    }
}
