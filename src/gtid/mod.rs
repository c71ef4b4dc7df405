//! GTID sets of MySQL and GTID positions of MariaDB. Pure.
//!
//! Both answer one question here: does a server have everything that another had? They do not say
//! which server a transaction came from first; topology does.

mod domain;
mod interval;
mod position;
mod set;

#[cfg(test)]
mod tests;

pub use domain::{DomainPosition, Gtid};
pub use position::{Malformed, Position};
pub use set::GtidSet;
