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
    /// Those of them that have been sent and not begun to be answered.
    silent: AtomicU32,
    /// Nanoseconds to the first byte: each new reply counts an eighth.
    latency: AtomicU64,
    /// When the last one came, in milliseconds since the first server was counted.
    measured: AtomicU64,
}

/// So many seconds without an answer are no news while one is waited for.
const REPORT: u64 = 10;

/// How much of the average a new reply replaces.
const NEWS: u64 = 8;

impl Loads {
    /// Counts a statement whose answer is timed until it is dropped.
    pub(super) fn begin(&self, server: ServerId) -> Running {
        let gauge = self.gauge(server);
        gauge.running.fetch_add(1, Ordering::Relaxed);
        gauge.silent.fetch_add(1, Ordering::Relaxed);
        Running { gauge, is_silent: true }
    }

    /// Counts one whose answer is not: another than a read, or one that waits for a connection, which is as much in the
    /// way of others as who has one.
    pub(super) fn count(&self, server: ServerId) -> Running {
        let gauge = self.gauge(server);
        gauge.running.fetch_add(1, Ordering::Relaxed);
        Running { gauge, is_silent: false }
    }

    /// A server began to answer a statement after so long.
    pub(super) fn answered(&self, running: &mut Running, after: Duration) {
        let gauge = &running.gauge;
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let known = gauge.latency.load(Ordering::Relaxed);
        // Two that end at the same time may lose one of the two: it is an estimate.
        let news = if known == 0 { after } else { known - known / NEWS + after / NEWS };
        gauge.latency.store(news, Ordering::Relaxed);
        gauge.measured.store(self.time(), Ordering::Relaxed);
        running.is_answered();
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
        let now = |count: &AtomicU32| count.load(Ordering::Relaxed);
        let (running, latency) = (now(&gauge.running), gauge.latency.load(Ordering::Relaxed));
        // What was slow once is tried again: after each second without an answer it counts half. Where somebody waits for
        // one, that it does not come is no news of being faster, until it may be a report that takes its time.
        let quiet = self.time().saturating_sub(gauge.measured.load(Ordering::Relaxed)) / 1000;
        let quiet = if now(&gauge.silent) == 0 { quiet } else { quiet.saturating_sub(REPORT) };
        Load { running, latency: Duration::from_nanos(latency >> quiet.min(63)) }
    }
}

/// A statement at a server, or on its way there.
#[derive(Debug)]
pub(super) struct Running {
    gauge: Arc<Gauge>,
    is_silent: bool,
}

impl Running {
    /// The answer has begun.
    fn is_answered(&mut self) {
        if std::mem::take(&mut self.is_silent) {
            self.gauge.silent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.is_answered();
        self.gauge.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Loads as _;

    #[test]
    fn what_runs_is_counted_and_what_was_slow_is_remembered() {
        let loads = Loads::default();
        let (mut one, mut two) = (loads.begin(ServerId(7)), loads.begin(ServerId(7)));
        let waits = loads.count(ServerId(7));
        assert_eq!(loads.of(ServerId(7)).running, 3);
        loads.answered(&mut one, Duration::from_micros(800));
        assert_eq!(loads.of(ServerId(7)).latency, Duration::from_micros(800));
        loads.answered(&mut two, Duration::from_micros(1600));
        assert_eq!(loads.of(ServerId(7)).latency, Duration::from_micros(900));
        drop((one, two, waits));
        assert_eq!((loads.of(ServerId(7)).running, loads.of(ServerId(8))), (0, Load::default()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_is_not_taken_for_fast_while_an_answer_is_waited_for() {
        let (loads, slow) = (Loads::default(), Duration::from_millis(800));
        let latency = || loads.of(ServerId(7)).latency;
        let mut one = loads.begin(ServerId(7));
        loads.answered(&mut one, slow);
        // Its rows are still being sent.
        clock::sleep(Duration::from_millis(1500)).await;
        assert_eq!(latency(), slow / 2);
        let other = loads.begin(ServerId(7));
        clock::sleep(Duration::from_secs(8)).await;
        assert_eq!(latency(), slow);
        clock::sleep(Duration::from_secs(5)).await;
        assert_eq!(latency(), slow / 16);
        drop(other);
        assert!(latency() < Duration::from_millis(1));
    }
}
