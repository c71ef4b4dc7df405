//! Where statements ran, and why.

use super::table::{Kind, Table, column};
use crate::admin::answer::Value;
use crate::admin::view::View;
use crate::routing::Reason;

pub(super) static ROUTES: Table = Table {
    name: "routes",
    meaning: "How many statements ran where, by reason, since Headgate was started; the most frequent first.",
    columns: &[
        column("target", "Target", Kind::Text, "`primary` or `replica`."),
        column("reason", "Reason", Kind::Text, "The reason, as in the metric `headgate_statements_total`."),
        column("explanation", "Explanation", Kind::Text, "The reason in words."),
        column("count", "Count", Kind::Integer, "Statements and commands."),
    ],
    rows,
};

fn rows(view: &View) -> Vec<Vec<Value>> {
    read(&view.registry.render())
}

/// The handles that are counted with cannot be read, so the counts are taken from the text of `/metrics`.
fn read(metrics: &str) -> Vec<Vec<Value>> {
    let mut rows: Vec<_> = metrics.lines().filter_map(row).collect();
    rows.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A line of the metric, and its count; nothing for a reason that nothing has had yet.
fn row(line: &str) -> Option<(i64, Vec<Value>)> {
    let (labels, count) = line.strip_prefix("headgate_statements_total{")?.rsplit_once("} ")?;
    let label = |name: &str| {
        let (_, rest) = labels.split_once(&format!("{name}=\""))?;
        rest.split('"').next()
    };
    let reason = label("reason")?;
    let words = Reason::ALL.iter().find(|known| known.label() == reason).map(ToString::to_string);
    let count = count.parse().ok().filter(|count| *count > 0)?;
    let target = Value::text(label("target")?);
    Some((count, vec![target, Value::text(reason), words.map(Value::Text).into(), Value::Integer(count)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Counters, Labels, Registry};

    #[test]
    fn counts_are_those_of_the_metrics() {
        let registry = Registry::new();
        let reasons = Reason::ALL.map(Reason::label);
        let labels = Labels {
            primary_reasons: &reasons,
            replica_reasons: &["plain_read"],
            errors: &[],
            refusals: &[],
        };
        let counters = Counters::new(&registry, labels);
        counters.statements.primary.count(Reason::Write.index());
        counters.statements.primary.count(Reason::Write.index());
        counters.statements.replica.count(0);
        let rows = read(&registry.render());
        let text = |text: &str| Value::text(text);
        let write = vec![text("primary"), text("write"), text("it writes data"), Value::Integer(2)];
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows.first(), Some(&write), "the most frequent first");
    }
}
