//! What failover saw and ordered, and what operators wished.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;
use crate::failover::{Happened, wall_clock_text};

pub(super) static EVENTS: Table = Table {
    name: "events",
    meaning: "What failover saw and ordered, and what operators wished, the last 512 entries, the oldest first.",
    columns: &[
        column("number", "Number", Kind::Integer, "Counts up."),
        column("at", "At (UTC)", Kind::Text, "When."),
        column("epoch", "Epoch", Kind::Integer, "In which reign."),
        column(
            "kind",
            "Kind",
            Kind::Text,
            "`seen`: a server. `order`: what was done on one, and what came of it. `traffic`: it was paused or flows again. `rolling`: a rolling restart. `operator`, `alert`, `heartbeat`, `rival`, `lacks`.",
        ),
        column("what", "What", Kind::Text, "What, and why."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    view.failover.journal().since(0).iter().map(row).collect()
}

/// One thing that happened, as the timeline of failovers shows it too.
pub(super) fn row(entry: &Happened) -> Vec<Value> {
    vec![
        Value::count(entry.number),
        Value::Text(wall_clock_text(entry.at)),
        Value::count(entry.epoch.0),
        Value::text(entry.kind),
        Value::text(entry.what.clone()),
    ]
}
