//! KILL.

use tokio::runtime::Handle;

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::frontend::end_statement_of;

/// Ends a client's session, or what it does.
pub(super) struct Kill;

impl Command for Kill {
    fn names(&self) -> &'static [&'static str] {
        &["KILL"]
    }

    fn usage(&self) -> &'static str {
        "KILL [QUERY] id"
    }

    fn meaning(&self) -> &'static str {
        "Ends a client's session at once, whatever it does. Its connections to the servers are closed with \
         it, so that an open transaction is rolled back there. With QUERY, ends the statement that it runs and \
         nothing else."
    }

    fn example(&self) -> &'static str {
        "KILL 42"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let query = request.begins_with("KILL QUERY");
        let at = if query || request.begins_with("KILL CONNECTION") { 2 } else { 1 };
        let usage = |why: &str| ConsoleError::Usage { why: why.to_owned(), usage: self.usage() };
        let id = request.number(at).ok_or_else(|| usage("there is no id"))?;
        if request.tokens.len() > at + 1 {
            return Err(usage("there is something behind the id"));
        }
        let card = u32::try_from(id).ok().and_then(|id| view.shared.roster.card(id));
        let card = card.ok_or(ConsoleError::NoSession { id })?;
        if !query {
            card.kill();
        } else if let Some(worker) = view.workers.first() {
            // Statements of the console run where waiting is allowed.
            let ended = Handle::current().block_on(end_statement_of(&card, worker));
            ended.map_err(|error| ConsoleError::NotEnded { why: error.to_string() })?;
        }
        tracing::info!(session = id, query, by = request.asker.name, "KILL from the console");
        Ok(Answer::done())
    }
}
