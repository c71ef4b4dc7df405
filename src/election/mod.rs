//! When the primary is dead, who follows it, and how. Pure.

mod blocked;
mod candidate;
mod change;
mod command;
mod detect;
mod event;
mod failover;
mod machine;
mod operator;
mod orders;
mod phase;
mod promotion;
mod roster;
mod rules;
mod sight;
mod state;
mod suspicion;
mod timeline;
mod undo;
mod upkeep;

pub use blocked::Why;
pub use candidate::{Lineage, Ranking, Rejection, Standing, rank};
pub use command::{Action, Alert, Command, CommandId, Done, Failure, Hook};
pub use event::{Event, Operator};
pub use machine::Machine;
pub use phase::Phase;
pub use roster::Quarantine;
pub use rules::{Heartbeat, Policy, Rules};
pub use sight::{Channel, Receiver, Report, Sight, Trouble};
pub use state::{Stage, State};
pub use timeline::{Entry, Timeline};
