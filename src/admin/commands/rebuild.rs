//! REBUILD.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// REBUILD.
pub(super) struct Rebuild;

impl Command for Rebuild {
    fn names(&self) -> &'static [&'static str] {
        &["REBUILD"]
    }

    fn usage(&self) -> &'static str {
        "REBUILD 'host:port'"
    }

    fn meaning(&self) -> &'static str {
        "Makes a server that SHOW QUARANTINE lists a copy of the primary (MySQL's CLONE). What it had is gone."
    }

    fn example(&self) -> &'static str {
        "REBUILD 'db1:3306'"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let server = change::server(request, view, 1, self.usage())?;
        let begins = format!("rebuild {}", view.failover.address(server));
        change::order(request, view, Operator::Rebuild { server }, &begins)
    }
}
