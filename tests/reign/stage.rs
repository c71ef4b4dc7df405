//! A cluster of each test's own, a Headgate before it, and promotions by hand.

use std::path::Path;
use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Account, Cluster, DATABASE, Flavor, Headgate, Node};
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options, Reply};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A primary and two replicas, and a Headgate whose sessions outlive the primary.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) headgate: Headgate,
}

impl Stage {
    pub(crate) async fn start(flavor: Flavor, arguments: &[&str]) -> Self {
        Self::start_with(flavor, "outlive", arguments).await
    }

    /// The same where `failover.sessions` says what becomes of sessions.
    pub(crate) async fn start_with(flavor: Flavor, sessions: &str, arguments: &[&str]) -> Self {
        let builder = Cluster::builder(flavor)
            .performance_schema(false)
            .server_option("sync_binlog=0")
            .server_option("innodb_flush_log_at_trx_commit=0")
            .server_option("innodb_doublewrite=OFF");
        let cluster = builder.start().await.unwrap();
        cluster.primary().sql("CREATE TABLE app.t (n INT PRIMARY KEY, who VARCHAR(20))").await.unwrap();
        cluster.wait_caught_up(PATIENCE).await.unwrap();
        let servers: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
        let mut options = HeadgateOptions::default().argument(format!("--failover-sessions={sessions}"));
        for argument in arguments {
            options = options.argument(argument);
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
        let headgate = Headgate::start(binary, &servers, &options).unwrap();
        let stage = Self { cluster, headgate };
        let end = Instant::now() + PATIENCE;
        while stage.client().login().await.is_err() {
            assert!(Instant::now() < end, "headgate lets nobody in:\n{}", stage.headgate.log());
            sleep(Duration::from_millis(50)).await;
        }
        stage
    }

    /// A client of Headgate.
    pub(crate) fn client(&self) -> Options {
        let Account { user, password } = self.cluster.accounts().app;
        Options::new(self.headgate.address(), user, password).schema(DATABASE).tls(false)
    }

    /// Makes the first replica the primary, and the second one follow it.
    pub(crate) async fn promote(&self) {
        let [first, second] = self.cluster.replicas() else { panic!("two replicas") };
        let address = first.direct_address();
        let (host, port) = (address.ip(), address.port());
        let (promoting, repointing): (&[&str], String) = match self.cluster.flavor() {
            Flavor::MySql => (
                &[
                    "STOP REPLICA",
                    "RESET REPLICA ALL",
                    "SET GLOBAL super_read_only = OFF",
                    "SET GLOBAL read_only = OFF",
                ],
                format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}"),
            ),
            Flavor::MariaDb => (
                &["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"],
                format!("CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}"),
            ),
        };
        let word = if self.cluster.flavor() == Flavor::MySql { "REPLICA" } else { "SLAVE" };
        second.sql(format!("STOP {word}")).await.unwrap();
        second.sql(repointing).await.unwrap();
        for statement in promoting {
            first.sql(*statement).await.unwrap();
        }
        second.sql(format!("START {word}")).await.unwrap();
    }

    /// Nothing is written on the primary any more that ordinary accounts write.
    pub(crate) async fn freeze(&self) {
        let statement = match self.cluster.flavor() {
            Flavor::MySql => "SET GLOBAL super_read_only = ON",
            Flavor::MariaDb => "SET GLOBAL read_only = ON",
        };
        self.cluster.primary().sql(statement).await.unwrap();
    }

    /// What stands in the table on the new primary.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let rows = self.cluster.replicas()[0].sql("SELECT n, who FROM app.t ORDER BY n").await.unwrap();
        let text = |row: &headgate::lab::Row| {
            row.values().iter().map(|value| value.clone().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        };
        rows.iter().map(text).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.headgate.log());
        }
    }
}

/// Runs a statement that must succeed.
pub(crate) async fn run(connection: &mut Connection, statement: &str) -> Reply {
    let reply = connection.query(statement).await.unwrap();
    if let Some(error) = &reply.error {
        panic!("{statement}: {error}");
    }
    reply
}

/// The one value of a reply.
pub(crate) async fn value(connection: &mut Connection, statement: &str) -> String {
    run(connection, statement).await.value().unwrap_or_default()
}
