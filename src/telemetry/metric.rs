//! The table of metrics: what each is called and means. docs/metrics.md is written from it.

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident: $kind:ident $name:literal [$($label:literal),*];)+) => {
        $(
            $(#[doc = $help])+
            pub(super) const $constant: &Metric = &Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: concat!($($help),+),
            };
        )+

        /// Every metric there is, in the order of the reference.
        pub static METRICS: &[&Metric] = &[$($constant),+];
    };
}

metrics! {
    /// The version that runs; always 1.
    BUILD: Gauge "headgate_build_info" ["version"];
    /// Clients that have connected, whether or not they could log in.
    SESSIONS: Counter "headgate_sessions_total" [];
    /// Clients connected now.
    SESSIONS_OPEN: Gauge "headgate_sessions_open" [];
    /// Logins by result: accepted, refused by the primary or by Headgate, or failed for another reason.
    LOGINS: Counter "headgate_logins_total" ["result"];
    /// Clients that Headgate itself turned away, by the rule that did. docs/clients.md has the rules.
    REFUSALS: Counter "headgate_clients_refused_total" ["reason"];
    /// Bytes received from clients.
    BYTES_FROM_CLIENTS: Counter "headgate_client_received_bytes_total" [];
    /// Bytes sent to clients.
    BYTES_TO_CLIENTS: Counter "headgate_client_sent_bytes_total" [];
    /// Statements by the kind of server that got them and the reason why.
    STATEMENTS: Counter "headgate_statements_total" ["target", "reason"];
    /// Reads that a replica could not answer and that ran again elsewhere.
    RETRIES: Counter "headgate_read_retries_total" [];
    /// Reads that waited for a replica to be fresh enough.
    FRESHNESS_WAITS: Counter "headgate_freshness_waits_total" [];
    /// How long they waited, together, in microseconds.
    FRESHNESS_WAITED: Counter "headgate_freshness_waited_microseconds_total" [];
    /// Errors that Headgate itself had to report or to deal with, by kind.
    ERRORS: Counter "headgate_errors_total" ["kind"];
    /// 1 while an operator has paused the traffic of all clients, else 0.
    TRAFFIC_PAUSED: Gauge "headgate_traffic_paused" [];
    /// Statements and transactions that wait for the end of such a pause.
    TRAFFIC_WAITING: Gauge "headgate_traffic_waiting" [];
    /// Connections opened to a server.
    SERVER_CONNECTIONS: Counter "headgate_server_connections_total" ["server"];
    /// Connections to a server that could not be opened.
    SERVER_CONNECT_FAILURES: Counter "headgate_server_connect_failures_total" ["server"];
    /// Connections that a server refused because it, or the account, had no room for more.
    SERVER_FULL: Counter "headgate_server_full_total" ["server"];
    /// Connections to a server that are open now, idle ones included.
    SERVER_CONNECTIONS_OPEN: Gauge "headgate_server_connections_open" ["server"];
    /// Connections to a server that wait for work in a pool.
    SERVER_CONNECTIONS_IDLE: Gauge "headgate_server_connections_idle" ["server"];
    /// 1 for what a server's health is, 0 for the others: `up`, `suspect`, `down`. All are 0 once it is gone.
    SERVER_HEALTH: Gauge "headgate_server_health" ["server", "state"];
    /// 1 for what a server serves as, 0 for the others: `primary`, `replica`, `none`. All are 0 once it is gone.
    SERVER_ROLE: Gauge "headgate_server_role" ["server", "role"];
    /// 1 while an operator has a server drained, else 0.
    SERVER_DRAINED: Gauge "headgate_server_drained" ["server"];
    /// How far a replica was behind the primary when it was last asked, in seconds; NaN where that is not known.
    SERVER_LAG: Gauge "headgate_server_lag_seconds" ["server"];
    /// For how long a write of Headgate's own has not got through on the primary, in seconds: 0 while they do, NaN where
    /// none is tried (`health.write_probe_table`).
    WRITES_STUCK: Gauge "headgate_writes_stuck_seconds" [];
    /// Times a client had to wait for a connection to a server.
    POOL_WAITS: Counter "headgate_pool_waits_total" ["server"];
    /// Times that wait reached its deadline.
    POOL_TIMEOUTS: Counter "headgate_pool_wait_timeouts_total" ["server"];
    /// Memory in use, in bytes.
    MEMORY: Gauge "process_resident_memory_bytes" [];
    /// Open file descriptors.
    FILES: Gauge "process_open_fds" [];
}

const HEAD: &str = "\
# Metrics

*Written from the table in `src/telemetry/metric.rs`; a test keeps the two equal.*

`GET /metrics` on the address `listen.http` answers in the Prometheus text format. `/healthz` answers 200
while the process lives; `/readyz` answers 200 while clients can be served and 503 with the reason while
they cannot.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

/// The whole of docs/metrics.md.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = metric.help.trim();
        page.push_str(&format!("| `{}` | {kind} | {} | {help} |\n", metric.name, labels.join(", ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test reference` writes the page instead of comparing it.
    #[test]
    fn the_reference_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page == reference(), "docs/metrics.md is out of date: UPDATE_DOCS=1 cargo test reference");
    }

    #[test]
    fn names_follow_the_conventions() {
        for metric in METRICS {
            let counts = metric.name.ends_with("_total");
            assert_eq!(counts, metric.kind == Kind::Counter, "{}", metric.name);
            assert_eq!(
                METRICS.iter().filter(|other| other.name == metric.name).count(),
                1,
                "{}",
                metric.name
            );
        }
    }
}
