//! All servers at one moment.

use std::fmt;
use std::sync::Arc;

use super::address::Address;
use super::facts::Facts;
use super::floor::{Mark, Origin};
use super::ids::{Epoch, ServerId};
use super::server::{Server, ServerState};

/// An immutable picture of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The reign this picture belongs to.
    pub epoch: Epoch,
    /// The primary, or why there is none.
    pub primary: Result<ServerId, NoPrimary>,
    /// Every server known.
    pub servers: Vec<Server>,
    /// What the primary has told of itself. Kept while it is away.
    pub facts: Option<Arc<Facts>>,
    /// Under what name the primary writes. Nothing where others write beside it under names of their own, so that the
    /// number of a transaction says nothing of the others.
    pub origin: Option<Arc<Origin>>,
    /// Servers that others tell of and that are not used.
    pub rejected: Arc<[Rejected]>,
}

/// A server that others tell of and that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it should be reached; nothing where nobody says.
    pub address: Option<Address>,
    /// Its `server_uuid`, `server_id`, or the name of an Aurora instance; empty where nobody says.
    pub name: String,
    /// Who tells of it, and as what.
    pub evidence: String,
    /// Why it is not used, and what to do about it.
    pub why: String,
}

/// Why no server takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPrimary {
    /// Nobody has been asked yet.
    Unknown,
    /// No server answers.
    Unreachable {
        /// What each of them did.
        problems: Vec<String>,
    },
    /// Those that answer are read only.
    NoneWritable {
        /// The addresses of those that do not answer; one of them may be the primary.
        silent: Vec<String>,
    },
    /// The only one that takes writes is followed by nobody, and the primary there was is out of reach.
    Deposed {
        /// The address of the one that takes writes.
        writable: String,
        /// The address of the primary that there was.
        gone: String,
    },
    /// More than one takes writes.
    SeveralWritable {
        /// Their addresses.
        servers: Vec<String>,
    },
    /// The only server that is known replicates from another one, which is not used.
    SourceUnknown {
        /// The address of the one that is known.
        server: String,
        /// Its source, in its own words.
        source: String,
    },
    /// The replication group, or the Aurora cluster, does not say who takes writes.
    Group {
        /// Why not.
        why: String,
    },
    /// The cluster is of a family that is not used.
    Family {
        /// Why.
        why: String,
    },
}

impl NoPrimary {
    /// Whether servers answer and it cannot be told which of them takes writes, rather than that the primary is away.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        match self {
            Self::SeveralWritable { .. } | Self::SourceUnknown { .. } | Self::Family { .. } => true,
            Self::Unknown
            | Self::Unreachable { .. }
            | Self::NoneWritable { .. }
            | Self::Deposed { .. }
            | Self::Group { .. } => false,
        }
    }
}

impl fmt::Display for NoPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the servers have not been asked yet"),
            Self::Unreachable { problems } => {
                write!(f, "no server can be asked ({})", problems.join("; "))
            }
            Self::NoneWritable { silent } if silent.is_empty() => {
                f.write_str("no server takes writes: all are read only; set read_only=OFF on the primary")
            }
            Self::NoneWritable { silent } => write!(
                f,
                "all servers that answer are read only, and {} cannot be asked; bring the primary back",
                silent.join(", ")
            ),
            Self::Deposed { writable, gone } => write!(
                f,
                "{writable} takes writes, but the primary was {gone}, which cannot be asked; bring {gone} back, or \
                 let a replica follow {writable}"
            ),
            Self::SeveralWritable { servers } => write!(
                f,
                "more than one server takes writes ({}), so none is used; set read_only=ON on all but the primary",
                servers.join(", ")
            ),
            Self::SourceUnknown { server, source } => write!(
                f,
                "{server} replicates from {source}, which is not among the servers used; SHOW DISCOVERY says why; name \
                 it in servers.addresses, or its network in servers.networks"
            ),
            Self::Group { why } | Self::Family { why } => f.write_str(why),
        }
    }
}

impl Topology {
    /// Before the first look.
    #[must_use]
    pub fn unknown(servers: Vec<Server>) -> Self {
        let (primary, rejected) = (Err(NoPrimary::Unknown), Arc::default());
        Self { epoch: Epoch(0), primary, servers, facts: None, origin: None, rejected }
    }

    /// The transaction that the primary reports with an OK: the GTIDs of MySQL's session tracking, or MariaDB's
    /// `last_gtid`. Nothing where it says nothing of the transactions before it.
    #[must_use]
    pub fn mark(&self, reported: &[u8]) -> Option<Mark> {
        let number = self.origin.as_ref()?.number(reported)?;
        Some(Mark { epoch: self.epoch, number })
    }

    /// A server by its number.
    #[must_use]
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.iter().find(|server| server.id == id)
    }

    /// The primary, where there is one.
    #[must_use]
    pub fn primary(&self) -> Option<&Server> {
        self.primary.as_ref().ok().and_then(|id| self.server(*id))
    }

    /// Servers that may serve reads.
    pub fn replicas(&self) -> impl DoubleEndedIterator<Item = &Server> + Clone {
        self.servers.iter().filter(|server| server.state == ServerState::Replica)
    }
}
