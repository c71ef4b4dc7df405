//! What a soak leaves behind: memory and descriptors of Headgate, connections, transactions and locks of the servers.

use std::fmt;
use std::fs;
use std::time::Duration;

use headgate::lab::Cluster;
use tokio::time::{Instant, sleep};

use super::model::SCHEMAS;
use super::stage::LOCKS;
use crate::client::Connection;
use crate::headgate::Headgate;
use crate::servers::root;

/// How much memory may grow from a third of the time to the end: a part of it, and as many bytes.
const GROWTH: (u64, u64) = (10, 8 * 1024 * 1024);

/// For what is on its way out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections to each server.
const MOST: u64 = 20;

/// Bytes that are resident.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn descriptors(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64)
}

/// Headgate's memory in the course of a soak.
pub(super) struct Watch {
    lasts: Duration,
    /// When, and how many bytes.
    seen: Vec<(Duration, u64)>,
    /// Most connections to all servers together.
    connections: u64,
}

impl Watch {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, seen: Vec::new(), connections: 0 }
    }

    pub(super) async fn look(&mut self, headgate: &Headgate, after: Duration, actions: u64) {
        self.seen.push((after, resident(headgate.pid())));
        let open = headgate.metric("headgate_server_connections_open").await;
        self.connections = self.connections.max(open);
        if after.as_secs().is_multiple_of(30) {
            let (seconds, kilobytes) = (after.as_secs(), resident(headgate.pid()) / 1024);
            println!("{seconds:>5} s: {actions} actions, {kilobytes} KiB, {open} connections");
        }
    }

    /// The most within a part of the time, in thirds.
    fn most(&self, third: u32) -> u64 {
        let part = |after: &Duration| {
            *after >= self.lasts * third / 3 && (*after < self.lasts * (third + 1) / 3 || third == 2)
        };
        self.seen.iter().filter(|(after, _)| part(after)).map(|(_, bytes)| *bytes).max().unwrap_or(0)
    }

    /// Fails where memory went on growing.
    pub(super) fn is_flat(&self) {
        let (part, bytes) = GROWTH;
        let [warm, _, last] = [self.most(0), self.most(1), self.most(2)];
        assert!(last <= warm + warm / part + bytes, "memory grows: {self}");
        assert!(self.connections <= 3 * MOST, "{} connections to three servers", self.connections);
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, last] = [0, 1, 2].map(|third| self.most(third) / 1024);
        let open = self.connections;
        write!(
            f,
            "resident, most of each third: {first}, {second}, {last} KiB; connections to servers: {open} at most"
        )
    }
}

/// What Headgate holds while nobody is there.
pub(super) struct Held {
    /// Descriptors other than those of connections to servers.
    descriptors: u64,
}

impl Held {
    pub(super) async fn of(headgate: &Headgate) -> Self {
        let open = headgate.metric("headgate_server_connections_open").await;
        Self { descriptors: descriptors(headgate.pid()).saturating_sub(open) }
    }

    /// Waits until nothing but that is left.
    pub(super) async fn is_all_that_is_left(&self, headgate: &Headgate) {
        let end = Instant::now() + PATIENCE;
        loop {
            let sessions = headgate.metric("headgate_sessions_open").await;
            let now = Self::of(headgate).await;
            if sessions == 0 && now.descriptors <= self.descriptors + 2 {
                return;
            }
            let (before, now) = (self.descriptors, now.descriptors);
            assert!(
                Instant::now() < end,
                "{sessions} sessions are left, and {now} descriptors beside connections to servers, {before} before"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn number(root: &mut Connection, sql: &str) -> u64 {
    let reply = root.query(sql).await.unwrap();
    reply.value().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{sql}: {:?}", reply.error))
}

/// What the servers still have of the clients, who have all gone.
pub(super) async fn left(cluster: &Cluster, clients: usize) -> Vec<String> {
    let mut left = Vec::new();
    for node in cluster.nodes() {
        let mut options = root(cluster);
        options.address = node.address();
        let mut root = options.connect().await.unwrap();
        let connections = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER LIKE 'soak\\_%'";
        let open = "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p \
                    ON p.ID = t.trx_mysql_thread_id WHERE p.USER LIKE 'soak\\_%'";
        for (what, sql, most) in [("connections", connections, MOST), ("transactions", open, 0)] {
            let end = Instant::now() + PATIENCE;
            let mut found = number(&mut root, sql).await;
            // Connections of clients that have vanished are just being closed.
            while found > most && Instant::now() < end {
                sleep(Duration::from_millis(100)).await;
                found = number(&mut root, sql).await;
            }
            if found > most {
                left.push(format!("{found} {what} at {}", node.name()));
            }
        }
        root.quit().await.unwrap();
    }
    let mut root = root(cluster).connect().await.unwrap();
    let own = (0..clients).map(|client| format!("soak_{client}"));
    for lock in own.chain((0..LOCKS).map(|lock| format!("soak_shared_{lock}"))) {
        if number(&mut root, &format!("SELECT IS_FREE_LOCK('{lock}')")).await != 1 {
            left.push(format!("the lock {lock}"));
        }
    }
    // Nobody has a lock on the definition of any table, or this would wait for it.
    root.query("SET SESSION lock_wait_timeout = 20").await.unwrap();
    for schema in SCHEMAS {
        if let Some(error) = root.query(format!("DROP DATABASE {schema}")).await.unwrap().error {
            left.push(format!("DROP DATABASE {schema}: {error}"));
        }
    }
    root.quit().await.unwrap();
    left
}
