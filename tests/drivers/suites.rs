//! The suites, and how each is started.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use headgate::lab::Flavor;

use crate::place::{ACCOUNT, Place};
use crate::sources::{cargo, mysql_async, node_modules, python, rust_target, source, sqlx};

/// How much of a suite runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// What the suite's own runner takes to choose tests.
    Short(&'static [&'static str]),
    Whole,
}

pub(crate) struct Suite {
    /// Also of its list of differences.
    pub(crate) name: &'static str,
    pub(crate) flavors: &'static [Flavor],
    /// Made anew before each run.
    pub(crate) schemas: &'static [&'static str],
    /// What of it runs with the other tests, if anything.
    pub(crate) short: Option<&'static [&'static str]>,
    /// So many tests of the whole suite pass at least, or it did not run as it should.
    pub(crate) least: usize,
    pub(crate) command: fn(&Place, Scope, SocketAddr) -> Command,
}

const BOTH: &[Flavor] = &[Flavor::MySql, Flavor::MariaDb];

pub(crate) const SUITES: [Suite; 8] = [
    Suite {
        name: "pymysql",
        flavors: BOTH,
        schemas: &["suite_a", "suite_b"],
        short: Some(&[
            "pymysql/tests/test_basic.py",
            "pymysql/tests/test_cursor.py",
            "pymysql/tests/test_SSCursor.py",
        ]),
        least: 130,
        command: pymysql,
    },
    Suite {
        name: "connector_python",
        flavors: &[Flavor::MySql],
        schemas: &["myconnpy"],
        short: Some(&["^(pep249|conversion|mysql_datatypes|multibyte_charset)$"]),
        least: 400,
        command: connector_python,
    },
    Suite {
        name: "sqlalchemy",
        flavors: BOTH,
        schemas: &["test", "test_schema"],
        short: Some(&["test/dialect/mysql/test_on_duplicate.py", "test/dialect/mysql/test_query.py"]),
        least: 2000,
        command: sqlalchemy,
    },
    Suite { name: "django", flavors: BOTH, schemas: &[], short: None, least: 500, command: django },
    Suite {
        name: "mysql2",
        flavors: BOTH,
        schemas: &["suite_a"],
        short: Some(&[]),
        least: 20,
        command: mysql2,
    },
    Suite {
        name: "mariadb_node",
        flavors: BOTH,
        schemas: &["suite_a"],
        short: Some(&[]),
        least: 20,
        command: mariadb_node,
    },
    // To build Rust's crates takes minutes: nothing of them runs with the other tests.
    Suite {
        name: "mysql_async",
        flavors: BOTH,
        schemas: &["suite_a"],
        short: None,
        least: 160,
        command: rust_mysql_async,
    },
    Suite { name: "sqlx", flavors: BOTH, schemas: &["sqlx"], short: None, least: 140, command: rust_sqlx },
];

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/scripts").join(name)
}

