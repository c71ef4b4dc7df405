//! Where the configuration comes from: found once, read again on SIGHUP.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::model::Settings;
use super::resolve::{Surroundings, resolve};
use crate::config::{Config, FILE_LIMIT, Override, Place, Problem, Problems, Reading, read};

/// Files that are read when none is named, the first that exists.
const DEFAULT_FILES: [&str; 2] = ["/etc/headgate/headgate.toml", "headgate.toml"];

type PathOf = fn(&Config) -> Option<&PathBuf>;

/// Keys that name a file Headgate must be able to read.
const FILE_KEYS: [(&str, PathOf); 8] = [
    ("listen.tls_cert", |config| config.listen.tls_cert.as_ref()),
    ("listen.tls_key", |config| config.listen.tls_key.as_ref()),
    ("servers.ca", |config| config.servers.ca.as_ref()),
    ("servers.cert", |config| config.servers.cert.as_ref()),
    ("servers.key", |config| config.servers.key.as_ref()),
    ("control.password_file", |config| config.control.password_file.as_ref()),
    ("admin.password_file", |config| config.admin.password_file.as_ref()),
    ("failover.replication_password_file", |config| config.failover.replication_password_file.as_ref()),
];

/// Keys that name a program Headgate must be able to run. When it is needed is too late to find out.
const PROGRAM_KEYS: [(&str, PathOf); 2] = [
    ("failover.hook_before", |config| config.failover.hook_before.as_ref()),
    ("failover.hook_after", |config| config.failover.hook_after.as_ref()),
];

/// Those of them that hold a secret.
const SECRET_KEYS: [&str; 5] = [
    "listen.tls_key",
    "servers.key",
    "control.password_file",
    "admin.password_file",
    "failover.replication_password_file",
];

/// The bit of a file's mode that lets everybody read it.
const OTHERS_MAY_READ: u32 = 0o004;

/// The bits of a file's mode that let anybody run it.
const SOMEBODY_MAY_RUN: u32 = 0o111;

/// The file, if there is one, and what the command line puts over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub file: Option<PathBuf>,
    pub overrides: Vec<Override>,
}

/// A configuration that is right, with the settings it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Kept to be compared with the next one (`config::diff`).
    pub config: Config,
    pub settings: Settings,
}

impl Source {
    /// The file named, which must exist when it is read, else the first default file that exists.
    pub fn find(named: Option<PathBuf>, overrides: Vec<Override>) -> Self {
        let default = || DEFAULT_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
        Self { file: named.or_else(default), overrides }
    }

    /// What is allowed and still better changed, in the form of problems: secrets that others can read.
    pub fn warnings(loaded: &Loaded) -> Vec<Problem> {
        let mut warnings = Vec::new();
        for (key, path) in FILE_KEYS.into_iter().filter(|(key, _)| SECRET_KEYS.contains(key)) {
            let Some(path) = path(&loaded.config) else { continue };
            // A file that has just gone is told by whoever needs it.
            let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
            if mode & OTHERS_MAY_READ != 0 {
                warnings.push(Problem {
                    place: Place::Unwritten,
                    what: format!("{key}: every user of this machine may read {}", path.display()),
                    remedy: format!("chmod o= {}", path.display()),
                });
            }
        }
        warnings
    }

    /// Reads everything again and checks it as a whole, the files that keys name included.
    pub fn load(&self, surroundings: &Surroundings) -> Result<Loaded, Problems> {
        let (name, text) = match &self.file {
            Some(path) => (path.display().to_string(), read_text(path)?),
            None => (String::new(), String::new()),
        };
        let reading = read(&name, &text, &self.overrides);
        let mut unreadable = unreadable_files(&reading);
        unreadable.extend(programs_that_do_not_run(&reading));
        match resolve(&reading, surroundings) {
            Ok(settings) => Problems::or(unreadable, Loaded { config: reading.config, settings }),
            Err(Problems(mut problems)) => {
                problems.extend(unreadable);
                Err(Problems::sorted(problems))
            }
        }
    }
}

fn read_text(path: &Path) -> Result<String, Problems> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let problem = |what: String, remedy: &str| {
        let place = Place::Flag(path.display().to_string());
        Problems(vec![Problem { place, what, remedy: remedy.to_owned() }])
    };
    match read() {
        Ok(text) if u64::try_from(text.len()).is_ok_and(|length| length <= FILE_LIMIT) => Ok(text),
        Ok(_) => Err(problem("this file is too long to be a configuration".to_owned(), "name another file")),
        Err(why) => Err(problem(
            format!("the configuration file cannot be read: {why}"),
            "name a file that exists and that this user may read with --config",
        )),
    }
}

