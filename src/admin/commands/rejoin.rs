//! REJOIN.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// REJOIN.
pub(super) struct Rejoin;

impl Command for Rejoin {
    fn names(&self) -> &'static [&'static str] {
        &["REJOIN"]
    }

    fn usage(&self) -> &'static str {
        "REJOIN 'host:port'"
    }

    fn meaning(&self) -> &'static str {
        "Lets a server in that SHOW QUARANTINE lists for transactions of its own: those are given up, and it follows the primary. Its rows may still differ; REBUILD makes it equal. Also ends what QUARANTINE began."
    }

    fn example(&self) -> &'static str {
        "REJOIN 'db1:3306'"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let server = change::server(request, view, 1, self.usage())?;
        let kept_out = view.failover.view().quarantined.iter().any(|(other, _)| *other == server);
        if !kept_out {
            change::ask(request, view, Operator::Veto { server, on: false })?;
            return Ok(Answer::done());
        }
        let begins = format!("have {} follow", view.failover.address(server));
        change::order(request, view, Operator::Rejoin { server }, &begins)
    }
}
