//! A cluster, a Headgate that was given some of its addresses, and what its console says of all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use headgate::lab::headgate::Options;
use headgate::lab::{Builder, Cluster, DATABASE, Flavor, Headgate, Node, tools};
use mysql_async::{Conn, OptsBuilder};
use tokio::sync::{Mutex, MutexGuard};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Two cores do not bear many clusters.
static TURN: Mutex<()> = Mutex::const_new(());

pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// A cluster without relays, whose control account may ask for replicas and for members of groups.
pub(crate) async fn start(flavor: Flavor, build: impl FnOnce(Builder) -> Builder) -> Cluster {
    let builder = Cluster::builder(flavor)
        .relays(false)
        // Nobody pulls the plug.
        .server_option("sync_binlog=0")
        .server_option("innodb_flush_log_at_trx_commit=0");
    let cluster = build(builder).start().await.unwrap();
    let privilege = match flavor {
        Flavor::MySql => "REPLICATION SLAVE",
        Flavor::MariaDb => "REPLICATION MASTER ADMIN",
    };
    cluster.primary().sql(format!("GRANT {privilege} ON *.* TO headgate@'%'")).await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    cluster
}

pub(crate) fn headgate(servers: &[SocketAddr], arguments: &[&str]) -> Headgate {
    let mut options = Options::default();
    for argument in arguments {
        options = options.argument(*argument);
    }
    Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), servers, &options).unwrap()
}

/// What SHOW SERVERS says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) role: String,
    pub(crate) state: String,
    pub(crate) health: String,
    pub(crate) trouble: String,
    pub(crate) through: String,
    pub(crate) errant: String,
    pub(crate) known_by: String,
    pub(crate) open: u64,
}

impl Shown {
    pub(crate) fn serves_as(&self, role: &str) -> bool {
        self.role == role && self.state == "serving"
    }
}

/// What the console answers; `Err` is its refusal.
pub(crate) fn ask(headgate: &Headgate, statement: &str) -> Result<Vec<Vec<String>>, String> {
    let address = headgate.console_address();
    let mut command = tools::mysql().unwrap();
    command
        .arg("--no-defaults")
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg("--user=admin")
        .arg(format!("--password={}", headgate.console_password().unwrap()))
        .args(["--batch", "--skip-column-names", "-e", statement]);
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// What SHOW SERVERS says, by address.
pub(crate) fn servers(headgate: &Headgate) -> BTreeMap<String, Shown> {
    let rows = ask(
        headgate,
        "SELECT address, role, state, health, trouble, through, errant, known_by, open FROM servers",
    );
    let shown = |row: Vec<String>| {
        let [address, role, state, health, trouble, through, errant, known_by, open] =
            <[String; 9]>::try_from(row).unwrap();
        let open = open.parse().unwrap();
        (address, Shown { role, state, health, trouble, through, errant, known_by, open })
    };
    rows.unwrap().into_iter().map(shown).collect()
}

/// What SHOW SERVERS says of a node, if it is there.
pub(crate) fn shown(headgate: &Headgate, node: &Node) -> Option<Shown> {
    servers(headgate).remove(&node.address().to_string())
}

/// Polls until `done` says so of what SHOW SERVERS says; how long that took.
pub(crate) fn becomes(
    headgate: &Headgate,
    what: &str,
    done: impl Fn(&BTreeMap<String, Shown>) -> bool,
) -> Duration {
    let begun = Instant::now();
    loop {
        let servers = servers(headgate);
        if done(&servers) {
            return begun.elapsed();
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}\n{servers:#?}\n{}",
            headgate.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same of one node.
pub(crate) fn node_becomes(
    headgate: &Headgate,
    node: &Node,
    what: &str,
    done: impl Fn(&Shown) -> bool,
) -> Duration {
    let address = node.address().to_string();
    let what = format!("{} {what}", node.name());
    becomes(headgate, &what, |servers| servers.get(&address).is_some_and(&done))
}

/// Polls until a node serves nothing and its reason holds these words.
pub(crate) fn serves_nothing(headgate: &Headgate, node: &Node, why: &str) -> Duration {
    node_becomes(headgate, node, why, |shown| shown.role == "none" && shown.state.contains(why))
}

/// A client of the data path.
pub(crate) async fn client(cluster: &Cluster, headgate: &Headgate) -> Conn {
    let account = cluster.accounts().app;
    let address = headgate.address();
    let options = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(account.user))
        .pass(Some(account.password))
        .db_name(Some(DATABASE))
        .prefer_socket(false);
    Conn::new(options).await.unwrap()
}

/// Lets a node replicate from an address.
pub(crate) async fn follow(node: &Node, source: SocketAddr) {
    let (host, port) = (source.ip(), source.port());
    let change = match node.flavor() {
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='replication', \
             SOURCE_PASSWORD='lab-replication', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1"
        ),
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='replication', \
             MASTER_PASSWORD='lab-replication', MASTER_USE_GTID=slave_pos"
        ),
    };
    for statement in ["STOP REPLICA", &change, "START REPLICA"] {
        node.sql(statement).await.unwrap();
    }
}
