//! SELECT over the tables.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::query;
use crate::admin::request::Request;
use crate::admin::view::View;

/// Asks anything of the tables.
pub(super) struct Select;

impl Command for Select {
    fn names(&self) -> &'static [&'static str] {
        &["SELECT", "WITH", "VALUES"]
    }

    fn usage(&self) -> &'static str {
        "SELECT … FROM servers | pools | sessions | routes …"
    }

    fn meaning(&self) -> &'static str {
        "SQL over the tables, as SQLite has it: joins, aggregates, subqueries, WITH. Each table is read once \
         for a statement."
    }

    fn example(&self) -> &'static str {
        "SELECT address, open, sum(p.idle) AS idle FROM servers s LEFT JOIN pools p ON p.server = s.address \
         GROUP BY address"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        request.must_be_one()?;
        query::run(request.text, request.asker, view)
    }
}
