//! What every shell needs from the machine it runs on: time, tasks, an orderly end, locked memory.

pub mod clock;
pub mod locked;
pub mod shutdown;
pub mod tasks;
