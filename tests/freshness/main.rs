//! What reads may miss, on clusters of one primary and three replicas that are delayed, stopped, killed, frozen and
//! cut off while they are read from.
//!
//! - [`floors`]: a write, and then a read of it, at each of the four consistencies;
//! - [`lag`]: what Headgate says of a replica's lag beside what it is;
//! - [`positions`]: a position that a client carries from one Headgate to another;
//! - [`silence`]: what a replica that freezes or vanishes costs its clients;
//! - [`quiet`]: how many reads the replicas serve while all is well, and how long a read after a write takes.
//!
//! [`chaos`] breaks things, [`stage`] has the servers.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod chaos;
#[path = "../mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
mod floors;
mod lag;
mod positions;
mod quiet;
mod silence;
mod stage;
