//! From a running cluster to a Headgate before it, by the commands a newcomer would type: `init`, `check`, `run`.
//! And what `check --connect` says of clusters and accounts that are not as they should be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, Flavor, Headgate, Node, Tls};
use headgate::probing::grants::to_survey;
use headgate::topology;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a command printed, and how it ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn ends(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.out
    }
}

fn headgate(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_headgate"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// A cluster and the file that `init` writes for it.
struct Stage {
    cluster: Cluster,
    file: PathBuf,
}

impl Stage {
    fn new(cluster: Cluster) -> Self {
        let file = cluster.folder().join("headgate.toml");
        Self { cluster, file }
    }

    fn file(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// `headgate init`, told of one server.
    fn init(&self, server: &str, more: &[&str]) -> Ran {
        let root = self.cluster.accounts().root;
        let arguments = [&["init", "--server", server, "--user", root.user, "--output", self.file()], more];
        headgate(&arguments.concat(), &[("HEADGATE_INIT_PASSWORD", root.password)])
    }

    fn check(&self) -> Ran {
        headgate(&["check", "--connect", "--config", self.file()], &[])
    }

    fn explain(&self, statement: &str) -> Ran {
        headgate(&["explain", "--config", self.file(), "--schema", "app", statement], &[])
    }

    async fn sql(&self, statement: &str) {
        self.cluster.primary().sql(statement).await.unwrap();
        self.cluster.wait_caught_up(PATIENCE).await.unwrap();
    }

    async fn log_in(&self, headgate: &Headgate) -> mysql_async::Result<Conn> {
        let app = self.cluster.accounts().app;
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(headgate.address().port())
            .user(Some(app.user))
            .pass(Some(app.password))
            .db_name(Some("app"))
            .prefer_socket(false);
        Conn::new(options).await
    }
}

fn known(flavor: Flavor) -> topology::Flavor {
    match flavor {
        Flavor::MySql => topology::Flavor::MySql,
        Flavor::MariaDb => topology::Flavor::MariaDb,
    }
}

fn address(node: &Node) -> String {
    node.address().to_string()
}

async fn a_cluster_gets_its_headgate(flavor: Flavor) {
    let cluster = Cluster::builder(flavor)
        .replicas(1)
        .relays(false)
        .performance_schema(true)
        .general_log(true)
        .server_option("log_bin_trust_function_creators=ON")
        .start()
        .await
        .unwrap();
    let stage = Stage::new(cluster);
    if flavor == Flavor::MariaDb {
        // Made by mariadb-install-db, without a password: the subject of another test.
        stage.sql("DROP USER root@'127.0.0.1', root@'::1'").await;
    }
    stage.sql("CREATE TABLE app.t (a INT PRIMARY KEY); INSERT INTO app.t VALUES (1)").await;
    stage.sql("CREATE FUNCTION app.twice(x INT) RETURNS INT NO SQL RETURN x * 2").await;

    stage.sql("CREATE USER surveyor IDENTIFIED BY 'asks'").await;
    for (privileges, on) in to_survey(known(flavor)) {
        stage.sql(&format!("GRANT {privileges} ON {on} TO surveyor")).await;
    }
    writes_a_file_and_makes_an_account(&stage);
    serves_with_it(&stage).await;
    says_what_a_missing_grant_takes_away(&stage).await;
    says_what_is_wrong_with_servers(&stage).await;
}

fn writes_a_file_and_makes_an_account(stage: &Stage) {
    let (primary, replica) = (stage.cluster.primary(), &stage.cluster.replicas()[0]);
    // Told of the replica alone, it finds its primary; the account of the laboratory is not touched.
    let taken = stage.init(&address(replica), &["--create-account"]);
    assert!(taken.code == Some(1) && taken.err.contains("'headgate'@'%' exists already"), "{}", taken.err);
    assert!(!stage.file.exists());
    // What docs/grants.md asks for is enough to look at everything.
    let surveyor = [("HEADGATE_INIT_PASSWORD", "asks")];
    let file = stage.file.with_extension("survey");
    let looks =
        ["init", "--server", &address(primary), "--user", "surveyor", "--output", file.to_str().unwrap()];
    let seen = headgate(&looks, &surveyor).ends(0);
    has(&seen, &[" was found (it replicates from ", "of the cluster: no problems"]);
    assert!(!seen.contains("could not be looked at") && !seen.contains("does not tell"), "{seen}");
    let told = stage.init(&address(primary), &["--create-account", "--control-user", "gate"]).ends(0);
    let found = format!("{} was found (it replicates from {}) and added", address(replica), address(primary));
    has(&told, &[&found, "the control account 'gate'@'%' was made", "of the cluster: no problems"]);
    let text = fs::read_to_string(&stage.file).unwrap();
    has(
        &text,
        &["user = \"gate\"", "max_connections_per_server = 136", &address(primary), &address(replica)],
    );
    let file = stage.file.with_file_name("control.password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = fs::read_to_string(&file).unwrap();
    for secret in [password.trim_end(), stage.cluster.accounts().root.password] {
        assert!(!told.contains(secret) && !text.contains(secret), "a password is shown");
    }
    let again = stage.init(&address(primary), &[]);
    assert!(again.code == Some(1) && again.err.contains("exists already; give --force"), "{}", again.err);
    assert_eq!(fs::read_to_string(&stage.file).unwrap(), text);
    headgate(&["check", "--config", stage.file()], &[]).ends(0);
    has(&stage.check().ends(0), &[" primary ", " replica ", "of the cluster: no problems"]);
}

/// Monitor, views, functions and logins, with an account that has exactly what `init` grants.
async fn serves_with_it(stage: &Stage) {
    let password = fs::read_to_string(stage.file.with_file_name("control.password")).unwrap();
    let options = Options {
        control_user: "gate".to_owned(),
        control_password: password.trim_end().to_owned(),
        ..Options::default()
    };
    let options = options.argument(format!("--config={}", stage.file()));
    let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
    let headgate = tokio::task::block_in_place(|| Headgate::start(binary, &[], &options)).unwrap();
    let mut session = stage.log_in(&headgate).await.unwrap();
    let replica = &stage.cluster.replicas()[0];
    for read in ["SELECT a FROM t", "SELECT twice(4)"] {
        let mut attempts = 0..300;
        loop {
            let marked =
                format!("{read} /* {} */", attempts.next().expect("the read never ran on the replica"));
            session.query_drop(&marked).await.unwrap();
            if replica.general_log().unwrap().iter().any(|entry| entry.argument.contains(&marked)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    session.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
    session.disconnect().await.unwrap();
    if stage.cluster.flavor() == Flavor::MariaDb {
        stage.sql("REVOKE SELECT ON mysql.user FROM gate@'%'").await;
        // Asked for the password itself, by caching_sha2_password, which this client knows.
        stage.log_in(&headgate).await.unwrap().disconnect().await.unwrap();
        has(&headgate.log(), &["mysql.user cannot be read; GRANT SELECT ON mysql.user"]);
        stage.sql("GRANT SELECT ON mysql.user TO gate@'%'").await;
    }
    tokio::task::block_in_place(|| drop(headgate));
}

/// Takes one grant away at a time.
async fn says_what_a_missing_grant_takes_away(stage: &Stage) {
    let (monitor, functions) = match stage.cluster.flavor() {
        Flavor::MySql => ("REPLICATION CLIENT ON *.*", "SHOW_ROUTINE ON *.*"),
        Flavor::MariaDb => ("REPLICA MONITOR ON *.*", "SELECT ON mysql.proc"),
    };
    let read = "SELECT a FROM t";
    for (grant, statement, outcome, code) in [
        ("SHOW VIEW ON *.*", read, "(views_unknown)", 1),
        (functions, "SELECT twice(4)", "(stored_function)", 0),
        ("TRIGGER ON *.*", "SELECT twice(4)", "goes to    replica", 0),
        (monitor, read, "there is no primary", 1),
        ("SELECT ON mysql.user", read, "goes to    replica", 0),
    ] {
        stage.sql(&format!("REVOKE {grant} FROM gate@'%'")).await;
        let explained = stage.explain(statement);
        has(&format!("{}{}", explained.out, explained.err), &[outcome]);
        let told = stage.check().ends(code);
        has(&told, &[&format!("{grant} is missing"), &format!("GRANT {grant} TO 'gate'@'%';")]);
        if grant.contains("mysql.user") {
            has(&told, &["accounts could not be looked at"]);
        }
        stage.sql(&format!("GRANT {grant} TO gate@'%'")).await;
    }
    has(&stage.explain("SELECT twice(4)").ends(0), &["goes to    replica"]);
    stage.check().ends(0);
}

async fn says_what_is_wrong_with_servers(stage: &Stage) {
    let replica = &stage.cluster.replicas()[0];
    let stop = match stage.cluster.flavor() {
        Flavor::MySql => "STOP REPLICA SQL_THREAD",
        Flavor::MariaDb => "STOP SLAVE SQL_THREAD",
    };
    replica.sql("SET GLOBAL read_only = OFF; SET GLOBAL init_connect = 'SET @a = 1'").await.unwrap();
    let differs = "since its defaults are not the primary's: init_connect is \"SET @a = 1\" and there \"\"";
    has(&stage.check().ends(1), &[&format!("warning: {} takes writes", address(replica)), differs]);
    replica.sql("SET GLOBAL init_connect = ''").await.unwrap();
    replica.sql(stop).await.unwrap();
    has(&stage.check().ends(1), &["serves nothing: replication is stopped: the applier does not run"]);
    let primary = stage.cluster.primary();
    primary.sql("SET GLOBAL read_only = ON").await.unwrap();
    let kept = fs::read_to_string(&stage.file).unwrap();
    let refused = stage.init(&address(primary), &["--force"]);
    has(&refused.err, &["nothing was written, since there is no primary"]);
    assert_eq!(fs::read_to_string(&stage.file).unwrap(), kept);
    primary.sql("SET GLOBAL read_only = OFF").await.unwrap();
    has(
        &stage.init(&address(primary), &["--force"]).ends(0),
        &["the control account 'headgate'@'%', which exists"],
    );
    assert!(fs::read_to_string(&stage.file).unwrap().contains("user = \"headgate\""));
    fs::write(&stage.file, kept).unwrap();
    replica.kill();
    has(
        &stage.check().ends(1),
        &[&format!("problem: {} serves nothing", address(replica)), "of the cluster: 1 problem"],
    );
    headgate(&["check", "--config", stage.file()], &[]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mysql_cluster_gets_its_headgate() {
    a_cluster_gets_its_headgate(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_cluster_gets_its_headgate() {
    a_cluster_gets_its_headgate(Flavor::MariaDb).await;
}

/// Accounts of every kind that these servers have, with what is said of them.
const MYSQL_ACCOUNTS: &[(&str, &str)] = &[
    ("CREATE USER expired IDENTIFIED BY 'x' PASSWORD EXPIRE", ""),
    (
        "CREATE USER late IDENTIFIED BY 'x' PASSWORD EXPIRE INTERVAL 1 DAY",
        "'expired'@'%', 'late'@'%': can do",
    ),
    ("UPDATE mysql.user SET password_last_changed = '2026-01-01' WHERE User = 'late'", ""),
    ("CREATE USER locked IDENTIFIED BY 'x' ACCOUNT LOCK", "'locked'@'%': locked"),
    ("CREATE USER x509 IDENTIFIED BY 'x' REQUIRE X509", "since it shows no certificate"),
    ("CREATE USER sha256 IDENTIFIED WITH sha256_password BY 'x'", ""),
    ("CREATE ROLE reader", ""),
    ("CREATE USER far@'10.1.%' IDENTIFIED BY 'x'", "'far'@'10.1.%': cannot log in through Headgate"),
    ("CREATE USER near@'127.0.0.0/8' IDENTIFIED BY 'x'", "'near'@'127.0.0.0/8', 'root'@'localhost': open to"),
    ("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'", ""),
    (
        "CREATE USER sock IDENTIFIED WITH auth_socket",
        "'sock'@'%': cannot log in through Headgate, since auth_socket",
    ),
    ("CREATE USER two IDENTIFIED BY 'x' AND IDENTIFIED WITH auth_socket", "'two'@'%': cannot log in"),
    ("CREATE USER ''@'localhost' IDENTIFIED BY 'x'", "problem: ''@'localhost': taken for every user"),
];
const MARIADB_ACCOUNTS: &[(&str, &str)] = &[
    ("CREATE USER expired IDENTIFIED BY 'x' PASSWORD EXPIRE", ""),
    (
        "CREATE USER late IDENTIFIED BY 'x' PASSWORD EXPIRE INTERVAL 1 DAY",
        "'expired'@'%', 'late'@'%': can do",
    ),
    (
        "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', 1700000000) WHERE User = 'late'",
        "",
    ),
    ("CREATE USER locked IDENTIFIED BY 'x' ACCOUNT LOCK", "'locked'@'%': locked"),
    ("CREATE USER subject IDENTIFIED BY 'x' REQUIRE SUBJECT '/CN=a'", "since it shows no certificate"),
    ("CREATE ROLE reader", ""),
    ("CREATE USER far@'10.1.0.0/255.255.0.0' IDENTIFIED BY 'x'", "'far'@'10.1.0.0/255.255.0.0'"),
    (
        "CREATE USER sock IDENTIFIED VIA unix_socket",
        "'sock'@'%': cannot log in through Headgate, since unix_socket",
    ),
    ("CREATE USER either IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('x')", ""),
    ("CREATE USER either2 IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR unix_socket", ""),
    ("DO 0", "problem: 'root'@'127.0.0.1': anybody who reaches Headgate can log in"),
];

async fn accounts_are_told_by_what_becomes_of_them(flavor: Flavor) {
    let cluster = Cluster::builder(flavor).replicas(0).relays(false).performance_schema(false);
    let tls = if flavor == Flavor::MariaDb { Tls::Ca } else { Tls::ServerDefault };
    let stage = Stage::new(cluster.tls(tls).start().await.unwrap());
    let accounts = if flavor == Flavor::MySql { MYSQL_ACCOUNTS } else { MARIADB_ACCOUNTS };
    for (statement, _) in accounts {
        stage.cluster.primary().sql(*statement).await.unwrap();
    }
    // MySQL's own certificate names no host, the laboratory's does.
    let own = stage.cluster.primary().data_folder().join("ca.pem");
    let (ca, mode) = match stage.cluster.ca() {
        Some(ca) => (ca, "tls = \"verify-identity\""),
        None => (own.as_path(), "tls = \"verify-ca\""),
    };
    let server = format!("localhost:{}", stage.cluster.primary().address().port());
    let told = stage.init(&server, &["--backend-ca", ca.to_str().unwrap()]).ends(0);
    let expected: Vec<&str> = accounts.iter().map(|(_, told)| *told).collect();
    has(&told, &expected);
    has(&told, &["warning: there is one server", "which exists already", "GRANT SELECT ON mysql.user"]);
    for passes in ["'sha256'@", "'either'@", "'either2'@", "reader", "mariadb.sys", "mysql.sys"] {
        assert!(!told.contains(passes), "{passes} is no matter in\n{told}");
    }
    has(&fs::read_to_string(&stage.file).unwrap(), &[mode, "ca = "]);
    let control = stage.cluster.accounts().control;
    fs::write(stage.file.with_file_name("control.password"), control.password).unwrap();
    fs::set_permissions(stage.file.with_file_name("control.password"), fs::Permissions::from_mode(0o600))
        .unwrap();
    headgate(&["check", "--config", stage.file()], &[]).ends(0);
    // The laboratory's control account has what docs/grants.md lists, but the sight of MariaDB's locks.
    let checked = stage.check();
    match flavor {
        // The nameless account takes the control account's place.
        Flavor::MySql => has(&checked.ends(1), &["serves nothing: the server answered 1045"]),
        Flavor::MariaDb => {
            has(&checked.ends(1), &["warning: SELECT ON mysql.global_priv is missing", "1 problem,"])
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_accounts_are_told_by_what_becomes_of_them() {
    accounts_are_told_by_what_becomes_of_them(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_accounts_are_told_by_what_becomes_of_them() {
    accounts_are_told_by_what_becomes_of_them(Flavor::MariaDb).await;
}
