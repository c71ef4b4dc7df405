//! The servers as last seen: roles, replication, freshness. Pure.
//!
//! One task, the monitor, owns what is seen and publishes it as an immutable [`Topology`]; every
//! decision reads one snapshot. Freshness is dated by Headgate's own clock, see [`History`].

mod address;
mod catalog;
mod facts;
mod freshness;
mod ids;
mod room;
mod server;
mod snapshot;
mod traps;

pub use address::{Address, BadAddress};
pub use catalog::{Catalog, Definitions, FunctionBody, ViewBody};
pub use facts::{Collations, Facts, Flavor, Hindrance};
pub use freshness::History;
pub use ids::{Epoch, ServerId};
pub use room::fitting;
pub use server::{NotServing, Server, ServerState};
pub use snapshot::{NoPrimary, Topology};
pub use traps::{StoredCode, Traps};

#[cfg(test)]
mod tests;
