//! One cluster a flavor, with relays, for every test of this binary; tests of a flavor take turns on it.

use std::path::Path;
use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Account, Cluster, DATABASE, Fault, Flavor, Headgate, Node};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::client::{Connection, Options, Reply};

/// How long a cluster may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A turn on the cluster of a flavor.
pub(crate) struct Stage {
    pub(crate) cluster: &'static Cluster,
    _turn: MutexGuard<'static, ()>,
}

/// Waits for the cluster of a flavor. Clusters live in statics, which nothing drops: the laboratory's
/// watchdog ends them with the process.
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
        .performance_schema(false)
        .max_connections(400)
        // Nobody pulls the plug.
        .server_option("sync_binlog=0")
        .server_option("innodb_flush_log_at_trx_commit=0")
        .server_option("innodb_doublewrite=OFF")
        .server_option("log_bin_trust_function_creators=ON");
    builder.start().await.unwrap()
}

impl Stage {
    /// Runs statements on the primary as its administrator, in the application's schema.
    pub(crate) async fn prepare(&self, statements: impl IntoIterator<Item = impl Into<String>>) {
        for statement in statements {
            let statement = statement.into();
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
        let client = through(&headgate, self.cluster.accounts().app);
        let end = tokio::time::Instant::now() + PATIENCE;
        while client.login().await.is_err() {
            assert!(tokio::time::Instant::now() < end, "headgate lets nobody in:\n{}", headgate.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        headgate
    }

    /// How late the replicas get what the primary writes.
    pub(crate) async fn delay(&self, delays: [Duration; 2]) {
        for (replica, delay) in self.cluster.replicas().iter().zip(delays) {
            let fault = if delay.is_zero() { Fault::None } else { Fault::Delay(delay) };
            replica.replication_link().unwrap().set(fault).await;
        }
    }
}

/// An account through Headgate, in the application's schema.
pub(crate) fn through(headgate: &Headgate, account: Account) -> Options {
    Options::new(headgate.address(), account.user, account.password).schema(DATABASE).tls(true)
}

/// Statements that ran on each kind of server so far, as Headgate counts them: primary, replicas.
pub(crate) fn counted(headgate: &Headgate) -> (f64, f64) {
    let samples = headgate.metrics().unwrap();
    let count = |target: &str| {
        samples
            .iter()
            .filter(|sample| sample.name == "headgate_statements_total" && sample.label("target") == target)
            .map(|sample| sample.value)
            .sum()
    };
    (count("primary"), count("replica"))
}

/// Runs a statement that must succeed.
pub(crate) async fn run(connection: &mut Connection, statement: &str) -> anyhow::Result<Reply> {
    let reply = connection.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => anyhow::bail!("{statement}: {error}"),
    }
}
