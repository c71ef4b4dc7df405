//! USE.

use super::command::Command;
use super::show_schemas::SCHEMA;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Chooses the schema.
pub(super) struct UseSchema;

impl Command for UseSchema {
    fn names(&self) -> &'static [&'static str] {
        &["USE"]
    }

    fn usage(&self) -> &'static str {
        "USE headgate"
    }

    fn meaning(&self) -> &'static str {
        "Chooses the schema. There is one only, and it is chosen from the beginning."
    }

    fn example(&self) -> &'static str {
        "USE headgate"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        let name = request.name(1).unwrap_or_default();
        if name.eq_ignore_ascii_case(SCHEMA) {
            Ok(Answer::done())
        } else {
            Err(ConsoleError::UnknownSchema { name })
        }
    }
}
