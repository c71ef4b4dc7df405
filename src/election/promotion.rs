//! The phases from the promotion on. There is no way back from them.

use std::time::Instant;

use super::blocked::Why;
use super::change::Kind;
use super::command::{Action, Hook};
use super::machine::Machine;
use super::orders::{Goal, Progress};
use super::phase::Phase;
use super::state::Stage;
use crate::topology::ServerId;

/// How often a candidate in reach is told to become the primary before another is looked for.
const MOST_ATTEMPTS: u32 = 3;

impl Machine {
    /// Saves that this one, and nobody else, is promoted in this reign; then promotes it.
    pub(super) fn promote(&mut self, now: Instant) -> bool {
        let Some(candidate) = self.change.as_ref().and_then(|change| change.candidate) else {
            self.block(now, Why::TookTooLong("Promoting"));
            return true;
        };
        let stage = self.stage;
        let before = self.change.as_mut().map_or(stage, |change| *change.before.get_or_insert(stage));
        self.stage = Stage::Promoting { candidate };
        match self.save(now) {
            Progress::Done => {}
            Progress::Open if self.is_late(now) => return self.give_in(now, candidate),
            Progress::Open => return false,
            Progress::Failed(why) => {
                // Nobody was promoted. The number of the reign is spent all the same.
                self.stage = before;
                return self.fail(now, Why::StateNotSaved(why.to_string()));
            }
        }
        if self.is_vetoed(candidate) && self.orders.progress(Goal::Promote).is_none() {
            return self.make_room(now, candidate);
        }
        if let Some(known) = self.roster.get_mut(candidate) {
            known.in_vain = true;
        }
        match self.pursue(now, Goal::Promote, || Action::Promote { server: candidate }) {
            Progress::Done => {
                self.enter(now, Phase::Repointing, format!("{candidate} is writable"));
                true
            }
            Progress::Open => self.is_late(now) && self.give_in(now, candidate),
            Progress::Failed(why) => {
                let in_reach = self.roster.get(candidate).is_some_and(|known| known.current().is_some());
                let attempts = self.change.as_mut().map_or(MOST_ATTEMPTS, |change| {
                    change.attempts += 1;
                    change.attempts
                });
                if in_reach && attempts < MOST_ATTEMPTS && !self.is_vetoed(candidate) {
                    self.orders.retry(Goal::Promote);
                    return false;
                }
                self.try_another(now, candidate, &why)
            }
        }
    }

    fn give_in(&mut self, now: Instant, candidate: ServerId) -> bool {
        self.block(now, Why::NotPromoted(candidate));
        true
    }

    /// Has the other replicas follow, those that can; the rest is for later. Once one follows, it can acknowledge what clients
    /// write, and they need not wait for the others.
    pub(super) fn repoint(&mut self, now: Instant) -> bool {
        let Some(source) = self.change.as_ref().and_then(|change| change.candidate) else { return false };
        let planned = matches!(self.kind(), Some(Kind::Switchover(_)));
        let restored = self.pursue(now, Goal::SemiSync, || Action::RestoreSemiSync { primary: source });
        let within = self.roster.get(source).and_then(|known| Some(known.report.as_ref()?.executed.clone()));
        let mut open = false;
        for replica in self.repointable(source, planned) {
            let follow = || Action::Follow { replica, source, within: within.clone(), accept: None };
            open |= self.pursue(now, Goal::Follow(replica), follow).is_open();
        }
        let follows = |(server, _)| self.orders.progress(Goal::Follow(server)) == Some(&Progress::Done);
        let one_follows = self.roster.others(Some(source)).any(follows);
        let waits = restored.is_open() || (open && !one_follows);
        if waits && !self.is_late(now) {
            return false;
        }
        let what = if open { "a replica follows it" } else { "the replicas that can do so follow it" };
        self.enter(now, Phase::Publishing, what);
        true
    }

    /// Who followed the old primary, has nothing that the new one lacks, and lacks nothing that it cannot send. The old
    /// primary itself only where it was fenced in peace. Everybody else is fenced before he follows; that is upkeep's.
    fn repointable(&self, source: ServerId, planned: bool) -> Vec<ServerId> {
        let Some(new) = self.roster.get(source).and_then(|known| known.report.as_ref()) else {
            return Vec::new();
        };
        let Some(old) = self.primary else { return Vec::new() };
        let others = self.roster.others(Some(source));
        others
            .filter(|(_, known)| known.quarantine.is_none())
            .filter(|(server, known)| {
                known.current().is_some_and(|report| {
                    (report.follows(old) || planned && *server == old)
                        && !report.writable
                        && new.executed.contains(&report.received)
                        && report.received.contains(&new.purged)
                })
            })
            .map(|(server, _)| server)
            .collect()
    }

    /// Makes it the primary for everybody.
    pub(super) fn publish(&mut self, now: Instant) -> bool {
        let Some(primary) = self.change.as_ref().and_then(|change| change.candidate) else { return false };
        // The saved stage leads to the same primary of the same reign, so to have it written can wait; to publish cannot.
        if let Some(old) = self.primary.replace(primary).filter(|old| *old != primary)
            && let Some(known) = self.roster.get_mut(old)
        {
            known.replaced = Some(self.epoch);
            known.yielded = false;
        }
        self.stage = Stage::Settled;
        if !matches!(self.kind(), Some(Kind::Switchover(_) | Kind::Adoption(_)))
            && self.cooldown_until.is_none_or(|until| until <= now)
        {
            self.cooldown_until = Some(now + self.rules.cooldown);
        }
        let _ = self.save(now);
        let said = self.pursue(now, Goal::Publish, || Action::Publish { primary });
        if said.is_done() {
            let released = self.pursue(now, Goal::Release, || Action::ReleaseWrites);
            let saved = self.save(now);
            if released.is_done() && saved.is_done() {
                return self.finish(now, primary);
            }
        }
        for goal in [Goal::Save, Goal::Publish, Goal::Release] {
            if let Some(Progress::Failed(_)) = self.orders.progress(goal) {
                self.orders.retry(goal);
            }
        }
        if self.is_late(now) && said.is_done() {
            return self.finish(now, primary);
        }
        false
    }

    fn finish(&mut self, now: Instant, primary: ServerId) -> bool {
        let run = self.change.take().and_then(|change| change.run);
        self.accept_loss = false;
        self.rounds = 0;
        if let Some(known) = self.roster.get_mut(primary)
            && let Some(report) = &known.report
        {
            known.stopped = None;
            known.in_vain = false;
            self.lineage = Some(report.executed.clone());
            self.floor = Some(report.executed.clone());
        }
        // It may have been restarted since it was promoted.
        self.run = run;
        let epoch = self.epoch;
        if let Some(within) = self.rules.hook {
            self.orders.send(now, epoch, within, Action::RunHook(Hook::After), None);
        }
        self.come_to_rest(now, &format!("{primary} is the primary"))
    }
}
