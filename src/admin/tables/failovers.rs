//! The timeline of failovers.

use super::events::row;
use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;

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
    view.failover.view().timeline.iter().map(row).collect()
}
