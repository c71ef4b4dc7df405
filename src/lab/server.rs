//! A server program and the options every node of it gets.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Result;
use super::flavor::Flavor;
use super::process::is_root;
use super::software::{Package, Software, Version, version_of};

/// A located server program.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) flavor: Flavor,
    pub(super) version: Version,
    software: Software,
}

impl Server {
    /// Finds or fetches the server of a family. Blocks.
    pub(super) fn locate(flavor: Flavor) -> Result<Self> {
        let software = Software::locate(match flavor {
            Flavor::MySql => Package::MySql,
            Flavor::MariaDb => Package::MariaDb,
        })?;
        let version = version_of(&software)?;
        Ok(Self { flavor, version, software })
    }

    /// `MAJOR.MINOR.PATCH`.
    pub(super) fn version_text(&self) -> String {
        let Version(major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    /// The server on a data directory, deaf to the option files of the machine.
    pub(super) fn command(&self, data: &Path) -> Result<Command> {
        let mut command = self.software.command(match self.flavor {
            Flavor::MySql => "mysqld",
            Flavor::MariaDb => "mariadbd",
        })?;
        command.arg("--no-defaults");
        command.arg(format!("--datadir={}", data.display()));
        if let Some(root) = self.software.root() {
            command.arg(format!("--basedir={}", root.join("usr").display()));
            command.arg(format!("--lc-messages-dir={}", self.share_folder().display()));
            command.arg(format!("--plugin-dir={}", root.join("usr/lib/mysql/plugin").display()));
        }
        if is_root() {
            command.arg("--user=root");
        }
        command.args(match self.flavor {
            Flavor::MySql => MYSQL_FOOTPRINT,
            Flavor::MariaDb => MARIADB_FOOTPRINT,
        });
        Ok(command)
    }

    /// Where messages and the scripts that make the system tables are. MariaDB's packages moved to
    /// a folder of their own name with version 11.
    pub(super) fn share_folder(&self) -> PathBuf {
        let root = self.software.root().unwrap_or_else(|| Path::new("/"));
        let own = root.join(format!("usr/share/{}", self.flavor));
        if own.join("english").is_dir() { own } else { root.join("usr/share/mysql") }
    }
}

/// Less memory and disk, same behaviour: sizes only.
const MYSQL_FOOTPRINT: &[&str] = &[
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-buffer-size=2M",
    "--innodb-redo-log-capacity=32M",
    "--mysqlx=OFF",
    "--secure-file-priv=",
];
const MARIADB_FOOTPRINT: &[&str] = &["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M"];
