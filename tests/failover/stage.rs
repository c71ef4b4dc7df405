//! A cluster of each test's own and a Headgate before it that may promote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Account, Cluster, DATABASE, Flavor, Headgate, Node, Row};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options, Reply};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A primary, two replicas, and a Headgate that may promote them.
pub(crate) struct Stage {
    pub(crate) headgate: Headgate,
    pub(crate) cluster: Cluster,
    options: HeadgateOptions,
    state: PathBuf,
    _turn: SemaphorePermit<'static>,
}

/// One cluster at a time, so that what is measured is not the others' work.
static TURN: Semaphore = Semaphore::const_new(1);

/// Semi-synchronous replication, under the name of either flavor, waits for as long as it takes: nothing that was
/// acknowledged is on one server alone.
fn waits_for_ever(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "rpl_semi_sync_source_timeout=1000000000",
        Flavor::MariaDb => "rpl_semi_sync_master_timeout=1000000000",
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::env::var_os("HEADGATE_LOG").is_some() {
            eprintln!("{}", self.headgate.log());
        }
    }
}

impl Stage {
    pub(crate) async fn start(flavor: Flavor, arguments: &[&str]) -> Self {
        let turn = TURN.acquire().await.unwrap();
        let mut builder = Cluster::builder(flavor).semi_sync(true).server_option(waits_for_ever(flavor));
        if flavor == Flavor::MariaDb {
            // Only then is what clients have been told on a replica.
            builder = builder.server_option("rpl_semi_sync_master_wait_point=AFTER_SYNC");
        }
        let cluster = builder.start().await.unwrap();
        let servers: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
        let state = cluster.folder().join("headgate-state");
        let mut options =
            HeadgateOptions { state: Some(state.clone()), ..HeadgateOptions::default() }.failover();
        for argument in [
            "--set=failover.cooldown=0ms",
            "--failover-sessions=outlive",
            "--log=info,headgate::admin=warn,headgate::frontend=warn,headgate::failover=debug",
        ]
        .iter()
        .chain(arguments)
        {
            options = options.argument(argument);
        }
        let headgate = Headgate::start(binary(), &servers, &options).unwrap();
        let mut stage = Self { headgate, cluster, options, state, _turn: turn };
        stage.wait_until_ready().await;
        stage
    }

    /// Waits until failover is at rest, every replica follows and hears every half second.
    async fn wait_until_ready(&mut self) {
        self.wait_for("Headgate is at rest", async |stage| {
            let rows = stage.console("SHOW FAILOVER").await;
            rows.is_ok_and(|rows| rows.value().as_deref() == Some("Healthy"))
        })
        .await;
        let managed =
            !self.options.arguments.iter().any(|argument| argument == "--set=failover.heartbeat=leave");
        if managed {
            self.wait_for("heartbeats are set", async |stage| {
                let silence = stage.console("SELECT silence_ms FROM failover").await;
                silence.is_ok_and(|silence| silence.value().as_deref() == Some("3000"))
            })
            .await;
        }
    }

