//! Failover on real clusters: the primary is killed, frozen, stopped and switched over under a bank's workload.
//!
//! - [`crash`]: kill -9, SIGSTOP and orderly shutdown; `HEADGATE_ROUNDS=50` has each run so often;
//! - [`full_disk`]: a primary that answers and takes no writes;
//! - [`joining`]: servers that are found, added and removed;
//! - [`heartbeats`]: what replicas hear is given back;
//! - [`planned`]: switchovers, those that fail included;
//! - [`return_`]: what becomes of old primaries;
//! - [`drivers`]: the same and more under 32 clients of ordinary drivers, and answers that are lost;
//! - [`alone`]: when nobody is promoted: two Headgates, a cut to a primary that is well, no grants.
//!
//! [`stage`] has a cluster and a Headgate for each test, [`company`] one that is told of some servers only, [`bank`] the
//! workload.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod alone;
mod bank;
#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod company;
mod crash;
mod drivers;
mod full_disk;
mod heartbeats;
mod joining;
mod planned;
mod return_;
#[path = "../clients/runtimes.rs"]
mod runtimes;
mod stage;
