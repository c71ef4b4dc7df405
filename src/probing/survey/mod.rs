//! One look at a whole cluster: what to ask, and what of the answers would bite. Pure.
//!
//! `headgate check --connect` and `headgate init` ask once and judge with this. [`queries`] holds the questions
//! beyond the monitor's, [`Told`] is what one server answered, [`audit`] makes findings of all of it, and each
//! finding says what to do. What a server is used for is [`super::judge`]'s to say, here as at work.

pub mod queries;

mod account;
mod accounts;
mod audit;
mod cluster;
mod finding;
mod followers;
mod host;
mod report;
mod settings;
mod told;

pub use account::{Account, MOST_ACCOUNTS};
pub use audit::{Plan, audit};
pub use finding::{Finding, Severity, Topic};
pub use followers::{Follower, Lead, followers, leads};
pub use report::{discovery, findings, servers};
pub use told::{Survey, Surveyed, Told};

#[cfg(test)]
mod tests;
