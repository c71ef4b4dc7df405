//! How far a server has come: GTID sets of MySQL, GTID positions of MariaDB. Pure.

mod binlog_state;
mod malformed;
mod position;
mod set;

pub use binlog_state::BinlogState;
pub use malformed::BadGtid;
pub use position::{MariaDbPosition, Position};
pub use set::GtidSet;
