//! A MySQL server that listens on IPv4 and IPv6, and Headgates before it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, Flavor, Headgate, tools};
use tokio::runtime::Runtime;

use crate::client::{Client, PATIENCE};

/// The password of every account of these tests.
pub(crate) const PASSWORD: &str = "doors-pw";

fn cluster() -> &'static (Runtime, Cluster) {
    static CLUSTER: OnceLock<(Runtime, Cluster)> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let builder = Cluster::builder(Flavor::MySql).replicas(0).relays(false).performance_schema(false);
        let cluster = runtime.block_on(builder.server_option("bind-address=127.0.0.1,::1").start()).unwrap();
        (runtime, cluster)
    })
}

/// The server's address.
pub(crate) fn server() -> SocketAddr {
    cluster().1.primary().address()
}

/// A Headgate with a file of its own, and an account.
pub(crate) struct Place {
    pub(crate) headgate: Headgate,
    pub(crate) user: String,
    /// Its configuration.
    pub(crate) file: PathBuf,
}

impl Place {
    /// With these keys; `USER` in them stands for the account.
    pub(crate) fn new(keys: &str) -> Self {
        Self::start(keys, server(), Options::default())
    }

    pub(crate) fn start(keys: &str, server: SocketAddr, options: Options) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = format!("doors_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (runtime, cluster) = cluster();
        for sql in [
            format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'"),
            format!("GRANT SELECT ON *.* TO {user}@'%'"),
        ] {
            runtime.block_on(cluster.primary().sql(sql)).unwrap();
        }
        let file = cluster.folder().join(format!("{user}.toml"));
        fs::write(&file, keys.replace("USER", &user)).unwrap();
        let options = options.argument(format!("--config={}", file.display()));
        let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
        let headgate = Headgate::start(binary, &[server], &options).unwrap();
        Self { headgate, user, file }
    }

    /// Runs a statement at the server, as root.
    pub(crate) fn server_sql(&self, sql: &str) {
        let (runtime, cluster) = cluster();
        runtime.block_on(cluster.primary().sql(sql)).unwrap();
    }

    /// Other keys, taken up while it runs.
    #[track_caller]
    pub(crate) fn reload(&self, keys: &str) {
        let reloads = || self.headgate.log().matches("configuration reloaded").count();
        let before = reloads();
        fs::write(&self.file, keys.replace("USER", &self.user)).unwrap();
        self.headgate.signal(libc::SIGHUP);
        self.becomes("the configuration is reloaded", || reloads() > before);
    }

    /// Logs in from an address; the number and the words of the refusal where that fails.
    pub(crate) fn login(&self, from: &str) -> Result<Client, (u16, String)> {
        self.login_with(from, PASSWORD)
    }

    pub(crate) fn login_with(&self, from: &str, password: &str) -> Result<Client, (u16, String)> {
        self.login_announced(from, &[], password)
    }

    pub(crate) fn login_announced(
        &self,
        from: &str,
        header: &[u8],
        password: &str,
    ) -> Result<Client, (u16, String)> {
        let client = Client::login_announced(from, self.headgate.address(), header, &self.user, password);
        client.map_err(|error| (error.code, error.text().into_owned()))
    }

    /// How many clients were refused for a reason.
    pub(crate) fn refused(&self, reason: &str) -> f64 {
        let metrics = self.headgate.metrics().unwrap();
        let ours = |sample: &&headgate::lab::headgate::Sample| {
            sample.name == "headgate_clients_refused_total" && sample.label("reason") == reason
        };
        metrics.iter().find(ours).map_or(0.0, |sample| sample.value)
    }

    /// The first column that the console answers.
    #[track_caller]
    pub(crate) fn ask(&self, statement: &str) -> Vec<String> {
        let mut command = tools::mysql().unwrap();
        let address = self.headgate.console_address();
        command.arg("--no-defaults").args(["--batch", "--skip-column-names", "-e", statement]);
        command.args([format!("--host={}", address.ip()), format!("--port={}", address.port())]);
        command.arg("--user=admin");
        command.arg(format!("--password={}", self.headgate.console_password().unwrap()));
        succeed(&mut command).lines().map(str::to_owned).collect()
    }

    /// The addresses of this place's sessions, without their ports.
    #[track_caller]
    pub(crate) fn clients(&self) -> Vec<String> {
        let all = self.ask(&format!("SELECT client FROM sessions WHERE user = '{}' ORDER BY id", self.user));
        all.iter()
            .map(|client| client.rsplit_once(':').map_or(client.as_str(), |(ip, _)| ip).to_owned())
            .collect()
    }

    /// The mysql command line as this place's user.
    pub(crate) fn mysql(&self, address: SocketAddr) -> Command {
        let mut command = tools::mysql().unwrap();
        command.arg("--no-defaults").args(["--batch", "--skip-column-names", "--protocol=tcp"]);
        command.args([format!("--host={}", address.ip()), format!("--port={}", address.port())]);
        command.args([format!("--user={}", self.user), format!("--password={PASSWORD}")]);
        command
    }

    /// Polls until `done`.
    #[track_caller]
    pub(crate) fn becomes(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}\n{}", self.headgate.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// What a command that must succeed prints.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
