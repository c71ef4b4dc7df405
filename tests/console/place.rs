//! A cluster, a Headgate before it, and ways to ask its console.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, DATABASE, Flavor, Headgate, Node, tools};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::runtime::Runtime;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    pub(crate) headgate: Headgate,
    pub(crate) runtime: Runtime,
}

/// The place of a family, made for the first who asks. Statics are never dropped: the laboratory's
/// watchdogs clear up when the process ends.
pub(crate) fn place(flavor: Flavor) -> &'static Place {
    static MYSQL: OnceLock<Place> = OnceLock::new();
    static MARIADB: OnceLock<Place> = OnceLock::new();
    match flavor {
        Flavor::MySql => MYSQL.get_or_init(|| Place::start(flavor, Options::default())),
        Flavor::MariaDb => MARIADB.get_or_init(|| Place::start(flavor, Options::default())),
    }
}

impl Place {
    /// A place of a test's own.
    pub(crate) fn start(flavor: Flavor, options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let cluster = Cluster::builder(flavor).replicas(1).relays(false).performance_schema(false);
        let cluster = runtime.block_on(cluster.start()).unwrap();
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
        let headgate = Headgate::start(binary, &servers, &options).unwrap();
        let place = Self { cluster, headgate, runtime };
        place.becomes("the replica serves", || {
            place.ask("SELECT count(*) FROM servers WHERE state = 'serving' AND age_ms IS NOT NULL") == "2\n"
        });
        place
    }

    /// The mysql command line with what logs in to the console.
    pub(crate) fn mysql(&self) -> Command {
        self.console_login(tools::mysql().unwrap(), &self.headgate.console_password().unwrap())
    }

    /// A command line, told where the console is.
    pub(crate) fn console_login(&self, mut command: Command, password: &str) -> Command {
        let address = self.headgate.console_address();
        command
            .arg("--no-defaults")
            .arg(format!("--host={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .arg("--user=admin")
            .arg(format!("--password={password}"));
        command
    }

    /// What the console answers, in columns cut by tabs and without headings.
    #[track_caller]
    pub(crate) fn ask(&self, statement: &str) -> String {
        succeed(self.mysql().args(["--batch", "--skip-column-names", "-e", statement]), "")
    }

    /// The console's refusal.
    #[track_caller]
    pub(crate) fn refusal(&self, statement: &str) -> String {
        let output = run(self.mysql().args(["--batch", "-e", statement]), "");
        assert!(!output.status.success(), "{statement} was not refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A client of the data path.
    pub(crate) fn client(&self) -> Conn {
        let account = self.cluster.accounts().app;
        let address = self.headgate.address();
        let options = OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some(account.user))
            .pass(Some(account.password))
            .db_name(Some(DATABASE))
            .prefer_socket(false);
        self.runtime.block_on(Conn::new(options)).unwrap()
    }

    /// A number from a client of the data path.
    pub(crate) fn number(&self, client: &mut Conn, statement: &str) -> mysql_async::Result<Option<i64>> {
        self.runtime.block_on(client.query_first(statement))
    }

    /// Polls until `done`.
    #[track_caller]
    pub(crate) fn becomes(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}\n{}", self.headgate.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Runs a command with something to read.
pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // A program that ends early closes its input; its exit status says more than our EPIPE.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output().unwrap()
    })
}

/// As [`run`], for commands that must succeed. Returns what is printed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command, input: &str) -> String {
    let output = run(command, input);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}:\n{text}\n{errors}", output.status);
    text.into_owned()
}
