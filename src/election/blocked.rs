//! Why nothing more is done, and what an operator can do about it.

use std::fmt;

use super::candidate::Rejection;
use crate::gtid::Transactions;
use crate::topology::ServerId;

/// Why nothing more is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The policy is `off`.
    PolicyOff,
    /// The policy is `external`, and nobody else has become writable.
    NobodyWritable,
    /// An operator has paused.
    Paused,
    /// Another Headgate watches the same servers, and no lease says which of them may promote.
    Rival(String),
    /// Another Headgate has the lease.
    NotLeading,
    /// It is not known which server is the primary.
    NoPrimary,
    /// The last failover was just now.
    CoolingDown,
    /// Replicas hear from the primary, Headgate does not.
    StillHeard {
        /// Those which do.
        by: Vec<ServerId>,
    },
    /// Fewer than half of the replicas can be asked, so the others may follow a primary that lives.
    TooFewWitnesses {
        /// How many can be asked.
        reached: usize,
        /// How many there are.
        known: usize,
    },
    /// No replica that can be asked had a connection to the primary to lose.
    NoWitness,
    /// Nobody can become the primary.
    NoCandidate {
        /// Why not.
        rejected: Vec<(ServerId, Rejection)>,
    },
    /// The policy is `safe`, and the best candidate lacks these.
    WouldLose(Transactions),
    /// The policy is `safe`, and it is not known what was acknowledged: Headgate was started after the primary died.
    AcknowledgedUnknown,
    /// The candidate has not applied in time what it has received.
    ApplierBehind(ServerId),
    /// The candidate was not promoted.
    NotPromoted(ServerId),
    /// What must outlive Headgate could not be written.
    StateNotSaved(String),
    /// Writes could not be held.
    NotHeld(String),
    /// The operator's program failed, which a planned switchover takes for a no.
    HookFailed(String),
    /// The primary is read only, and Headgate did not do it.
    PrimaryReadOnly(ServerId),
    /// A phase took longer than it may.
    TookTooLong(&'static str),
    /// A change was given up and is not undone yet.
    NotUndone(String),
}

impl Why {
    /// True where only another try can tell whether it still holds; the others are looked at again with each event.
    pub(super) const fn needs_another_try(&self) -> bool {
        matches!(
            self,
            Self::NoCandidate { .. }
                | Self::WouldLose(_)
                | Self::AcknowledgedUnknown
                | Self::ApplierBehind(_)
                | Self::NotPromoted(_)
                | Self::StateNotSaved(_)
                | Self::NotHeld(_)
                | Self::HookFailed(_)
                | Self::TookTooLong(_)
                | Self::NotUndone(_)
        )
    }

    /// What an operator can do.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::PolicyOff => "start the primary again, or promote a replica with FAILOVER",
            Self::NobodyWritable => "promote a replica with the tool that does so here",
            Self::Paused => "RESUME, or promote a replica with FAILOVER",
            Self::Rival(_) => "stop one of the two or give both a lease; FAILOVER still works",
            Self::NotLeading => "nothing, unless no Headgate has the lease: then look at etcd",
            Self::NoPrimary => "make one server writable, or promote one with SWITCHOVER TO",
            Self::CoolingDown => "find out what makes primaries fail; FAILOVER does not wait",
            Self::StillHeard { .. } => "look at the network between Headgate and the primary",
            Self::TooFewWitnesses { .. } => {
                "look at the replicas out of reach; FAILOVER goes on without them"
            }
            Self::NoWitness => "start replication on the replicas, or promote one with FAILOVER",
            Self::NoCandidate { .. } => "remove what stands against one of the replicas",
            Self::WouldLose(_) => "start the old primary again, or ACCEPT LOSS",
            Self::AcknowledgedUnknown => "start the old primary again, or ACCEPT LOSS",
            Self::ApplierBehind(_) => "wait, or look at what the replica applies; it is tried again",
            Self::NotPromoted(_) => "look at the candidate's log; it is tried again",
            Self::StateNotSaved(_) => "make room for the state file, or look at etcd; it is tried again",
            Self::NotHeld(_) => "end the transactions that are open, or wait; it is tried again",
            Self::HookFailed(_) => "look at what the program wrote",
            Self::PrimaryReadOnly(_) => "SET GLOBAL read_only = OFF there, or SWITCHOVER TO another",
            Self::TookTooLong(_) => "look at the timeline; it is tried again",
            Self::NotUndone(_) => "look at the servers named; it is tried again",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyOff => f.write_str("automatic failover is off"),
            Self::NobodyWritable => f.write_str("no other server has become writable"),
            Self::Paused => f.write_str("automatic failover is paused"),
            Self::Rival(who) => {
                write!(f, "another Headgate, {who}, watches these servers without a common lease")
            }
            Self::NotLeading => f.write_str("another Headgate has the lease"),
            Self::NoPrimary => f.write_str("it is not known which server is the primary"),
            Self::CoolingDown => f.write_str("the last failover was just now"),
            Self::StillHeard { by } => write!(f, "the primary is still heard by {}", list(by)),
            Self::TooFewWitnesses { reached, known } => {
                write!(f, "only {reached} of {known} replicas can be asked")
            }
            Self::NoWitness => f.write_str("no replica had a connection to the primary"),
            Self::NoCandidate { rejected } => {
                f.write_str("nobody can become the primary")?;
                rejected.iter().try_for_each(|(server, why)| write!(f, "; {server} {why}"))
            }
            Self::WouldLose(missing) => write!(f, "acknowledged transactions would be lost: {missing}"),
            Self::AcknowledgedUnknown => f.write_str("it is not known what was acknowledged"),
            Self::ApplierBehind(server) => write!(f, "{server} has not applied what it received"),
            Self::NotPromoted(server) => write!(f, "{server} was not promoted"),
            Self::StateNotSaved(problem) => write!(f, "the state could not be saved: {problem}"),
            Self::NotHeld(problem) => write!(f, "writes could not be held: {problem}"),
            Self::HookFailed(problem) => write!(f, "the hook failed: {problem}"),
            Self::PrimaryReadOnly(server) => write!(f, "the primary, {server}, is read only"),
            Self::TookTooLong(phase) => write!(f, "{phase} took too long"),
            Self::NotUndone(what) => write!(f, "not undone yet: {what}"),
        }
    }
}

/// Servers by name, for people.
fn list(servers: &[ServerId]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
