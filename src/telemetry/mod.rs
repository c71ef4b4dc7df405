//! Logs, counters and the HTTP port that shows them.

pub mod logging;
