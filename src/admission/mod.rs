//! Who may come in, and why not. Pure.
//!
//! The rules are matched against addresses and user names that others have found out; who holds how many
//! places is counted elsewhere. A Unix socket has no address: whoever may open its file is local.

mod network;
mod refusal;
mod rules;

pub use network::{Network, Networks};
pub use refusal::Refusal;
pub use rules::{Rules, UserRule};
