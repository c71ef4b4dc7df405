//! A container engine that belongs to one test and ends with it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{becomes, bounded, run};

/// A running dockerd. Dropping it ends it with all its containers and removes all it has stored;
/// engine.sh does so too when this process is killed.
pub(crate) struct Engine {
    folder: PathBuf,
    keeper: Child,
}

impl Engine {
    /// Starts an engine, or panics with what this machine lacks.
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        check_programs();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a unix socket has 107 bytes at most.
        let folder = std::env::temp_dir().join(format!("headgate-compose-{}-{number}", process::id()));
        fs::create_dir(&folder).unwrap();
        // Not the settings of the machine's own engine.
        fs::write(folder.join("daemon.json"), "{}").unwrap();
        let group = fs::metadata(&folder).unwrap().gid();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose/engine.sh");
        let keeper = as_root("sh")
            .arg(script)
            .arg(&folder)
            .arg(group.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for us; what we leave it then clears up.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut engine = Self { folder, keeper };
        engine.wait();
        engine
    }

    fn wait(&mut self) {
        let mut last = Err("it was not asked".to_owned());
        let mut ended = false;
        becomes(Duration::from_secs(45), || {
            last =
                run(self.docker(Duration::from_secs(10)).args(["version", "--format={{.Server.Version}}"]));
            ended = self.keeper.try_wait().is_ok_and(|status| status.is_some());
            ended || last.is_ok()
        });
        let Err(last) = last else { return };
        let mut log = fs::read_to_string(self.folder.join("dockerd.log")).unwrap_or_default();
        if let (true, Some(stderr)) = (ended, self.keeper.stderr.as_mut()) {
            stderr.read_to_string(&mut log).unwrap();
        }
        panic!(
            "dockerd does not work on this machine. It needs root (or sudo that asks for no password) with the \
             right to make namespaces, network bridges and packet filter rules.\n{last}\nThe end of its log:\n{}",
            end_of(&log)
        );
    }

    /// A folder that goes away with the engine.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The `docker` command line, talking to this engine.
    pub(crate) fn docker(&self, limit: Duration) -> Command {
        let mut command = bounded(limit, "docker");
        self.aim(&mut command);
        command
    }

    /// `docker-compose`, or `docker compose` where that is what there is, in the folder of the package.
    pub(crate) fn compose(&self, limit: Duration) -> Command {
        let mut command = if on_path("docker-compose") {
            bounded(limit, "docker-compose")
        } else {
            let mut command = bounded(limit, "docker");
            command.arg("compose");
            command
        };
        self.aim(&mut command);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// `client`, where the published ports of this engine are.
    pub(crate) fn beside(&self, limit: Duration, client: &Command) -> Command {
        let process = fs::read_to_string(self.folder.join("namespaces")).unwrap();
        let mut command = as_root("timeout");
        command.args(["--kill-after=5", &limit.as_secs().to_string()]);
        command.args(["nsenter", "--target", process.trim(), "--net", "env"]);
        for (name, value) in client.get_envs() {
            let mut pair = name.to_owned();
            pair.push("=");
            pair.push(value.unwrap_or_default());
            command.arg(pair);
        }
        command.arg(client.get_program()).args(client.get_args());
        command
    }

    fn aim(&self, command: &mut Command) {
        command.env("DOCKER_HOST", format!("unix://{}/socket", self.folder.display()));
        // Neither the user's logins and contexts nor variables meant for another project.
        command.env("DOCKER_CONFIG", &self.folder);
        for name in ["DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "COMPOSE_FILE"] {
            command.env_remove(name);
        }
        command.env("COMPOSE_PROJECT_NAME", "headgate");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let gone =
            becomes(Duration::from_secs(60), || self.keeper.try_wait().is_ok_and(|status| status.is_some()));
        let left = self.folder.display();
        if !gone || self.folder.exists() {
            // No second panic while one is under way.
            assert!(std::thread::panicking(), "the engine did not end, or left {left} behind");
            eprintln!("the engine did not end, or left {left} behind");
        }
    }
}

fn check_programs() {
    let compose =
        on_path("docker-compose") || run(Command::new("docker").args(["compose", "version"])).is_ok();
    let mut missing: Vec<&str> = ["dockerd", "docker", "ip", "iptables", "unshare", "nsenter", "timeout"]
        .into_iter()
        .filter(|program| !on_path(program))
        .collect();
    if !compose {
        missing.push("docker-compose");
    }
    assert!(
        missing.is_empty(),
        "{} not found. ./test installs what is missing: docker.io, docker-compose and iproute2 on Debian",
        missing.join(", ")
    );
    let root = run(as_root("id").arg("-u"));
    assert!(
        root.as_deref() == Ok("0"),
        "a container engine is started by root: run this as root, or let sudo work without a password ({root:?})"
    );
}

/// A command that runs as root, by sudo where this process is somebody else.
fn as_root(program: &str) -> Command {
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

/// Whether there is such a program; those of the administrator count too.
pub(crate) fn on_path(program: &str) -> bool {
    find(program).is_some()
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(std::env::split_paths(OsStr::new("/usr/sbin:/sbin")))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

pub(crate) fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
