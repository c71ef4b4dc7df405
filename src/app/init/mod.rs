//! `headgate init`: asks a running cluster and writes a configuration for it.
//!
//! [`run`] goes through the steps, [`discover`] follows what servers tell of each other, [`account`] makes the
//! control account, [`draft`] is the text of the file and [`write`] puts it in its place. The administrator's
//! password is held for this run and goes nowhere but to the servers.

mod account;
mod discover;
mod draft;
mod run;
mod write;

pub use run::{Request, init};
