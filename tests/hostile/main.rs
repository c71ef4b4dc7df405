//! Clients that break every rule, before the real program and a real cluster.
//!
//! Whatever a client does, it gets a clear error or a clean close in time, nobody else notices, and
//! nothing of it stays: no session, no connection to a server, no file descriptor.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step of a test is a failed test")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod client;
mod commands;
mod compressed;
mod crowd;
mod login;
mod replies;
mod stage;
mod tls;
