//! Connections to servers: connect, log in, prepare for use, ask questions of our own.
//!
//! Every connection negotiates SESSION_TRACK and DEPRECATE_EOF and has all trackers on, so that its
//! replies tell what a statement did. This module knows how to speak to a server and nothing of
//! sessions, routing or pools.

mod ask;
mod bring;
mod connect;
mod connection;
mod error;
mod login;
mod statements;
mod way;

pub use connect::{Credentials, Purpose, Target};
pub use connection::{Connection, Defaults, WRITE_LIMIT};
pub use error::{BackendError, NO_SERVER, SERVER_LOST, SERVER_SHUTDOWN};
pub use statements::{Reading, Use};
pub use way::Way;
