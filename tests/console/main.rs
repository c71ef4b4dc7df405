//! The console of the real program before real servers, asked by the clients that people have.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]
#![allow(clippy::disallowed_methods, reason = "tests live in real time")]

mod command_lines;
mod commands;
mod hostile;
mod kill;
mod pause;
mod place;
mod python;
