//! The `headgate` program, started the way a user starts it, for tests, benches and the demo.
//!
//! Knows the program's command line and nothing of its library, so that what is tested is what is
//! shipped. All waiting blocks: call from a thread that may.

#![allow(clippy::disallowed_methods, reason = "the laboratory lives in real time")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::accounts::{ACCOUNTS, Account};
use super::error::LabError;
use super::ports::Port;
pub use super::sample::Sample;
use super::workspace::ports_folder;

/// Why a Headgate did not start or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum HeadgateError {
    #[error("cannot {action}")]
    Io { action: String, source: io::Error },
    #[error("headgate ended with {status}; the end of its log:\n{log}")]
    Ended { status: ExitStatus, log: String },
    #[error("headgate did not {what} within {limit:?}; the end of its log:\n{log}")]
    TooSlow { what: &'static str, limit: Duration, log: String },
    #[error("no port to listen on")]
    Port { source: Box<LabError> },
    #[error("{path} answered: {answer}")]
    Http { path: String, answer: String },
}

/// How a Headgate is started. [`Default`] logs in with the laboratory's control account and leaves
/// everything else to Headgate's own defaults.
#[derive(Clone, Debug)]
pub struct Options {
    pub control_user: String,
    pub control_password: String,
    /// Where clients are served; `None`: any free port on 127.0.0.1.
    pub listen: Option<SocketAddr>,
    /// Where the console is; `None`: any free port on 127.0.0.1.
    pub console: Option<SocketAddr>,
    /// The account of replicas and its password, where Headgate may promote servers.
    pub replication: Option<(String, String)>,
    /// Where it keeps its state; `None`: in a folder of its own, which goes with it.
    pub state: Option<PathBuf>,
    /// More arguments of `headgate run`, such as `--runtime=per-core` or `--set=routing.split=false`.
    pub arguments: Vec<OsString>,
    /// Variables of its environment.
    pub environment: Vec<(String, OsString)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            control_user: "headgate".to_owned(),
            control_password: "lab-control".to_owned(),
            listen: None,
            console: None,
            replication: None,
            state: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl Options {
    /// With what it takes to promote servers of the laboratory.
    #[must_use]
    pub fn failover(mut self) -> Self {
        let accounts = ACCOUNTS;
        self.control_user = accounts.failover.user.to_owned();
        self.control_password = accounts.failover.password.to_owned();
        let Account { user, password } = accounts.replication;
        self.replication = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// A running Headgate. Dropping it kills it and removes its folder; a watchdog does so when the
/// process that owns it is killed.
#[derive(Debug)]
pub struct Headgate {
    child: Child,
    watchdog: Child,
    folder: PathBuf,
    state: PathBuf,
    address: SocketAddr,
    console: SocketAddr,
    http: SocketAddr,
    /// Nobody else's as long as this lives.
    _ports: [Port; 3],
}

impl Headgate {
    /// Starts `binary` before `servers` and returns once it greets clients.
    ///
    /// # Errors
    /// It cannot be started, ends, or greets nobody within 30 seconds; its log is in the error.
    pub fn start(binary: &Path, servers: &[SocketAddr], options: &Options) -> Result<Self, HeadgateError> {
        let mut headgate = Self::launch(binary, servers, options)?;
        headgate.wait_until("greet a client", START, |headgate| greets(headgate.address))?;
        Ok(headgate)
    }

    /// Starts it, and waits for nothing: without a primary it greets nobody.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(binary: &Path, servers: &[SocketAddr], options: &Options) -> Result<Self, HeadgateError> {
        let folder = new_folder()?;
        let log = File::create(folder.join("log")).doing(|| "create the log".to_owned())?;
        let ports = [reserve()?, reserve()?, reserve()?];
        let [own, own_console, http] = ports.each_ref().map(Port::address);
        let address = options.listen.unwrap_or(own);
        let console = options.console.unwrap_or(own_console);
        // By its full path: the folder it runs in is another.
        let binary = fs::canonicalize(binary).doing(|| format!("find {}", binary.display()))?;
        let state = options.state.clone().unwrap_or_else(|| folder.join("state"));
        let mut replication = Vec::new();
        let mut command = Command::new(&binary);
        if let Some((user, password)) = &options.replication {
            let file = folder.join("replication-password");
            fs::write(&file, password).doing(|| format!("write {}", file.display()))?;
            replication.push(format!("--replication-user={user}"));
            replication.push(format!("--replication-password-file={}", file.display()));
        }
        command
            .arg("run")
            .args(servers.iter().map(|server| format!("--server={server}")))
            .arg(format!("--control-user={}", options.control_user))
            .arg(format!("--listen={address}"))
            .arg(format!("--admin-listen={console}"))
            .arg(format!("--http-listen={http}"))
            .arg(format!("--state-dir={}", state.display()))
            .args(&replication)
            .args(&options.arguments)
            .env("HEADGATE_CONTROL_PASSWORD", &options.control_password)
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            // No headgate.toml of the folder we happen to be in.
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A terminal's Ctrl-C is for our owner, who stops Headgate in order.
            .process_group(0);
        let child = command.spawn().doing(|| format!("start {}", binary.display()))?;
        let watchdog = watchdog(child.id(), &folder)?;
        Ok(Self { child, watchdog, folder, state, address, console, http, _ports: ports })
    }

    /// Where clients are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the console is. Its user is `admin`.
    pub fn console_address(&self) -> SocketAddr {
        self.console
    }

    /// The file with the console's password, made by the program.
    pub fn console_password_file(&self) -> PathBuf {
        self.state.join("admin-password")
    }

    /// The console's password.
    ///
    /// # Errors
    /// The program has made none.
    pub fn console_password(&self) -> Result<String, HeadgateError> {
        let path = self.console_password_file();
        let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
        Ok(text.trim_end().to_owned())
    }

    /// Where `/metrics` and the health pages are.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.folder.join("log"))
            .map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Where its log is.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The samples of `/metrics`.
    ///
    /// # Errors
    /// It does not answer with status 200.
    pub fn metrics(&self) -> Result<Vec<Sample>, HeadgateError> {
        Ok(self.get("/metrics")?.lines().filter_map(Sample::parse).collect())
    }

    /// The body of an HTTP page.
    ///
    /// # Errors
    /// It does not answer with status 200.
    pub fn get(&self, path: &str) -> Result<String, HeadgateError> {
        let answer = fetch(self.http, path).doing(|| format!("ask for {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.split(' ').nth(1) != Some("200") {
            return Err(HeadgateError::Http { path: path.to_owned(), answer });
        }
        Ok(body.to_owned())
    }

    /// Polls until `done`, ten times a second.
    ///
    /// # Errors
    /// Headgate ends, or `limit` passes.
    pub fn wait_until(
        &mut self,
        what: &'static str,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), HeadgateError> {
        let end = Instant::now() + limit;
        while !done(self) {
            if let Some(status) = self.child.try_wait().doing(|| "wait for headgate".to_owned())? {
                return Err(HeadgateError::Ended { status, log: tail(&self.log()) });
            }
            if Instant::now() > end {
                return Err(HeadgateError::TooSlow { what, limit, log: tail(&self.log()) });
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Sends a signal, such as `libc::SIGHUP`.
    #[allow(unsafe_code, reason = "kill(2) has no safe wrapper in std")]
    pub fn signal(&self, signal: i32) {
        let Ok(pid) = libc::pid_t::try_from(self.child.id()) else { return };
        // SAFETY: kill takes two integers and touches no memory of ours; the process is our unreaped child.
        let _ = unsafe { libc::kill(pid, signal) };
    }

    /// Whether it has ended by itself, or was killed.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks for an orderly stop (SIGTERM) and waits for the end.
    ///
    /// # Errors
    /// It is still there after `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, HeadgateError> {
        self.signal(libc::SIGTERM);
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().doing(|| "wait for headgate".to_owned())? {
                return Ok(status);
            }
            if Instant::now() > end {
                return Err(HeadgateError::TooSlow { what: "stop", limit, log: tail(&self.log()) });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Headgate {
    fn drop(&mut self) {
        // The watchdog kills by number, so it goes first, while the number is still our child's.
        let _ = self.child.kill();
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

trait Doing<T> {
    /// Names what failed.
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, HeadgateError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, HeadgateError> {
        self.map_err(|source| HeadgateError::Io { action: action(), source })
    }
}

fn new_folder() -> Result<PathBuf, HeadgateError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("headgate-run-{}-{number}", std::process::id()));
    fs::create_dir_all(folder.join("state")).doing(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

/// An address that the system gives to nobody's outgoing connection in the meantime.
fn reserve() -> Result<Port, HeadgateError> {
    Port::reserve(&ports_folder()).map_err(|source| HeadgateError::Port { source: Box::new(source) })
}

/// Whether the server's greeting (protocol version 10) comes, rather than an error or nothing.
fn greets(address: SocketAddr) -> bool {
    let greeting = || -> io::Result<u8> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        Ok(head[4])
    };
    greeting().is_ok_and(|version| version == 10)
}

fn fetch(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Starts the process that outlives a killed owner: it waits for the end of a pipe that only the
/// owner holds, then kills `pid` and removes `folder`.
fn watchdog(pid: u32, folder: &Path) -> Result<Child, HeadgateError> {
    Command::new("/bin/sh")
        .args([
            "-c",
            r#"trap '' HUP INT TERM; cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf -- "$2""#,
            "sh",
        ])
        .arg(pid.to_string())
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .doing(|| "start /bin/sh".to_owned())
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
}

const START: Duration = Duration::from_secs(30);
