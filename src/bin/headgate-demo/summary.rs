//! What it came to, and whether anything was wrong.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use headgate::lab::{Cluster, Flavor, Node};
use headgate::routing::Reason;

use crate::counts::Counts;
use crate::tally::Tally;

/// Whether all that was seen was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// A stale or mixed-up answer, or a write on a replica.
    Wrong,
}

/// The reason in Headgate's own words.
pub(crate) fn words(reason: &str) -> String {
    Reason::ALL.iter().find(|one| one.label() == reason).map(ToString::to_string).unwrap_or_default()
}

/// The whole time's figures.
pub(crate) fn text(seconds: u64, since: &Counts, tally: &Tally, strays: bool) -> (String, Verdict) {
    let seen = tally.seen();
    let mut text = format!(
        "\n  In {seconds} seconds the clients made {} reads and {} writes.\n\n",
        seen.reads, seen.writes
    );
    // Writing to a String cannot fail.
    for (target, name) in [("replica", "replicas"), ("primary", "primary")] {
        let reasons = since.of(target);
        let sum: u64 = reasons.iter().map(|(_, count)| count).sum();
        let _ = writeln!(text, "  {sum:>8}  statements went to the {name}");
        for (reason, count) in reasons {
            let _ = writeln!(text, "  {count:>8}    {reason}: {}", words(reason));
        }
    }
    let _ = writeln!(text);
    for (what, checked, wrong) in [
        ("Reads of what the client had just written", seen.own_reads, seen.stale),
        ("Reads that show the session's time zone or sql_mode", seen.settings, seen.unset),
        ("Reports over several tables in one snapshot", seen.reports, seen.torn),
    ] {
        let _ = writeln!(text, "  {what}: {checked}, of them wrong: {wrong}.");
    }
    let _ = writeln!(
        text,
        "  Transactions on replicas that did not come from the primary: {}.",
        if strays { "some" } else { "none" }
    );
    let _ = writeln!(text, "  Errors: {}.", seen.errors);
    if let Some(error) = tally.last_error.lock().as_deref() {
        let _ = writeln!(text, "  The last error: {error}");
    }
    let verdict = if strays || seen.wrong() > 0 { Verdict::Wrong } else { Verdict::Right };
    let _ = write!(
        text,
        "\n  {}",
        match (seen.stale, verdict) {
            (0, Verdict::Right) => "Nothing stale was seen, and no write reached a replica.",
            (0, Verdict::Wrong) => "Nothing stale was seen, but something else was WRONG, as said above.",
            _ => "STALE DATA WAS SEEN.",
        }
    );
    (text, verdict)
}

/// Whether a replica has executed what the primary has not: a write that was sent to it. Asked when
/// nobody writes any more.
pub(crate) async fn has_strays(cluster: &Cluster) -> Result<bool> {
    cluster.wait_caught_up(Duration::from_secs(30)).await?;
    let position = match cluster.flavor() {
        Flavor::MySql => "SELECT @@gtid_executed",
        Flavor::MariaDb => "SELECT @@gtid_binlog_pos",
    };
    let of =
        async |node: &Node| anyhow::Ok(node.sql(position).await?.first().map(|row| row.values().to_vec()));
    let primary = of(cluster.primary()).await?;
    for replica in cluster.replicas() {
        if of(replica).await? != primary {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let check = |tally: &Tally, strays, verdict, part: &str| {
            let reasons = [(("primary".to_owned(), "write".to_owned()), 5)].into();
            let since = Counts { at: Instant::now(), reads: vec![], writes: vec![], reasons };
            let (text, found) = text(3, &since, tally, strays);
            assert_eq!(found, verdict, "{text}");
            assert!(text.contains(part) && text.contains("5    write: it writes data"), "{text}");
        };
        let tally = Tally::default();
        check(&tally, false, Verdict::Right, "Nothing stale was seen, and no write reached a replica.");
        check(&tally, true, Verdict::Wrong, "something else was WRONG");
        tally.errors.fetch_add(1, Ordering::Relaxed);
        check(&tally, false, Verdict::Right, "Errors: 1.");
        tally.torn.fetch_add(1, Ordering::Relaxed);
        check(&tally, false, Verdict::Wrong, "something else was WRONG");
        tally.stale.fetch_add(2, Ordering::Relaxed);
        check(&tally, false, Verdict::Wrong, "STALE DATA WAS SEEN.");
    }
}
