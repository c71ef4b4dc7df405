//! The servers as last seen: roles, replication, freshness. Pure.
//!
//! One task (the monitor) owns what it sees and publishes immutable [`Topology`] snapshots. Nothing here
//! asks a server, decides a route or reads a clock.

mod address;
mod defaults;
mod freshness;
mod names;
mod server;
mod snapshot;
mod version;

#[cfg(test)]
mod tests;

pub use address::{Address, BadAddress};
pub use defaults::{Collation, Collations, Defaults, Hindrance};
pub use freshness::History;
pub use names::Names;
pub use server::{Identity, NoPrimary, NotServing, Role, Server, ServerId};
pub use snapshot::{Epoch, Greeting, Topology};
pub use version::{Flavor, Version};
