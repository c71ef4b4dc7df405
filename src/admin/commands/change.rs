//! What SWITCHOVER TO, FAILOVER and the other commands of failover have in common.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::election::Operator;
use crate::failover::{Happened, Standing, WishOutcome, wall_clock_text};
use crate::topology::ServerId;

/// How long the console waits for the end of what it began. What goes on longer goes on.
const LONGEST: Duration = Duration::from_secs(60);

/// The server that a command names.
pub(super) fn server(
    request: &Request<'_>,
    view: &View,
    at: usize,
    usage: &'static str,
) -> Result<ServerId, ConsoleError> {
    let wrong = |why: String| ConsoleError::Usage { why, usage };
    let name = request.name(at).ok_or_else(|| wrong("there is no server's address".to_owned()))?;
    if request.tokens.len() > at + 1 {
        return Err(wrong("there is something behind the address".to_owned()));
    }
    let failover = view.failover.view();
    if failover.phase.is_empty()
        && let Standing::Off(why) = &failover.standing
    {
        return Err(ConsoleError::Declined { why: why.clone() });
    }
    let known = view.failover.server(&name);
    known.ok_or_else(|| ConsoleError::Declined {
        why: format!("{name} is no server that failover knows; SHOW SERVERS lists them"),
    })
}

/// Asks for something that is done at once.
pub(super) fn ask(request: &Request<'_>, view: &View, operator: Operator) -> Result<u64, ConsoleError> {
    tracing::info!(?operator, by = request.asker.name, "from the console");
    // Statements of the console run where waiting is allowed.
    match Handle::current().block_on(view.failover.ask(operator)) {
        WishOutcome::Begun { after } => Ok(after),
        WishOutcome::Refused(why) => Err(ConsoleError::Declined { why }),
    }
}

/// Asks for a change of the primary, waits until nothing is being changed any more, and tells what happened.
pub(super) fn change(request: &Request<'_>, view: &View, operator: Operator) -> Result<Answer, ConsoleError> {
    let after = ask(request, view, operator)?;
    let is_over = |failover: &crate::failover::View| {
        let moved = failover.timeline.last().is_some_and(|last| last.number > after);
        moved && (failover.at_rest || failover.blocked.is_some())
    };
    let failover = Handle::current().block_on(view.failover.wait_for(LONGEST, is_over));
    Ok(tell(failover.timeline.iter().filter(|entry| entry.number > after)))
}

/// Asks for something about one server, and waits for the order that comes of it.
pub(super) fn order(
    request: &Request<'_>,
    view: &View,
    operator: Operator,
    begins: &str,
) -> Result<Answer, ConsoleError> {
    let journal = view.failover.journal();
    let after = journal.last();
    ask(request, view, operator)?;
    let of_order = |event: &Happened| event.kind == "order" && event.what.starts_with(begins);
    // Whoever writes in the journal publishes then.
    let is_over = |_: &crate::failover::View| journal.since(after).iter().any(of_order);
    Handle::current().block_on(view.failover.wait_for(LONGEST, is_over));
    Ok(tell(journal.since(after).iter()))
}

fn tell<'a>(entries: impl Iterator<Item = &'a Happened>) -> Answer {
    let row = |entry: &Happened| {
        vec![Value::Text(wall_clock_text(entry.at)), Value::text(entry.kind), Value::text(entry.what.clone())]
    };
    Answer::new(&["At (UTC)", "Phase", "What"], entries.map(row).collect())
}
