//! The commands of the console, one a file.

mod add_server;
mod command;
mod describe;
mod explain_route;
mod help;
mod kill;
mod remove_server;
mod select;
mod set;
mod show;
mod show_schemas;
mod show_tables;
mod show_variables;
mod show_warnings;
mod transaction;
mod use_schema;

pub(super) use command::{COMMANDS, Command, run};
pub(super) use show_variables::value as variable;
