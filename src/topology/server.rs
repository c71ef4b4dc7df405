use std::fmt;
use std::time::Instant;

use super::{Address, Flavor, Version};

/// A server, by its place in the configuration. Stable while Headgate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u16);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {}", self.0)
    }
}

/// A server as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub id: ServerId,
    pub address: Address,
    /// `None` until it has been reached.
    pub identity: Option<Identity>,
    pub role: Role,
    /// It has everything that was committed on the primary before this time, by Headgate's own clock.
    /// `None` where nothing is known. The primary's own is `None`: it is always fresh.
    pub as_of: Option<Instant>,
    /// When it last answered.
    pub seen: Option<Instant>,
}

/// What does not change while a server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub flavor: Flavor,
    pub version: Version,
    /// `server_id`, unique in a replication topology.
    pub server_id: u32,
    /// MySQL's `server_uuid`; MariaDB has none.
    pub uuid: Option<String>,
}

/// What a server may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    /// It replicates from the primary, and reads may run on it.
    Replica,
    NotServing(NotServing),
}

/// Why a server serves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServing {
    #[error("it has not been asked yet")]
    NotAsked,
    #[error("it cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("it answered something Headgate cannot read: {reason}")]
    Unreadable { reason: String },
    #[error("no primary is known, so it cannot be one's replica")]
    NoPrimary,
    #[error("it accepts writes (read_only is off) but is not the primary")]
    Writable,
    #[error("it replicates from nobody")]
    NoSource,
    #[error("it replicates from {source_name}, which is not the primary")]
    WrongSource { source_name: String },
    #[error("it replicates from {count} sources")]
    SeveralSources { count: usize },
    #[error("its replication {thread} thread does not run: {state}{}", detail(.error))]
    Stopped { thread: &'static str, state: String, error: Option<String> },
    #[error("it is told to stay {seconds} s behind its source")]
    Delayed { seconds: u32 },
    #[error("it has replication filters, so parts of the data may be missing")]
    Filtered,
    #[error("it is a {found} beside a primary that is a {wanted}")]
    OtherFlavor { found: Flavor, wanted: Flavor },
    #[error("its {variable} is {here:?}, the primary's is {primary:?}")]
    OtherDefaults { variable: String, here: String, primary: String },
}

fn detail(error: &Option<String>) -> String {
    error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default()
}

/// Why no server is the primary, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrimary {
    #[error("no server has been asked yet; wait a moment")]
    NotAsked,
    #[error("no server can be reached; check the addresses and that the servers run ({reasons})")]
    Unreachable { reasons: String },
    #[error(
        "no server accepts writes: {servers} are read only; turn read_only off on the one that shall be the primary"
    )]
    NoneWritable { servers: String },
    #[error(
        "several servers accept writes: {servers}; turn read_only on everywhere but on the primary, \
         or make the others its replicas"
    )]
    SeveralWritable { servers: String },
    #[error(
        "{writable} accepts writes, but {unreachable} cannot be reached and was the primary; \
             bring it back or take it off the list of servers"
    )]
    Deposed { writable: String, unreachable: String },
}
