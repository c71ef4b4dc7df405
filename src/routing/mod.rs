//! Which server a statement runs on, and why. Pure.
//!
//! [`decide`] sees one statement, one session and one snapshot of the cluster, and answers with a target and
//! its reason. Narrow and never wrong: on doubt, the primary. The same code explains itself through a
//! [`Trace`].

mod candidate;
mod decide;
mod reason;

#[cfg(test)]
mod tests;

pub use candidate::{Refusal, Trace};
pub use decide::{Decision, Policy, Query, Target, decide, decide_traced};
pub use reason::Reason;
