//! What an operator has decided about routing.

use std::time::Duration;

use crate::sql::ConsistencyHint;

/// What an operator has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Send plain reads to replicas at all.
    pub split: bool,
    /// The oldest data that a read may show.
    pub max_lag: Duration,
    /// What a read may miss.
    pub consistency: Consistency,
    /// How long a read may wait for a replica that is about to have what it must find.
    pub freshness_wait: Duration,
    /// What becomes of a read while every replica lags.
    pub when_lagging: WhenLagging,
    /// Whether the primary takes a share of the plain reads.
    pub primary_reads: PrimaryReads,
    /// Which of the replicas that are fresh enough gets a read.
    pub balance: Balance,
    /// For so long a replica that was down gets less than its share.
    pub warm_up: Duration,
    /// Run transactions that are declared read only on a replica.
    pub read_only_transactions: bool,
    /// Run the reads of a transaction on replicas until it does something else, under REPEATABLE READ too.
    pub lazy_transactions: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            split: true,
            max_lag: Duration::from_secs(10),
            consistency: Consistency::Session,
            freshness_wait: Duration::from_millis(50),
            when_lagging: WhenLagging::Primary,
            primary_reads: PrimaryReads::LastResort,
            balance: Balance::TwoChoices,
            warm_up: Duration::from_secs(10),
            read_only_transactions: true,
            lazy_transactions: false,
        }
    }
}

/// What holds for the sessions of one user or of one address, where it is not what holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// What their reads may miss.
    pub consistency: Option<Consistency>,
    /// The oldest data that their reads may show.
    pub max_lag: Option<Duration>,
}

impl Preferences {
    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            consistency: self.consistency.or(others.consistency),
            max_lag: self.max_lag.or(others.max_lag),
        }
    }

    /// A policy with these in it.
    #[must_use]
    pub fn over(self, policy: Policy) -> Policy {
        Policy {
            consistency: self.consistency.unwrap_or(policy.consistency),
            max_lag: self.max_lag.unwrap_or(policy.max_lag),
            ..policy
        }
    }
}

/// What a read on a replica may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Whatever is younger than the lag limit, its own session's writes included.
    Eventual,
    /// Nothing that its own session has written or seen.
    Session,
    /// Nothing that any session of this Headgate had written when it arrived.
    Process,
    /// Nothing that the primary had when it arrived, whoever wrote it.
    Global,
}

impl From<ConsistencyHint> for Consistency {
    fn from(hint: ConsistencyHint) -> Self {
        match hint {
            ConsistencyHint::Eventual => Self::Eventual,
            ConsistencyHint::Session => Self::Session,
            ConsistencyHint::Process => Self::Process,
            ConsistencyHint::Global => Self::Global,
        }
    }
}

impl Consistency {
    /// Its word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Eventual => "eventual",
            Self::Session => "session",
            Self::Process => "process",
            Self::Global => "global",
        }
    }
}

/// What becomes of a read while every replica is further behind than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLagging {
    /// The primary runs it.
    Primary,
    /// The replica that is least behind runs it, if it has what the session has written and seen.
    Freshest,
    /// It is refused.
    Error,
}

/// Whether the primary takes a share of the plain reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrimaryReads {
    /// Those that no replica may run.
    LastResort,
    /// A share like a replica's.
    Member,
    /// None: a plain read that no replica may run is refused.
    Never,
}

/// How one is chosen of several servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its weight says.
    Weighted,
    /// Whoever has the fewest statements to run, for its weight.
    LeastConnections,
    /// The same for all connections from one address, as long as it may serve.
    ClientAddress,
    /// Of two that chance picks by weight, the one that is expected to answer first.
    TwoChoices,
}
