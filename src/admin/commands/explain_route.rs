//! EXPLAIN ROUTE.

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::tables::reads;
use crate::admin::view::{View, ms};
use crate::routing::Explanation;
use crate::runtime::clock;
use crate::sql::{Hints, RouteHint};

/// Tells where a statement would run, and why.
pub(super) struct ExplainRoute;

impl Command for ExplainRoute {
    fn names(&self) -> &'static [&'static str] {
        &["EXPLAIN ROUTE"]
    }

    fn usage(&self) -> &'static str {
        "EXPLAIN ROUTE [AS SESSION id] FOR 'statement'"
    }

    fn meaning(&self) -> &'static str {
        "Says where a statement would run now, why, and what became of each server, by the code that decides \
         about statements of clients; it does not run the statement. Without AS SESSION it is asked for a \
         session that has just logged in. The quotes may be left out."
    }

    fn example(&self) -> &'static str {
        "EXPLAIN ROUTE FOR 'SELECT name FROM products WHERE id = 7'"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let usage = |why: &str| ConsoleError::Usage { why: why.to_owned(), usage: self.usage() };
        let (id, at) = if request.begins_with("EXPLAIN ROUTE AS SESSION") {
            (Some(request.number(4).ok_or_else(|| usage("the session has no id"))?), 5)
        } else {
            (None, 2)
        };
        let rest = request.behind(at + 1);
        if request.word(at).as_deref() != Some("FOR") || rest.is_empty() {
            return Err(usage("there is no statement"));
        }
        let text = Request::unquote(rest).unwrap_or_else(|| rest.to_owned());
        let topology = view.topology();
        let standing = match id {
            None => None,
            Some(id) => {
                let card = u32::try_from(id).ok().and_then(|id| view.shared.roster.card(id));
                card.ok_or(ConsoleError::NoSession { id })?.standing()
            }
        };
        let mut answer = table(&reads(text.as_bytes(), standing.as_ref(), view, &topology));
        answer.rows.extend(paused(view));
        Ok(answer)
    }
}

fn table(explanation: &Explanation) -> Answer {
    let row = |item: &str, value: String, why: String| {
        vec![Value::text(item), Value::Text(value), Value::Text(why)]
    };
    let decision = &explanation.decision;
    let mut rows = vec![
        row("Statement", explanation.statement.class.to_string(), String::new()),
        row("Target", explanation.target(), decision.reason.to_string()),
        row("Reason", decision.reason.label().to_owned(), String::new()),
    ];
    if explanation.statement.hints != Hints::NONE {
        rows.insert(1, row("Hints", hints(&explanation.statement.hints), String::new()));
    }
    rows.extend(explanation.servers.iter().map(|server| {
        row("Server", format!("{} ({})", server.address, server.role), server.verdict.to_string())
    }));
    Answer::new(&["Item", "Value", "Explanation"], rows)
}

/// That it would have to wait, where it would.
fn paused(view: &View) -> Option<Vec<Value>> {
    let paused = view.shared.pause.standing()?;
    let left = ms(clock::now(), paused.until) / 1000;
    let why = format!(
        "what begins now waits: {} has paused the traffic; it flows again by itself in {left} s, or at RESUME",
        paused.by
    );
    Some(vec![Value::text("Traffic"), Value::text("paused"), Value::Text(why)])
}

fn hints(hints: &Hints) -> String {
    let route = hints.route.map(|route| match route {
        RouteHint::Primary => "primary".to_owned(),
        RouteHint::Replica => "replica".to_owned(),
    });
    let lag = hints.max_lag.map(|lag| format!("max_lag={lag:?}"));
    let unreadable = hints.unreadable.then(|| "one that cannot be understood".to_owned());
    [route, lag, unreadable].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn hints_are_named() {
        let check = |hints_: Hints, text: &str| assert_eq!(hints(&hints_), text);
        let none = Hints::NONE;
        check(Hints { route: Some(RouteHint::Replica), ..none }, "replica");
        let both =
            Hints { route: Some(RouteHint::Primary), max_lag: Some(Duration::from_millis(500)), ..none };
        check(both, "primary, max_lag=500ms");
        check(Hints { unreadable: true, ..none }, "one that cannot be understood");
    }
}
