//! The phases up to the promotion. All that they do can be undone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::blocked::Why;
use super::candidate::{Lineage, Ranking, Rejection, Standing, rank};
use super::change::Kind;
use super::command::{Action, Alert, Failure, Hook};
use super::machine::Machine;
use super::orders::{Goal, Progress};
use super::phase::Phase;
use super::rules::Policy;
use super::sight::{Report, Trouble};
use super::state::{Stage, State};
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

impl Machine {
    pub(super) fn kind(&self) -> Option<Kind> {
        self.change.as_ref().map(|change| change.kind)
    }

    fn is_switchover(&self) -> bool {
        matches!(self.kind(), Some(Kind::Switchover(_)))
    }

    /// The primary is back, and behind nobody, before anything was done that cannot be undone.
    fn has_recovered(&self) -> bool {
        self.kind() == Some(Kind::Failover)
            && !matches!(self.stage, Stage::Promoting { .. })
            && self.primary_report().is_some()
            && self.ahead().is_none()
    }

    /// Gives up and puts back.
    fn give_up(&mut self, now: Instant, what: impl Into<String>) -> bool {
        self.enter(now, Phase::Undoing, what);
        true
    }

    /// A phase took too long, or could not do what it is for.
    fn fail(&mut self, now: Instant, why: Why) -> bool {
        if self.is_switchover() && !matches!(self.stage, Stage::Promoting { .. }) {
            return self.give_up(now, why.to_string());
        }
        self.block(now, why);
        true
    }

    pub(super) fn revoke(&mut self, now: Instant) -> bool {
        let Some(kind) = self.kind() else { return self.fail(now, Why::TookTooLong("Revoking")) };
        if self.has_recovered() {
            return self.give_up(now, "the primary is back");
        }
        if let Kind::Adoption(_) = kind {
            return self.adopt(now);
        }
        match self.prepare(now) {
            Progress::Open if self.is_late(now) => return self.fail(now, Why::TookTooLong("Revoking")),
            Progress::Open => return false,
            Progress::Failed(why) => return self.fail(now, Why::StateNotSaved(why.to_string())),
            Progress::Done => {}
        }
        if let Kind::Switchover(_) = kind {
            self.enter(now, Phase::Fencing, "writes are held");
            return true;
        }
        if self.freeze_replicas(now).is_open() && !self.is_late(now) {
            return false;
        }
        let known = self.roster.replicas(self.primary);
        let frozen = self.change.as_ref().map_or(0, |change| change.frozen.len());
        let enough = frozen > 0 && (kind == Kind::Forced || frozen * 2 >= known);
        if !enough {
            return self.fail(now, Why::TooFewWitnesses { reached: frozen, known });
        }
        self.enter(now, Phase::Fencing, format!("receivers are stopped on {frozen} of {known} replicas"));
        true
    }

    /// Stops the receivers of those replicas in reach that do not stand still yet.
    fn freeze_replicas(&mut self, now: Instant) -> Progress {
        let frozen =
            |server: &ServerId| self.change.as_ref().is_some_and(|change| change.frozen.contains_key(server));
        let moving: Vec<ServerId> = self
            .roster
            .others(self.primary)
            .filter(|(server, known)| {
                known.quarantine.is_none() && known.current().is_some() && !frozen(server)
            })
            .map(|(server, _)| server)
            .collect();
        let mut open = false;
        for replica in moving {
            open |= self.pursue(now, Goal::Stop(replica), || Action::StopReceiver { replica }).is_open();
            // From now on it may be stopped, whatever answer comes.
            let until = now + self.rules.order;
            if let Some(known) = self.roster.get_mut(replica) {
                known.stopped = known.stopped.or(Some(until));
            }
        }
        if open { Progress::Open } else { Progress::Done }
    }

