//! KILL.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Ends a client's session.
pub(super) struct Kill;

impl Command for Kill {
    fn names(&self) -> &'static [&'static str] {
        &["KILL"]
    }

    fn usage(&self) -> &'static str {
        "KILL id"
    }

    fn meaning(&self) -> &'static str {
        "Ends a client's session at once, whatever it does. Its connections to the servers are closed with \
         it, so that an open transaction is rolled back there."
    }

    fn example(&self) -> &'static str {
        "KILL 42"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let at = if request.begins_with("KILL CONNECTION") { 2 } else { 1 };
        let usage = |why: &str| ConsoleError::Usage { why: why.to_owned(), usage: self.usage() };
        if request.begins_with("KILL QUERY") {
            return Err(usage("a statement alone cannot be ended yet"));
        }
        let id = request.number(at).ok_or_else(|| usage("there is no id"))?;
        if request.tokens.len() > at + 1 {
            return Err(usage("there is something behind the id"));
        }
        let card = u32::try_from(id).ok().and_then(|id| view.shared.roster.card(id));
        card.ok_or(ConsoleError::NoSession { id })?.kill();
        tracing::info!(session = id, by = request.asker.name, "KILL from the console");
        Ok(Answer::done())
    }
}
