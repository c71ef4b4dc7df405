//! Where suites come from: the packages of the registries, by name and version, through their own
//! clients, unpacked into the laboratory's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use headgate::lab::cached;

/// A Python environment with everything the suites need; its interpreter.
pub(crate) fn python() -> PathBuf {
    let folder = cached("python-suites-1", |folder| {
        eprintln!("making a Python environment with {}", PACKAGES.join(", "));
        let environment = folder.join("venv");
        let mut make = Command::new("python3");
        succeed(make.args(["-m", "venv"]).arg(&environment));
        let mut install = Command::new(environment.join("bin/python"));
        succeed(
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
        );
        Ok(())
    });
    folder.unwrap().join("venv/bin/python")
}

const PACKAGES: [&str; 7] = [
    "pytest==9.2.0",
    "PyMySQL==1.2.4",
    "SQLAlchemy==2.1.9",
    "Django==5.2.19",
    "cryptography",
    "setuptools",
    // What SQLAlchemy's suite imports.
    "greenlet",
];

/// The source distribution of a Python package, unpacked; tests are in none of the wheels.
pub(crate) fn source(package: &str, version: &str) -> PathBuf {
    let name = format!("{}-{version}-source", package.to_lowercase());
    let folder = cached(&name, |folder| {
        eprintln!("fetching the source of {package} {version}");
        let mut fetch = Command::new(python());
        fetch
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--no-binary", package, &format!("{package}=={version}"), "--dest"])
            .arg(folder);
        succeed(&mut fetch);
        let archive = only_entry(folder);
        succeed(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(folder));
        std::fs::remove_file(&archive).unwrap();
        Ok(())
    });
    only_entry(&folder.unwrap())
}

/// Node modules, with exact versions.
pub(crate) fn node_modules() -> PathBuf {
    let folder = cached("node-suites-1", |folder| {
        eprintln!("fetching {} for Node.js", MODULES.join(", "));
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder)
            .args(MODULES);
        succeed(&mut install);
        Ok(())
    });
    folder.unwrap().join("node_modules")
}

const MODULES: [&str; 2] = ["mysql2@3.24.6", "mariadb@3.5.4"];

fn only_entry(folder: &Path) -> PathBuf {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    match entries.as_slice() {
        [one] => one.clone(),
        others => panic!("{} holds {others:?}", folder.display()),
    }
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start {command:?} (apt-get install python3 python3-venv nodejs npm): {error}")
    });
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
