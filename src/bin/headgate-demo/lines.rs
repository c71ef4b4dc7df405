//! One line a second, for a file or a pipe.

use std::fmt::Write;

use headgate::lab::{Cluster, Node};

use crate::counts::Counts;
use crate::say::say;

/// Lines between two headings.
const PAGE: u64 = 20;
/// Reasons shown on a line; all are in the summary.
const REASONS: usize = 4;

/// Prints what the last second brought.
pub(crate) fn show(second: u64, since: &Counts, cluster: &Cluster) {
    if second % PAGE == 1 {
        say(&heading(cluster.nodes()));
    }
    let mut line = format!("  {second:>6}");
    // Writing to a String cannot fail.
    for count in &since.reads {
        let _ = write!(line, "  {count:>9}");
    }
    let _ = write!(line, "  {:>9}", since.writes.first().copied().unwrap_or(0));
    let why = since.of("primary");
    let why: Vec<String> =
        why.iter().take(REASONS).map(|(reason, count)| format!("{reason} {count}")).collect();
    let _ = write!(line, "   {}", why.join(", "));
    say(&line);
}

fn heading(nodes: &[Node]) -> String {
    let mut names = String::new();
    for node in nodes {
        let _ = write!(names, "  {:>9}", node.name());
    }
    let width = names.len();
    format!(
        "          {:>width$}  {:>9}\n  second{names}  {:>9}   why the primary",
        "reads on:", "writes on:", "primary"
    )
}
