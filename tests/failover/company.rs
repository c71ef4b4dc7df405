//! A cluster of a test's own, without relays, and a Headgate that was told some of its servers.

use std::net::SocketAddr;
use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Cluster, Flavor, Headgate, Node};
use tokio::time::{Instant, sleep};

use crate::stage::{PATIENCE, ask_console, binary, texts};

/// A cluster whose servers are known by the addresses that they tell each other, and a Headgate that was told some of them.
pub(crate) struct Company {
    pub(crate) cluster: Cluster,
    pub(crate) headgate: Headgate,
    servers: Vec<SocketAddr>,
}

impl Company {
    pub(crate) async fn start(
        flavor: Flavor,
        named: impl Fn(&Cluster) -> Vec<SocketAddr>,
        arguments: &[&str],
    ) -> Self {
        let cluster = Cluster::builder(flavor).semi_sync(true).relays(false).start().await.unwrap();
        let failover = cluster.accounts().failover.user;
        let ask_for_replicas = match flavor {
            Flavor::MySql => "REPLICATION SLAVE",
            Flavor::MariaDb => "REPLICATION MASTER ADMIN",
        };
        let primary = cluster.primary();
        primary.sql(format!("GRANT {ask_for_replicas} ON *.* TO {failover}@'%'")).await.unwrap();
        primary.sql("CREATE TABLE app.notes (id INT PRIMARY KEY)").await.unwrap();
        cluster.wait_caught_up(PATIENCE).await.unwrap();
        let servers = named(&cluster);
        let headgate = Headgate::start(binary(), &servers, &options(&cluster, arguments)).unwrap();
        Self { cluster, headgate, servers }
    }

    /// Ends Headgate, and starts it again with the state of the one before. It may have nobody to let in.
    pub(crate) fn start_again(&mut self, arguments: &[&str]) {
        self.headgate.kill();
        let options = options(&self.cluster, arguments);
        self.headgate = Headgate::launch(binary(), &self.servers, &options).unwrap();
    }

    pub(crate) async fn wait_for(&self, what: &str, so: impl AsyncFn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !so().await {
            assert!(Instant::now() < end, "never: {what}\n{}", self.headgate.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn ask(&self, statement: &str) -> Vec<String> {
        texts(&ask_console(&self.headgate, statement).await.unwrap_or_default())
    }

    /// Waits until failover goes by these servers.
    pub(crate) async fn takes_part(&self, node: &Node) {
        let line = format!("{} takes part", node.address());
        self.wait_for(&line, async || self.ask("SELECT what FROM events").await.contains(&line)).await;
    }

    pub(crate) async fn wait_for_primary(&self, node: &Node) {
        let address = node.address().to_string();
        self.wait_for("it is the primary", async || {
            self.ask("SELECT address FROM servers WHERE role = 'primary'").await == [address.as_str()]
        })
        .await;
    }
}

fn options(cluster: &Cluster, arguments: &[&str]) -> HeadgateOptions {
    let state = cluster.folder().join("headgate-state");
    let mut options = HeadgateOptions { state: Some(state), ..HeadgateOptions::default() }.failover();
    let own =
        ["--set=failover.cooldown=0ms", "--failover-sessions=outlive", "--log=info,headgate::failover=debug"];
    for argument in own.iter().chain(arguments) {
        options = options.argument(argument);
    }
    options
}
