//! The MySQL client/server protocol: packets, heads, reply tracking. Pure.
//!
//! Headgate relays packets and understands only their heads, so this module has no rows and no
//! column types. It must not know sockets, sessions or routing. Everything here may be fed by a
//! hostile peer: readers return [`Malformed`], never panic.
//!
//! - [`frame`], [`cursor`], [`encode`]: packet boundaries, reading and writing fields;
//! - [`proxy_protocol`], [`greeting`], [`login_request`], [`auth_switch`]: the connection phase;
//! - [`command`], [`execute`]: what a client asks; [`ok`], [`err`], [`prepared`], [`session_track`]: what a server answers;
//! - [`reply`]: follows a whole reply through a stream of bytes and edits it for the client in place;
//! - [`dump`]: follows the stream of events that a replica gets.

pub mod answer;
pub mod auth_switch;
pub mod capabilities;
pub mod change_user;
pub mod column;
pub mod command;
pub mod compress;
pub mod cursor;
pub mod dump;
pub mod encode;
pub mod err;
pub mod execute;
pub mod frame;
pub mod greeting;
pub mod login_request;
pub mod ok;
pub mod prepared;
pub mod proxy_protocol;
pub mod reply;
pub mod session_track;
pub mod status;

pub use cursor::Malformed;
