//! Conversations with clients: accept, log in, relay commands and replies.
//!
//! One task owns one client and, from its login on, a connection to the primary. Nothing here is
//! shared between sessions but the [`Context`].

mod accept;
mod accounts;
mod addressing;
mod barred;
mod caller;
mod checkout;
mod context;
mod decision;
mod door;
mod errand;
mod fate;
mod foresight;
mod freshness;
mod gone;
mod idle;
mod ids;
mod kill;
mod known;
mod lease;
mod lent;
mod loads;
mod login;
mod lookback;
mod memory;
mod own;
mod patience;
mod pause;
pub mod plan;
mod prepared;
mod primary;
mod proof;
mod reach;
mod read_only;
mod ready;
mod refused;
mod reign;
mod relay;
mod replica;
mod replication;
mod return_lease;
mod roster;
mod serve;
mod session;
mod settling;
mod standing;
mod statement;
mod tally;
mod undone;
mod vigil;

pub use accept::run;
pub use accounts::AccountReader;
pub use caller::{Caller, LoginError, random, read_request};
pub use context::{Context, Limits, Live, Shared};
pub use door::Entrance;
pub use freshness::Written;
pub use ids::ClientIds;
pub use kill::end_statement_of;
pub use known::KnownSecrets;
pub use loads::Loads;
pub use memory::{Learned, Parsed};
pub use ready::keep_ready;
pub use roster::{Card, Roster, Standing};
pub use tally::Tally;
