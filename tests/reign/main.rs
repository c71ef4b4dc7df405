//! What clients notice when their primary goes: it is killed, or replaced by hand, and another one is promoted.
//!
//! - [`sessions`]: sessions wait, move, and go on with what they have;
//! - [`outcomes`]: what was under way is repeated, reported as rolled back, or reported as unknown;
//! - [`undone`]: what was under way and is known to have done nothing;
//! - [`ties`]: what was on the lost connection alone is never silently missing.
//!
//! [`stage`] has the servers, and promotes.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod outcomes;
mod sessions;
mod stage;
mod ties;
mod undone;
