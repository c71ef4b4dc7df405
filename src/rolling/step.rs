//! What is seen of servers, and how far each has come.

use std::time::Instant;

use crate::topology::{Epoch, ServerId};

/// The cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Nothing is being changed by a failover or a switchover.
    pub at_rest: bool,
    /// The reign.
    pub epoch: Epoch,
    /// The primary.
    pub primary: Option<ServerId>,
    /// Who could become the primary, the best first.
    pub candidates: Vec<ServerId>,
    /// The servers.
    pub servers: Vec<Seen>,
}

/// A server at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub server: ServerId,
    /// Another number after each start of its process; nothing where it has never said.
    pub run: Option<u64>,
    /// It answers.
    pub answers: bool,
    /// It follows and has caught up, or is the primary, and answers; or what it lacks of that.
    pub well: Result<(), String>,
    /// An operator, or a rolling restart, has drained it.
    pub drained: bool,
    /// Connections of clients to it.
    pub in_use: usize,
}

impl Look {
    /// What is seen of a server.
    #[must_use]
    pub fn of(&self, server: ServerId) -> Option<&Seen> {
        self.servers.iter().find(|seen| seen.server == server)
    }
}

/// How far a server has come.
///
/// ```text
///  Waiting ──────────────────→ Draining → Asked → Returning → Done
///     └─→ SwitchingOver ─────────↗   (the primary)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is not its turn.
    Waiting,
    /// Another server takes its place as the primary.
    SwitchingOver,
    /// It gets nothing new, and what is under way there ends.
    Draining,
    /// The operator is to restart it now.
    Asked,
    /// It was started again, and must follow, catch up, and answer steadily.
    Returning,
    /// It serves again.
    Done,
}

impl Stage {
    /// In a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::SwitchingOver => "switching over",
            Self::Draining => "draining",
            Self::Asked => "to be restarted",
            Self::Returning => "returning",
            Self::Done => "done",
        }
    }

    /// Whether the server was drained for it.
    pub(super) const fn is_drained(self) -> bool {
        matches!(self, Self::Draining | Self::Asked | Self::Returning)
    }
}

/// A server, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub server: ServerId,
    /// How far it has come.
    pub stage: Stage,
    /// Since when.
    pub since: Instant,
    /// What it waits for, in words.
    pub what: String,
    /// The process that is to be restarted.
    pub(super) run: Option<u64>,
}

impl Step {
    /// What the operator is to do now.
    #[must_use]
    pub const fn wanted(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Asked => Some("restart this server now"),
            _ => None,
        }
    }
}