    /// Polls until something is so; shows Headgate's log where it never is.
    pub(crate) async fn wait_for(&self, what: &str, so: impl AsyncFn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !so(self).await {
            assert!(Instant::now() < end, "never: {what}\n{}", self.headgate.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts Headgate again, with the state of the one before.
    pub(crate) fn start_headgate(&mut self) {
        let servers: Vec<_> = self.cluster.nodes().iter().map(Node::address).collect();
        self.headgate = Headgate::start(binary(), &servers, &self.options).unwrap();
    }

    /// A second Headgate before the same servers, with a state of its own.
    pub(crate) fn another(&self) -> Headgate {
        let servers: Vec<_> = self.cluster.nodes().iter().map(Node::address).collect();
        let options = HeadgateOptions { state: Some(self.state.with_extension("2")), ..self.options.clone() };
        Headgate::start(binary(), &servers, &options).unwrap()
    }

    /// A client of Headgate.
    pub(crate) fn client(&self) -> Options {
        let Account { user, password } = self.cluster.accounts().app;
        Options::new(self.headgate.address(), user, password).schema(DATABASE).tls(false)
    }

    /// Asks the console.
    pub(crate) async fn console(&self, statement: &str) -> anyhow::Result<Reply> {
        ask_console(&self.headgate, statement).await
    }

    /// What the machine did, one line each.
    pub(crate) async fn timeline(&self) -> Vec<String> {
        let reply = self.console("SELECT phase, what FROM failovers ORDER BY number").await;
        texts(&reply.unwrap_or_default())
    }

    /// The node that Headgate calls the primary.
    pub(crate) async fn primary(&self) -> Option<&Node> {
        let reply = self.console("SELECT address FROM servers WHERE role = 'primary'").await.ok()?;
        let address = reply.value()?;
        self.cluster.nodes().iter().find(|node| node.address().to_string() == address)
    }

    /// Waits until all servers but those named follow the primary, with both threads, and are read only.
    pub(crate) async fn wait_until_whole(&self, but: &[&str]) {
        self.wait_for("every replica follows the primary", async |stage| {
            let Some(primary) = stage.primary().await else { return false };
            for node in stage.cluster.nodes() {
                let left_out = but.contains(&node.name());
                if node.name() != primary.name() && !left_out && !follows(node, primary).await {
                    return false;
                }
            }
            true
        })
        .await;
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_headgate"))
}

pub(crate) async fn ask_console(headgate: &Headgate, statement: &str) -> anyhow::Result<Reply> {
    let password = headgate.console_password()?;
    let options = Options::new(headgate.console_address(), "admin", &password).tls(false);
    let mut console = options.login().await?.map_err(|error| anyhow::anyhow!("login: {error}"))?;
    let reply = console.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => anyhow::bail!("{statement}: {error}"),
    }
}

/// The rows of a reply, columns joined.
pub(crate) fn texts(reply: &Reply) -> Vec<String> {
    let rows = reply.results.iter().flatten();
    let text = |value: &Option<Vec<u8>>| {
        value.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned()
    };
    rows.map(|row| row.iter().map(text).collect::<Vec<_>>().join(": ")).collect()
}

/// Whether a node replicates from another, is read only, and both its threads run.
pub(crate) async fn follows(node: &Node, source: &Node) -> bool {
    let (status, names) = match node.flavor() {
        Flavor::MySql => {
            ("SHOW REPLICA STATUS", ["Source_Server_Id", "Replica_IO_Running", "Replica_SQL_Running"])
        }
        Flavor::MariaDb => {
            ("SHOW SLAVE STATUS", ["Master_Server_Id", "Slave_IO_Running", "Slave_SQL_Running"])
        }
    };
    let Ok(rows) = node.sql(status).await else { return false };
    let Some(row) = rows.first() else { return false };
    let id = source.server_id().to_string();
    let follows =
        row.get(names[0]) == Some(id.as_str()) && names[1..].iter().all(|name| row.get(name) == Some("Yes"));
    follows && read_only(node).await
}

/// Whether a node refuses writes.
pub(crate) async fn read_only(node: &Node) -> bool {
    value(node, "SELECT @@global.read_only").await.as_deref() != Some("0")
}

/// The first value that a node answers.
pub(crate) async fn value(node: &Node, question: &str) -> Option<String> {
    let rows: Vec<Row> = node.sql(question).await.ok()?;
    Some(rows.first()?.at(0)?.to_owned())
}

/// Runs a statement that must succeed.
pub(crate) async fn run(connection: &mut Connection, statement: &str) -> anyhow::Result<Reply> {
    let reply = connection.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => anyhow::bail!("{error}"),
    }
}

/// How often each kind of failure is tried.
pub(crate) fn rounds() -> usize {
    std::env::var("HEADGATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
