//! What must outlive a run of Headgate.

use crate::topology::{Epoch, ServerId};

/// What must outlive a run of Headgate: so much that no reign has two primaries, and that what was begun is finished or
/// undone. The rest is seen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The reign, or the one that is about to begin.
    pub epoch: Epoch,
    /// Whose it is, or who was the last primary.
    pub primary: ServerId,
    /// Who was the primary before and does not follow yet. That it is writable means nothing.
    pub before: Option<ServerId>,
    /// What was being done.
    pub stage: Stage,
    /// Receivers that Headgate has stopped may not run again yet.
    pub stopped: bool,
    /// The last failover was less than a cool-down ago. How much less is not written, since clocks may have been set.
    pub cooling: bool,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing: the primary is the primary.
    Settled,
    /// Receivers may be stopped and the primary fenced. All of it can be undone.
    Changing,
    /// The candidate may have been promoted. No other will be in this reign.
    Promoting {
        /// Who.
        candidate: ServerId,
    },
}
