//! What a shell is asked to do, and what came of it.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::roster::Quarantine;
use super::sight::Report;
use super::state::State;
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

/// Names a command within one run of Headgate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// One thing to do.
///
/// Each may be done twice without harm. It must take no effect after its deadline, which the shell has the *server* see to:
/// a connection that hangs may deliver its last statement long after it was given up. So what cannot be taken back is sent
/// as a statement that compares the server's own clock first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name, which the answer bears.
    pub id: CommandId,
    /// The reign it belongs to.
    pub epoch: Epoch,
    /// When it must be done.
    pub deadline: Instant,
    /// What to do.
    pub action: Action,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Stop and start the receiver, and tell whether it then gets a connection: [`Done::Receiver`].
    RestartReceiver {
        /// The replica.
        replica: ServerId,
    },
    /// Let no write begin and tell what was acknowledged since the first [`Action::Publish`] of the reign that was
    /// published last: [`Done::Held`].
    HoldWrites {
        /// How long transactions may take to end. With none, connections to the primary are cut first, so that nothing
        /// is acknowledged after the answer.
        grace: Duration,
    },
    /// Let writes begin.
    ReleaseWrites,
    /// Keep this over a restart of Headgate; with a lease, only while it is held.
    Save(State),
    /// Run the operator's program.
    RunHook(Hook),
    /// Stop the receiver, then tell how the replica stands: [`Done::Report`].
    StopReceiver {
        /// The replica.
        replica: ServerId,
    },
    /// Make it read only, end the sessions of others, then tell how it stands and which XA branches are prepared:
    /// [`Done::Report`].
    Fence {
        /// The server.
        server: ServerId,
        /// `lock_wait_timeout`. Without it `super_read_only` waits for a table lock, blocks every write meanwhile, and
        /// happens after its client has gone (HAZARDS 22).
        lock_wait: Duration,
    },
    /// Make it writable again, and read it back: [`Done::Report`].
    Unfence {
        /// The server.
        server: ServerId,
    },
    /// Wait until it has applied these: [`Done::Report`].
    DrainApplier {
        /// The replica.
        replica: ServerId,
        /// What it must have applied.
        up_to: Transactions,
    },
    /// Stop replication and forget the source, enable events, make it writable: [`Done::Report`].
    Promote {
        /// The candidate.
        server: ServerId,
    },
    /// Make it replicate from this source, read only, from wherever it stands: [`Done::Report`].
    ///
    /// What it has received and not applied is kept where the server allows it. MySQL does, if the receiver alone is stopped;
    /// MariaDB throws its relay log away.
    Follow {
        /// The replica.
        replica: ServerId,
        /// The new source.
        source: ServerId,
        /// What the source has. If the replica, its replication being stopped, has anything else, the answer is
        /// [`Failure::Refused`]: somebody may have written there since it was looked at. Nothing where it follows that source
        /// already, and is only to go on.
        within: Option<Transactions>,
        /// Transactions of its own that an operator has accepted, to be passed over on the source.
        accept: Option<Transactions>,
    },
    /// Give a new primary the semi-synchronous replication of the one before.
    RestoreSemiSync {
        /// The new primary.
        primary: ServerId,
    },
    /// Make it a copy of another server. What it had is lost.
    Rebuild {
        /// The server.
        server: ServerId,
        /// Which to copy.
        donor: ServerId,
    },
    /// Send writes to this server from now on. The command's epoch is its reign.
    Publish {
        /// The primary.
        primary: ServerId,
    },
    /// Tell the operators. Nobody waits for an answer.
    Alert(Alert),
}

/// When an operator's program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Before anything is changed. A planned switchover is given up where it fails.
    Before,
    /// After the new primary was published.
    After,
}

/// What operators must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// Nothing more is done without them.
    Blocked(Why),
    /// A server is kept out.
    Quarantined {
        /// Which.
        server: ServerId,
        /// Why.
        why: Quarantine,
    },
    /// Transactions that were acknowledged are not on the new primary.
    Lost(Transactions),
    /// The old primary could not be made read only. Those who write to it directly still can.
    Unfenced {
        /// Which.
        server: ServerId,
        /// What went wrong.
        problem: String,
    },
    /// An operator's command was refused.
    Declined(String),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// As asked.
    Plainly,
    /// As asked; so the server stands now.
    Report(Box<Report>),
    /// The receiver was restarted.
    Receiver {
        /// It got a connection to its source, or was told that there are too many.
        alive: bool,
    },
    /// Writes are held.
    Held {
        /// The transactions that clients were told are committed; nothing where there were none.
        relayed: Option<Transactions>,
    },
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was refused, and nothing has changed.
    Refused(String),
    /// No answer in time: it may have been done.
    TimedOut,
}

impl Action {
    /// The server whose state it is about, if it is about one.
    #[must_use]
    pub const fn server(&self) -> Option<ServerId> {
        match self {
            Self::RestartReceiver { replica }
            | Self::StopReceiver { replica }
            | Self::DrainApplier { replica, .. }
            | Self::Follow { replica, .. } => Some(*replica),
            Self::Fence { server, .. }
            | Self::Unfence { server }
            | Self::Promote { server }
            | Self::Rebuild { server, .. } => Some(*server),
            Self::RestoreSemiSync { primary } => Some(*primary),
            Self::HoldWrites { .. }
            | Self::ReleaseWrites
            | Self::Save(_)
            | Self::RunHook(_)
            | Self::Publish { .. }
            | Self::Alert(_) => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(problem) => f.write_str(problem),
            Self::TimedOut => f.write_str("no answer in time"),
        }
    }
}
