//! A cluster, a Headgate before it, and the account the suites use.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use headgate::lab::headgate::Options;
use headgate::lab::{Account, Cluster, Flavor, Headgate, Node, Tls};

use crate::outcomes::Outcomes;
use crate::suites::{Scope, Suite};

/// Suites make schemas, accounts and routines of their own, so it may do everything.
pub(crate) const ACCOUNT: Account = Account { user: "suite", password: "suite-pw" };

pub(crate) struct Place {
    cluster: Cluster,
    headgate: Headgate,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    pub(crate) fn start(flavor: Flavor) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let cluster = Cluster::builder(flavor)
            .relays(false)
            // Headgate offers TLS of its own accord; MariaDB has to be told.
            .tls(Tls::Ca)
            .server_option("local-infile=ON")
            // MySQL's default; suites send more than MariaDB's 16 MiB.
            .server_option("max-allowed-packet=64M")
            .server_option("sync-binlog=0")
            .server_option("innodb-flush-log-at-trx-commit=0")
            .server_option("log-bin-trust-function-creators=ON");
        let cluster = runtime.block_on(cluster.start()).unwrap();
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        // The defaults: splitting on, two replicas that lag as they do. HEADGATE_SHARED=N lets sessions share N
        // connections to the primary.
        let options = match std::env::var("HEADGATE_SHARED") {
            Ok(connections) => Options::default()
                .argument("--pool-mode=transaction")
                .argument(format!("--max-connections-per-server={connections}")),
            Err(_) => Options::default(),
        };
        let headgate =
            Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), &servers, &options).unwrap();
        let place = Self { cluster, headgate, runtime };
        let Account { user, password } = ACCOUNT;
        place.sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{password}'"));
        place.sql(&format!("GRANT ALL ON *.* TO {user}@'%' WITH GRANT OPTION"));
        place
    }

    pub(crate) fn flavor(&self) -> Flavor {
        self.cluster.flavor()
    }

    pub(crate) fn direct(&self) -> SocketAddr {
        self.cluster.primary().address()
    }

    pub(crate) fn through(&self) -> SocketAddr {
        self.headgate.address()
    }

    /// A folder that is gone with the cluster.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.cluster.folder().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn fresh_schemas(&self, schemas: &[&str]) {
        for schema in schemas {
            self.sql(&format!("DROP DATABASE IF EXISTS {schema}"));
            self.sql(&format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"));
        }
    }

    /// Runs a suite against a server, and reads what it wrote of its tests.
    pub(crate) fn outcomes(
        &self,
        suite: &Suite,
        scope: Scope,
        address: SocketAddr,
    ) -> Result<Outcomes, String> {
        let folder = self.folder(&format!("{}-{}", suite.name, address.port()));
        let file = folder.join("outcomes");
        let log = folder.join("log");
        let output = fs::File::create(&log).unwrap();
        let mut command: Command = (suite.command)(self, scope, address);
        let status = command
            .env("OUTCOMES", &file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .status()
            .map_err(|error| format!("{}: cannot start {command:?}: {error}", suite.name))?;
        let written = fs::read_to_string(&file).unwrap_or_default();
        let outcomes = Outcomes::parse(&written).map_err(|line| format!("{}: {line}", suite.name))?;
        if outcomes.passed() == 0 {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let end = lines[lines.len().saturating_sub(30)..].join("\n");
            return Err(format!("{} ended with {status} and nothing passed:\n{end}", suite.name));
        }
        Ok(outcomes)
    }

    /// Runs statements on the primary, as root.
    pub(crate) fn sql(&self, statement: &str) {
        self.runtime.block_on(self.cluster.primary().sql(statement)).unwrap();
    }
}
