//! Watches the servers and publishes what it sees as snapshots.
//!
//! Each server is asked by two tasks of its own, so that a slow one holds up no other: the pulse, which asks how
//! far it has come, and the prober, which asks who it is and what is set there. They send what they see to one task,
//! which alone changes the picture and publishes it ([`keeper`]): it has servers asked that others tell of, or that an
//! operator adds, and leaves those that go. How often positions are asked follows demand: slowly while
//! nobody needs to know, at once when a session waits for a replica to have caught up, and never more often than
//! every few milliseconds.

mod definitions;
mod entry;
mod keeper;
mod members;
mod orders;
mod picture;
mod prober;
mod pulse;
mod run;
mod watchers;
mod words;

pub use orders::{Operator, OrderError};
pub use run::{Discovery, Handles, Settings, Settler, Start, Troubles, start};
