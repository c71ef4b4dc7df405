//! The console: Headgate's own state as SQL, on a port of its own.
//!
//! The port is served like any client's: greeting, TLS and login are the front end's, and only then is a
//! session relayed to opensrv-mysql, which runs in memory, one instance for each session, and never faces
//! the network: it lets everybody in and answers commands it does not know with OK. What reaches it is
//! filtered here ([`filter`]).
//!
//! A command is a file in `commands`, a table a file in `tables`; [`commands::COMMANDS`] and
//! [`tables::TABLES`] list them, and HELP and docs/console.md are written from there. Rows are taken from
//! snapshots, so a question takes no lock of the data path for longer than a copy.

mod answer;
mod commands;
mod conversation;
mod filter;
mod login;
mod opensrv;
mod password;
mod query;
mod reference;
mod request;
mod rolling;
mod server;
mod tables;
mod view;

pub use password::{PasswordFileError, load_or_make};
pub use reference::reference;
pub use rolling::Guide;
pub use server::{Bounds, Console, run};
pub use view::View;
