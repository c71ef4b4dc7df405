//! SHOW DATABASES.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::view::View;

/// The one schema of the console.
pub(in crate::admin) const SCHEMA: &str = "headgate";

/// Lists the schemas.
pub(super) struct ShowSchemas;

impl Command for ShowSchemas {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW DATABASES", "SHOW SCHEMAS"]
    }

    fn usage(&self) -> &'static str {
        "SHOW DATABASES"
    }

    fn meaning(&self) -> &'static str {
        "Lists the schemas: `headgate` is the only one."
    }

    fn example(&self) -> &'static str {
        "SHOW DATABASES"
    }

    fn for_clients(&self) -> bool {
        true
    }

    fn run(&self, _: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        Ok(Answer::new(&["Database"], vec![vec![Value::text(SCHEMA)]]))
    }
}
