//! The drivers for Python and Node.js, fetched by name into the laboratory's cache on first use.

use std::path::PathBuf;
use std::process::Command;

use headgate::lab::cached;

/// The interpreter of an environment that has the drivers.
pub(crate) fn python() -> PathBuf {
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
        );
        Ok(())
    });
    folder.unwrap().join("venv/bin/python")
}

/// `cryptography` is what PyMySQL needs for caching_sha2_password without TLS.
const DRIVERS: [&str; 3] = ["PyMySQL", "mysql-connector-python", "cryptography"];

/// The folder that has a driver for Node.js.
pub(crate) fn modules(driver: &str) -> PathBuf {
    // mysql2 and mariadb both have a major version 3.
    let folder = cached(&format!("node-{driver}-3"), |folder| {
        eprintln!("fetching {driver} for Node.js");
        let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
        assert!(runs("node") && runs("npm"), "node or npm is missing: apt-get install nodejs npm");
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .arg(format!("{driver}@3"));
        succeed(&mut install);
        Ok(())
    });
    folder.unwrap().join("node_modules")
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
