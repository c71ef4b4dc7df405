//! SHOW ROLLING RESTART.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::tables;
use crate::admin::view::View;

/// Tells how far a rolling restart is.
pub(super) struct ShowRollingRestart;

impl Command for ShowRollingRestart {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW ROLLING RESTART"]
    }

    fn usage(&self) -> &'static str {
        "SHOW ROLLING RESTART"
    }

    fn meaning(&self) -> &'static str {
        "Tells how far the rolling restart is and what it wants from you now: the table `rolling_restart`. Empty where \
         there was none since Headgate was started."
    }

    fn example(&self) -> &'static str {
        "SHOW ROLLING RESTART"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        request.must_be_one()?;
        Ok(tables::show(&tables::ROLLING_RESTART, view))
    }
}
