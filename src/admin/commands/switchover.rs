//! SWITCHOVER TO.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// SWITCHOVER TO.
pub(super) struct Switchover;

impl Command for Switchover {
    fn names(&self) -> &'static [&'static str] {
        &["SWITCHOVER TO"]
    }

    fn usage(&self) -> &'static str {
        "SWITCHOVER TO 'host:port'"
    }

    fn meaning(&self) -> &'static str {
        "Makes a replica the primary while the primary is well, without losing anything; writes wait meanwhile. If anything fails, all is put back. Answers with what happened."
    }

    fn example(&self) -> &'static str {
        "SWITCHOVER TO 'db2:3306'"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let to = change::server(request, view, 2, self.usage())?;
        change::change(request, view, Operator::Switchover { to })
    }
}
