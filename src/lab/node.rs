//! One server of a cluster.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::error::{AtPath, LabError, Result};
use super::flavor::Flavor;
use super::general_log::{self, LogEntry};
use super::link::Link;
use super::ports::Port;
use super::process::{Signal, is_frozen, signal_group, tail};
use super::server::Server;
use super::sql::{self, Row};

/// What a node was started as. A promotion made later does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Replica,
}

/// A server, and the links to it.
pub struct Node {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) server_id: u32,
    pub(super) server: Server,
    /// Beyond what [`Server::command`] gives every server.
    pub(super) options: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) port: Port,
    pub(super) link: Option<Link>,
    pub(super) replication: Option<Link>,
    pub(super) process: Mutex<Option<Child>>,
    pub(super) runtime: Handle,
}

/// How long a server may take to start, and to end when asked.
const LIFECYCLE_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const LIFECYCLE_POLLS: u128 = LIFECYCLE_LIMIT.as_millis() / POLL.as_millis();
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);

impl Node {
    /// `primary`, `replica-1`, `replica-2`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn flavor(&self) -> Flavor {
        self.server.flavor
    }

    pub fn server_id(&self) -> u32 {
        self.server_id
    }

    /// The server itself, with no relay before it.
    pub fn direct_address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Where clients are meant to connect: the client link, or the server itself in a cluster
    /// without relays. It is also what the server reports as its own address to its primary.
    pub fn address(&self) -> SocketAddr {
        self.link.as_ref().map_or_else(|| self.direct_address(), Link::address)
    }

    /// The link between clients and this node; `None` in a cluster without relays.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// The link this replica's receiver reaches the primary through.
    ///
    /// # Errors
    /// The node is the primary, or the cluster has no relays.
    pub fn replication_link(&self) -> Result<&Link> {
        self.replication.as_ref().ok_or_else(|| LabError::NoReplicationLink { node: self.name.clone() })
    }

    /// The server's unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn error_log(&self) -> PathBuf {
        self.folder.join("error.log")
    }

    /// The server's process id, which is also its process group; `None` when it does not run.
    pub fn process_id(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Child::id)
    }

    /// Runs a statement text as root, through the unix socket, on a connection of its own, and
    /// returns the rows of its first result. No link's fault is in the way.
    ///
    /// # Errors
    /// The server's refusal, or no answer within a minute.
    pub async fn sql(&self, statement: impl Into<String>) -> Result<Vec<Row>> {
        self.sql_within(statement.into(), STATEMENT_LIMIT).await
    }

    pub(super) async fn sql_within(&self, statement: String, limit: Duration) -> Result<Vec<Row>> {
        let socket = self.socket();
        let text = statement.clone();
        // On the laboratory's runtime, so that callers may pause or block their own.
        let running = self.runtime.spawn(async move {
            let answer = async {
                let mut conn = sql::connect(&socket).await?;
                let rows = sql::query(&mut conn, &text).await?;
                conn.disconnect().await?;
                Ok(rows)
            };
            timeout(limit, answer).await
        });
        match running.await.map_err(|_| LabError::Cancelled)? {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(source)) => Err(LabError::Sql { node: self.name.clone(), statement, source }),
            Err(_) => Err(self.too_slow("answer a statement", limit)),
        }
    }

    /// What the general log holds so far. It is written when the cluster was built with
    /// [`general_log`](super::Builder::general_log) or after `SET GLOBAL general_log = ON`.
    ///
    /// # Errors
    /// There is no log.
    pub fn general_log(&self) -> Result<Vec<LogEntry>> {
        let path = self.folder.join("general.log");
        let bytes = fs::read(&path).at("read", &path)?;
        Ok(general_log::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// True from start to stop or kill, also while paused.
    pub fn is_running(&self) -> bool {
        self.process.lock().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts the server as it was configured and returns when it answers.
    ///
    /// # Errors
    /// It runs already, it ended while starting, or did not answer within a minute.
    pub async fn start(&self) -> Result<()> {
        self.launch()?;
        for _ in 0..LIFECYCLE_POLLS {
            if !self.is_running() {
                return Err(LabError::Died { node: self.name.clone(), log: self.end_of_error_log() });
            }
            if self.answers().await {
                return Ok(());
            }
            self.wait_a_little().await?;
        }
        Err(self.too_slow("answer", LIFECYCLE_LIMIT))
    }

    async fn answers(&self) -> bool {
        self.socket().exists() && self.sql_within("DO 1".to_owned(), Duration::from_secs(5)).await.is_ok()
    }

    fn launch(&self) -> Result<()> {
        if self.is_running() {
            return Err(LabError::AlreadyRunning { node: self.name.clone() });
        }
        let log = self.open_error_log()?;
        let log_too = log.try_clone().at("open", &self.error_log())?;
        let mut command = self.server.command(&self.data_folder())?;
        // A process group of its own: a terminal's Ctrl-C is for us, not for the servers.
        command.args(&self.options).process_group(0);
        let program = command.get_program().display().to_string();
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|source| LabError::Spawn { program, source })?;
        *self.process.lock() = Some(child);
        Ok(())
    }

    fn open_error_log(&self) -> Result<File> {
        let path = self.error_log();
        OpenOptions::new().create(true).append(true).open(&path).at("open", &path)
    }

    /// Shuts the server down in order and returns when it has ended.
    ///
    /// # Errors
    /// It does not run, or did not end within a minute (a paused server cannot).
    pub async fn stop(&self) -> Result<()> {
        self.signal(Signal::Terminate)?;
        for _ in 0..LIFECYCLE_POLLS {
            if !self.is_running() {
                self.reap();
                return Ok(());
            }
            self.wait_a_little().await?;
        }
        Err(self.too_slow("end", LIFECYCLE_LIMIT))
    }

    /// Sleeps by the laboratory's clock: the caller's may be paused.
    async fn wait_a_little(&self) -> Result<()> {
        self.runtime.spawn(async { sleep(POLL).await }).await.map_err(|_| LabError::Cancelled)
    }

    /// Ends the server at once, as `kill -9` does, paused or not. Does nothing to one that has
    /// ended.
    pub fn kill(&self) {
        if let Some(pid) = self.process_id() {
            signal_group(pid, Signal::Kill);
            self.reap();
        }
    }

    /// Freezes the server, as SIGSTOP does: its connections stay open and nothing answers. Returns
    /// when its last thread stands still.
    ///
    /// # Errors
    /// It does not run, or a thread did not come to a stand within a minute.
    pub async fn pause(&self) -> Result<()> {
        self.signal(Signal::Stop)?;
        for _ in 0..LIFECYCLE_POLLS {
            if self.process_id().is_some_and(is_frozen) {
                return Ok(());
            }
            self.wait_a_little().await?;
        }
        Err(self.too_slow("freeze", LIFECYCLE_LIMIT))
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::Continue)
    }

    /// Stops the server in order and starts it again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let not_running = || LabError::NotRunning { node: self.name.clone() };
        if !self.is_running() {
            return Err(not_running());
        }
        // Not yet waited for, the process id cannot be anyone else's.
        self.process_id().filter(|pid| signal_group(*pid, signal)).map(drop).ok_or_else(not_running)
    }

    fn reap(&self) {
        if let Some(mut child) = self.process.lock().take() {
            // It was killed or has ended: this returns at once and cannot fail but for a lost child.
            let _ = child.wait();
        }
    }

    pub(super) fn end_of_error_log(&self) -> String {
        fs::read(self.error_log()).map_or_else(
            |error| format!("(no log: {error})"),
            |bytes| tail(&String::from_utf8_lossy(&bytes), 30),
        )
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("address", &self.address())
            .field("process_id", &self.process_id())
            .finish_non_exhaustive()
    }
}
