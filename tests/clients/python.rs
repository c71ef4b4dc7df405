//! PyMySQL and Connector/Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use headgate::lab::{Flavor, cached};

use super::place::place;
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

/// The interpreter of an environment that has the drivers.
fn python() -> PathBuf {
    let folder = cached("python-drivers-1", |folder| {
        let environment = folder.join("venv");
        eprintln!("making a Python environment with {}", DRIVERS.join(", "));
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        assert!(
            make.status().is_ok_and(|status| status.success()),
            "python3 or its venv module is missing: apt-get install python3 python3-venv"
        );
        let mut install = Command::new(environment.join("bin/python"));
        succeed(
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(DRIVERS),
            b"",
        );
        Ok(())
    });
    folder.unwrap().join("venv/bin/python")
}

/// `cryptography` is what PyMySQL needs for caching_sha2_password without TLS.
const DRIVERS: [&str; 3] = ["PyMySQL", "mysql-connector-python", "cryptography"];
