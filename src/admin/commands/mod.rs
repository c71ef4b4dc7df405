//! The commands of the console, one a file.

mod accept_loss;
mod add_server;
mod change;
mod command;
mod describe;
mod drain;
mod explain_route;
mod failover;
mod help;
mod kill;
mod pause;
mod pause_failover;
mod quarantine;
mod rebuild;
mod rejoin;
mod remove_server;
mod rolling_restart;
mod select;
mod set;
mod show;
mod show_rolling_restart;
mod show_schemas;
mod show_tables;
mod show_variables;
mod show_warnings;
mod switchover;
mod transaction;
mod use_schema;

pub(super) use change::switch_over;
pub(super) use command::{COMMANDS, Command, find, run};
pub(super) use show_variables::value as variable;
