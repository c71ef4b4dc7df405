//! Which server a statement runs on, and why. Pure.

mod decide;
mod explain;
pub mod read_only;
mod reason;

pub use decide::{
    Consistency, Decision, Policy, Question, Refused, Target, Trace, calls_only_pure, decide, is_plain,
};
pub use explain::{Candidate, Explanation, Verdict, explain};
pub use reason::Reason;

#[cfg(test)]
mod tests;
