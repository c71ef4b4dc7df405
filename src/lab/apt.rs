//! Debian and Ubuntu packages, unpacked into a folder of our own.
//!
//! apt-get works here on private state folders, so the system's package lists, its database and
//! its installed programs stay as they are, and no root is needed. Debian stable has no MySQL; its
//! `sid` suite has, and a package unpacked together with the libraries and the loader it was built
//! for runs on any older release. Signatures are checked as always, with the keyring that the
//! machine's own sources name: Debian signs sid with the keys of its stable releases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{AtPath, LabError, Result};
use super::process::{on_path, run};

/// Which package lists to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    /// Those of the machine.
    System,
    /// Debian's newest packages, from the mirror the machine uses.
    Sid,
}

/// Unpacks `packages` and all they depend on into `target/root`.
///
/// # Errors
/// No apt on this machine, no Debian mirror among its sources, the archive unreachable, a package
/// unknown.
pub(super) fn unpack(suite: Suite, packages: &[&str], target: &Path) -> Result<()> {
    let what = packages.join(", ");
    for tool in ["apt-get", "dpkg"] {
        if on_path(tool).is_none() {
            let why = format!("{tool} not found: install the programs yourself and put them on PATH");
            return Err(LabError::Unavailable { what, why });
        }
    }
    let archive = Archive::open(suite, &target.join("apt"), &what)?;
    let debs = archive.download(packages, &what)?;
    let root = target.join("root");
    fs::create_dir_all(&root).at("create", &root)?;
    for deb in &debs {
        run(Command::new("dpkg").arg("-x").arg(deb).arg(&root))?;
    }
    // Lists and packages are many times what was unpacked.
    fs::remove_dir_all(&archive.state).at("remove", &archive.state)
}

/// apt-get on state folders of its own.
struct Archive {
    state: PathBuf,
    options: Vec<String>,
}

impl Archive {
    fn open(suite: Suite, state: &Path, what: &str) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial", "debs"] {
            let folder = state.join(folder);
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        let status = state.join("status");
        fs::write(&status, "").at("write", &status)?;
        let mut options = vec![
            format!("Dir::State::Lists={}", state.join("lists").display()),
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache={}", state.join("cache").display()),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
            // Root's apt would download as _apt, who may not enter a private folder.
            "APT::Sandbox::User=root".to_owned(),
        ];
        if suite == Suite::Sid {
            let source = Source::of_this_machine().ok_or_else(|| LabError::Unavailable {
                what: what.to_owned(),
                why: "no Debian mirror among this machine's apt sources".to_owned(),
            })?;
            let list = state.join("sid.list");
            fs::write(&list, source.line("sid")).at("write", &list)?;
            options.push(format!("Dir::Etc::sourcelist={}", list.display()));
            options.push("Dir::Etc::sourceparts=-".to_owned());
        }
        let archive = Self { state: state.to_owned(), options };
        // One unreachable third-party source must not stop us; a package that is then missing does.
        if let Err(error) = run(archive.apt_get().arg("update")) {
            eprintln!("apt-get update: {error}");
        }
        Ok(archive)
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        for option in &self.options {
            command.arg("-o").arg(option);
        }
        command
    }

    /// Downloads the dependency closure and returns the files, each checked against its hash in
    /// the signed lists by apt itself.
    fn download(&self, packages: &[&str], what: &str) -> Result<Vec<PathBuf>> {
        let plan = run(self
            .apt_get()
            .args(["install", "--print-uris", "--yes", "--no-install-recommends"])
            .args(packages))
        .map_err(|error| LabError::Unavailable { what: what.to_owned(), why: error.to_string() })?;
        let names: Vec<&str> = planned_packages(&plan).filter(|name| !is_for_scripts(name)).collect();
        let debs = self.state.join("debs");
        run(self.apt_get().arg("download").args(&names).current_dir(&debs))?;
        let mut files = Vec::new();
        for file in fs::read_dir(&debs).at("read", &debs)? {
            files.push(file.at("read", &debs)?.path());
        }
        Ok(files)
    }
}

/// Package names out of lines `'URI' NAME_VERSION_ARCH.deb SIZE HASH`.
fn planned_packages(plan: &str) -> impl Iterator<Item = &str> {
    plan.lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(1)?.split('_').next())
}

/// Packages only maintainer scripts and administration tools need; a third of the download.
fn is_for_scripts(package: &str) -> bool {
    let prefixes = ["perl", "libperl", "libdb5", "libgdbm", "debconf", "libpam-", "init-system-helpers"];
    let names = ["adduser", "dpkg", "passwd", "tar", "usrmerge", "lsb-base", "sysvinit-utils", "psmisc"];
    names.contains(&package)
        || package.ends_with("-perl")
        || prefixes.iter().any(|prefix| package.starts_with(prefix))
}

/// A mirror, and the options its signature is checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    signed_by: Option<String>,
}

