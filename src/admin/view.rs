//! What the console looks at.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::rolling::Guide;
use crate::failover::Handle;
use crate::frontend::{Context, Shared};
use crate::probing::write_probe::Writes;
use crate::telemetry::Registry;
use crate::topology::{ServerId, Topology};

/// The running Headgate, as the console sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// What all sessions share.
    pub shared: Arc<Shared>,
    /// The workers, for their pools.
    pub workers: Vec<Arc<Context>>,
    /// The counters.
    pub registry: Arc<Registry>,
    /// Where failover stands.
    pub failover: Handle,
    /// Whether writes get through on the primary.
    pub writes: watch::Receiver<Writes>,
    /// The rolling restart, if there is one.
    pub rolling: Arc<Guide>,
    /// When Headgate was ready.
    pub started: Instant,
}

impl View {
    /// The servers as last seen.
    pub(super) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.shared.topology.borrow())
    }

    /// Idle connections at a server, over all workers.
    pub(super) fn idle(&self, server: ServerId) -> usize {
        self.workers.iter().filter_map(|worker| worker.pool.idle().get(&server).copied()).sum()
    }

    /// Connections open at a server, over all workers, the control account's not counted.
    pub(super) fn open(&self, server: ServerId) -> usize {
        self.workers.first().map_or(0, |worker| worker.pool.limits().open(server))
    }

    /// Connections in use at a server, over all workers, the control account's not counted.
    pub(super) fn in_use(&self, server: ServerId) -> usize {
        // Idle ones first: one that is given back in between is counted as in use rather than as gone.
        let idle = self.idle(server);
        self.open(server).saturating_sub(idle)
    }

    /// Most connections to a server by now.
    pub(super) fn allowed(&self, server: ServerId) -> usize {
        self.workers.first().map_or(0, |worker| worker.pool.limits().allowed(server))
    }
}

/// Milliseconds from `earlier` to `later`.
pub(super) fn ms(earlier: Instant, later: Instant) -> i64 {
    i64::try_from(later.saturating_duration_since(earlier).as_millis()).unwrap_or(i64::MAX)
}
