//! PyMySQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use headgate::lab::{Flavor, cached};

use super::place::{place, succeed};

#[test]
fn pymysql_with_tls_and_without() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let place = place(flavor);
        let address = place.headgate.console_address();
        let mut command = Command::new(python());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/scripts/pymysql_console.py");
        command.arg(script).args([
            &address.ip().to_string(),
            &address.port().to_string(),
            &place.headgate.console_password().unwrap(),
        ]);
        let printed = succeed(&mut command, "");
        assert_eq!(printed, "plain ok\ntls ok\n");
    }
}

/// The interpreter of an environment that has the drivers; the same one that tests/clients makes.
fn python() -> PathBuf {
    let folder = cached("python-drivers-1", |folder| {
        let environment = folder.join("venv");
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&environment);
        assert!(
            make.status().is_ok_and(|status| status.success()),
            "python3 or its venv module is missing: apt-get install python3 python3-venv"
        );
        let mut install = Command::new(environment.join("bin/python"));
        let drivers = ["PyMySQL", "mysql-connector-python", "cryptography"];
        succeed(
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(drivers),
            "",
        );
        Ok(())
    });
    folder.unwrap().join("venv/bin/python")
}
