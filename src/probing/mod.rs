//! What to ask a server, and what its answers mean. Pure.
//!
//! [`queries`] holds the questions, [`observe`] reads the answers of one server, [`roles`] compares what
//! all of them said and names the primary and its replicas. [`catalog`] asks for views and stored functions,
//! [`survey`] once for all that may bite. [`grants`] holds what the control account must be granted. [`discovery`]
//! finds further servers, [`family`] knows clusters that choose their primary themselves, and [`errant`] says what
//! a server has that the primary has not. [`standing`] asks what failover must know, [`write_probe`] whether
//! writes get through.

pub mod catalog;
pub mod discovery;
pub mod errant;
pub mod family;
pub mod grants;
pub mod queries;
pub mod standing;
pub mod survey;
pub mod write_probe;

mod families;
mod grants_page;
mod lineage;
mod observe;
mod roles;

pub use grants_page::grants_page;
pub use observe::{
    Identity, Observation, Positions, Replication, executed, grants_show_views, log_is_filtered,
    max_connections,
};
pub use roles::{Judgement, Known, Past, follows, judge, judge_after, judge_settled};

#[cfg(test)]
mod tests;
