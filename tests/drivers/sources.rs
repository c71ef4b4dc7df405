//! Where suites come from: the packages of the registries, by name and version, through their own
//! clients, unpacked into the laboratory's cache.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

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
        fs::remove_file(&archive).unwrap();
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

/// The tests of Rust's crates are built here, dependencies once for all of them.
pub(crate) fn rust_target() -> PathBuf {
    cached("rust-suites", |_| Ok(())).unwrap()
}

/// The cargo that runs these tests.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The source of mysql_async, in the version of Headgate's own Cargo.lock. Its tests stand in it, and it
/// brings a Cargo.lock.
pub(crate) fn mysql_async() -> PathBuf {
    let published = crate_source(Path::new(env!("CARGO_MANIFEST_DIR")), "mysql_async");
    let name = published.file_name().unwrap().to_str().unwrap();
    let copy = cached(&format!("{name}-source"), |folder| {
        copy_folder(&published, folder);
        Ok(())
    });
    only_entry(&copy.unwrap())
}

/// The tests of the published sqlx, beside the project that runs them.
pub(crate) fn sqlx() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SQLX.hash(&mut hasher);
    let folder = cached(&format!("sqlx-suite-{:016x}", hasher.finish()), |folder| {
        for (name, text) in SQLX {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        copy_folder(&crate_source(folder, "sqlx").join("tests"), folder);
        Ok(())
    });
    folder.unwrap()
}

const SQLX: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("sqlx/Cargo.toml")),
    ("Cargo.lock", include_str!("sqlx/Cargo.lock")),
    ("build.rs", include_str!("sqlx/build.rs")),
    ("src/lib.rs", include_str!("sqlx/src/lib.rs")),
    ("src/sessions.rs", include_str!("sqlx/src/sessions.rs")),
];

/// Where cargo has unpacked a crate that the project in `folder` depends on; it fetches it if need be.
fn crate_source(folder: &Path, name: &str) -> PathBuf {
    let mut metadata = Command::new(cargo());
    metadata.args(["metadata", "--locked", "--all-features", "--format-version=1"]).current_dir(folder);
    let output = succeed(&mut metadata);
    let text = String::from_utf8(output.stdout).unwrap();
    let manifests = text.split(r#""manifest_path":""#).skip(1).filter_map(|rest| rest.split('"').next());
    let mut sources = manifests.filter_map(|manifest| Path::new(manifest).parent()).filter(|source| {
        let folder = source.file_name().and_then(|folder| folder.to_str()).unwrap_or_default();
        // NAME-VERSION, and not another crate whose name begins alike.
        let version = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    });
    let source = sources.next().unwrap_or_else(|| panic!("{name} is no dependency of {}", folder.display()));
    source.to_owned()
}

fn copy_folder(from: &Path, into: &Path) {
    succeed(Command::new("cp").arg("-r").arg(from).arg(into));
}

fn only_entry(folder: &Path) -> PathBuf {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    match entries.as_slice() {
        [one] => one.clone(),
        others => panic!("{} holds {others:?}", folder.display()),
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start {command:?} (apt-get install python3 python3-venv nodejs npm): {error}")
    });
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
