//! Where failover stands.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;
use crate::failover::Standing;

pub(super) static FAILOVER: Table = Table {
    name: "failover",
    meaning: "Whether Headgate promotes another server when the primary fails, and where it stands; one row.",
    columns: &[
        column("phase", "Phase", Kind::Text, "Where the machine stands; NULL where there is none."),
        column("mode", "Mode", Kind::Text, "`failover.mode`, as it is in effect."),
        column(
            "why",
            "Why",
            Kind::Text,
            "Why nothing more is done and what can be done about it, or why it is off; else NULL.",
        ),
        column("epoch", "Epoch", Kind::Integer, "Which primary this is since Headgate counts."),
        column("primary_address", "Primary", Kind::Text, "The primary; while it is replaced, the old one."),
        column(
            "silence_ms",
            "Silence (ms)",
            Kind::Integer,
            "A host that falls silent counts as dead after this time (docs/failover.md).",
        ),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    let failover = view.failover.view();
    let (mode, why) = match &failover.standing {
        Standing::Starting => ("off", Some("the servers have not been asked yet".to_owned())),
        Standing::On(mode) => (*mode, None),
        Standing::Off(why) => ("off", Some(why.clone())),
    };
    let runs = !failover.phase.is_empty();
    let silence = i64::try_from(failover.silence.as_millis()).unwrap_or(i64::MAX);
    vec![vec![
        runs.then(|| Value::text(failover.phase)).into(),
        Value::text(mode),
        failover.blocked.clone().or(why).map(Value::Text).into(),
        Value::count(failover.epoch.0),
        failover.primary.map(|primary| Value::Text(view.failover.address(primary))).into(),
        runs.then_some(Value::Integer(silence)).into(),
    ]]
}
