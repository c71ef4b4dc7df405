//! Logs, counters and the HTTP port that shows them.
//!
//! `app` makes one [`Registry`], takes the [`Counters`] from it and hands them to the shells; nothing
//! here is global, and nothing here knows what is counted: labels come from the caller.

pub mod http;
pub mod logging;

mod counters;
mod metric;
mod process;
mod registry;

pub use counters::{
    Counters, Held, Labelled, Labels, Logins, Server, Sessions, Standing, Statements, Traffic,
};
pub use metric::{Kind, METRICS, Metric, reference};
pub use registry::Registry;
