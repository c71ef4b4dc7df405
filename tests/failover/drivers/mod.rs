//! The bank's customers come by the drivers that applications have, in the settings that these have by default.
//!
//! - [`rounds`]: every kind of failure at random moments, `HEADGATE_ROUNDS=50` of each (one of two kinds without);
//!   `HEADGATE_SEED` has the same moments again;
//! - [`unknown`]: the answer to a COMMIT and to an INSERT is lost with the primary.
//!
//! [`team`] runs the customers: those of Python and Node.js are scripts (`scripts/`), those of Rust are in [`rust`].
//! [`report`] is what they were told, as tables.

mod fault;
mod report;
mod rounds;
mod rust;
mod team;
mod unknown;
