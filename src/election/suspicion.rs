//! Whether a primary that does not answer is dead.
//!
//! Headgate's own view is one witness, the replicas are the others: a cut between Headgate and a living primary looks to
//! Headgate like a death. What a replica says of its receiver proves nothing, since it says ON for as long as
//! `replica_net_timeout` while its source is frozen. What counts is what it *gets* after the suspicion began: that is a veto.
//! A receiver that says it has no connection, or cannot get a new one when it is restarted, agrees.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::candidate::Rejection;
use super::roster::{Bad, Known, Roster};
use super::rules::Rules;
use super::sight::{Receiver, Trouble};
use crate::topology::ServerId;

/// A silent primary is asked for through a replica after so long; one that refuses at once.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// What is to be thought of the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is dead.
    Dead(Trouble),
    /// It cannot be told yet.
    Wait,
    /// This replica's receiver is to be restarted.
    Ask(ServerId),
    /// It is not to be taken for dead.
    No(Why),
}

/// What a replica has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// It was not asked since.
    Pending,
    /// It does not answer either.
    OutOfReach,
    /// It got something since.
    Hears,
    /// It has no connection, and does not get one.
    Lost,
    /// It got nothing for long enough.
    Quiet,
    /// It could still hear something.
    Unclear,
    /// It does not listen to the primary.
    Blind,
}

/// Judges. `stopped_by_us`: receivers are stopped because an earlier attempt did so, when the death had been confirmed.
pub(super) fn judge(
    roster: &Roster,
    primary: ServerId,
    bad: Bad,
    rules: &Rules,
    stopped_by_us: bool,
    now: Instant,
) -> Verdict {
    let good = roster.get(primary).and_then(|known| known.good);
    // Those in quarantine are no candidates, so it does not matter how many of them can be asked. Witnesses they are.
    let evidence: Vec<(ServerId, Evidence)> = roster
        .others(Some(primary))
        .map(|(server, known)| (server, testimony(known, primary, bad, good, rules, stopped_by_us, now)))
        .filter(|(server, one)| {
            let kept_out = roster.get(*server).is_some_and(|known| known.quarantine.is_some());
            !kept_out || matches!(one, Evidence::Hears | Evidence::Lost | Evidence::Quiet)
        })
        .collect();
    let those = |wanted: Evidence| evidence.iter().filter(move |(_, one)| *one == wanted).map(|(id, _)| *id);
    let by: Vec<ServerId> = those(Evidence::Hears).collect();
    if !by.is_empty() {
        return Verdict::No(Why::StillHeard { by });
    }
    if those(Evidence::Pending).next().is_some() {
        return Verdict::Wait;
    }
    let known = roster.replicas(Some(primary));
    if known == 0 {
        let others = roster.others(Some(primary)).map(|(server, _)| (server, Rejection::Quarantined));
        return Verdict::No(Why::NoCandidate { rejected: others.collect() });
    }
    let reached = known - those(Evidence::OutOfReach).count();
    if reached == 0 || reached * 2 < known {
        return Verdict::No(Why::TooFewWitnesses { reached, known });
    }
    let long_enough = bad.count >= 2
        && match bad.refused_since {
            Some(since) => now.saturating_duration_since(since) >= rules.refused_for,
            // Where every receiver has lost its connection, nobody waits for a heartbeat.
            None => {
                let quiet = those(Evidence::Quiet).next().is_some() || those(Evidence::Lost).next().is_none();
                let wanted = if quiet { rules.quiet() } else { rules.shortest_quiet() };
                good.is_none_or(|good| now.saturating_duration_since(good) >= wanted)
            }
        };
    if those(Evidence::Unclear).next().is_some() {
        let at_once = bad.trouble == Trouble::Refused;
        if !at_once && now.saturating_duration_since(bad.since) < ASK_AFTER {
            return Verdict::Wait;
        }
        let untested = those(Evidence::Unclear).find(|server| {
            let tested = roster.get(*server).and_then(|known| known.tested);
            tested.is_none_or(|at| now.saturating_duration_since(at) >= rules.quiet())
        });
        return untested.map_or(Verdict::Wait, Verdict::Ask);
    }
    if !long_enough {
        return Verdict::Wait;
    }
    let agrees = those(Evidence::Lost).chain(those(Evidence::Quiet)).next().is_some();
    if !agrees && !stopped_by_us {
        return Verdict::No(Why::NoWitness);
    }
    Verdict::Dead(bad.trouble)
}

/// Whether a primary that is still heard may be ending in order: it takes no connections then, has sent its clients away,
/// and goes on telling replicas that it is there until its process is gone, on MySQL for some eight seconds. A replica that
/// tries to connect anew is refused by such a one, and not by one that only Headgate cannot reach. It tries once.
fn may_be_ending(known: &Known, bad: Bad, now: Instant) -> bool {
    let long_ago = |at: Instant| now.saturating_duration_since(at) >= ASK_AFTER;
    bad.refused_since.is_some_and(long_ago)
        && known.fed.is_none_or(long_ago)
        && known.tested.is_none_or(|tested| tested < bad.since)
}

fn testimony(
    known: &Known,
    primary: ServerId,
    bad: Bad,
    good: Option<Instant>,
    rules: &Rules,
    stopped_by_us: bool,
    now: Instant,
) -> Evidence {
    if known.bad.is_some() {
        return Evidence::OutOfReach;
    }
    let Some(report) = known.report.as_ref().filter(|_| known.answers_since(bad.since)) else {
        return Evidence::Pending;
    };
    let channel = report.channel.as_ref().filter(|channel| channel.source == Some(primary));
    match channel.map(|channel| channel.receiver) {
        // To be restarted, and not started again: Headgate had ended, or the server had taken too long to stop it.
        Some(Receiver::Stopped) if known.stopped.is_some() && !stopped_by_us => return Evidence::Unclear,
        None | Some(Receiver::Stopped) => return Evidence::Blind,
        Some(_) => {}
    }
    let heard = if bad.trouble.leaves_heartbeats() { known.fed } else { known.heard };
    if known.lost.is_some_and(|lost| lost >= bad.since && heard.is_none_or(|heard| lost >= heard)) {
        return Evidence::Lost;
    }
    let quiet_since = |at: Instant| now.saturating_duration_since(at) >= rules.quiet();
    if heard.is_some_and(|heard| heard >= bad.since && !quiet_since(heard)) {
        return if may_be_ending(known, bad, now) { Evidence::Unclear } else { Evidence::Hears };
    }
    let crowded = report.channel.as_ref().is_some_and(|channel| channel.receiver == Receiver::Crowded);
    if crowded {
        return Evidence::Unclear;
    }
    if bad.trouble.leaves_heartbeats() || heard.max(good).is_none_or(quiet_since) {
        return Evidence::Quiet;
    }
    Evidence::Unclear
}
