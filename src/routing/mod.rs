//! Which server a statement runs on, and why. Pure.

mod balance;
mod decide;
mod explain;
mod fresh;
mod policy;
mod reach;
pub mod read_only;
mod reason;

pub use balance::{Dice, Load, Loads};
pub use decide::{Among, Decision, Question, Target, Trace, decide, still_serves};
pub use explain::{Candidate, Explanation, Verdict, explain};
pub use fresh::Refused;
pub use policy::{Balance, Consistency, Policy, Preferences, PrimaryReads, WhenLagging};
pub use reach::{Text, calls_only_pure, is_plain, may_read_impure_view};
pub use reason::Reason;

#[cfg(test)]
mod tests;
