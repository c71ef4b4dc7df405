//! The servers as last seen: roles, replication, freshness. Pure.
//!
//! One task, the monitor, owns what is seen and publishes it as an immutable [`Topology`]; every
//! decision reads one snapshot. Freshness is dated by Headgate's own clock, see [`History`].

mod address;
mod catalog;
mod facts;
mod floor;
mod freshness;
mod health;
mod ids;
mod room;
mod server;
mod snapshot;
mod traps;

pub use address::{Address, BadAddress};
pub use catalog::{Catalog, Definitions, FunctionBody, ViewBody};
pub use facts::{Collations, Facts, Flavor, Hindrance, position};
pub use floor::{Floor, Mark, Origin, Reported};
pub use freshness::{History, Lag, Peak};
pub use health::{Health, Patience, Pulse, Trouble};
pub use ids::{Epoch, ServerId};
pub use room::fitting;
pub use server::{KnownBy, NotServing, Server, ServerState};
pub use snapshot::{NoPrimary, Rejected, Topology};
pub use traps::{StoredCode, Traps};

#[cfg(test)]
mod tests;
