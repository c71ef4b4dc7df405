//! SHOW TABLES.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::tables::TABLES;
use crate::admin::view::View;

/// Lists the tables.
pub(super) struct ShowTables;

impl Command for ShowTables {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW TABLES", "SHOW FULL TABLES"]
    }

    fn usage(&self) -> &'static str {
        "SHOW TABLES"
    }

    fn meaning(&self) -> &'static str {
        "Lists the tables."
    }

    fn example(&self) -> &'static str {
        "SHOW TABLES"
    }

    fn run(&self, request: &Request<'_>, _: &View) -> Result<Answer, ConsoleError> {
        let full = request.begins_with("SHOW FULL");
        let row = |name: &str| {
            let kind = full.then(|| Value::text("BASE TABLE"));
            std::iter::once(Value::text(name)).chain(kind).collect()
        };
        let columns: &[&str] =
            if full { &["Tables_in_headgate", "Table_type"] } else { &["Tables_in_headgate"] };
        Ok(Answer::new(columns, TABLES.iter().map(|table| row(table.name)).collect()))
    }
}
