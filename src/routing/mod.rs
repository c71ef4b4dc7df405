//! Which server a statement runs on, and why. Pure.

mod decide;
mod reason;

pub use decide::{Decision, Policy, Question, Refused, Target, Trace, decide};
pub use reason::Reason;

#[cfg(test)]
mod tests;
