//! Follows one reply through the bytes of a server and edits it, in place, into the form its client
//! wants.
//!
//! The server always speaks DEPRECATE_EOF and SESSION_TRACK (they tell Headgate what a statement
//! did). A client that does not gets EOF packets put in and OK packets turned back into them,
//! sequence numbers shifted, and session-state information taken out; that is all the editing there
//! is. Rows and column definitions are counted and passed on, never read.
//!
//! Source: MySQL Internals, "Command Phase"; cursors: `sql/sql_cursor.cc`.

mod edit;
mod progress;
mod shape;
mod stage;
mod tracker;

pub use progress::{End, Progress, Step};
pub use shape::{ClientForm, Shape};
pub use tracker::Tracker;

#[cfg(test)]
mod tests;
