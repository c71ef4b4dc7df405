//! BEGIN, COMMIT, ROLLBACK.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Takes the transaction control that client programs send by themselves.
pub(super) struct Transaction;

impl Command for Transaction {
    fn names(&self) -> &'static [&'static str] {
        &["COMMIT", "ROLLBACK", "BEGIN", "START TRANSACTION"]
    }

    fn usage(&self) -> &'static str {
        "BEGIN | COMMIT | ROLLBACK"
    }

    fn meaning(&self) -> &'static str {
        "Accepted and without effect: the console has no transactions, and KILL takes effect at once."
    }

    fn example(&self) -> &'static str {
        "COMMIT"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, _: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        Ok(Answer::done())
    }
}
