//! The election, attacked: model servers, a model network, and faults by chance.
//!
//! A seed is a run, to the microsecond. `HEADGATE_SEED=n` runs one and prints what happened in it; `HEADGATE_FAILURES=n` says
//! how many failures there shall be.

#![allow(clippy::unwrap_used, reason = "what cannot happen in a model is a failed test")]

mod chance;
mod clients;
mod executor;
mod faults;
mod history;
mod invariants;
mod mutation;
mod process;
mod replication;
mod runs;
mod scenarios;
mod server;
mod world;
