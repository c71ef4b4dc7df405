//! What a command is, and which there are.

use crate::admin::answer::{Answer, ConsoleError, nearest};
use crate::admin::request::Request;
use crate::admin::view::View;

/// A command of the console.
pub(in crate::admin) trait Command: Sync {
    /// The words it begins with, in upper case; several where it has several spellings.
    fn names(&self) -> &'static [&'static str];

    /// How it is written.
    fn usage(&self) -> &'static str;

    /// What it does, in a sentence or two.
    fn meaning(&self) -> &'static str;

    /// One that works as it is.
    fn example(&self) -> &'static str;

    /// Whether it is there for the sake of client programs, which send it by themselves.
    fn for_clients(&self) -> bool {
        false
    }

    /// Whether it waits for something rather than works: others have their turn meanwhile.
    fn waits(&self) -> bool {
        false
    }

    /// Runs it.
    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError>;
}

/// Every command there is, in the order of HELP.
pub(in crate::admin) static COMMANDS: [&dyn Command; 26] = [
    &super::show::Show,
    &super::select::Select,
    &super::explain_route::ExplainRoute,
    &super::kill::Kill,
    &super::add_server::AddServer,
    &super::remove_server::RemoveServer,
    &super::drain::Drain,
    &super::pause::Pause,
    &super::switchover::Switchover,
    &super::rolling_restart::RollingRestart,
    &super::show_rolling_restart::ShowRollingRestart,
    &super::failover::Failover,
    &super::accept_loss::AcceptLoss,
    &super::quarantine::Quarantine,
    &super::rejoin::Rejoin,
    &super::rebuild::Rebuild,
    &super::pause_failover::PauseFailover,
    &super::help::Help,
    &super::show_tables::ShowTables,
    &super::describe::Describe,
    &super::show_schemas::ShowSchemas,
    &super::use_schema::UseSchema,
    &super::set::Set,
    &super::show_variables::ShowVariables,
    &super::show_warnings::ShowWarnings,
    &super::transaction::Transaction,
];

/// Runs a statement.
pub(in crate::admin) fn run(request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
    match find(request) {
        Some(command) => command.run(request, view),
        None => {
            let word = match request.tokens.first() {
                Some(token) => String::from_utf8_lossy(token.text).chars().take(64).collect(),
                None => String::new(),
            };
            let names = COMMANDS.iter().flat_map(|command| command.names()).copied();
            let nearest = nearest(&word, names.map(|name| name.split(' ').next().unwrap_or(name)));
            Err(ConsoleError::UnknownCommand { word, nearest })
        }
    }
}

/// The command with the longest name that the statement begins with.
pub(in crate::admin) fn find(request: &Request<'_>) -> Option<&'static dyn Command> {
    let length = |command: &dyn Command| {
        let names = command.names().iter().filter(|name| request.begins_with(name));
        names.map(|name| name.len()).max()
    };
    let matching = COMMANDS.iter().filter_map(|command| Some((length(*command)?, *command)));
    matching.max_by_key(|(length, _)| *length).map(|(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::request::Asker;

    #[test]
    fn the_longest_name_wins_and_every_example_is_its_own() {
        let asker = Asker { id: 1, name: String::new() };
        for command in COMMANDS {
            let found = find(&Request::read(command.example(), &asker)).unwrap();
            assert_eq!(found.usage(), command.usage(), "{}", command.example());
            for name in command.names() {
                assert_eq!(find(&Request::read(name, &asker)).unwrap().usage(), command.usage(), "{name}");
                assert_eq!(*name, name.to_uppercase());
            }
        }
        assert!(find(&Request::read("DROP TABLE servers", &asker)).is_none());
        assert!(find(&Request::read("", &asker)).is_none());
    }
}
