//! What the shells count: handles registered ahead, so that counting is an increment and nothing else.
//!
//! An increment is two atomic additions behind a pointer: 5 ns alone, 14 ns with two cores at it all the
//! time (release build, two cores). A statement costs a handful of them beside some 50 µs, so counters
//! of our own for each worker were not worth having. Bytes are counted once a statement, not once a read.

use std::time::Duration;

use metrics::{Counter, Gauge};

use super::metric;
use super::registry::Registry;

/// The labels that only the callers know.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Why a statement went to the primary.
    pub primary_reasons: &'a [&'static str],
    /// Why a statement went to a replica.
    pub replica_reasons: &'a [&'static str],
    /// Kinds of errors.
    pub errors: &'a [&'static str],
    /// Why clients are not let in.
    pub refusals: &'a [&'static str],
}

/// Everything that is counted apart from single servers.
pub struct Counters {
    pub sessions: Sessions,
    pub logins: Logins,
    pub refusals: Labelled,
    pub traffic: Traffic,
    pause: PauseGauges,
    pub statements: Statements,
    /// Reads run again elsewhere.
    pub retries: Counter,
    freshness: Freshness,
    pub errors: Labelled,
    /// For how long writes of Headgate's own have not got through, in seconds.
    pub writes_stuck: Gauge,
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

impl Counters {
    /// Registers all of them.
    pub fn new(registry: &Registry, labels: Labels<'_>) -> Self {
        let statements =
            |target| move |reason: &'static str| registry.counter(metric::STATEMENTS, &[target, reason]);
        Self {
            sessions: Sessions {
                accepted: registry.counter(metric::SESSIONS, &[]),
                open: registry.gauge(metric::SESSIONS_OPEN, &[]),
            },
            logins: Logins {
                accepted: registry.counter(metric::LOGINS, &["accepted"]),
                refused: registry.counter(metric::LOGINS, &["refused"]),
                failed: registry.counter(metric::LOGINS, &["failed"]),
            },
            refusals: Labelled::new(labels.refusals, |reason| registry.counter(metric::REFUSALS, &[reason])),
            traffic: Traffic {
                received: registry.counter(metric::BYTES_FROM_CLIENTS, &[]),
                sent: registry.counter(metric::BYTES_TO_CLIENTS, &[]),
            },
            pause: PauseGauges {
                paused: registry.gauge(metric::TRAFFIC_PAUSED, &[]),
                waiting: registry.gauge(metric::TRAFFIC_WAITING, &[]),
            },
            statements: Statements {
                primary: Labelled::new(labels.primary_reasons, statements("primary")),
                replica: Labelled::new(labels.replica_reasons, statements("replica")),
            },
            retries: registry.counter(metric::RETRIES, &[]),
            freshness: Freshness {
                waits: registry.counter(metric::FRESHNESS_WAITS, &[]),
                waited: registry.counter(metric::FRESHNESS_WAITED, &[]),
            },
            errors: Labelled::new(labels.errors, |kind| registry.counter(metric::ERRORS, &[kind])),
            writes_stuck: registry.gauge(metric::WRITES_STUCK, &[]),
        }
    }
}

impl Counters {
    /// Shows whether the traffic is paused and how many wait for the end of that, before the metrics are rendered.
    pub fn show_pause(&self, paused: bool, waiting: usize) {
        self.pause.paused.set(if paused { 1.0 } else { 0.0 });
        self.pause.waiting.set(u32::try_from(waiting).map_or(f64::MAX, f64::from));
    }
}

/// Whether an operator holds the traffic.
struct PauseGauges {
    paused: Gauge,
    waiting: Gauge,
}

/// Waits for a replica that is about to be fresh enough.
struct Freshness {
    waits: Counter,
    /// In microseconds.
    waited: Counter,
}

impl Counters {
    /// A read has waited so long for a replica to be fresh enough.
    pub fn freshness_wait(&self, waited: Duration) {
        self.freshness.waits.increment(1);
        self.freshness.waited.increment(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Clients.
#[derive(Clone)]
pub struct Sessions {
    accepted: Counter,
    open: Gauge,
}

impl Sessions {
    /// Counts a client; it is open until the answer is dropped.
    pub fn open(&self) -> Held {
        self.accepted.increment(1);
        Held::new(&self.open)
    }
}

/// Logins by result.
#[derive(Clone)]
pub struct Logins {
    pub accepted: Counter,
    /// The primary or Headgate said no: wrong password, locked account, too many clients.
    pub refused: Counter,
    /// It could not be decided: time-out, lost connection, no primary.
    pub failed: Counter,
}

/// Bytes on the client side.
#[derive(Clone)]
pub struct Traffic {
    pub received: Counter,
    pub sent: Counter,
}

/// Statements by target and reason.
#[derive(Clone)]
pub struct Statements {
    /// Counted by the index into [`Labels::primary_reasons`].
    pub primary: Labelled,
    /// Counted by the index into [`Labels::replica_reasons`].
    pub replica: Labelled,
}

/// One counter for each value of a label.
#[derive(Clone)]
pub struct Labelled(Box<[Counter]>);

impl Labelled {
    fn new(values: &[&'static str], register: impl FnMut(&'static str) -> Counter) -> Self {
        Self(values.iter().copied().map(register).collect())
    }

    /// Counts one for the value with this index. An index that does not exist is a bug of the caller and
    /// counts nothing.
    #[inline]
    pub fn count(&self, index: usize) {
        debug_assert!(index < self.0.len(), "there is no label {index}");
        if let Some(counter) = self.0.get(index) {
            counter.increment(1);
        }
    }
}

/// What is counted for one server.
#[derive(Clone)]
pub struct Server {
    pub connect_failures: Counter,
    /// Refused for want of room.
    pub full: Counter,
    pub waits: Counter,
    pub wait_timeouts: Counter,
    /// Idle connections, set by whoever knows the pools before the metrics are rendered.
    pub idle: Gauge,
    health: [(&'static str, Gauge); 3],
    roles: [(&'static str, Gauge); 3],
    drained: Gauge,
    lag: Gauge,
    connections: Counter,
    open: Gauge,
}

impl Server {
    /// Registers the counters of the server at `address`.
    pub fn new(registry: &Registry, address: &str) -> Self {
        let of = |metric| move |word: &'static str| (word, registry.gauge(metric, &[address, word]));
        Self {
            health: ["up", "suspect", "down"].map(of(metric::SERVER_HEALTH)),
            roles: ["primary", "replica", "none"].map(of(metric::SERVER_ROLE)),
            drained: registry.gauge(metric::SERVER_DRAINED, &[address]),
            lag: registry.gauge(metric::SERVER_LAG, &[address]),
            connect_failures: registry.counter(metric::SERVER_CONNECT_FAILURES, &[address]),
            full: registry.counter(metric::SERVER_FULL, &[address]),
            waits: registry.counter(metric::POOL_WAITS, &[address]),
            wait_timeouts: registry.counter(metric::POOL_TIMEOUTS, &[address]),
            idle: registry.gauge(metric::SERVER_CONNECTIONS_IDLE, &[address]),
            connections: registry.counter(metric::SERVER_CONNECTIONS, &[address]),
            open: registry.gauge(metric::SERVER_CONNECTIONS_OPEN, &[address]),
        }
    }

    /// Shows what the server is by now, before the metrics are rendered; nothing where it is gone.
    pub fn show(&self, standing: Option<Standing>) {
        let one = |word: &str, is: Option<&str>| if is == Some(word) { 1.0 } else { 0.0 };
        for (word, gauge) in &self.health {
            gauge.set(one(word, standing.map(|standing| standing.health)));
        }
        for (word, gauge) in &self.roles {
            gauge.set(one(word, standing.map(|standing| standing.role)));
        }
        let drained = standing.is_some_and(|standing| standing.drained);
        self.drained.set(if drained { 1.0 } else { 0.0 });
        let lag = standing.and_then(|standing| standing.lag);
        self.lag.set(lag.map_or(f64::NAN, |lag| lag.as_secs_f64()));
    }

    /// Counts a connection; it is open until the answer is dropped.
    pub fn connected(&self) -> Held {
        self.connections.increment(1);
        Held::new(&self.open)
    }
}

/// What a server is by now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// `up`, `suspect` or `down`.
    pub health: &'static str,
    /// `primary`, `replica` or `none`.
    pub role: &'static str,
    /// An operator has it drained.
    pub drained: bool,
    /// How far it was behind when it was last asked.
    pub lag: Option<Duration>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

/// One of what a gauge counts, for as long as it lives.
pub struct Held(Gauge);

impl Held {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric::METRICS;
    use super::*;

    const LABELS: Labels<'_> = Labels {
        primary_reasons: &["write", "transaction"],
        replica_reasons: &["plain_read"],
        errors: &["io"],
        refusals: &["address"],
    };

    #[track_caller]
    fn check(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
    }

    #[test]
    fn what_is_counted_is_shown() {
        let registry = Registry::new();
        let counters = Counters::new(&registry, LABELS);
        let server = Server::new(&registry, "db1:3306");

        counters.show_pause(true, 2);
        counters.statements.primary.count(1);
        counters.statements.replica.count(0);
        counters.statements.replica.count(0);
        counters.traffic.sent.increment(100);
        counters.logins.refused.increment(1);
        counters.errors.count(0);
        let session = counters.sessions.open();
        let ended = counters.sessions.open();
        drop(ended);
        let connection = server.connected();
        server.idle.set(3.0);
        let lag = Some(Duration::from_millis(250));
        server.show(Some(Standing { health: "suspect", role: "replica", drained: true, lag }));

        let text = registry.render();
        check(&text, "headgate_statements_total{target=\"primary\",reason=\"transaction\"} 1");
        check(&text, "headgate_statements_total{target=\"primary\",reason=\"write\"} 0");
        check(&text, "headgate_statements_total{target=\"replica\",reason=\"plain_read\"} 2");
        check(&text, "headgate_client_sent_bytes_total 100");
        check(&text, "headgate_logins_total{result=\"refused\"} 1");
        check(&text, "headgate_errors_total{kind=\"io\"} 1");
        check(&text, "headgate_traffic_paused 1");
        check(&text, "headgate_traffic_waiting 2");
        check(&text, "headgate_sessions_total 2");
        check(&text, "headgate_sessions_open 1");
        check(&text, "headgate_server_connections_open{server=\"db1:3306\"} 1");
        check(&text, "headgate_server_connections_idle{server=\"db1:3306\"} 3");
        check(&text, "headgate_server_health{server=\"db1:3306\",state=\"suspect\"} 1");
        check(&text, "headgate_server_health{server=\"db1:3306\",state=\"up\"} 0");
        check(&text, "headgate_server_role{server=\"db1:3306\",role=\"replica\"} 1");
        check(&text, "headgate_server_drained{server=\"db1:3306\"} 1");
        check(&text, "headgate_server_lag_seconds{server=\"db1:3306\"} 0.25");
        server.show(None);
        check(&registry.render(), "headgate_server_health{server=\"db1:3306\",state=\"suspect\"} 0");
        check(&text, "# HELP headgate_sessions_open Clients connected now.");
        drop((session, connection));
        check(&registry.render(), "headgate_sessions_open 0");
    }

    #[test]
    fn every_metric_of_the_table_is_registered_by_someone() {
        let registry = Registry::new();
        let _counters = Counters::new(&registry, LABELS);
        let _server = Server::new(&registry, "db1:3306");
        let text = registry.render();
        for metric in METRICS {
            assert!(text.contains(&format!("# TYPE {} ", metric.name)), "{} is missing", metric.name);
        }
    }
}
