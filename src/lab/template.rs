//! Initialised data directories, made once a server version and copied for each node.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::accounts;
use super::cache;
use super::error::{AtPath, Result};
use super::flavor::Flavor;
use super::process::{run, run_with_input};
use super::server::Server;

/// The template of a server, made if the cache has none.
///
/// It holds the system tables and the accounts, an empty binary-log history (so that copies can
/// replicate from each other at once) and, on MySQL, the certificates the server made for itself.
pub(super) fn locate(server: &Server) -> Result<PathBuf> {
    let statements = accounts::statements(server.flavor);
    let mut recipe = DefaultHasher::new();
    (&statements, RECIPE).hash(&mut recipe);
    let name = format!("template-{}-{}-{:016x}", server.flavor, server.version_text(), recipe.finish());
    let folder = cache::entry(&name, |target| {
        eprintln!(
            "headgate lab: initialising a data directory of {} {}",
            server.flavor,
            server.version_text()
        );
        match server.flavor {
            Flavor::MySql => initialize_mysql(server, target, &statements),
            Flavor::MariaDb => initialize_mariadb(server, target, &statements),
        }
    })?;
    Ok(folder.join("data"))
}

/// To be raised when the way a template is made changes.
const RECIPE: u32 = 1;

/// Copies a template; as a shared copy where the file system can.
pub(super) fn copy(template: &Path, data: &Path) -> Result<()> {
    run(Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(template).arg(data)).map(drop)
}

/// Power may fail while a template is made: it is then made again. So nothing waits for the disk.
const MYSQL_IN_HASTE: &[&str] = &[
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=O_DIRECT_NO_FSYNC",
    "--skip-innodb-doublewrite",
];

fn initialize_mysql(server: &Server, target: &Path, statements: &[String]) -> Result<()> {
    let script = target.join("accounts.sql");
    fs::write(&script, statements.join("\n")).at("write", &script)?;
    let data = target.join("data");
    run(server
        .command(&data)?
        .arg("--initialize-insecure")
        .arg(format!("--init-file={}", script.display()))
        .args(MYSQL_IN_HASTE))?;
    // Each copy must make its own server_uuid.
    let identity = data.join("auto.cnf");
    fs::remove_file(&identity).at("remove", &identity)
}

/// What mariadb-install-db does, without its shell: the same scripts into `--bootstrap`.
fn initialize_mariadb(server: &Server, target: &Path, statements: &[String]) -> Result<()> {
    let data = target.join("data");
    let system_tables = data.join("mysql");
    fs::create_dir_all(&system_tables).at("create", &system_tables)?;
    let mut input =
        String::from("create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n");
    for script in MARIADB_SCRIPTS {
        let path = mariadb_script(&server.share_folder(), script);
        let text = fs::read_to_string(&path).at("read", &path)?;
        // These lines make accounts for the name of this machine, which may need a name server.
        let lines = text.lines().filter(|line| !line.contains("@current_hostname"));
        for line in lines {
            input.push_str(line);
            input.push('\n');
        }
    }
    input.push_str(&statements.join("\n"));
    input.push('\n');
    let mut command = server.command(&data)?;
    command.args(["--bootstrap", "--log-warnings=0", "--enforce-storage-engine=", "--max-allowed-packet=8M"]);
    run_with_input(
        command.args(["--net-buffer-length=16K", "--innodb-flush-log-at-trx-commit=0"]),
        input.as_bytes(),
    )
    .map(drop)
}

/// Version 11 renamed `mysql_….sql` to `mariadb_….sql`.
fn mariadb_script(folder: &Path, name: &str) -> PathBuf {
    let renamed = folder.join(name.replacen("mysql_", "mariadb_", 1));
    if renamed.is_file() { renamed } else { folder.join(name) }
}

const MARIADB_SCRIPTS: [&str; 6] = [
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
];
