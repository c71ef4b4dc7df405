//! QUARANTINE.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// QUARANTINE.
pub(super) struct Quarantine;

impl Command for Quarantine {
    fn names(&self) -> &'static [&'static str] {
        &["QUARANTINE"]
    }

    fn usage(&self) -> &'static str {
        "QUARANTINE 'host:port'"
    }

    fn meaning(&self) -> &'static str {
        "Keeps a server from being made the primary, until REJOIN or the next start. It goes on replicating and serving reads."
    }

    fn example(&self) -> &'static str {
        "QUARANTINE 'db3:3306'"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let server = change::server(request, view, 1, self.usage())?;
        change::ask(request, view, Operator::Veto { server, on: true })?;
        Ok(Answer::done())
    }
}
