//! Choosing the candidate, what stands against it, and giving it up for another.

use std::collections::BTreeMap;
use std::time::Instant;

use super::blocked::Why;
use super::candidate::{Lineage, Ranking, Rejection, Standing, rank};
use super::change::Kind;
use super::command::{Alert, Failure};
use super::machine::Machine;
use super::phase::Phase;
use super::rules::Policy;
use super::sight::Report;
use super::state::Stage;
use crate::gtid::Transactions;
use crate::topology::ServerId;

impl Machine {
    /// Chooses who becomes the primary.
    pub(super) fn choose(&mut self, now: Instant) -> bool {
        let ranking = self.ranking();
        let Some(change) = &self.change else { return false };
        let wanted = match change.kind {
            Kind::Switchover(to) => Some(to),
            _ => None,
        };
        let chosen = ranking.order.iter().copied().find(|server| wanted.is_none_or(|to| to == *server));
        let Some(candidate) = chosen else {
            return self.fail(now, Why::NoCandidate { rejected: ranking.rejected });
        };
        if wanted.is_none()
            && let Err(why) = self.weigh_loss(now, candidate)
        {
            return self.fail(now, why);
        }
        if let Some(change) = &mut self.change {
            change.candidate = Some(candidate);
            change.compared = change.frozen.len();
        }
        let against: String =
            ranking.rejected.iter().map(|(server, why)| format!("; {server} {why}")).collect();
        self.enter(now, Phase::CatchingUp, format!("{candidate} is to be the primary{against}"));
        true
    }

    /// Who could become the primary by now.
    pub(super) fn ranking(&self) -> Ranking {
        let origins: Vec<&str> = self
            .line()
            .filter_map(|server| Some(self.roster.get(server)?.report.as_ref()?.origin.as_str()))
            .collect();
        let lineage = Lineage { origins: &origins, seen: self.lineage.as_ref() };
        let barred: BTreeMap<ServerId, Rejection> =
            self.roster.0.keys().filter_map(|server| Some((*server, self.barred(*server)?))).collect();
        let mut reports: BTreeMap<ServerId, &Report> = BTreeMap::new();
        match &self.change {
            Some(change) if !matches!(change.kind, Kind::Switchover(_)) => {
                reports.extend(change.frozen.iter().map(|(server, report)| (*server, report)));
            }
            _ => {
                let others = self.roster.others(self.primary);
                reports.extend(others.filter_map(|(server, known)| Some((server, known.current()?))));
            }
        }
        let standings = reports
            .into_iter()
            .map(|(server, report)| (server, Standing { report, barred: barred.get(&server) }));
        let mut ranking = rank(&standings.collect(), lineage);
        let ranked = |server: &ServerId, ranking: &Ranking| {
            ranking.order.contains(server) || ranking.rejected.iter().any(|(other, _)| other == server)
        };
        for (server, _) in self.roster.others(self.primary) {
            if !ranked(&server, &ranking) {
                ranking.rejected.push((server, Rejection::OutOfReach));
            }
        }
        ranking
    }

    /// What stands against a server before anybody looks at what it holds.
    fn barred(&self, server: ServerId) -> Option<Rejection> {
        let known = self.roster.get(server)?;
        if self.rules.vetoes.contains(&server) {
            return Some(Rejection::Vetoed);
        }
        if known.quarantine.is_some() {
            return Some(Rejection::Quarantined);
        }
        let change = self.change.as_ref();
        if let Some(why) = change.and_then(|change| change.tried.get(&server)) {
            return Some(why.clone());
        }
        // Once a promotion has failed, the old primary may be the best there is, being fenced now.
        let forward = matches!(self.stage, Stage::Promoting { .. });
        if Some(server) == self.primary && !forward {
            return Some(Rejection::Failed);
        }
        if Some(server) == self.primary && !known.prepared.is_empty() {
            return Some(Rejection::Quarantined);
        }
        let reinstated = forward && Some(server) == self.primary;
        // One that was promoted in vain follows nobody any more.
        if reinstated || known.in_vain || self.kind() == Some(Kind::Forced) {
            return None;
        }
        (!self.has_kept_up(server)).then_some(Rejection::NotFollowing)
    }

