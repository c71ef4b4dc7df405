//! Tasks, clock, shutdown: what every shell needs from the machine it runs on.

pub mod locked;
