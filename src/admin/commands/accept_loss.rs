//! ACCEPT LOSS.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// ACCEPT LOSS.
pub(super) struct AcceptLoss;

impl Command for AcceptLoss {
    fn names(&self) -> &'static [&'static str] {
        &["ACCEPT LOSS"]
    }

    fn usage(&self) -> &'static str {
        "ACCEPT LOSS"
    }

    fn meaning(&self) -> &'static str {
        "Lets a failover go on that would lose transactions under failover.mode = safe. SHOW FAILOVERS names them."
    }

    fn example(&self) -> &'static str {
        "ACCEPT LOSS"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        change::change(request, view, Operator::AcceptLoss)
    }
}
