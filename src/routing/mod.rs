//! Which server a statement runs on, and why. Pure.

mod decide;
mod explain;
mod reach;
pub mod read_only;
mod reason;

pub use decide::{Consistency, Decision, Policy, Question, Refused, Target, Trace, decide};
pub use explain::{Candidate, Explanation, Verdict, explain};
pub use reach::{Text, calls_only_pure, is_plain, may_read_impure_view};
pub use reason::Reason;

#[cfg(test)]
mod tests;
