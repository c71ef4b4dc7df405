//! What has been counted up to a moment: by the servers where statements ran, by Headgate why.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result};
use headgate::lab::{Cluster, Headgate, Node};

/// Headgate's count of statements by where they went and why.
const STATEMENTS: &str = "headgate_statements_total";

#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) at: Instant,
    /// By node, in the cluster's order. What Headgate asks to watch its servers is among the reads.
    pub(crate) reads: Vec<u64>,
    pub(crate) writes: Vec<u64>,
    /// By target and reason, in Headgate's words.
    pub(crate) reasons: BTreeMap<(String, String), u64>,
}

impl Counts {
    pub(crate) async fn take(cluster: &Cluster, headgate: &Headgate) -> Result<Self> {
        let mut counts =
            Self { at: Instant::now(), reads: Vec::new(), writes: Vec::new(), reasons: BTreeMap::new() };
        for node in cluster.nodes() {
            let (reads, writes) = commands(node).await?;
            counts.reads.push(reads);
            counts.writes.push(writes);
        }
        let samples =
            tokio::task::block_in_place(|| headgate.metrics()).context("Headgate tells no counters")?;
        for sample in samples.iter().filter(|sample| sample.name == STATEMENTS) {
            let key = (sample.label("target").to_owned(), sample.label("reason").to_owned());
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
            counts.reasons.insert(key, sample.value as u64);
        }
        Ok(counts)
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let less = |now: &[u64], before: &[u64]| -> Vec<u64> {
            now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect()
        };
        let reasons = self.reasons.iter().map(|(key, now)| {
            (key.clone(), now.saturating_sub(before.reasons.get(key).copied().unwrap_or(0)))
        });
        Self {
            at: self.at,
            reads: less(&self.reads, &before.reads),
            writes: less(&self.writes, &before.writes),
            reasons: reasons.collect(),
        }
    }

    /// Reasons that were given for a target, and how often; the most frequent first.
    pub(crate) fn of(&self, target: &str) -> Vec<(&str, u64)> {
        let of_target = self.reasons.iter().filter(|((to, _), count)| to == target && **count > 0);
        let mut reasons: Vec<(&str, u64)> =
            of_target.map(|((_, reason), count)| (reason.as_str(), *count)).collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        reasons
    }
}

/// Statements a server has executed: reads and writes. A replica of MariaDB counts what it replays.
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