/// pytest with the plugin that writes outcomes, in `folder`.
fn pytest(folder: &Path) -> Command {
    let mut command = Command::new(python());
    command
        .current_dir(folder)
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-p", "outcomes", "-W", "ignore"])
        .env("PYTHONPATH", std::env::join_paths([folder.to_owned(), script("")]).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The last release that carries its tests, and with them.
fn pymysql(place: &Place, scope: Scope, address: SocketAddr) -> Command {
    // The tests read their databases from a file beside them.
    let folder = place.folder(&format!("pymysql-source-{}", address.port()));
    let copied =
        Command::new("cp").arg("-r").arg(source("PyMySQL", "0.10.1").join("pymysql")).arg(&folder).status();
    assert!(copied.is_ok_and(|status| status.success()), "cannot copy PyMySQL's source");
    let database = |schema: &str, more: &str| {
        format!(
            r#"{{"host": "{}", "port": {}, "user": "{}", "passwd": "{}", "db": "{schema}"{more}}}"#,
            address.ip(),
            address.port(),
            ACCOUNT.user,
            ACCOUNT.password
        )
    };
    let more = r#", "use_unicode": true, "local_infile": true"#;
    let databases = format!("[{}, {}]", database("suite_a", more), database("suite_b", ""));
    std::fs::write(folder.join("pymysql/tests/databases.json"), databases).unwrap();
    let mut command = pytest(&folder);
    match scope {
        Scope::Short(files) => command.args(files),
        Scope::Whole => command.arg("pymysql/tests"),
    };
    command
}

fn connector_python(_: &Place, scope: Scope, address: SocketAddr) -> Command {
    let mut command = Command::new(python());
    command.arg(script("connector_suite.py")).current_dir(source("mysql-connector-python", "26.10.0"));
    account(&mut command, address);
    if let Scope::Short(choice) = scope {
        command.args(choice);
    }
    command
}

/// The tests of the MySQL dialect, and the suite that every dialect has to pass.
fn sqlalchemy(_: &Place, scope: Scope, address: SocketAddr) -> Command {
    let mut command = pytest(&source("SQLAlchemy", "2.1.9"));
    let (user, password) = (ACCOUNT.user, ACCOUNT.password);
    command.args(["-p", "no:logging", "--dburi"]);
    command.arg(format!("mysql+pymysql://{user}:{password}@{address}/test?charset=utf8mb4"));
    match scope {
        Scope::Short(files) => command.args(files),
        Scope::Whole => command.args(["test/dialect/mysql", "test/dialect/test_suite.py"]),
    };
    command
}

/// The tests of what lies between Django's models and the server.
fn django(place: &Place, _: Scope, address: SocketAddr) -> Command {
    let folder = place.folder("django-settings");
    std::fs::copy(script("django_settings.py"), folder.join("django_settings.py")).unwrap();
    let mut command = Command::new(python());
    command
        .current_dir(source("Django", "5.2.19").join("tests"))
        .args(["runtests.py", "--settings=django_settings", "--parallel=1", "--noinput"])
        .args(["backends", "transactions", "basic", "queries", "aggregation", "expressions", "introspection"])
        .args([
            "schema",
            "select_for_update",
            "bulk_create",
            "get_or_create",
            "transaction_hooks",
            "inspectdb",
        ])
        .args(["model_fields", "annotations", "db_functions", "delete", "update", "indexes", "constraints"])
        .env("PYTHONPATH", std::env::join_paths([folder, script("")]).unwrap())
        .env("SUITE_HOST", address.ip().to_string())
        .env("SUITE_PORT", address.port().to_string())
        .env("SUITE_USER", ACCOUNT.user)
        .env("SUITE_PASSWORD", ACCOUNT.password);
    command
}

/// Node's drivers carry no tests in their packages: these are ours.
fn mysql2(_: &Place, _: Scope, address: SocketAddr) -> Command {
    node("mysql2_suite.js", address)
}

fn mariadb_node(_: &Place, _: Scope, address: SocketAddr) -> Command {
    node("mariadb_suite.js", address)
}

fn node(file: &str, address: SocketAddr) -> Command {
    let mut command = Command::new("node");
    command.arg(script(file)).env("NODE_PATH", node_modules());
    account(&mut command, address);
    command.arg("suite_a");
    command
}

/// Once as it comes and once with TLS and compression, by the variables its own tests look for. Told to prefer
/// sockets, which is the default, it asks whoever answers on loopback for the server's unix socket and
/// connects there: past Headgate.
fn rust_mysql_async(_: &Place, _: Scope, address: SocketAddr) -> Command {
    let mut command = rust(&mysql_async(), "suite_a?prefer_socket=false", address);
    command
        .env("VARIANTS", "plain tls+compressed:SSL=true,COMPRESS=true")
        .args(["--lib", "--no-default-features", "--features"])
        .arg("default-rustls,binlog,chrono,time,bigdecimal,rust_decimal,frunk,client_ed25519,client_parsec");
    command
}

/// Its own tests of MySQL, and what they leave out.
fn rust_sqlx(place: &Place, _: Scope, address: SocketAddr) -> Command {
    let folder = sqlx();
    // The account without a password is there from the run before.
    place.sql("DROP USER IF EXISTS no_password");
    let files: &[&str] = match place.flavor() {
        Flavor::MySql => &["setup.sql"],
        Flavor::MariaDb => &["setup.sql", "setup-mariadb.sql"],
    };
    for file in files {
        let setup = std::fs::read_to_string(folder.join("tests/mysql").join(file)).unwrap();
        place.sql(&format!("USE sqlx; {setup}"));
    }
    let mut command = rust(&folder, "sqlx", address);
    command
        .env("VARIANTS", "sqlx")
        .env("SUITE_FLAVOR", place.flavor().to_string())
        .args(["--tests", "--no-fail-fast"]);
    command
}

fn rust(folder: &Path, schema: &str, address: SocketAddr) -> Command {
    let (user, password) = (ACCOUNT.user, ACCOUNT.password);
    let mut command = Command::new(python());
    command
        .arg(script("cargo_suite.py"))
        .arg("--locked")
        .current_dir(folder)
        .env("CARGO", cargo())
        .env("CARGO_TARGET_DIR", rust_target())
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("DATABASE_URL", format!("mysql://{user}:{password}@{address}/{schema}"));
    command
}

/// Host, port, user, password.
fn account(command: &mut Command, address: SocketAddr) {
    command.args([&address.ip().to_string(), &address.port().to_string(), ACCOUNT.user, ACCOUNT.password]);
}
