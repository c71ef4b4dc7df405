//! How far a rolling restart is.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::{View, ms};
use crate::rolling::{Outcome, Rolling, Stage, Step};
use crate::runtime::clock;

pub(in crate::admin) static ROLLING_RESTART: Table = Table {
    name: "rolling_restart",
    meaning: "The rolling restart that is under way, or the last one: a row for each server, in their order.",
    columns: &[
        column("step", "Step", Kind::Integer, "Counts up from 1."),
        column("server", "Server", Kind::Text, "The server's address."),
        column(
            "state",
            "State",
            Kind::Text,
            "`waiting`, `switching over`, `draining`, `to be restarted`, `returning`, `done`, or `stopped`.",
        ),
        column("for_ms", "For (ms)", Kind::Integer, "How long ago that began."),
        column("wanted", "Wanted from you", Kind::Text, "What you are to do now; NULL where it is nothing."),
        column("what", "What", Kind::Text, "What is waited for, or why it was stopped."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let Some(rolling) = view.rolling.rolling() else { return Vec::new() };
    (1_usize..).zip(rolling.steps()).map(|(number, step)| row(number, step, &rolling, view)).collect()
}

fn row(number: usize, step: &Step, rolling: &Rolling, view: &View) -> Vec<Value> {
    let stopped = matches!(rolling.outcome(), Some(Outcome::Stopped(_)));
    let (state, wanted) = match stopped && step.stage != Stage::Done {
        true => ("stopped", None),
        false => (step.stage.word(), step.wanted()),
    };
    vec![
        Value::count(number),
        Value::Text(view.failover.address(step.server)),
        Value::text(state),
        Value::Integer(ms(step.since, clock::now())),
        wanted.map(Value::text).into(),
        Value::Text(view.failover.spell(&step.what)),
    ]
}
