//! One server as last seen.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::floor::Mark;
use super::freshness::Lag;
use super::health::Health;
use super::ids::ServerId;
use crate::gtid::Position;
use crate::topology::Address;

/// A server in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number.
    pub id: ServerId,
    /// Where it is reached.
    pub address: Address,
    /// One that was discovered may be reached at these addresses only, whatever its name leads to by now.
    pub only: Option<Arc<[IpAddr]>>,
    /// How Headgate came to know it.
    pub known_by: KnownBy,
    /// An operator has taken it out: it is here until what runs there has ended.
    pub leaving: bool,
    /// Since when an operator has it drained: nothing new is sent there to read, and what runs there ends.
    pub drained: Option<Instant>,
    /// What it may be used for.
    pub state: ServerState,
    /// Whether it can be relied on.
    pub health: Health,
    /// How many of the reads it gets beside others: its share is its weight among all weights.
    pub weight: u16,
    /// When it last came back after it was down.
    pub warming_since: Option<Instant>,
    /// A replica has everything that was committed before this time. Unknown is not fresh.
    pub as_of: Option<Instant>,
    /// A replica has this transaction of the primary's and all before it.
    pub reached: Option<Mark>,
    /// How far a replica has come.
    pub applied: Option<Arc<Position>>,
    /// How far a replica was behind when it was last asked. Nothing where that cannot be told.
    pub lag: Option<Lag>,
    /// The furthest it has been behind of late.
    pub lag_peak: Duration,
    /// It has answered at least once.
    pub met: bool,
    /// Since when it has answered without a break: so long it has not gone back.
    pub since: Option<Instant>,
    /// Its `max_connections`, when it last answered.
    pub max_connections: Option<usize>,
    /// The replica that it follows, where it does not follow the primary itself.
    pub through: Option<ServerId>,
    /// Transactions that it has and the primary has not.
    pub errant: Option<Arc<str>>,
}

/// How Headgate came to know a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// `servers.addresses` names it.
    Listed,
    /// ADD SERVER named it.
    Added,
    /// Other servers told of it.
    Found {
        /// What they said.
        evidence: Arc<str>,
    },
}

impl KnownBy {
    /// `listed`, `added` or `discovered`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Added => "added",
            Self::Found { .. } => "discovered",
        }
    }
}

impl Server {
    /// A server that nobody has asked yet.
    #[must_use]
    pub const fn unknown(id: ServerId, address: Address) -> Self {
        Self {
            id,
            address,
            only: None,
            known_by: KnownBy::Listed,
            leaving: false,
            drained: None,
            state: ServerState::NotServing(NotServing::Unknown),
            health: Health::Up,
            weight: 1,
            warming_since: None,
            as_of: None,
            reached: None,
            applied: None,
            lag: None,
            lag_peak: Duration::ZERO,
            met: false,
            since: None,
            max_connections: None,
            through: None,
            errant: None,
        }
    }

    /// How much of its weight counts while it warms up, in thousandths: from a twentieth to all of it.
    #[must_use]
    pub fn warmth(&self, warm_up: Duration, now: Instant) -> u32 {
        let Some(since) = self.warming_since else { return 1000 };
        let gone = now.saturating_duration_since(since);
        if gone >= warm_up {
            return 1000;
        }
        let share = gone.as_micros() * 1000 / warm_up.as_micros().max(1);
        u32::try_from(share).unwrap_or(1000).clamp(50, 1000)
    }
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

impl ServerState {
    /// Whether what has begun there may go on.
    #[must_use]
    pub const fn lets_end(&self) -> bool {
        matches!(self, Self::Replica | Self::NotServing(NotServing::Leaving))
    }
}

/// Why a server serves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServing {
    /// Nobody has asked it yet.
    Unknown,
    /// Nobody is the primary, so nobody knows what it has.
    NoPrimary,
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
    /// A replica between it and the primary cannot be asked, so nobody knows whether data comes through.
    ChainSilent {
        /// The address of that replica.
        middle: String,
        /// What went wrong there.
        problem: String,
    },
    /// A replica between it and the primary does not pass data on.
    ChainBroken {
        /// The address of that replica.
        middle: String,
        /// Why.
        problem: String,
    },
    /// An operator has taken it out; what runs there ends as it would have.
    Leaving,
    /// It may not be what it was taken for.
    Doubted {
        /// Why.
        doubt: String,
    },
    /// It is of a family of clusters that is not used, or not for reads.
    Family {
        /// Why.
        why: String,
    },
    /// It has no part in its replication group at the moment.
    Group {
        /// Its state in the group.
        state: &'static str,
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
            Self::NoPrimary => f.write_str("there is no primary that it could follow"),
            Self::Unreachable { problem } => f.write_str(problem),
            Self::ChainSilent { middle, problem } => {
                write!(f, "it follows {middle}, which cannot be asked ({problem}); let it follow the primary")
            }
            Self::ChainBroken { middle, problem } => {
                write!(f, "it follows {middle}, which passes nothing on: {problem}")
            }
            Self::Leaving => {
                f.write_str("REMOVE SERVER has taken it out; it is gone when what runs there has ended")
            }
            Self::Doubted { doubt } => f.write_str(doubt),
            Self::Family { why } => f.write_str(why),
            Self::Group { state } => {
                write!(f, "it is {state} in its replication group; START GROUP_REPLICATION on it, or wait")
            }
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
