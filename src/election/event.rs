//! What a machine is told.

use std::time::Instant;

use super::command::{CommandId, Done, Failure};
use super::rules::Rules;
use super::sight::Sight;
use super::state::State;
use crate::topology::{Epoch, ServerId};

/// What a machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A server was asked.
    Seen {
        /// Which.
        server: ServerId,
        /// When the question was sent: the answer is no older than this.
        asked: Instant,
        /// What came of it.
        sight: Sight,
    },
    /// What came of a command.
    Answered {
        /// Which.
        id: CommandId,
        /// The reign it belonged to.
        epoch: Epoch,
        /// What came of it.
        outcome: Result<Done, Failure>,
    },
    /// An operator wants something.
    Operator(Operator),
    /// Another Headgate that is under no common lease watches the same servers, or does not any more.
    Rival(Option<String>),
    /// The lease of those who may promote was got, with the state that its holders share; or it was lost.
    Leadership(Option<State>),
    /// There are other rules.
    Rules(Rules),
    /// These are the servers.
    Servers(Vec<ServerId>),
}

/// What an operator can want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Make this the primary without losing anything.
    Switchover {
        /// The server.
        to: ServerId,
    },
    /// Promote the best candidate now, whatever state the primary is in.
    Failover,
    /// Never promote this one; or let it be a candidate again.
    Veto {
        /// The server.
        server: ServerId,
        /// Never promote it.
        on: bool,
    },
    /// Begin nothing automatically; or do so again.
    Pause(bool),
    /// Go on though transactions will be lost. Holds for the failover that waits for it.
    AcceptLoss,
    /// Take a server out of quarantine with the transactions that only it has.
    Rejoin {
        /// The server.
        server: ServerId,
    },
    /// Make a server in quarantine a copy of the primary.
    Rebuild {
        /// The server.
        server: ServerId,
    },
}
