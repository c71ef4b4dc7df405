//! The command line of the servers' family, on a running demonstration.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use headgate::lab::{Flavor, tools};

use crate::running::{self, Place};
use crate::shop;
use crate::summary::Verdict;

/// The shop, through Headgate.
pub(crate) fn shop(port: Option<u16>, execute: Option<&str>) -> Result<Verdict> {
    let place = running::find(port)?;
    become_client(&place, place.clients, "app", APP_PASSWORD, &[shop::SCHEMA], execute)
        .map(|never| match never {})
}

/// Headgate's console.
pub(crate) fn console(port: Option<u16>, execute: Option<&str>) -> Result<Verdict> {
    let place = running::find(port)?;
    let password = fs::read_to_string(&place.password_file)
        .with_context(|| format!("cannot read {}", place.password_file.display()))?;
    become_client(&place, place.console, "admin", password.trim_end(), &[], execute)
        .map(|never| match never {})
}

/// Becomes the family's program, the system's or the one unpacked for the servers.
fn become_client(
    place: &Place,
    address: SocketAddr,
    user: &str,
    password: &str,
    more: &[&str],
    execute: Option<&str>,
) -> Result<Infallible> {
    let mut command = match place.flavor {
        Flavor::MySql => tools::mysql(),
        Flavor::MariaDb => tools::mariadb(),
    }?;
    command.args(["--no-defaults", "--protocol=tcp"]);
    command.args([format!("--host={}", address.ip()), format!("--port={}", address.port())]);
    command.arg(format!("--user={user}"));
    // Comments are kept, for hints.
    command.args(["--table", "--comments"]);
    command.args(execute.map(|statements| format!("--execute={statements}")));
    command.args(more);
    // Arguments can be seen by every user of the machine, the environment only by this one.
    command.env("MYSQL_PWD", password);
    Err(command.exec()).context("cannot start the command line")
}

/// The laboratory's, for the one account of applications.
const APP_PASSWORD: &str = "lab-app";
