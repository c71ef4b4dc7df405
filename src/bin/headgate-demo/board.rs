//! Where the statements went, each second: by the servers' own counters, and why by Headgate's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use headgate::lab::{Cluster, Flavor, Headgate, Node, Role};
use headgate::routing::Reason;

use crate::say::say;
use crate::traffic::Traffic;

/// Headgate's count of statements by where they went and why.
const STATEMENTS: &str = "headgate_statements_total";
/// Lines between two headings.
const PAGE: u64 = 20;
/// Reasons shown on a line; all are in the summary.
const REASONS: usize = 4;

pub(crate) struct Board<'a> {
    cluster: &'a Cluster,
    headgate: &'a Headgate,
    first: Counts,
    last: Counts,
    seconds: u64,
}

/// What has been counted up to a moment.
#[derive(Clone, Debug, Default)]
struct Counts {
    /// By node, in the cluster's order.
    reads: Vec<u64>,
    /// On the primary.
    writes: u64,
    /// By target and reason, in Headgate's words.
    reasons: BTreeMap<(String, String), u64>,
}

impl<'a> Board<'a> {
    pub(crate) async fn new(cluster: &'a Cluster, headgate: &'a Headgate) -> Result<Self> {
        let mut board =
            Self { cluster, headgate, first: Counts::default(), last: Counts::default(), seconds: 0 };
        board.first = board.count().await?;
        board.last = board.first.clone();
        Ok(board)
    }

    /// Prints what the last second brought.
    pub(crate) async fn second(&mut self) -> Result<()> {
        if self.seconds.is_multiple_of(PAGE) {
            say(&self.heading());
        }
        self.seconds += 1;
        let now = self.count().await?;
        let since = now.since(&self.last);
        self.last = now;
        let mut line = format!("  {:>6}", self.seconds);
        // Writing to a String cannot fail.
        for count in &since.reads {
            let _ = write!(line, "  {count:>9}");
        }
        // Servers count what they apply from the primary as well, so only the primary's own writes tell.
        let _ = write!(line, "  {:>9}", since.writes);
        let mut why: Vec<(&str, u64)> = since.of("primary").collect();
        why.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let why: Vec<String> =
            why.iter().take(REASONS).map(|(reason, count)| format!("{reason} {count}")).collect();
        let _ = write!(line, "   {}", why.join(", "));
        say(&line);
        Ok(())
    }

    /// Prints the whole time's figures.
    pub(crate) async fn summary(&self, traffic: &Traffic) -> Result<()> {
        let since = self.count().await?.since(&self.first);
        let tally = traffic.tally();
        let mut text = format!(
            "\n  In {} seconds the clients made {} reads",
            self.seconds,
            tally.reads.load(Ordering::Relaxed)
        );
        let _ = write!(text, " and {} writes.\n\n", tally.writes.load(Ordering::Relaxed));
        for target in ["replica", "primary"] {
            let mut reasons: Vec<(&str, u64)> = since.of(target).collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let sum: u64 = reasons.iter().map(|(_, count)| count).sum();
            let _ = writeln!(
                text,
                "  {sum:>8}  statements went to the {target}{}",
                if target == "replica" { "s" } else { "" }
            );
            for (reason, count) in reasons {
                let meaning = Reason::ALL.iter().find(|one| one.label() == reason).map(ToString::to_string);
                let _ = writeln!(text, "  {count:>8}    {reason}: {}", meaning.unwrap_or_default());
            }
        }
        let strays = if self.has_strays().await? { "some" } else { "none" };
        let own = tally.own_reads.load(Ordering::Relaxed);
        let stale = tally.stale.load(Ordering::Relaxed);
        let errors = tally.errors.load(Ordering::Relaxed);
        let _ = write!(
            text,
            "\n  Reads of what the client had just written: {own}, of them wrong: {stale}. Errors: {errors}.\n  \
             Transactions on replicas that did not come from the primary: {strays}."
        );
        if let Some(error) = tally.last_error.lock().as_deref() {
            let _ = write!(text, "\n  The last error: {error}");
        }
        say(&text);
        Ok(())
    }

    fn heading(&self) -> String {
        let mut names = String::new();
        for node in self.cluster.nodes() {
            let _ = write!(names, "  {:>9}", node.name());
        }
        let width = names.len();
        format!(
            "          {:>width$}  {:>9}\n  second{names}  {:>9}   why the primary",
            "reads on:", "writes on:", "primary"
        )
    }

    /// Whether a replica has executed what the primary has not: a write that was sent to it.
    async fn has_strays(&self) -> Result<bool> {
        self.cluster.wait_caught_up(Duration::from_secs(10)).await?;
        let position = match self.cluster.flavor() {
            Flavor::MySql => "SELECT @@gtid_executed",
            Flavor::MariaDb => "SELECT @@gtid_binlog_pos",
        };
        let of = async |node: &Node| {
            anyhow::Ok(node.sql(position).await?.first().map(|row| row.values().to_vec()))
        };
        let primary = of(self.cluster.primary()).await?;
        for replica in self.cluster.replicas() {
            if of(replica).await? != primary {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn count(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for node in self.cluster.nodes() {
            let (reads, writes) = commands(node).await?;
            counts.reads.push(reads);
            if node.role() == Role::Primary {
                counts.writes = writes;
            }
        }
        let samples =
            tokio::task::block_in_place(|| self.headgate.metrics()).context("Headgate tells no counters")?;
        for sample in samples.iter().filter(|sample| sample.name == STATEMENTS) {
            let key = (sample.label("target").to_owned(), sample.label("reason").to_owned());
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
            counts.reasons.insert(key, sample.value as u64);
        }
        Ok(counts)
    }
}

impl Counts {
    fn since(&self, before: &Self) -> Self {
        let less = |now: &[u64], before: &[u64]| -> Vec<u64> {
            now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect()
        };
        let reasons = self.reasons.iter().map(|(key, now)| {
            (key.clone(), now.saturating_sub(before.reasons.get(key).copied().unwrap_or(0)))
        });
        Self {
            reads: less(&self.reads, &before.reads),
            writes: self.writes.saturating_sub(before.writes),
            reasons: reasons.collect(),
        }
    }

    /// Reasons that were given, and how often.
    fn of(&self, target: &str) -> impl Iterator<Item = (&str, u64)> {
        let of_target = self.reasons.iter().filter(move |((to, _), count)| to == target && **count > 0);
        of_target.map(|((_, reason), count)| (reason.as_str(), *count))
    }
}

/// Statements a server has executed: reads and writes. What Headgate asks to watch its servers is
/// among the reads.
async fn commands(node: &Node) -> Result<(u64, u64)> {
    let rows = node.sql("SHOW GLOBAL STATUS LIKE 'Com\\_%'").await?;
    let (mut reads, mut writes) = (0, 0);
    for row in &rows {
        let count: u64 = row.at(1).unwrap_or_default().parse().unwrap_or(0);
        match row.at(0).unwrap_or_default() {
            "Com_select" => reads += count,
            "Com_insert" | "Com_update" | "Com_delete" | "Com_replace" => writes += count,
            _ => {}
        }
    }
    Ok((reads, writes))
}
