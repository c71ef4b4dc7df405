//! A cluster with semi-synchronous replication, a Headgate before all of it but the last replica, and that replica
//! behind Headgate.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, Flavor, Headgate, Node, Row};
use tokio::runtime::Runtime;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    pub(crate) headgate: Headgate,
    runtime: Runtime,
}

impl Place {
    /// With this many replicas. Headgate is not told of the last one where there are two.
    pub(crate) fn start(flavor: Flavor, replicas: u16) -> Self {
        let runtime = Runtime::new().unwrap();
        let builder = Cluster::builder(flavor)
            .replicas(replicas)
            .relays(false)
            .performance_schema(false)
            .semi_sync(replicas > 0)
            .server_option("max-allowed-packet=64M")
            .server_option("binlog-format=ROW")
            // Nothing here outlives a power cut anyway.
            .server_option("sync-binlog=0")
            .server_option("innodb-flush-log-at-trx-commit=0");
        let cluster = runtime.block_on(builder.start()).unwrap();
        let headgate = headgate(&cluster, Options::default());
        Self { cluster, headgate, runtime }
    }

    pub(crate) fn primary(&self) -> &Node {
        self.cluster.primary()
    }

    /// The replica that follows through Headgate.
    pub(crate) fn follower(&self) -> &Node {
        self.cluster.replicas().last().unwrap()
    }

    /// Runs statements on a node, one after the other; the rows of the last.
    #[track_caller]
    pub(crate) fn sql(&self, node: &Node, statements: &[&str]) -> Vec<Row> {
        let run = |statement: &&str| self.runtime.block_on(node.sql(*statement)).unwrap();
        statements.iter().map(run).last().unwrap_or_default()
    }

    /// The first value of the first row.
    #[track_caller]
    pub(crate) fn value(&self, node: &Node, statement: &str) -> String {
        let rows = self.sql(node, &[statement]);
        rows.first().and_then(|row| row.values().last()?.clone()).unwrap_or_default()
    }

    /// Every replica that runs has what the primary has.
    #[track_caller]
    pub(crate) fn catches_up(&self) {
        self.runtime.block_on(self.cluster.wait_caught_up(PATIENCE)).unwrap();
    }

    /// Another Headgate in place of this one, where replicas look for it.
    pub(crate) fn restart_headgate(&mut self) {
        let address = self.headgate.address();
        let ended = self.headgate.terminate(PATIENCE).unwrap();
        assert!(ended.success(), "{ended}: {}", self.headgate.log());
        self.headgate = headgate(&self.cluster, Options { listen: Some(address), ..Options::default() });
    }
}

fn headgate(cluster: &Cluster, options: Options) -> Headgate {
    let known = cluster.nodes().len().min(2);
    let servers: Vec<SocketAddr> = cluster.nodes().iter().take(known).map(Node::address).collect();
    Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), &servers, &options).unwrap()
}

/// Polls until `done`.
#[track_caller]
pub(crate) fn becomes(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
