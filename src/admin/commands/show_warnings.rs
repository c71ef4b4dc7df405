//! SHOW WARNINGS.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Shows that there are no warnings.
pub(super) struct ShowWarnings;

impl Command for ShowWarnings {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW WARNINGS", "SHOW ERRORS"]
    }

    fn usage(&self) -> &'static str {
        "SHOW WARNINGS"
    }

    fn meaning(&self) -> &'static str {
        "Always empty: the console warns of nothing."
    }

    fn example(&self) -> &'static str {
        "SHOW WARNINGS"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, _: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        Ok(Answer::new(&["Level", "Code", "Message"], Vec::new()))
    }
}
