//! The tables of the console. One definition gives SHOW, SELECT, HELP and the documentation.

mod discovery;
mod events;
mod failover;
mod failovers;
mod pools;
mod quarantine;
mod rolling_restart;
mod routes;
mod servers;
mod sessions;
mod table;
mod traffic;

pub(super) use rolling_restart::ROLLING_RESTART;
pub(super) use servers::state;
pub(super) use sessions::reads;
pub(super) use table::{TABLES, Table, find, show};
pub(super) use traffic::TRAFFIC;
