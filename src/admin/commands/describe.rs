//! DESCRIBE.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::tables;
use crate::admin::view::View;

/// Lists the columns of a table.
pub(super) struct Describe;

impl Command for Describe {
    fn names(&self) -> &'static [&'static str] {
        &["DESCRIBE", "DESC", "SHOW COLUMNS", "SHOW FIELDS"]
    }

    fn usage(&self) -> &'static str {
        "DESCRIBE table"
    }

    fn meaning(&self) -> &'static str {
        "Lists the columns of a table."
    }

    fn example(&self) -> &'static str {
        "DESCRIBE sessions"
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        // SHOW COLUMNS FROM table
        let at = if request.begins_with("SHOW") { 3 } else { 1 };
        let Some(name) = request.name(at) else {
            return Err(ConsoleError::Usage {
                why: "there is no table's name".to_owned(),
                usage: self.usage(),
            });
        };
        let columns = tables::find(&name)?.columns.iter().map(|column| {
            vec![Value::text(column.name), Value::text(column.kind.sql()), Value::text(column.meaning)]
        });
        Ok(Answer::new(&["Field", "Type", "Meaning"], columns.collect()))
    }
}
