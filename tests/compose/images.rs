//! Stand-ins for the images that docker-compose.yml and the Dockerfile name, under the same names.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use headgate::lab::{Package, unpacked};

use super::engine::{Engine, find};
use super::succeed;

/// A database whose official image is stood in for.
pub(crate) struct Database {
    /// The value of `DB_IMAGE`.
    pub(crate) image: &'static str,
    pub(crate) package: Package,
    pub(crate) client: &'static str,
    server: &'static str,
}

pub(crate) const MYSQL: Database =
    Database { image: "mysql", package: Package::MySql, client: "mysql", server: "mysqld" };
pub(crate) const MARIADB: Database =
    Database { image: "mariadb", package: Package::MariaDb, client: "mariadb", server: "mariadbd" };

/// Gives the engine all images that the demonstration needs.
pub(crate) fn make(engine: &Engine, database: &Database) {
    let folder = engine.folder();
    let system = folder.join("system");
    make_system(&system);
    import(engine, "debian:trixie-slim", &[(&system, "")], &[]);

    let rust = folder.join("rust");
    copy(&system, &rust);
    make_rust(&rust);
    import(engine, "rust:1-slim-trixie", &[(&rust, "")], &["ENV PATH=/usr/local/cargo/bin:/usr/bin"]);

    let server = unpacked(database.package).unwrap();
    let image = folder.join("database");
    copy(&system, &image);
    make_database(&image, database, &server);
    let settings = [
        "ENV PATH=/usr/local/bin:/usr/bin",
        &format!("ENV SERVER={}", database.server),
        "ENTRYPOINT [\"docker-entrypoint.sh\"]",
        &format!("CMD [\"{}\"]", database.server),
        "VOLUME /var/lib/mysql",
        "EXPOSE 3306",
    ];
    import(engine, &format!("{}:lts", database.image), &[(&image, ""), (&server, "opt/server/")], &settings);
}

/// What a slim Debian has that is used here: a shell, its usual company, and the C library. Taken from
/// this machine, as the programs built here need nothing newer.
fn make_system(root: &Path) {
    for folder in ["usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "etc"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for folder in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{folder}"), root.join(folder)).unwrap();
    }
    make_temporary_folder(&root.join("tmp"));
    let mut libraries = libraries_of(Path::new(env!("CARGO_BIN_EXE_headgate")));
    for program in PROGRAMS {
        let path = find(program).unwrap_or_else(|| panic!("{program} not found on this machine"));
        libraries.append(&mut libraries_of(&path));
        fs::copy(&path, root.join("usr/bin").join(program)).unwrap();
    }
    for library in libraries {
        let target = root.join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&library, target).unwrap();
    }
}

const PROGRAMS: &[&str] = &[
    "bash", "sh", "cat", "chmod", "chown", "cp", "date", "env", "grep", "id", "ls", "mkdir", "rm", "setpriv",
    "sleep", "uname",
];

fn libraries_of(program: &Path) -> BTreeSet<PathBuf> {
    let listed = succeed(Command::new("ldd").arg(program));
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(|path| PathBuf::from(path.trim_end_matches(':'))).filter(|path| path != program).collect()
}

/// A cargo that hands over what this machine has built, see standin/cargo.sh.
fn make_rust(root: &Path) {
    install("cargo.sh", &root.join("usr/local/cargo/bin/cargo"));
    let tools = root.join("opt/rust");
    fs::create_dir_all(&tools).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_headgate"), tools.join("headgate")).unwrap();
    // Set by cargo for the tests it runs: the program itself, not rustup's.
    let cargo = std::env::var_os("CARGO").expect("this test is run by cargo");
    fs::copy(&cargo, tools.join("cargo")).unwrap();
    for library in libraries_of(Path::new(&cargo)) {
        let target = root.join("usr").join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&library, target).unwrap();
    }
}

fn make_database(root: &Path, database: &Database, server: &Path) {
    install("entrypoint.sh", &root.join("usr/local/bin/docker-entrypoint.sh"));
    for program in [database.server, database.client] {
        install("launch.sh", &root.join("usr/local/bin").join(program));
    }
    let messages = [database.image, "mysql"]
        .map(|name| format!("usr/share/{name}"))
        .into_iter()
        .find(|folder| server.join(folder).join("english").is_dir())
        .unwrap();
    let settings = fs::read_to_string(standin("my.cnf")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/my.cnf"), settings.replace("LC_MESSAGES", &format!("/opt/server/{messages}")))
        .unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nmysql:x:999:999::/:/bin/sh\n").unwrap();
    for folder in ["docker-entrypoint-initdb.d", "var/lib/mysql", "var/run/mysqld"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
}

/// Installs a script of `standin/`.
fn install(script: &str, target: &Path) {
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(standin(script), target).unwrap();
    fs::set_permissions(target, fs::Permissions::from_mode(0o755)).unwrap();
}

fn make_temporary_folder(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o1777)).unwrap();
}

fn standin(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose/standin").join(file)
}

fn copy(from: &Path, to: &Path) {
    succeed(Command::new("cp").arg("--archive").args([from, to]));
}

/// Makes an image of folders, each at a place in the image.
fn import(engine: &Engine, name: &str, parts: &[(&Path, &str)], settings: &[&str]) {
    let archive = engine.folder().join("image.tar");
    for (index, (folder, place)) in parts.iter().enumerate() {
        let mode = if index == 0 { "--create" } else { "--append" };
        succeed(
            Command::new("tar")
                .args([mode, "--owner=0", "--group=0", "--file"])
                .arg(&archive)
                // Names only, not what symbolic links point at.
                .arg(format!("--transform=flags=r;s,^,{place},"))
                .args(["--exclude=usr/share/doc", "--exclude=usr/share/man", "--exclude=*mysqlrouter*"])
                .arg("--directory")
                .arg(folder)
                .args(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name())),
        );
    }
    let mut docker = engine.docker(Duration::from_secs(120));
    docker.arg("import");
    for setting in settings {
        docker.args(["--change", setting]);
    }
    docker.args(["-", name]).stdin(Stdio::from(fs::File::open(&archive).unwrap()));
    succeed(&mut docker);
    fs::remove_file(&archive).unwrap();
}
