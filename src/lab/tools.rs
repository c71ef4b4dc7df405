//! Command lines of other projects, ready to be given their arguments.
//!
//! Each function finds or fetches the program (which blocks) and returns a [`Command`] that starts
//! it, through the loader it was unpacked with if it was. Option files of the machine are not
//! suppressed: pass `--no-defaults` first where a program knows it.

use std::path::PathBuf;
use std::process::Command;

use super::error::Result;
use super::software::{Package, Software};

/// Any program of a package.
///
/// # Errors
/// The package cannot be found or fetched, or has no such program.
pub fn program(package: Package, program: &str) -> Result<Command> {
    Software::locate(package)?.command(program)
}

pub fn mysql() -> Result<Command> {
    program(Package::MySql, "mysql")
}

pub fn mysqldump() -> Result<Command> {
    program(Package::MySql, "mysqldump")
}

pub fn mysqlbinlog() -> Result<Command> {
    program(Package::MySql, "mysqlbinlog")
}

pub fn mysqladmin() -> Result<Command> {
    program(Package::MySql, "mysqladmin")
}

pub fn mysql_router() -> Result<Command> {
    program(Package::MySql, "mysqlrouter")
}

/// Where Router's plugins are: the value of `plugin_folder` in its configuration.
pub fn mysql_router_plugins() -> Result<PathBuf> {
    let software = Software::locate(Package::MySql)?;
    let root = software.root().unwrap_or_else(|| std::path::Path::new("/"));
    Ok(root.join("usr/lib/mysqlrouter/plugin"))
}

pub fn mariadb() -> Result<Command> {
    program(Package::MariaDb, "mariadb")
}

pub fn mariadb_dump() -> Result<Command> {
    program(Package::MariaDb, "mariadb-dump")
}

pub fn mariadb_binlog() -> Result<Command> {
    program(Package::MariaDb, "mariadb-binlog")
}

pub fn haproxy() -> Result<Command> {
    program(Package::Haproxy, "haproxy")
}

/// sysbench, which finds the Lua scripts it was packaged with by their names.
pub fn sysbench() -> Result<Command> {
    program(Package::Sysbench, "sysbench")
}
