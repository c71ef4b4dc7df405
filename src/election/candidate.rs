//! Who is to become the primary.

use std::collections::BTreeMap;
use std::fmt;

use super::sight::Report;
use crate::gtid::Transactions;
use crate::topology::ServerId;

/// Why a server is not to become the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// An operator said so.
    Vetoed,
    /// It is kept out.
    Quarantined,
    /// It has transactions that the primary lacks.
    Errant(Transactions),
    /// It leaves something out of what it replicates or logs.
    Filtered,
    /// Others cannot follow it: it writes no binary log, or not what it replicates.
    NoBinaryLog,
    /// It is of a newer version than this one, which could not follow it.
    NewerThan(ServerId),
    /// Its logs with what this one lacks are purged, and another candidate has as much.
    LogsPurged {
        /// Who would break.
        needed_by: ServerId,
    },
    /// Its applier does not run.
    ApplierStopped,
    /// It does not follow the primary.
    NotFollowing,
    /// It cannot be reached.
    OutOfReach,
    /// It is the primary that is to be replaced.
    Failed,
    /// It was tried, and this went wrong.
    Tried(String),
}

/// What is known of a server that may become the primary.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// How it stands, its receiver being stopped.
    pub report: &'a Report,
    /// Why it is out of the question already.
    pub barred: Option<&'a Rejection>,
}

/// Who is to become the primary, the best first, and who is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranking {
    /// The candidates.
    pub order: Vec<ServerId>,
    /// The others.
    pub rejected: Vec<(ServerId, Rejection)>,
}

/// What primaries wrote, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Lineage<'a> {
    /// Whose transactions are no one's mistake, though nobody has seen them on the primary: semi-synchronous replicas have
    /// them before it shows them (HAZARDS 14).
    pub origins: &'a [&'a str],
    /// What was seen on the primary; nothing where it was never seen.
    pub seen: Option<&'a Transactions>,
}

impl Lineage<'_> {
    /// The transactions among these that no primary wrote; nothing where there are none, or it cannot be told.
    #[must_use]
    pub fn errant(&self, held: &Transactions) -> Option<Transactions> {
        let seen = self.seen?;
        if seen.contains(held) {
            return None;
        }
        let errant = self.origins.iter().fold(held.without(seen), |left, origin| left.by_origin(origin).1);
        (!errant.is_empty()).then_some(errant)
    }
}

/// Ranks servers by what they have *received*: all of it will be applied before one is promoted.
///
/// Purged logs reject a candidate only where another has as much: to rebuild a replica is better than to lose a transaction.
#[must_use]
pub fn rank(standings: &BTreeMap<ServerId, Standing<'_>>, lineage: Lineage<'_>) -> Ranking {
    let mut ranking = Ranking::default();
    let mut fit: Vec<(ServerId, &Report)> = Vec::new();
    for (server, standing) in standings {
        match objection(standing, lineage) {
            Some(why) => ranking.rejected.push((*server, why)),
            None => fit.push((*server, standing.report)),
        }
    }
    // A server replicates from an older one and not from a newer one.
    let oldest = fit.iter().map(|(server, report)| (series(report.version), *server)).min();
    fit.retain(|(server, report)| match oldest {
        Some((version, other)) if version < series(report.version) => {
            ranking.rejected.push((*server, Rejection::NewerThan(other)));
            false
        }
        _ => true,
    });
    let breaks = |server: ServerId, candidate: &Report| {
        let others = standings.iter().filter(|(other, _)| **other != server);
        others
            .filter(|(_, other)| other.barred.is_none())
            .find(|(_, other)| !other.report.received.contains(&candidate.purged))
            .map(|(other, _)| *other)
    };
    let mut keyed: Vec<_> = fit
        .iter()
        .map(|(server, report)| (report.received.count(), report.executed.count(), *server, *report))
        .collect();
    keyed.sort_by(|a, b| (b.0, b.1, a.2).cmp(&(a.0, a.1, b.2)));
    for (received, _, server, report) in &keyed {
        let as_good = |other: &&(u64, u64, ServerId, &Report)| {
            other.2 != *server && other.0 >= *received && other.3.received.contains(&report.received)
        };
        match breaks(*server, report) {
            Some(needed_by)
                if keyed.iter().filter(as_good).any(|other| breaks(other.2, other.3).is_none()) =>
            {
                ranking.rejected.push((*server, Rejection::LogsPurged { needed_by }));
            }
            _ => ranking.order.push(*server),
        }
    }
    ranking
}

/// What stands against a server, whatever the others are like.
fn objection(standing: &Standing<'_>, lineage: Lineage<'_>) -> Option<Rejection> {
    let report = standing.report;
    if let Some(why) = standing.barred {
        return Some(why.clone());
    }
    if let Some(errant) = lineage.errant(&report.received) {
        return Some(Rejection::Errant(errant));
    }
    if report.filtered {
        return Some(Rejection::Filtered);
    }
    if !report.logs {
        return Some(Rejection::NoBinaryLog);
    }
    let applies = report.channel.as_ref().is_none_or(|channel| channel.applier);
    if !applies && !report.executed.contains(&report.received) {
        return Some(Rejection::ApplierStopped);
    }
    None
}

/// Versions of one series understand each other's logs.
const fn series(version: u32) -> u32 {
    version / 100
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vetoed => f.write_str("is vetoed by an operator"),
            Self::Quarantined => f.write_str("is in quarantine"),
            Self::Errant(errant) => write!(f, "has transactions that the primary lacks: {errant}"),
            Self::Filtered => f.write_str("has replication filters"),
            Self::NoBinaryLog => f.write_str("writes no binary log that others can follow"),
            Self::NewerThan(other) => write!(f, "is of a newer version than {other}"),
            Self::LogsPurged { needed_by } => write!(f, "has purged logs that {needed_by} needs"),
            Self::ApplierStopped => f.write_str("does not apply what it receives"),
            Self::NotFollowing => f.write_str("does not follow the primary"),
            Self::OutOfReach => f.write_str("is out of reach"),
            Self::Failed => f.write_str("is the primary that failed"),
            Self::Tried(problem) => write!(f, "was tried: {problem}"),
        }
    }
}
