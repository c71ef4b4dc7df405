//! The timeline of failovers.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;
use crate::failover::wall_clock_text;

pub(super) static FAILOVERS: Table = Table {
    name: "failovers",
    meaning: "What the failover machine did and why, the last 256 entries, the oldest first.",
    columns: &[
        column("number", "Number", Kind::Integer, "Counts up."),
        column("at", "At (UTC)", Kind::Text, "When."),
        column("epoch", "Epoch", Kind::Integer, "In which reign."),
        column("phase", "Phase", Kind::Text, "The phase then entered, or that it happened in."),
        column("what", "What", Kind::Text, "What, and why."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let failover = view.failover.view();
    let entries = failover.timeline.iter().map(|entry| {
        vec![
            Value::count(entry.number),
            Value::Text(wall_clock_text(entry.at)),
            Value::count(entry.epoch.0),
            Value::text(entry.kind),
            Value::text(entry.what.clone()),
        ]
    });
    entries.collect()
}
