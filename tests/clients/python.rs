//! PyMySQL and Connector/Python.

use std::path::Path;
use std::process::Command;

use headgate::lab::Flavor;

use super::place::place;
use super::runtimes::python;
use super::succeed;

#[test]
fn pymysql_on_mysql() {
    script(Flavor::MySql, "pymysql", "pymysql_client.py", &[]);
}

#[test]
fn pymysql_on_mariadb() {
    script(Flavor::MariaDb, "pymysql", "pymysql_client.py", &[]);
}

#[test]
fn connector_python_on_mysql() {
    script(Flavor::MySql, "connector", "connector_client.py", &[]);
}

#[test]
fn connector_python_on_mariadb() {
    script(Flavor::MariaDb, "connector", "connector_client.py", &[]);
}

pub(super) fn script(flavor: Flavor, name: &str, file: &str, options: &[&str]) {
    let place = place(flavor);
    let python = python();
    place.compare(name, |address, schema| {
        let mut command = Command::new(&python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/scripts").join(file));
        place.arguments(&mut command, address, schema);
        command.args(options);
        succeed(&mut command, b"")
    });
}
