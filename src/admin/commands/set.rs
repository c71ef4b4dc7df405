//! SET.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Takes what client programs set at their beginning, and does nothing with it.
pub(super) struct Set;

/// What makes no difference here: the console answers in UTF-8 and has no transactions.
const HARMLESS: [&str; 14] = [
    "NAMES",
    "CHARACTER",
    "CHARSET",
    "AUTOCOMMIT",
    "TRANSACTION",
    "SQL_MODE",
    "TIME_ZONE",
    "WAIT_TIMEOUT",
    "INTERACTIVE_TIMEOUT",
    "NET_WRITE_TIMEOUT",
    "NET_READ_TIMEOUT",
    "CHARACTER_SET_RESULTS",
    "CHARACTER_SET_CLIENT",
    "SQL_SELECT_LIMIT",
];

impl Command for Set {
    fn names(&self) -> &'static [&'static str] {
        &["SET"]
    }

    fn usage(&self) -> &'static str {
        "SET NAMES … | SET autocommit = …"
    }

    fn meaning(&self) -> &'static str {
        "Accepted and without effect for what client programs set by themselves: the console answers in \
         UTF-8 and has no transactions. Settings of Headgate are in the configuration file."
    }

    fn example(&self) -> &'static str {
        "SET NAMES utf8mb4"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        // SET SESSION x, SET @@session.x, SET x
        let skipped = |token: &&crate::sql::Token<'_>| {
            token.is_symbol(b'@')
                || token.is_symbol(b'.')
                || [&b"SESSION"[..], b"LOCAL"].iter().any(|word| token.is_word(word))
        };
        let name = request.tokens.iter().skip(1).find(|token| !skipped(token));
        let name = name.map(|token| String::from_utf8_lossy(token.text).to_uppercase()).unwrap_or_default();
        if HARMLESS.contains(&name.as_str()) {
            Ok(Answer::done())
        } else {
            let name = name.chars().take(64).collect::<String>().to_lowercase();
            Err(ConsoleError::UnknownVariable { name })
        }
    }
}
