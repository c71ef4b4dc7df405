//! The composition root: builds everything from the settings, wires it together, runs and drains it.

pub mod check;
pub mod explain;
pub mod init;
pub mod run;
pub mod settings;

mod build;
mod console;
mod failover;
mod reload;
mod survey;
mod workers;
