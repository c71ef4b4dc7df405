//! mysql2 and MariaDB's connector for Node.js.

use std::path::Path;
use std::process::Command;

use headgate::lab::Flavor;

use super::place::place;
use super::runtimes::modules;
use super::succeed;

#[test]
fn mysql2_on_mysql() {
    script(Flavor::MySql, "mysql2", &[]);
}

#[test]
fn mysql2_on_mariadb() {
    script(Flavor::MariaDb, "mysql2", &[]);
}

/// Batches are bulk executions, which only MariaDB has; the script shows that they were used.
#[test]
fn mariadb_connector_executes_in_bulk() {
    let place = place(Flavor::MariaDb);
    let modules = modules("mariadb");
    place.compare("node_mariadb", |address, schema| {
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/scripts/mariadb_client.js"));
        command.env("NODE_PATH", &modules);
        place.arguments(&mut command, address, schema);
        let printed = succeed(&mut command, b"");
        assert!(printed.contains("executions \"5\""), "{printed}");
        printed
    });
}

pub(super) fn script(flavor: Flavor, name: &str, options: &[&str]) {
    let place = place(flavor);
    let modules = modules("mysql2");
    place.compare(name, |address, schema| {
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/scripts/mysql2_client.js"));
        command.env("NODE_PATH", &modules);
        place.arguments(&mut command, address, schema);
        command.args(options);
        succeed(&mut command, b"")
    });
}
