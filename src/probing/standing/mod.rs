//! How a server stands where it may become the primary, follow another or be fenced: what to ask it, and what its
//! answers mean in the words of an election. Pure.
//!
//! The monitor's questions ([`super::queries`]) serve reads; these serve failover, which asks more, and whose questions
//! need more grants ([`needs`]).

mod needs;
mod questions;
mod read;

pub use needs::{Lack, lacks};
pub use questions::{
    BACKUP_LOCKS, CLONE_PLUGIN, EVENTS, FIRST_LOG, LOG_FILTERS, PROCESSES, Questions, SERVER_CLOCK,
    heartbeat, prepared_branches, semi_sync,
};
pub use read::{
    BadReport, Channels, Fixed, Names, Process, Slot, disabled_events, first_log_state, prepared, processes,
    receivers, report, seconds_since_epoch, slots,
};

#[cfg(test)]
mod tests;
