//! Servers that come, go and change while Headgate runs before them.
//!
//! - [`found`]: a cluster is found from one address, chains are understood, nobody is asked where nobody may be;
//! - [`roles`]: what servers serve, and why one serves nothing;
//! - [`removal`]: servers are added and removed under clients that never stop;
//! - [`drain`]: a server is drained, stopped and started again under the same clients;
//! - [`health`]: servers that stand still, and servers that are gone;
//! - [`writes`]: whether writes get through on the primary;
//! - [`group`]: a replication group is followed.
//!
//! [`stage`] has the servers. Clusters are started one after the other: each is for one test alone, which breaks it.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests live in real time")]

mod drain;
mod found;
mod group;
mod health;
mod removal;
mod roles;
mod stage;
mod writes;