fn unreadable_files(reading: &Reading) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, path) in FILE_KEYS {
        let Some(path) = path(&reading.config) else { continue };
        if let Err(why) = first_byte(path) {
            problems.push(Problem {
                place: reading.place(key),
                what: format!("{key}: {} cannot be read: {why}", path.display()),
                remedy: "name a file that exists and that this user may read".to_owned(),
            });
        }
    }
    problems
}

fn programs_that_do_not_run(reading: &Reading) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, path) in PROGRAM_KEYS {
        let Some(path) = path(&reading.config) else { continue };
        let why = match std::fs::metadata(path) {
            Ok(file) if !file.is_file() => "it is no file".to_owned(),
            Ok(file) if file.permissions().mode() & SOMEBODY_MAY_RUN == 0 => {
                "it is not executable".to_owned()
            }
            Ok(_) => continue,
            Err(why) => why.to_string(),
        };
        problems.push(Problem {
            place: reading.place(key),
            what: format!("{key}: {} cannot be run: {why}", path.display()),
            remedy: "name a program that exists and that this user may run".to_owned(),
        });
    }
    problems
}

/// Opening is not enough: a directory can be opened and not read.
fn first_byte(path: &Path) -> io::Result<()> {
    File::open(path)?.read(&mut [0]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn everything_wrong_is_told_together() {
        let path = std::env::temp_dir().join(format!("headgate-source-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "[listen]\ntls_cert = \"/nonexistent/cert.pem\"\n[control]\nuser = \"watch\"\n",
        )
        .unwrap();
        let source = Source::find(Some(path.clone()), Vec::new());
        let surroundings = Surroundings {
            cores: NonZeroUsize::MIN,
            state_dir: PathBuf::from("state"),
            password_in_environment: true,
            terminal: false,
        };
        let problems = source.load(&surroundings).unwrap_err();
        std::fs::remove_file(&path).unwrap();

        let told: Vec<String> = problems.0.iter().map(|problem| problem.what.clone()).collect();
        assert_eq!(
            told,
            [
                "listen.tls_cert has no private key",
                "listen.tls_cert: /nonexistent/cert.pem cannot be read: No such file or directory (os error 2)",
                "servers.addresses is empty",
            ]
        );
        let line = |problem: &Problem| matches!(problem.place, Place::Line { line: 2, .. });
        assert_eq!(problems.0.iter().filter(|problem| line(problem)).count(), 2);
    }

    #[test]
    fn a_secret_that_everyone_may_read_is_pointed_out() {
        let path = std::env::temp_dir().join(format!("headgate-warnings-{}", std::process::id()));
        std::fs::write(&path, "s3cret").unwrap();
        let values = |key: &str, value: &str| Override {
            key: key.to_owned(),
            flag: "--set".to_owned(),
            values: vec![value.to_owned()],
        };
        let overrides = vec![
            values("servers.addresses", "db1:3306"),
            values("control.user", "watch"),
            values("control.password_file", &path.display().to_string()),
        ];
        let source = Source { file: None, overrides };
        let loaded = source.load(&Surroundings::of_process(false)).unwrap();
        let warned = |mode: u32| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Source::warnings(&loaded).len()
        };
        assert_eq!((warned(0o644), warned(0o640), warned(0o600)), (1, 0, 0));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_hook_must_be_a_program() {
        let path = std::env::temp_dir().join(format!("headgate-hook-{}", std::process::id()));
        std::fs::write(&path, "#!/bin/sh").unwrap();
        let values = |key: &str, value: &str| Override {
            key: key.to_owned(),
            flag: "--set".to_owned(),
            values: vec![value.to_owned()],
        };
        let said = |hook: &Path, mode: u32| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let overrides = vec![
                values("servers.addresses", "db1:3306"),
                values("control.user", "watch"),
                values("failover.hook_after", &hook.display().to_string()),
            ];
            let surroundings =
                Surroundings { password_in_environment: true, ..Surroundings::of_process(false) };
            match (Source { file: None, overrides }).load(&surroundings) {
                Ok(_) => String::new(),
                Err(problems) => problems.to_string(),
            }
        };
        assert_eq!(said(&path, 0o700), "");
        assert!(said(&path, 0o600).contains("it is not executable"));
        assert!(said(&std::env::temp_dir(), 0o700).contains("it is no file"));
        assert!(said(Path::new("/nonexistent/hook"), 0o700).contains("No such file"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_named_file_must_exist() {
        let source = Source::find(Some(PathBuf::from("/nonexistent/headgate.toml")), Vec::new());
        let problems = source.load(&Surroundings::of_process(false)).unwrap_err();
        let text = problems.to_string();
        assert!(
            text.starts_with("/nonexistent/headgate.toml: the configuration file cannot be read"),
            "{text}"
        );
    }
}
