//! Failover on real clusters: the primary is killed, frozen, stopped and switched over under a bank's workload.
//!
//! - [`crash`]: kill -9, SIGSTOP and orderly shutdown; `HEADGATE_ROUNDS=50` has each run so often;
//! - [`drivers`]: the same and more under 32 clients of ordinary drivers, and answers that are lost;
//! - [`full_disk`]: a primary that answers and takes no writes;
//! - [`joining`]: servers that are found, added and removed;
//! - [`heartbeats`]: what replicas hear is given back;
//! - [`paused`]: the primary changes while traffic is paused;
//! - [`planned`]: switchovers, those that fail included; `HEADGATE_LOCK_SECONDS=60` looks longer whether one happens after
//!   all;
//! - [`loss`]: what only the dead primary has, under each policy, and [`external`]: something else promotes;
//! - [`hooks`]: the operator's programs;
//! - [`steps`]: Headgate is killed at each step; `HEADGATE_STEPS=all` tries all of them; [`wakes`]: the old primary wakes
//!   up meanwhile;
//! - [`rolling`]: all servers are restarted, one after the other;
//! - [`return_`], [`rebuild`]: what becomes of old primaries;
//! - [`logins`]: sessions go on at servers that do not remember their users;
//! - [`rivals`]: two Headgates; `HEADGATE_ROUNDS=50` has them meet so often;
//! - [`alone`]: when nobody is promoted: a cut to a primary that is well (`HEADGATE_CUT_SECONDS=600`), no grants.
//!
//! [`stage`] has a cluster and a Headgate for each test as its [`plan`] says, [`company`] one that is told of some servers
//! only, [`bank`] the workload.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod alone;
mod bank;
#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod company;
mod crash;
mod drivers;
mod external;
mod full_disk;
mod heartbeats;
mod hooks;
mod joining;
mod logins;
mod loss;
mod paused;
mod plan;
mod planned;
mod rebuild;
mod return_;
mod rivals;
mod rolling;
#[path = "../clients/runtimes.rs"]
mod runtimes;
mod stage;
mod steps;
mod wakes;
