//! SHOW SERVERS and its like.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::query;
use crate::admin::request::Request;
use crate::admin::tables::{self, Table};
use crate::admin::view::View;

/// Shows a table.
pub(super) struct Show;

impl Command for Show {
    fn names(&self) -> &'static [&'static str] {
        &["SHOW"]
    }

    fn usage(&self) -> &'static str {
        "SHOW SERVERS | DISCOVERY | POOLS | SESSIONS | ROUTES | TRAFFIC | FAILOVER | FAILOVERS | EVENTS | QUARANTINE \
         [WHERE …] [ORDER BY …] [LIMIT …]"
    }

    fn meaning(&self) -> &'static str {
        "Shows a table, with headings for people. What follows the table's name is as in SELECT, with the \
         columns' names in SELECT."
    }

    fn example(&self) -> &'static str {
        "SHOW SESSIONS WHERE idle_ms < 1000 ORDER BY statements DESC LIMIT 10"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let Some(name) = request.name(1) else {
            return Err(ConsoleError::Usage {
                why: "there is no table's name".to_owned(),
                usage: self.usage(),
            });
        };
        let table = tables::find(&name)?;
        let rest = request.behind(2);
        request.must_be_one()?;
        if rest.is_empty() {
            return Ok(tables::show(table, view));
        }
        query::run(&format!("SELECT {} FROM {} {rest}", columns(table), table.name), request.asker, view)
    }
}

/// The columns with their headings.
fn columns(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| format!("{} AS `{}`", column.name, column.title));
    columns.collect::<Vec<_>>().join(", ")
}
