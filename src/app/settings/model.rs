//! The settings as the composition root hands them on. Plain values: no live objects, no secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::password::PasswordSource;
use crate::admission::Rules;
use crate::config::{BackendTls, LogFormat, RuntimeModel};
use crate::election;
use crate::failover::Hooks;
use crate::frontend::Entrance;
use crate::monitor::Discovery;
use crate::pooling::Users;
use crate::probing::write_probe::ProbeTable;
use crate::routing::{Policy, Preferences};
use crate::topology::{Address, Patience};
use crate::wire::capabilities::Capabilities;

/// Everything Headgate needs to know before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub front: Front,
    /// The administration console; `None` when it is off.
    pub admin: Option<Admin>,
    /// Where metrics and health are answered; `None` when it is off.
    pub http: Option<Address>,
    /// The servers of the cluster, without repetitions, at least one.
    pub servers: Vec<Address>,
    pub backend: BackendLink,
    pub control: Control,
    pub pool: Pool,
    pub routing: Policy,
    /// What single users have of it.
    pub preferences: BTreeMap<Box<[u8]>, Preferences>,
    /// How the servers are watched.
    pub watch: Watch,
    /// Whether and where further servers are looked for.
    pub discovery: Option<Discovery>,
    /// Whether and how it is seen that writes get through.
    pub write_watch: Option<WriteWatch>,
    /// What becomes of clients while there is no primary.
    pub failover: Failover,
    /// Weights of servers that have one of their own.
    pub weights: BTreeMap<Address, u16>,
    pub runtime: Runtime,
    /// Where Headgate keeps what it makes for itself. May not exist yet.
    pub state_dir: PathBuf,
    pub log: Log,
}

/// How the servers are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How often each is asked how far it has come.
    pub probe_every: Duration,
    /// One that has not answered for so long is suspect.
    pub late_after: Duration,
    /// How soon servers are given up and believed again.
    pub patience: Patience,
}

/// How it is seen whether writes get through on the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteWatch {
    pub table: ProbeTable,
    pub every: Duration,
    /// One that has not ended after so long is stuck.
    pub late: Duration,
}

/// What becomes of clients while there is no primary.
#[derive(Debug, Clone, PartialEq)]
pub struct Failover {
    /// Sessions outlive their primary.
    pub active: bool,
    /// How long a command waits for the next one.
    pub hold: Duration,
    /// The rules, but for vetoes.
    pub rules: election::Rules,
    /// Servers that are never promoted.
    pub vetoes: Vec<Address>,
    /// The account of replicas, and the file with its password.
    pub replication: Option<(String, Option<PathBuf>)>,
    /// A primary whose writes have not ended for so long is replaced.
    pub stuck_writes_after: Option<Duration>,
    /// How often replicas are to hear from their source; nothing where that is left alone.
    pub heartbeat: Option<Duration>,
    /// Programs of the operator.
    pub hooks: Hooks,
}

/// The administration console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub listen: Address,
    /// The file with its password; `None`: Headgate's own in the state directory.
    pub password_file: Option<PathBuf>,
    pub max_sessions: NonZeroU32,
    pub idle_timeout: Duration,
}

/// The side that clients see.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    /// At least one address.
    pub listen: Vec<Doorway>,
    /// The certificate to show; `None`: Headgate's own from the state directory.
    pub certificate: Option<CertificateFiles>,
    pub require_tls: bool,
    /// The flags of the algorithms that clients may compress with.
    pub compression: Capabilities,
    pub max_clients: NonZeroU32,
    /// Who may come in.
    pub rules: Rules,
    /// From the accepted connection to the end of the login.
    pub login_timeout: Duration,
    /// How long a write to a client may make no progress.
    pub write_timeout: Duration,
    /// From SIGTERM until what still runs is cut.
    /// How long a statement may take, where that is bounded.
    pub statement_timeout: Option<Duration>,
    /// How long a client may say nothing, where that is bounded.
    pub client_idle_timeout: Option<Duration>,
    pub drain_timeout: Duration,
    /// The number of this Headgate among several.
    pub instance: u8,
}

/// An address on which clients are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorway {
    pub address: Address,
    /// What holds for those who come in there.
    pub entrance: Entrance,
}

impl fmt::Display for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entrance { pool, reads } = self.entrance;
        self.address.fmt(f)?;
        if let Some(mode) = pool {
            write!(f, " pool {}", mode.word())?;
        }
        if let Some(consistency) = reads.consistency {
            write!(f, " consistency {}", consistency.word())?;
        }
        reads.max_lag.map_or(Ok(()), |lag| write!(f, " max_lag {}ms", lag.as_millis()))
    }
}

/// A certificate chain and its private key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// How a connection to a server is made.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendLink {
    pub tls: BackendTls,
    /// Always there for verify-ca and verify-identity, never for the other modes.
    pub ca: Option<PathBuf>,
    /// Shown to servers that ask for a certificate.
    pub certificate: Option<CertificateFiles>,
    /// From the first packet to the end of the login.
    pub connect_timeout: Duration,
    /// Whether the servers are told the clients' addresses.
    pub proxy_protocol: bool,
}

/// The account that watches the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub user: String,
    pub password: PasswordSource,
}

/// Bounds of the connections to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Modes, by user and for all others.
    pub users: Users,
    /// In use and idle; what each server takes decides where nothing is set.
    pub max_connections: Option<NonZeroU32>,
    /// Kept by one worker for one user.
    pub max_idle: u32,
    /// Kept ready for one user at one server.
    pub min_idle: u32,
    /// For so long after its last session.
    pub min_idle_for: Duration,
    pub idle_timeout: Duration,
    /// How long after its login it may serve.
    pub max_age: Duration,
    /// Clients that wait for a connection to one server.
    pub waiting_room: u32,
    /// Longest wait for a connection.
    pub wait_timeout: Duration,
}

/// Threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    pub model: RuntimeModel,
    pub workers: NonZeroUsize,
}

/// Log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub filter: String,
    pub format: LogFormat,
}
