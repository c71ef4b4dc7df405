//! The phases up to the promotion. All that they do can be undone.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::change::Kind;
use super::command::{Action, Alert, Failure, Hook};
use super::machine::Machine;
use super::orders::{Goal, Progress};
use super::phase::Phase;
use super::sight::Trouble;
use super::state::{Stage, State};
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

impl Machine {
    pub(super) fn kind(&self) -> Option<Kind> {
        self.change.as_ref().map(|change| change.kind)
    }

    pub(super) fn is_switchover(&self) -> bool {
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
    pub(super) fn give_up(&mut self, now: Instant, what: impl Into<String>) -> bool {
        self.enter(now, Phase::Undoing, what);
        true
    }

    /// A phase took too long, or could not do what it is for.
    pub(super) fn fail(&mut self, now: Instant, why: Why) -> bool {
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
            Err(why) => return self.fail(now, why),
            Ok(false) if self.is_late(now) => return self.fail(now, Why::TookTooLong("Revoking")),
            Ok(false) => return false,
            Ok(true) => {}
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
            let stopped = self.pursue(now, Goal::Stop(replica), || Action::StopReceiver { replica });
            // Who does not follow is not waited for long. If he answers in time, he is compared.
            let known = self.roster.get(replica);
            let counts = known.is_some_and(|known| {
                known.in_vain || known.current().is_some_and(|report| self.is_follower(report))
            });
            let early = now.saturating_duration_since(self.entered) < self.rules.order / 4;
            open |= stopped.is_open() && (counts || early);
            // From now on it may be stopped, whatever answer comes.
            let until = now + self.rules.order;
            if let Some(known) = self.roster.get_mut(replica) {
                known.stopped = known.stopped.or(Some(until));
            }
        }
        if open { Progress::Open } else { Progress::Done }
    }

    /// Saves that a change begins, holds writes, and runs the operator's program. True when all is done.
    fn prepare(&mut self, now: Instant) -> Result<bool, Why> {
        // What may have been promoted already is the more important thing to know after a restart.
        let saved = if matches!(self.stage, Stage::Promoting { .. }) {
            Progress::Done
        } else {
            self.stage = Stage::Changing;
            self.save(now)
        };
        match saved {
            Progress::Open => return Ok(false),
            Progress::Failed(why) => return Err(Why::StateNotSaved(why.to_string())),
            Progress::Done => {}
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
            (Progress::Failed(why), _) => Err(Why::NotHeld(why.to_string())),
            (_, Progress::Failed(why)) if self.is_switchover() => Err(Why::HookFailed(why.to_string())),
            (held, hooked) => Ok(!held.is_open() && !hooked.is_open()),
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
                .filter(|(_, known)| known.replaced.is_some())
                .max_by_key(|(_, known)| known.replaced)
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
            Progress::Failed(why) => return self.fail(now, Why::NotHeld(why.to_string())),
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
            let within = if silent { self.rules.order / 4 } else { self.rules.longest_order() };
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
        let mut servers: Vec<ServerId> = self.line().collect();
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
        if let Some(change) = &mut self.change {
            change.before = None;
        }
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
}
