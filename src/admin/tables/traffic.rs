//! Whether the traffic of clients flows.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::{View, ms};
use crate::runtime::clock;

pub(in crate::admin) static TRAFFIC: Table = Table {
    name: "traffic",
    meaning: "Whether the traffic of clients flows or an operator has paused it; one row.",
    columns: &[
        column("state", "State", Kind::Text, "`flowing` or `paused`."),
        column("paused_by", "Paused by", Kind::Text, "Who has paused it; NULL where nobody has."),
        column("paused_ms", "Paused for (ms)", Kind::Integer, "How long ago that was."),
        column("resumes_ms", "Resumes in (ms)", Kind::Integer, "When it flows again by itself."),
        column(
            "under_way",
            "Under way",
            Kind::Integer,
            "Statements that run, and transactions that are open. SHOW SESSIONS tells whose those are.",
        ),
        column(
            "waiting",
            "Waiting",
            Kind::Integer,
            "Statements and transactions that wait for the end of a pause.",
        ),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let (pause, now) = (&view.shared.pause, clock::now());
    let paused = pause.standing();
    let paused = paused.as_ref();
    vec![vec![
        Value::text(if paused.is_some() { "paused" } else { "flowing" }),
        paused.map(|paused| Value::text(&*paused.by)).into(),
        paused.map(|paused| Value::Integer(ms(paused.since, now))).into(),
        paused.map(|paused| Value::Integer(ms(now, paused.until))).into(),
        Value::count(pause.gate().inside()),
        Value::count(pause.gate().waiting()),
    ]]
}
