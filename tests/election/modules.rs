//! The election and what it is made of, without the rest of Headgate.

#[path = "../../src/election/mod.rs"]
pub mod election;
#[path = "../../src/gtid/mod.rs"]
pub mod gtid;
#[path = "../../src/topology/ids.rs"]
mod ids;

/// What the election knows of servers.
pub mod topology {
    pub use crate::ids::{Epoch, ServerId};
}