impl Source {
    /// The first Debian mirror in this machine's sources.
    fn of_this_machine() -> Option<Self> {
        let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
        let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
        files.extend(parts.map(|entry| entry.path()));
        files.sort();
        files.iter().find_map(|file| {
            let text = fs::read_to_string(file).ok()?;
            let sources = match file.extension()?.to_str()? {
                "sources" => Self::from_deb822(&text),
                "list" => Self::from_one_line(&text),
                _ => Vec::new(),
            };
            sources.into_iter().find(Self::is_debian)
        })
    }

    /// Security and third-party sources have other folders: the main mirror's path ends in
    /// `debian` on every mirror of the network.
    fn is_debian(&self) -> bool {
        self.uri.trim_end_matches('/').ends_with("/debian")
    }

    /// Stanzas of `Key: value` lines, separated by empty lines; values may go on in indented lines.
    fn from_deb822(text: &str) -> Vec<Self> {
        let mut sources = Vec::new();
        for stanza in text.split("\n\n") {
            let fields = unfold(stanza);
            let field = |name: &str| {
                fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
            };
            let enabled = field("Enabled").is_none_or(|value| value != "no");
            let binary = field("Types").is_some_and(|types| types.split_whitespace().any(|t| t == "deb"));
            if !enabled || !binary {
                continue;
            }
            // Signed-By may hold a whole key block instead of file names; sid's list would then
            // have to hold it too, so the machine's trusted keyrings are left to decide.
            let signed_by = field("Signed-By").filter(|value| value.starts_with('/')).map(str::to_owned);
            for uri in field("URIs").unwrap_or_default().split_whitespace() {
                sources.push(Self { uri: uri.to_owned(), signed_by: signed_by.clone() });
            }
        }
        sources
    }

    /// Lines `deb [option=value …] URI SUITE COMPONENT…`.
    fn from_one_line(text: &str) -> Vec<Self> {
        let mut sources = Vec::new();
        for line in text.lines() {
            let Some(rest) = line.trim().strip_prefix("deb") else { continue };
            if !rest.starts_with([' ', '\t', '[']) {
                continue;
            }
            let (options, rest) = match rest.trim_start().strip_prefix('[') {
                Some(bracketed) => bracketed.split_once(']').unwrap_or(("", "")),
                None => ("", rest),
            };
            let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
            let Some(uri) = rest.split_whitespace().next() else { continue };
            sources.push(Self { uri: uri.to_owned(), signed_by: signed_by.map(str::to_owned) });
        }
        sources
    }

    fn line(&self, suite: &str) -> String {
        let options = match &self.signed_by {
            Some(keyrings) => {
                format!("[signed-by={}] ", keyrings.split_whitespace().collect::<Vec<_>>().join(","))
            }
            None => String::new(),
        };
        format!("deb {options}{} {suite} main\n", self.uri)
    }
}

fn unfold(stanza: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in stanza.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, signed_by: Option<&str>) -> Source {
        Source { uri: uri.to_owned(), signed_by: signed_by.map(str::to_owned) }
    }

    #[test]
    fn reads_deb822_sources() {
        let text = "Types: deb\n# why\nURIs: http://mirror.test/debian\nSuites: a b\nSigned-By:\n /k/one.gpg\n\n\
                    Types: deb-src\nURIs: http://mirror.test/src\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://mirror.test/off\n";
        assert_eq!(Source::from_deb822(text), [source("http://mirror.test/debian", Some("/k/one.gpg"))]);
    }

    #[test]
    fn reads_one_line_sources() {
        let text = "# deb http://mirror.test/no a main\ndeb-src http://mirror.test/no a main\n\
                    deb http://mirror.test/debian a main\n\
                    deb [arch=amd64 signed-by=/k/two.gpg] http://mirror.test/other/ b main\n";
        assert_eq!(
            Source::from_one_line(text),
            [
                source("http://mirror.test/debian", None),
                source("http://mirror.test/other/", Some("/k/two.gpg"))
            ]
        );
    }

    #[test]
    fn tells_the_main_mirror_from_others() {
        assert!(source("http://mirror.test/debian/", None).is_debian());
        assert!(!source("http://mirror.test/debian-security", None).is_debian());
    }

    #[test]
    fn writes_a_line_apt_understands() {
        assert_eq!(
            source("http://mirror.test/debian", Some("/k/a.gpg /k/b.gpg")).line("sid"),
            "deb [signed-by=/k/a.gpg,/k/b.gpg] http://mirror.test/debian sid main\n"
        );
    }

    #[test]
    fn reads_names_from_the_plan() {
        let plan =
            "Reading package lists...\n'http://m/p/x_1%3a2_amd64.deb' x_1%3a2_amd64.deb 12 SHA256:ab\n";
        assert_eq!(planned_packages(plan).collect::<Vec<_>>(), ["x"]);
    }
}
