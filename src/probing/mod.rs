//! What to ask a server, and what its answers mean. Pure.
//!
//! [`queries`] holds the questions, [`observe`] reads the answers of one server, [`roles`] compares what
//! all of them said and names the primary and its replicas. [`catalog`] asks for views and stored functions.

pub mod catalog;
pub mod queries;

mod observe;
mod roles;

pub use observe::{Identity, Observation, Positions, Replication, grants_show_views, log_is_filtered};
pub use roles::{Judgement, Known, judge};

#[cfg(test)]
mod tests;
