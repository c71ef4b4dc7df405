//! Conversations with clients: accept, log in, relay commands and replies.
//!
//! One task owns one client and, from its login on, a connection to the primary. Nothing here is
//! shared between sessions but the [`Context`].

mod accept;
mod context;
mod known;
mod login;
mod plan;
mod relay;
mod replica;
mod serve;
mod session;

pub use accept::run;
pub use context::{Context, Limits, Shared};
pub use known::KnownSecrets;
pub use login::AccountReader;
