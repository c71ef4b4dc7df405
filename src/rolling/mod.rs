//! ROLLING RESTART: all servers are restarted, one after the other, and no client notices. Pure.
//!
//! Headgate cannot restart servers. It says when it is a server's turn and sees what came of it; each is drained before
//! and serves again when it has come back, follows, has caught up and answers steadily. The primary is last: another
//! server takes its place first, and keeps it.
//!
//! A [`Rolling`] is fed with [`Event`]s and the time and answers with [`Order`]s, one at a time. It never restarts
//! anything twice, begins with no server while another one is not well, and stops at anything that it has not done
//! itself: then what it has drained is undrained, and the reason stays to be read.

mod machine;
mod step;

#[cfg(test)]
mod tests;

pub use machine::{Event, Order, Outcome, Rolling};
pub use step::{Look, Seen, Stage, Step};
