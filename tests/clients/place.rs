//! A cluster and a Headgate before it, shared by the tests of a family.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, DATABASE, Flavor, Headgate, Node};

pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    headgate: Headgate,
    runtime: tokio::runtime::Runtime,
}

/// The place of a family, made for the first who asks. Statics are never dropped: the laboratory's
/// watchdogs clear up when the process ends.
pub(crate) fn place(flavor: Flavor) -> &'static Place {
    static MYSQL: OnceLock<Place> = OnceLock::new();
    static MARIADB: OnceLock<Place> = OnceLock::new();
    match flavor {
        Flavor::MySql => MYSQL.get_or_init(|| Place::make(flavor)),
        Flavor::MariaDb => MARIADB.get_or_init(|| Place::make(flavor)),
    }
}

impl Place {
    fn make(flavor: Flavor) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let cluster = Cluster::builder(flavor)
            .relays(false)
            .performance_schema(false)
            .server_option("local-infile=ON")
            // Nothing here outlives a power cut anyway.
            .server_option("sync-binlog=0")
            .server_option("innodb-flush-log-at-trx-commit=0")
            // Dumps with triggers and functions are loaded by an account without SUPER.
            .server_option("log-bin-trust-function-creators=ON");
        let cluster = runtime.block_on(cluster.start()).unwrap();
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        let headgate =
            Headgate::start(Path::new(env!("CARGO_BIN_EXE_headgate")), &servers, &Options::default())
                .unwrap();
        Self { cluster, headgate, runtime }
    }

    pub(crate) fn direct(&self) -> SocketAddr {
        self.cluster.primary().address()
    }

    pub(crate) fn through(&self) -> SocketAddr {
        self.headgate.address()
    }

    /// A schema of the test's own, empty, on which the application has all rights.
    pub(crate) fn schema(&self, name: &str) -> String {
        let schema = format!("{DATABASE}_{name}");
        let user = self.cluster.accounts().app.user;
        for statement in [
            format!("DROP DATABASE IF EXISTS {schema}"),
            format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"),
            format!("GRANT ALL ON {schema}.* TO {user}@'%'"),
        ] {
            self.sql(&statement);
        }
        schema
    }

    /// A statement on the primary, as its administrator; the first row's values.
    pub(crate) fn sql(&self, statement: &str) -> Vec<Option<String>> {
        let rows = self.runtime.block_on(self.cluster.primary().sql(statement)).unwrap();
        rows.first().map(|row| row.values().to_vec()).unwrap_or_default()
    }

    /// Runs `client` directly and through Headgate, each time in an empty schema of the same name,
    /// and compares what it makes of them.
    #[track_caller]
    pub(crate) fn compare(&self, name: &str, client: impl Fn(SocketAddr, &str) -> String) {
        let outcome = |address| {
            let schema = self.schema(name);
            client(address, &schema)
        };
        let direct = outcome(self.direct());
        assert!(!direct.trim().is_empty(), "{name} printed nothing, so nothing was compared");
        super::assert_same(name, &direct, &outcome(self.through()));
    }

    /// A folder for the files of a test.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.cluster.folder().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Address and account for a script: host, port, user, password, schema.
    pub(crate) fn arguments(&self, command: &mut Command, address: SocketAddr, schema: &str) {
        let account = self.cluster.accounts().app;
        command.args([
            &address.ip().to_string(),
            &address.port().to_string(),
            account.user,
            account.password,
            schema,
        ]);
    }
}