    /// The primary, and the one that was being promoted: it may have been published, and written to, though that is not saved.
    pub(super) fn line(&self) -> impl Iterator<Item = ServerId> {
        let promoted = match self.stage {
            Stage::Promoting { candidate } => Some(candidate),
            Stage::Settled | Stage::Changing => None,
        };
        self.primary.into_iter().chain(promoted.filter(|candidate| Some(*candidate) != self.primary))
    }

    /// It gets what the primary writes, or did when its receiver was stopped.
    pub(super) fn is_follower(&self, report: &Report) -> bool {
        self.line().any(|server| report.follows(server))
    }

    /// It follows the primary. One that is back and has not followed since lacks what was written meanwhile, however much that
    /// is: it will do where one that did follow has nothing more, and not in a switchover.
    fn has_kept_up(&self, server: ServerId) -> bool {
        let Some(report) = self.roster.get(server).and_then(|known| known.report.as_ref()) else {
            return false;
        };
        if self.is_follower(report) {
            return true;
        }
        let Some(change) = self.change.as_ref().filter(|change| !matches!(change.kind, Kind::Switchover(_)))
        else {
            return false;
        };
        let mut followers = change.frozen.values().filter(|other| self.is_follower(other)).peekable();
        followers.peek().is_some() && followers.all(|other| report.received.contains(&other.received))
    }

    /// Looks for what would be lost. With policy `safe` that is a reason to stop, else it is told.
    fn weigh_loss(&mut self, now: Instant, candidate: ServerId) -> Result<(), Why> {
        let Some(change) = &self.change else { return Ok(()) };
        let Some(report) = change.frozen.get(&candidate) else { return Ok(()) };
        let strict = self.rules.policy == Policy::Safe && !self.accept_loss;
        let Some(mut wanted) = self.floor.clone() else {
            return if strict { Err(Why::AcknowledgedUnknown) } else { Ok(()) };
        };
        if let Some(relayed) = &change.relayed {
            wanted.insert_all(relayed);
        }
        if wanted.without(&report.received).is_empty() {
            return Ok(());
        }
        // Of what was acknowledged, the last one alone is known; those before it that the candidate lacks are lost with it.
        wanted.insert_all(&report.received);
        let missing: Transactions = wanted.without_gaps().without(&report.received);
        if strict {
            return Err(Why::WouldLose(missing));
        }
        self.note(now, format!("acknowledged transactions are not on {candidate}: {missing}"));
        self.alert(now, Alert::Lost(missing));
        Ok(())
    }

    /// The candidate did not catch up. One that is out of reach, or whose applier fails, makes room for another.
    pub(super) fn drop_candidate(&mut self, now: Instant, candidate: ServerId, why: &Failure) -> bool {
        let in_reach = self.roster.get(candidate).is_some_and(|known| known.current().is_some());
        if self.is_switchover() || (in_reach && *why == Failure::TimedOut) {
            return self.fail(now, Why::ApplierBehind(candidate));
        }
        self.try_another(now, candidate, why)
    }

    /// An operator does not want it, since it was chosen.
    pub(super) fn is_vetoed(&self, candidate: ServerId) -> bool {
        self.rules.vetoes.contains(&candidate)
    }

    /// The candidate is vetoed. A planned switchover is over then.
    pub(super) fn make_room(&mut self, now: Instant, candidate: ServerId) -> bool {
        let why = Failure::Refused(Rejection::Vetoed.to_string());
        if self.is_switchover() && !matches!(self.stage, Stage::Promoting { .. }) {
            return self.give_up(now, format!("{candidate} {why}"));
        }
        self.try_another(now, candidate, &why)
    }

    /// Begins again without this one.
    pub(super) fn try_another(&mut self, now: Instant, candidate: ServerId, why: &Failure) -> bool {
        let Some(change) = &mut self.change else { return false };
        change.tried.insert(candidate, Rejection::Tried(why.to_string()));
        change.frozen.clear();
        change.candidate = None;
        change.attempts = 0;
        change.given_up += 1;
        if matches!(change.kind, Kind::Switchover(_) | Kind::Resumed(_)) {
            change.kind = Kind::Failover;
        }
        self.enter(now, Phase::Revoking, format!("not {candidate}: {why}"));
        true
    }
}
