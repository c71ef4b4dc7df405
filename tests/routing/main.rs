//! Which server statements run on, and what follows from it.
//!
//! - [`decisions`]: the corpus of statements through the library, without a server;
//! - [`guard`]: the corpus through Headgate, and nothing was written on a replica;
//! - [`fresh`]: replicas that are late, and no session reads less than it has written or seen;
//! - [`frozen`]: replicas that stand still in the middle of a read;
//! - [`balance`]: reads go where they have the least to wait for;
//! - [`share`]: how many reads the replicas serve;
//! - [`oracle`]: what Headgate knows of a session is what the server knows;
//! - [`set_global`]: a client that changes a default and begins anew has what it has set;
//! - [`every_variable`]: that again, of every variable that can be set, where reads run on replicas and where statements
//!   move between connections to the primary.
//!
//! [`corpus`] reads the statements, [`settable`] finds variables, [`view`] compares them, [`stage`] has the servers.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod balance;
#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod corpus;
mod decisions;
mod every_variable;
mod fresh;
mod frozen;
mod guard;
mod oracle;
mod set_global;
mod settable;
mod share;
mod stage;
mod view;