    /// Saves that a change begins, holds writes, and runs the operator's program.
    fn prepare(&mut self, now: Instant) -> Progress {
        // What may have been promoted already is the more important thing to know after a restart.
        let saved = if matches!(self.stage, Stage::Promoting { .. }) {
            Progress::Done
        } else {
            self.stage = Stage::Changing;
            self.save(now)
        };
        if !saved.is_done() {
            return saved;
        }
        let grace = if self.is_switchover() { self.rules.grace } else { Duration::ZERO };
        self.held = true;
        let within = self.rules.order + grace;
        let held = self.pursue_within(now, Goal::Hold, within, || Action::HoldWrites { grace });
        let hooked = match self.rules.hook {
            Some(within) => self.pursue_within(now, Goal::Hook, within, || Action::RunHook(Hook::Before)),
            None => Progress::Done,
        };
        match (held, hooked) {
            (Progress::Open, _) | (_, Progress::Open) => Progress::Open,
            (Progress::Failed(why), _) => Progress::Failed(why),
            (_, Progress::Failed(why)) if self.is_switchover() => Progress::Failed(why),
            (Progress::Done, _) => Progress::Done,
        }
    }

    /// Saves where the machine stands.
    pub(super) fn save(&mut self, now: Instant) -> Progress {
        let Some(primary) = self.primary else { return Progress::Done };
        let state = self.state(primary);
        self.pursue(now, Goal::Save, || Action::Save(state))
    }

    /// What is to be saved.
    pub(super) fn state(&self, primary: ServerId) -> State {
        State {
            epoch: self.epoch,
            primary,
            before: self
                .roster
                .others(Some(primary))
                .find(|(_, known)| known.replaced)
                .map(|(server, _)| server),
            stage: self.stage,
            stopped: self.roster.others(Some(primary)).any(|(_, known)| known.stopped.is_some()),
            cooling: self.cooldown_until.is_some(),
        }
    }

    /// Somebody else has promoted; Headgate only goes along.
    fn adopt(&mut self, now: Instant) -> bool {
        self.held = true;
        match self.pursue(now, Goal::Hold, || Action::HoldWrites { grace: Duration::ZERO }) {
            Progress::Open => return false,
            Progress::Failed(why) => return self.fail(now, Why::NotUndone(why.to_string())),
            Progress::Done => {}
        }
        self.epoch = Epoch(self.epoch.0 + 1);
        self.enter(now, Phase::Publishing, "writes are held");
        true
    }

    pub(super) fn fence(&mut self, now: Instant) -> bool {
        if self.has_recovered() {
            return self.give_up(now, "the primary is back");
        }
        let lock_wait = self.rules.lock_wait;
        for server in self.to_fence() {
            // Who has been silent for long enough to be replaced hardly answers now.
            let silent = self.roster.get(server).is_some_and(|known| known.bad.is_some());
            let within = if silent { self.rules.order / 2 } else { self.rules.longest_order() };
            let done =
                self.pursue_within(now, Goal::Fence(server), within, || Action::Fence { server, lock_wait });
            match done {
                Progress::Open if self.is_late(now) => {}
                Progress::Open => return false,
                Progress::Failed(why) if self.is_switchover() => {
                    return self.give_up(now, format!("{server} could not be made read only: {why}"));
                }
                Progress::Failed(_) | Progress::Done => {}
            }
            let prepared = self.roster.get(server).map_or(0, |known| known.prepared.len());
            if self.is_switchover() && prepared > 0 {
                return self.give_up(now, format!("{prepared} XA branches are prepared on {server}"));
            }
        }
        // Who has come back meanwhile may have more than the others.
        if !self.is_switchover() && self.freeze_replicas(now).is_open() && !self.is_late(now) {
            return false;
        }
        self.tell_of_unfenced(now);
        self.choose(now)
    }

    /// The old primary, and whoever may have been promoted in vain. A process that is gone needs no fence; it gets one when
    /// it comes back.
    fn to_fence(&self) -> Vec<ServerId> {
        let promoted = match self.stage {
            Stage::Promoting { candidate } => Some(candidate),
            Stage::Settled | Stage::Changing => None,
        };
        let mut servers: Vec<ServerId> = self.primary.into_iter().chain(promoted).collect();
        servers.dedup();
        let gone = |server: &ServerId| {
            let bad = self.roster.get(*server).and_then(|known| known.bad);
            bad.is_some_and(|bad| bad.trouble == Trouble::Refused)
        };
        servers.retain(|server| !gone(server));
        servers
    }

