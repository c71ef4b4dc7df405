//! How far a server has come: GTID sets of MySQL, GTID positions of MariaDB; and what it holds. Pure.

mod binlog_state;
mod malformed;
mod position;
mod set;
mod state;
mod transactions;
mod triples;

pub use binlog_state::BinlogState;
pub use malformed::BadGtid;
pub use position::{MariaDbPosition, Position};
pub use set::GtidSet;
pub use state::MariaDbState;
pub use transactions::Transactions;
