//! What the servers have to do for the clients of this Headgate, for the choice between replicas.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::routing::{self, Load};
use crate::runtime::clock;
use crate::topology::ServerId;

/// What all servers have to do.
#[derive(Debug, Default)]
pub struct Loads {
    all: ArcSwap<Vec<(ServerId, Arc<Gauge>)>>,
    since: OnceLock<Instant>,
}

#[derive(Debug, Default)]
struct Gauge {
    running: AtomicU32,
    /// Nanoseconds to the first byte: each new reply counts an eighth.
    latency: AtomicU64,
    /// When the last one came, in milliseconds since the first server was counted.
    measured: AtomicU64,
}

/// How much of the average a new reply replaces.
const NEWS: u64 = 8;

impl Loads {
    /// Counts a statement at a server until the answer is dropped. Who waits for a connection is counted too, being as
    /// much in the way of others as who has one.
    pub(super) fn begin(&self, server: ServerId) -> Running {
        let gauge = self.gauge(server);
        gauge.running.fetch_add(1, Ordering::Relaxed);
        Running(gauge)
    }

    /// A server began to answer after so long.
    pub(super) fn answered(&self, server: ServerId, after: Duration) {
        let gauge = self.gauge(server);
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let known = gauge.latency.load(Ordering::Relaxed);
        // Two that end at the same time may lose one of the two: it is an estimate.
        let news = if known == 0 { after } else { known - known / NEWS + after / NEWS };
        gauge.latency.store(news, Ordering::Relaxed);
        gauge.measured.store(self.time(), Ordering::Relaxed);
    }

    fn time(&self) -> u64 {
        let since = *self.since.get_or_init(clock::now);
        u64::try_from(clock::now().saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
    }

    fn gauge(&self, server: ServerId) -> Arc<Gauge> {
        let find = |all: &[(ServerId, Arc<Gauge>)]| {
            all.iter().find(|(id, _)| *id == server).map(|(_, gauge)| Arc::clone(gauge))
        };
        if let Some(known) = find(&self.all.load()) {
            return known;
        }
        self.all.rcu(|all| {
            let mut all = Vec::clone(all);
            if find(&all).is_none() {
                all.push((server, Arc::default()));
            }
            all
        });
        find(&self.all.load()).unwrap_or_default()
    }
}

impl routing::Loads for Loads {
    fn of(&self, server: ServerId) -> Load {
        let all = self.all.load();
        let Some((_, gauge)) = all.iter().find(|(id, _)| *id == server) else { return Load::default() };
        let (running, latency) =
            (gauge.running.load(Ordering::Relaxed), gauge.latency.load(Ordering::Relaxed));
        // What was slow once is tried again: after each second with nothing to do it counts half. Where something runs
        // and no reply comes, that is no news of being faster.
        let quiet = match running {
            0 => self.time().saturating_sub(gauge.measured.load(Ordering::Relaxed)) / 1000,
            _ => 0,
        };
        Load { running, latency: Duration::from_nanos(latency >> quiet.min(63)) }
    }
}

/// A statement at a server, or on its way there.
#[derive(Debug)]
pub(super) struct Running(Arc<Gauge>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Loads as _;

    #[test]
    fn what_runs_is_counted_and_what_was_slow_is_remembered() {
        let loads = Loads::default();
        let (one, two) = (loads.begin(ServerId(7)), loads.begin(ServerId(7)));
        assert_eq!(loads.of(ServerId(7)).running, 2);
        loads.answered(ServerId(7), Duration::from_micros(800));
        assert_eq!(loads.of(ServerId(7)).latency, Duration::from_micros(800));
        loads.answered(ServerId(7), Duration::from_micros(1600));
        assert_eq!(loads.of(ServerId(7)).latency, Duration::from_micros(900));
        drop((one, two));
        assert_eq!((loads.of(ServerId(7)).running, loads.of(ServerId(8))), (0, Load::default()));
    }
}
