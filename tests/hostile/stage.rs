//! The cluster, the program before it, and what must be true after every attack.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use headgate::lab::headgate::{Headgate, Options};
use headgate::lab::{Cluster, Flavor, Node};
use headgate::wire::capabilities::Capabilities;
use tokio::runtime::Runtime;

use crate::client::{Client, PASSWORD, PATIENCE};

/// How long a client may take to log in, where Headgate is impatient.
pub(crate) const LOGIN_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long a client may leave its reply unread, where Headgate is impatient.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(1500);
/// Beyond a limit of Headgate's, on a busy machine.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Idle connections kept for a user, by the one worker.
pub(crate) const MOST_IDLE: usize = 8;

/// One cluster for all tests. Nothing drops a static: the laboratory's watchdog ends it with the process.
fn cluster() -> &'static (Runtime, Cluster) {
    static CLUSTER: OnceLock<(Runtime, Cluster)> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let builder = Cluster::builder(Flavor::MySql).replicas(1).relays(false);
        let builder = builder.server_option("local_infile=ON").server_option("max_allowed_packet=64M");
        let cluster = runtime.block_on(builder.max_connections(400).start()).unwrap();
        (runtime, cluster)
    })
}

/// A Headgate and an account of its own for a test.
pub(crate) struct Stage {
    pub(crate) headgate: Headgate,
    user: String,
}

impl Stage {
    /// With Headgate's own limits, but for idle connections.
    pub(crate) fn new() -> Self {
        Self::start(Options::default())
    }

    /// With [`LOGIN_TIMEOUT`] and [`WRITE_TIMEOUT`].
    pub(crate) fn impatient() -> Self {
        let options = Options::default()
            .argument(format!("--set=limits.login_timeout={}ms", LOGIN_TIMEOUT.as_millis()))
            .argument(format!("--set=limits.client_write_timeout={}ms", WRITE_TIMEOUT.as_millis()));
        Self::start(options)
    }

    fn start(options: Options) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = format!("hostile_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        ask(&format!("CREATE USER {user}@'%' IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'"));
        ask(&format!("GRANT ALL ON app.* TO {user}@'%'"));
        let (runtime, cluster) = cluster();
        runtime.block_on(cluster.wait_caught_up(PATIENCE)).unwrap();
        let servers: Vec<_> = cluster.nodes().iter().map(|node| node.address()).collect();
        let options =
            options.argument(format!("--set=pool.max_idle={MOST_IDLE}")).argument("--set=runtime.workers=1");
        let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
        Self { headgate: Headgate::start(binary, &servers, &options).unwrap(), user }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.headgate.address()
    }

    /// A client that has been greeted.
    pub(crate) fn greeted(&self) -> Client {
        Client::greeted(self.headgate.address(), &self.user)
    }

    /// A client that has logged in.
    pub(crate) fn logged_in(&self) -> Client {
        Client::logged_in(self.headgate.address(), &self.user)
    }

    /// A client that has logged in and will compress from now on.
    pub(crate) fn compressing(&self, flag: Capabilities) -> Client {
        let mut client = self.greeted();
        client.wants = client.wants | flag;
        client.log_in().unwrap();
        client
    }

    /// A client that has logged in at the primary itself.
    pub(crate) fn at_the_primary(&self) -> Client {
        Client::logged_in(cluster().1.primary().address(), &self.user)
    }

    /// What the servers run for this stage, the statements only.
    pub(crate) fn running(&self) -> Vec<String> {
        let user = &self.user;
        let question = format!(
            "SELECT INFO FROM information_schema.PROCESSLIST WHERE USER = '{user}' AND COMMAND <> 'Sleep'"
        );
        cluster().1.nodes().iter().flat_map(|node| ask_at(node, &question)).collect()
    }

    /// The primary's connections of this stage.
    pub(crate) fn connections(&self) -> usize {
        ask(&format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{}'", self.user)).len()
    }

    /// Clients connected now.
    pub(crate) fn sessions(&self) -> f64 {
        let metrics = self.headgate.metrics().unwrap();
        metrics.iter().find(|sample| sample.name == "headgate_sessions_open").unwrap().value
    }

    /// Open file descriptors of the program.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.headgate.pid())).unwrap().count()
    }

    /// Resident memory of the program, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.headgate.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The next client is served, everything of those before is gone, and nothing has panicked.
    #[track_caller]
    pub(crate) fn is_unharmed(&self) {
        let since = Instant::now();
        let mut next = self.logged_in();
        assert_eq!(next.query("SELECT 1 + 1"), Ok(Some("2".to_owned())));
        assert!(since.elapsed() < GRACE, "the next client waited {:?}", since.elapsed());
        drop(next);
        becomes("all sessions are over", || self.sessions() == 0.0);
        becomes("the server runs nothing any more", || self.running().is_empty());
        becomes("the server has let go", || self.connections() <= MOST_IDLE);
        let log = self.headgate.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Runs a statement at the primary, as root; returns the first column.
pub(crate) fn ask(sql: &str) -> Vec<String> {
    ask_at(cluster().1.primary(), sql)
}

fn ask_at(node: &Node, sql: &str) -> Vec<String> {
    let rows = cluster().0.block_on(node.sql(sql)).unwrap();
    rows.iter().map(|row| row.at(0).unwrap_or_default().to_owned()).collect()
}

/// Polls until `done`.
#[track_caller]
pub(crate) fn becomes(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
