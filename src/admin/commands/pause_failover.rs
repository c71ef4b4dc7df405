//! PAUSE FAILOVER.

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;

/// PAUSE FAILOVER.
pub(super) struct PauseFailover;

impl Command for PauseFailover {
    fn names(&self) -> &'static [&'static str] {
        &["PAUSE FAILOVER", "RESUME FAILOVER"]
    }

    fn usage(&self) -> &'static str {
        "PAUSE FAILOVER | RESUME FAILOVER"
    }

    fn meaning(&self) -> &'static str {
        "Has nothing begin by itself, or again so. SWITCHOVER TO and FAILOVER work all the same. A start of Headgate resumes."
    }

    fn example(&self) -> &'static str {
        "PAUSE FAILOVER"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        change::ask(request, view, Operator::Pause(request.begins_with("PAUSE")))?;
        Ok(Answer::done())
    }
}
