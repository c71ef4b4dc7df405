//! Programs of other projects: where they are, and how to start them from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Suite};
use super::cache;
use super::error::{LabError, Result};
use super::process::{on_path, run};

/// What the laboratory can find or fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// Server, command lines and MySQL Router.
    MySql,
    /// Server and command lines.
    MariaDb,
    Haproxy,
    Sysbench,
}

impl Package {
    pub const ALL: [Package; 4] = [Package::MySql, Package::MariaDb, Package::Haproxy, Package::Sysbench];

    pub fn name(self) -> &'static str {
        match self {
            Package::MySql => "mysql",
            Package::MariaDb => "mariadb",
            Package::Haproxy => "haproxy",
            Package::Sysbench => "sysbench",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name() == name)
    }

    /// The program whose presence on `PATH` makes fetching unnecessary.
    fn main_program(self) -> &'static str {
        match self {
            Package::MySql => "mysqld",
            Package::MariaDb => "mariadbd",
            Package::Haproxy => "haproxy",
            Package::Sysbench => "sysbench",
        }
    }

    /// The oldest version whose statements and option names the laboratory speaks.
    fn oldest(self) -> Version {
        match self {
            // SOURCE/REPLICA wording, semi-sync's new names.
            Package::MySql => Version(8, 0, 26),
            Package::MariaDb => Version(10, 6, 0),
            Package::Haproxy | Package::Sysbench => Version(0, 0, 0),
        }
    }

    /// Where the packages are, best first.
    fn archives(self) -> Vec<(Suite, &'static [&'static str])> {
        match self {
            Package::MySql => vec![
                (Suite::Sid, &["mysql-server-core", "mysql-client-core", "mysql-router"]),
                // Ubuntu has MySQL in its own archive, under the names of its series.
                (Suite::System, &["mysql-server-core-8.4", "mysql-client-core-8.4", "mysql-router"]),
                (Suite::System, &["mysql-server-core-8.0", "mysql-client-core-8.0", "mysql-router"]),
            ],
            Package::MariaDb => {
                vec![(Suite::System, &["mariadb-server-core", "mariadb-client-core", "mariadb-client"])]
            }
            Package::Haproxy => vec![(Suite::System, &["haproxy"])],
            Package::Sysbench => vec![(Suite::System, &["sysbench"])],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// The first `N.N.N` of a text.
    fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
            let mut numbers = word.split('.').map(str::parse::<u16>);
            Some(Self(numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
    }
}

/// A package, ready to be started from where it is.
#[derive(Clone, Debug)]
pub(super) struct Software {
    package: Package,
    /// Where it was unpacked; `None` when it is part of the system.
    root: Option<PathBuf>,
}

impl Software {
    /// Finds a package on `PATH` or in the cache, or fetches it into the cache, telling so on
    /// standard error. Blocks, for as long as the download takes.
    pub(super) fn locate(package: Package) -> Result<Self> {
        if is_installed(package) {
            return Ok(Self { package, root: None });
        }
        Self::unpacked(package)
    }

    fn unpacked(package: Package) -> Result<Self> {
        let folder = cache::entry(package.name(), |target| {
            eprintln!("headgate lab: unpacking {} from the package archive", package.name());
            unpack_first(package, target)
        })?;
        Ok(Self { package, root: Some(folder.join("root")) })
    }

    /// The folder the package was unpacked to; `None` when it is part of the system.
    pub(super) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// A program of the package, to be given its arguments.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let Some(root) = &self.root else {
            return match on_path(program) {
                Some(path) => Ok(Command::new(path)),
                // A server without its client packages, for instance.
                None => Self::unpacked(self.package)?.command(program),
            };
        };
        let no_such =
            || LabError::NoSuchProgram { program: program.to_owned(), package: self.package.name() };
        let folders = ["usr/sbin", "usr/bin", "sbin", "bin"];
        let path = folders
            .map(|folder| root.join(folder).join(program))
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(no_such)?;
        let loader = loader(root).ok_or_else(no_such)?;
        let mut command = Command::new(loader);
        command.arg("--library-path").arg(library_path(root)).arg(path);
        // Both client libraries load authentication methods from a folder they were built with.
        let plugins = format!("usr/lib/{}/libmariadb3/plugin", triple());
        command.env("LIBMYSQL_PLUGIN_DIR", root.join("usr/lib/mysql/plugin"));
        command.env("MARIADB_PLUGIN_DIR", root.join(plugins));
        if self.package == Package::Sysbench {
            let scripts = root.join("usr/share/sysbench");
            command.env("LUA_PATH", format!("{0}/?.lua;{0}/?/init.lua;./?.lua", scripts.display()));
        }
        Ok(command)
    }
}

