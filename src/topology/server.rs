//! One server as last seen.

use std::fmt;
use std::time::Instant;

use super::ids::ServerId;
use crate::topology::Address;

/// A server in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number.
    pub id: ServerId,
    /// Where it is reached.
    pub address: Address,
    /// What it may be used for.
    pub state: ServerState,
    /// A replica has everything that was committed before this time. Unknown is not fresh.
    pub as_of: Option<Instant>,
    /// Since when it has answered without a break: so long it has not gone back.
    pub since: Option<Instant>,
    /// Its `max_connections`, when it last answered.
    pub max_connections: Option<usize>,
}

/// What a server may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// It takes writes.
    Primary,
    /// It follows the primary and may serve reads.
    Replica,
    /// It serves nothing.
    NotServing(NotServing),
}

/// Why a server serves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServing {
    /// Nobody has asked it yet.
    Unknown,
    /// It cannot be asked.
    Unreachable {
        /// What went wrong.
        problem: String,
    },
    /// It is writable, but another server is the primary.
    Writable,
    /// It is read only and replicates from nobody.
    NoSource,
    /// It replicates from a server that is not the primary.
    WrongSource {
        /// What it says of its source.
        source: String,
    },
    /// A replication thread does not run.
    Stopped {
        /// Which, and its last error.
        problem: String,
    },
    /// It has replication filters, so it lacks data.
    Filtered,
    /// It is kept behind on purpose.
    Delayed {
        /// By so many seconds.
        seconds: u64,
    },
    /// New sessions begin with other settings than on the primary.
    DefaultsDiffer {
        /// The variables.
        variables: Vec<String>,
    },
}

impl fmt::Display for NotServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not asked yet"),
            Self::Unreachable { problem } => f.write_str(problem),
            Self::Writable => f.write_str("it is writable but is not the primary; set read_only=ON on it"),
            Self::NoSource => f.write_str("it replicates from nobody"),
            Self::WrongSource { source } => {
                write!(f, "it replicates from {source}, which is not the primary")
            }
            Self::Stopped { problem } => write!(f, "replication is stopped: {problem}"),
            Self::Filtered => f.write_str("it has replication filters, so it lacks data"),
            Self::Delayed { seconds } => write!(f, "it is delayed by {seconds} s on purpose"),
            Self::DefaultsDiffer { variables } => {
                write!(f, "its defaults differ from the primary's: {}", variables.join(", "))
            }
        }
    }
}
