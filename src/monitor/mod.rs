//! Watches the servers and publishes what it sees as snapshots.
//!
//! Each server has a prober of its own, so that a slow one holds up no other. Probers send what they
//! see to one task, which alone changes the picture and publishes it. How often positions are asked
//! follows demand: slowly while nobody needs to know, at once when a session waits for a replica to
//! have caught up, and never more often than every few milliseconds.

mod definitions;
mod picture;
mod prober;
mod run;

pub use run::{Handles, Settings, start};
