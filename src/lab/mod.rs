//! Real clusters on loopback, for the demo, the tests and the benches.
//!
//! [`Cluster::builder`] starts one primary and its replicas with GTID replication, from servers
//! found on `PATH` or unpacked from the distribution's package archive into a cache folder (never
//! installed into the system). Each [`Node`] can be stopped, killed, frozen and restarted; a
//! [`Link`] in front of it, and one on each replica's way to the primary, can refuse, swallow or
//! delay. Everything a cluster starts or writes goes away with it, also when its owner is killed.
//!
//! [`headgate`] starts the program itself before them. The lab knows nothing of Headgate's library:
//! it stands for the servers a user already has, with the settings a user would leave alone.
//! Nothing outside tests, benches and `headgate-lab` may import it.

mod accounts;
mod apt;
mod builder;
mod cache;
mod certificates;
mod cluster;
mod error;
mod flavor;
mod general_log;
pub mod headgate;
mod link;
mod node;
mod ports;
mod process;
mod replication;
mod sample;
mod server;
mod software;
mod sql;
mod template;
pub mod tools;
mod workspace;

pub use accounts::{Account, Accounts, DATABASE, control_grants, failover_grants};
pub use builder::{Builder, Tls};
pub use cache::entry as cached;
pub use cluster::Cluster;
pub use error::{LabError, Result};
pub use flavor::Flavor;
pub use general_log::LogEntry;
pub use headgate::Headgate;
pub use link::{Fault, Link};
pub use node::{Node, Role};
pub use software::{Package, fetch, unpacked};
pub use sql::Row;