/// Makes sure a package is there; see [`Package`] for where it comes from. Blocks.
///
/// # Errors
/// Neither on `PATH` nor in an archive this machine can reach.
pub fn fetch(package: Package) -> Result<()> {
    Software::locate(package)?.command(package.main_program()).map(drop)
}

/// The folder a package was unpacked to, also where the system has its programs: what an image is made
/// from. Blocks.
///
/// # Errors
/// Not in the cache, nor in an archive this machine can reach.
pub fn unpacked(package: Package) -> Result<PathBuf> {
    let software = Software::unpacked(package)?;
    software.root.ok_or_else(|| LabError::Unavailable {
        what: package.name().to_owned(),
        why: "it was not unpacked".to_owned(),
    })
}

fn is_installed(package: Package) -> bool {
    let program = package.main_program();
    let Some(path) = on_path(program) else { return false };
    if matches!(package, Package::Haproxy | Package::Sysbench) {
        return true;
    }
    let Ok(text) = run(Command::new(path).arg("--version")) else { return false };
    let is_mariadb = text.contains("MariaDB");
    is_mariadb == (package == Package::MariaDb)
        && Version::find(&text).is_some_and(|version| version >= package.oldest())
}

fn unpack_first(package: Package, target: &Path) -> Result<()> {
    let mut first_error = None;
    for (suite, packages) in package.archives() {
        match apt::unpack(suite, packages, target) {
            Ok(()) => return Ok(()),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| LabError::Unavailable {
        what: package.name().to_owned(),
        why: "no archive is known to have it".to_owned(),
    }))
}

pub(super) fn version_of(software: &Software) -> Result<Version> {
    let program = software.package.main_program();
    let text = run(software.command(program)?.arg("--version"))?;
    Version::find(&text).ok_or_else(|| LabError::Unavailable {
        what: program.to_owned(),
        why: format!("its version is not to be read in {text:?}"),
    })
}

fn triple() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

fn library_path(root: &Path) -> String {
    let triple = triple();
    let folders = [
        format!("usr/lib/{triple}"),
        format!("lib/{triple}"),
        "usr/lib/mysql/private".to_owned(),
        // What Router's plugins are linked with.
        "usr/lib/mysql-router".to_owned(),
    ];
    let existing = folders.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir());
    existing.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

/// The dynamic loader among the unpacked files. A symbolic link there may be absolute and then
/// lead to the system's own loader, which does not fit: only real files count.
fn loader(root: &Path) -> Option<PathBuf> {
    let triple = triple();
    let folders = [
        "lib64".to_owned(),
        "usr/lib64".to_owned(),
        format!("lib/{triple}"),
        format!("usr/lib/{triple}"),
        "lib".to_owned(),
        "usr/lib".to_owned(),
    ];
    folders.iter().find_map(|folder| {
        let entries = fs::read_dir(root.join(folder)).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| {
            let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"));
            named && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_servers_print_them() {
        let check = |text: &str, expected| assert_eq!(Version::find(text), expected, "{text}");
        check("/r/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", Some(Version(9, 7, 4)));
        check("mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu", Some(Version(10, 11, 19)));
        check("HAProxy version 2.6.12-1+deb12u4 2026/01/01", Some(Version(2, 6, 12)));
        check("nothing 1.2", None);
    }
}
