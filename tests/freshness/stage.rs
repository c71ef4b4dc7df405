//! One cluster a flavor, with three replicas and relays, for every test of this binary; tests of a flavor take turns.

use std::path::Path;
use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Account, Cluster, DATABASE, Fault, Flavor, Headgate, Node};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options, Reply};

/// How long a cluster may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A turn on the cluster of a flavor.
pub(crate) struct Stage {
    pub(crate) cluster: &'static Cluster,
    _turn: MutexGuard<'static, ()>,
}

/// Waits for the cluster of a flavor. Clusters live in statics, which nothing drops: the laboratory's watchdog ends
/// them with the process.
pub(crate) async fn stage(flavor: Flavor) -> Stage {
    static MYSQL: (OnceCell<Cluster>, Mutex<()>) = (OnceCell::const_new(), Mutex::const_new(()));
    static MARIADB: (OnceCell<Cluster>, Mutex<()>) = (OnceCell::const_new(), Mutex::const_new(()));
    let (cell, turns) = match flavor {
        Flavor::MySql => &MYSQL,
        Flavor::MariaDb => &MARIADB,
    };
    let turn = turns.lock().await;
    let cluster = cell.get_or_init(|| start(flavor)).await;
    Stage { cluster, _turn: turn }
}

async fn start(flavor: Flavor) -> Cluster {
    let builder = Cluster::builder(flavor)
        .replicas(3)
        .performance_schema(false)
        .max_connections(400)
        // Nobody pulls the plug.
        .server_option("sync_binlog=0")
        // Processes are killed all the same, and must find what they knew of their relay logs.
        .server_option("innodb_flush_log_at_trx_commit=2")
        .server_option("relay_log_recovery=ON")
        .server_option("innodb_doublewrite=OFF");
    builder.start().await.unwrap()
}

impl Stage {
    /// Runs statements on the primary as its administrator.
    pub(crate) async fn prepare(&self, statements: impl IntoIterator<Item = impl Into<String>>) {
        for statement in statements {
            self.cluster.primary().sql(statement).await.unwrap();
        }
        self.cluster.wait_caught_up(PATIENCE).await.unwrap();
    }

    /// Starts Headgate before the cluster and waits until clients are let in.
    pub(crate) async fn headgate(&self, arguments: &[&str]) -> Headgate {
        let servers: Vec<_> = self.cluster.nodes().iter().map(Node::address).collect();
        let mut options = HeadgateOptions::default();
        for argument in arguments {
            options = options.argument(argument);
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
        let headgate = Headgate::start(binary, &servers, &options).unwrap();
        let client = self.through(&headgate);
        let end = Instant::now() + PATIENCE;
        while client.login().await.is_err() {
            assert!(Instant::now() < end, "headgate lets nobody in:\n{}", headgate.log());
            sleep(Duration::from_millis(50)).await;
        }
        headgate
    }

    /// A client of Headgate.
    pub(crate) fn through(&self, headgate: &Headgate) -> Options {
        let Account { user, password } = self.cluster.accounts().app;
        Options::new(headgate.address(), user, password).schema(DATABASE).tls(false)
    }

    /// A client of the primary itself.
    pub(crate) fn at_primary(&self) -> Options {
        let Account { user, password } = self.cluster.accounts().app;
        Options::new(self.cluster.primary().direct_address(), user, password).schema(DATABASE)
    }

    /// All links let everything pass, every server runs, and every replica has everything.
    pub(crate) async fn heal(&self) {
        for node in self.cluster.nodes() {
            node.link().unwrap().set(Fault::None).await;
        }
        for replica in self.cluster.replicas() {
            heal_replica(replica).await;
        }
        self.cluster.wait_caught_up(PATIENCE).await.unwrap();
    }
}

/// A replica that runs, replicates, and is reached without delay.
pub(crate) async fn heal_replica(replica: &Node) {
    replica.link().unwrap().set(Fault::None).await;
    replica.replication_link().unwrap().set(Fault::None).await;
    if !replica.is_running() {
        replica.start().await.unwrap();
    }
    // Not frozen is fine.
    let _ = replica.resume();
    let word = match replica.flavor() {
        Flavor::MySql => "REPLICA",
        Flavor::MariaDb => "SLAVE",
    };
    // One that failed to connect would wait for up to a minute before it tries again.
    for statement in [format!("STOP {word} IO_THREAD"), format!("START {word}")] {
        replica.sql(statement).await.unwrap();
    }
}

/// The sum of a counter's samples whose labels are these.
pub(crate) fn counted(headgate: &Headgate, name: &str, labels: &[(&str, &str)]) -> f64 {
    let samples = headgate.metrics().unwrap();
    let is_meant = |sample: &&headgate::lab::headgate::Sample| {
        sample.name == name && labels.iter().all(|(label, value)| sample.label(label) == *value)
    };
    samples.iter().filter(is_meant).map(|sample| sample.value).sum()
}

/// Statements that ran on replicas.
pub(crate) fn on_replicas(headgate: &Headgate) -> f64 {
    counted(headgate, "headgate_statements_total", &[("target", "replica")])
}

/// Runs a statement that must succeed.
pub(crate) async fn run(connection: &mut Connection, statement: &str) -> anyhow::Result<Reply> {
    let reply = connection.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => anyhow::bail!("{statement}: {error}"),
    }
}
