//! How far a server has come: GTID sets of MySQL, GTID positions of MariaDB. Pure.

mod malformed;
mod position;
mod set;

pub use malformed::BadGtid;
pub use position::{MariaDbPosition, Position};
pub use set::GtidSet;
