//! FAILOVER.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// FAILOVER.
pub(super) struct Failover;

impl Command for Failover {
    fn names(&self) -> &'static [&'static str] {
        &["FAILOVER"]
    }

    fn usage(&self) -> &'static str {
        "FAILOVER"
    }

    fn meaning(&self) -> &'static str {
        "Makes the best replica the primary at once, whatever state the primary is in. Transactions that no replica has are lost. Answers with what happened."
    }

    fn example(&self) -> &'static str {
        "FAILOVER"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        change::change(request, view, Operator::Failover)
    }
}
