//! SHOW VARIABLES.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::conversation::LONGEST_STATEMENT;
use crate::admin::request::Request;
use crate::admin::view::View;

/// Lists what client programs ask for.
pub(super) struct ShowVariables;

const NAMES: [&str; 14] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "character_set_server",
    "collation_connection",
    "lower_case_table_names",
    "max_allowed_packet",
    "sql_mode",
    "time_zone",
    "transaction_isolation",
    "version",
    "version_comment",
    "wait_timeout",
];

/// The value of a system variable, as a server shows it.
pub(in crate::admin) fn value(name: &str) -> Option<String> {
    let value = match name {
        "autocommit" => "1",
        "character_set_client"
        | "character_set_connection"
        | "character_set_results"
        | "character_set_server" => "utf8mb4",
        "collation_connection" => "utf8mb4_general_ci",
        "lower_case_table_names" => "1",
        "max_allowed_packet" => return Some(LONGEST_STATEMENT.to_string()),
        "sql_mode" => "",
        "time_zone" => "SYSTEM",
        "transaction_isolation" => "REPEATABLE-READ",
        "version" => crate::admin::login::VERSION,
        "version_comment" => "Headgate console",
        // Drivers reckon with it; what counts is `admin.idle_timeout`.
        "wait_timeout" => "28800",
        _ => return None,
    };
    Some(value.to_owned())
}

impl Command for ShowVariables {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW VARIABLES", "SHOW SESSION VARIABLES", "SHOW GLOBAL VARIABLES"]
    }

    fn usage(&self) -> &'static str {
        "SHOW VARIABLES [LIKE 'name']"
    }

    fn meaning(&self) -> &'static str {
        "The few system variables that client programs ask for; SELECT @@name reads them too."
    }

    fn example(&self) -> &'static str {
        "SHOW VARIABLES LIKE 'version'"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        let at = if request.begins_with("SHOW VARIABLES") { 2 } else { 3 };
        let wanted = match request.word(at).as_deref() {
            Some("LIKE") => request.name(at + 1),
            _ => None,
        };
        let names = NAMES.iter().filter(|name| wanted.as_deref().is_none_or(|wanted| like(wanted, name)));
        let row = |name: &&str| vec![Value::text(*name), value(name).map(Value::Text).into()];
        Ok(Answer::new(&["Variable_name", "Value"], names.map(row).collect()))
    }
}

/// LIKE with `%` at the end or the beginning, which is what client programs send.
fn like(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_lowercase();
    match (pattern.strip_prefix('%'), pattern.strip_suffix('%')) {
        (Some(tail), None) => name.ends_with(tail),
        (None, Some(head)) => name.starts_with(head),
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('%')),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_value() {
        assert!(NAMES.iter().all(|name| value(name).is_some()));
        assert_eq!(value("port"), None);
        for (pattern, name, matches) in [
            ("version", "version", true),
            ("version", "version_comment", false),
            ("VERSION%", "version_comment", true),
            ("%", "version", true),
            ("%mode", "sql_mode", true),
            ("%q%", "sql_mode", true),
        ] {
            assert_eq!(like(pattern, name), matches, "{pattern} {name}");
        }
    }
}
