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
    must_be_possible(view)?;
    let known = view.failover.server(&name);
    known.ok_or_else(|| ConsoleError::Declined {
        why: format!("{name} is no server that failover knows; SHOW SERVERS lists them"),
    })
}

/// An error where there is no machine that could change the primary.
pub(super) fn must_be_possible(view: &View) -> Result<(), ConsoleError> {
    let failover = view.failover.view();
    match &failover.standing {
        Standing::Off(why) if failover.phase.is_empty() => Err(ConsoleError::Declined { why: why.clone() }),
        _ => Ok(()),
    }
}

/// Switches over, and says why not where another server is the primary afterwards.
pub(in crate::admin) async fn switch_over(view: &View, to: ServerId) -> Result<(), String> {
    let after = match view.failover.ask(Operator::Switchover { to }).await {
        WishOutcome::Begun { after } => after,
        WishOutcome::Refused(why) => return Err(why),
    };
    let failover = view.failover.wait_for(LONGEST, is_over(after)).await;
    match failover.primary == Some(to) && failover.at_rest {
        true => Ok(()),
        false => Err(failover.timeline.last().map(|last| last.what.clone()).unwrap_or_default()),
    }
}

/// Whether what was begun behind an entry of the timeline has ended, or waits for something.
fn is_over(after: u64) -> impl Fn(&crate::failover::View) -> bool {
    move |failover| {
        let moved = failover.timeline.last().is_some_and(|last| last.number > after);
        moved && (failover.at_rest || failover.blocked.is_some())
    }
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
    let failover = Handle::current().block_on(view.failover.wait_for(LONGEST, is_over(after)));
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