    fn tell_of_unfenced(&mut self, now: Instant) {
        let failed: Vec<(ServerId, Failure)> = self
            .to_fence()
            .into_iter()
            .filter_map(|server| match self.orders.progress(Goal::Fence(server)) {
                Some(Progress::Failed(why)) => Some((server, why.clone())),
                Some(Progress::Open) => Some((server, Failure::TimedOut)),
                Some(Progress::Done) | None => None,
            })
            .collect();
        for (server, why) in failed {
            self.note(now, format!("{server} could not be fenced: {why}"));
            self.alert(now, Alert::Unfenced { server, problem: why.to_string() });
        }
    }

    /// Chooses who becomes the primary.
    fn choose(&mut self, now: Instant) -> bool {
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
        let origin =
            self.known_primary().and_then(|known| known.report.as_ref()).map(|report| report.origin.as_str());
        let lineage = Lineage { origin, seen: self.lineage.as_ref() };
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
            return Some(Rejection::Tried("it is the primary that failed".into()));
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

    /// It follows the primary. One that is back and has not followed since lacks what was written meanwhile, however much that
    /// is: it will do where one that did follow has nothing more, and not in a switchover.
    fn has_kept_up(&self, server: ServerId) -> bool {
        let Some(primary) = self.primary else { return false };
        let Some(report) = self.roster.get(server).and_then(|known| known.report.as_ref()) else {
            return false;
        };
        if report.follows(primary) {
            return true;
        }
        let Some(change) = self.change.as_ref().filter(|change| !matches!(change.kind, Kind::Switchover(_)))
        else {
            return false;
        };
        let mut followers = change.frozen.values().filter(|other| other.follows(primary)).peekable();
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
        let missing: Transactions = wanted.without(&report.received);
        if missing.is_empty() {
            return Ok(());
        }
        if strict {
            return Err(Why::WouldLose(missing));
        }
        self.note(now, format!("acknowledged transactions are not on {candidate}: {missing}"));
        self.alert(now, Alert::Lost(missing));
        Ok(())
    }

    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        if self.has_recovered() {
            return self.give_up(now, "the primary is back");
        }
        let Some(candidate) = self.change.as_ref().and_then(|change| change.candidate) else {
            return self.fail(now, Why::TookTooLong("CatchingUp"));
        };
        if self.is_vetoed(candidate) {
            return self.make_room(now, candidate);
        }
        if Some(candidate) != self.primary {
            let Some(up_to) = self.to_be_applied(candidate) else {
                return self.fail(now, Why::ApplierBehind(candidate));
            };
            let within = self.rules.catch_up;
            let drain = || Action::DrainApplier { replica: candidate, up_to };
            match self.pursue_within(now, Goal::Drain, within, drain) {
                Progress::Open => return self.is_late(now) && self.fail(now, Why::ApplierBehind(candidate)),
                Progress::Failed(why) => return self.drop_candidate(now, candidate, &why),
                Progress::Done => {}
            }
        }
        if !self.is_switchover() {
            if self.freeze_replicas(now).is_open() && !self.is_late(now) {
                return false;
            }
            if self.change.as_ref().is_some_and(|change| change.compared < change.frozen.len()) {
                return self.choose(now);
            }
        }
        // What nobody has asked for must still be allowed: another Headgate may have been seen meanwhile.
        let forward = matches!(self.stage, Stage::Promoting { .. });
        if self.kind() == Some(Kind::Failover)
            && !forward
            && let Err(why) = self.permission(now)
        {
            return self.give_up(now, why.to_string());
        }
        // What belongs to this reign must have had its effect before another begins.
        if self.orders.are_out() || now < self.settled_from {
            return self.is_late(now) && self.fail(now, Why::TookTooLong("CatchingUp"));
        }
        self.epoch = Epoch(self.epoch.0 + 1);
        self.enter(now, Phase::Promoting, format!("{candidate} has applied all it received"));
        true
    }

    /// What the candidate must have applied: what it has received; where the old primary was fenced in peace, all it has.
    fn to_be_applied(&self, candidate: ServerId) -> Option<Transactions> {
        let change = self.change.as_ref()?;
        let of = if let Kind::Switchover(_) = change.kind { self.primary? } else { candidate };
        let report = change.frozen.get(&of)?;
        Some(if of == candidate { report.received.clone() } else { report.executed.clone() })
    }

    /// The candidate did not catch up. One that is out of reach, or whose applier fails, makes room for another.
    fn drop_candidate(&mut self, now: Instant, candidate: ServerId, why: &Failure) -> bool {
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
