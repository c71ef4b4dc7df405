//! The tables of the console. One definition gives SHOW, SELECT, HELP and the documentation.

mod discovery;
mod pools;
mod routes;
mod servers;
mod sessions;
mod table;

pub(super) use sessions::reads;
pub(super) use table::{TABLES, Table, find};
