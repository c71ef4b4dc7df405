//! Failover on real clusters: the primary is killed, frozen, stopped and switched over under a bank's workload.
//!
//! - [`crash`]: kill -9, SIGSTOP and orderly shutdown; `HEADGATE_ROUNDS=50` has each run so often;
//! - [`paused`]: the primary changes while traffic is paused;
//! - [`planned`]: switchovers, those that fail included;
//! - [`rolling`]: all servers are restarted, one after the other;
//! - [`return_`]: what becomes of old primaries;
//! - [`alone`]: when nobody is promoted: two Headgates, a cut to a primary that is well, no grants.
//!
//! [`stage`] has a cluster and a Headgate for each test, [`bank`] the workload.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod alone;
mod bank;
#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod crash;
mod paused;
mod planned;
mod return_;
mod rolling;
mod stage;
