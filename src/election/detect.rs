//! The phases in which nothing is changed: is the primary well, and if not, is it dead.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::change::{Change, Kind};
use super::command::Action;
use super::machine::Machine;
use super::orders::Goal;
use super::phase::Phase;
use super::roster::Known;
use super::state::Stage;
use super::suspicion::{Verdict, judge};
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

/// How long after it happened Headgate has seen what happened to a server.
const LOOKED_LATE: Duration = Duration::from_secs(1);

impl Machine {
    /// Looks for the primary after a start.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        if let Stage::Promoting { candidate } = self.stage {
            self.change = Some(Change::new(Kind::Resumed(candidate)));
            self.enter(now, Phase::Promoting, format!("{candidate} was being promoted"));
            return true;
        }
        let Some(primary) = self.primary else { return self.find_primary(now) };
        let known = self.roster.get(primary);
        if known.is_some_and(|known| known.bad.is_some()) || self.is_late(now) {
            self.enter(now, Phase::Suspecting, format!("{primary} does not answer"));
            return true;
        }
        if known.is_none_or(|known| known.current().is_none()) {
            return false;
        }
        if self.is_demoted() {
            // Somebody has changed the primary since: there is nothing to put back.
            self.stage = Stage::Settled;
        }
        self.come_to_rest(now, "the primary answers")
    }

    /// With nothing saved, the primary is the one server that is writable, once all were asked.
    fn find_primary(&mut self, now: Instant) -> bool {
        let asked = self.roster.0.values().all(|known| known.report.is_some() || known.bad.is_some());
        if !asked && !self.is_late(now) {
            return false;
        }
        match self.the_one(|server, _| !self.is_replica(server)) {
            Some(server) => {
                self.primary = Some(server);
                self.epoch = Epoch(self.epoch.0 + 1);
                self.floor =
                    self.roster.get(server).and_then(|known| Some(known.current()?.executed.clone()));
                self.lineage = self.floor.clone();
                self.come_to_rest(now, "it is the one server that is writable")
            }
            None if self.phase == Phase::Starting => {
                self.block(now, Why::NoPrimary);
                true
            }
            None => false,
        }
    }

    /// The one server of these that is writable, if it is one.
    pub(super) fn the_one(&self, of: impl Fn(ServerId, &Known) -> bool) -> Option<ServerId> {
        let mut writable = self.roster.0.iter().filter(|(server, known)| {
            of(**server, known) && known.current().is_some_and(|report| report.writable)
        });
        let (server, _) = writable.next()?;
        writable.next().is_none().then_some(*server)
    }

    /// The primary works. Puts back what was begun, if anything was.
    pub(super) fn come_to_rest(&mut self, now: Instant, what: &str) -> bool {
        self.change = None;
        self.cooldown_until = self.cooldown_until.filter(|until| now < *until);
        let phase = match self.stage {
            Stage::Changing => Phase::Undoing,
            _ if self.cooldown_until.is_some() => Phase::Cooldown,
            _ => Phase::Healthy,
        };
        self.enter(now, phase, what);
        true
    }

    /// Healthy and Cooldown.
    pub(super) fn rest(&mut self, now: Instant) -> bool {
        let Some(primary) = self.primary else { return false };
        if let Some(bad) = self.known_primary().and_then(|known| known.bad) {
            self.enter(now, Phase::Suspecting, format!("{primary} {}", bad.trouble));
            return true;
        }
        if self.phase == Phase::Cooldown && self.cooldown_until.is_some_and(|until| now >= until) {
            self.cooldown_until = None;
            self.enter(now, Phase::Healthy, "the cool-down is over");
            return true;
        }
        let Some(report) = self.primary_report() else { return false };
        let (writable, run) = (report.writable, report.run);
        if let Some(moved) = self.follow_others(now) {
            return moved;
        }
        if let Some(missing) = self.lacks() {
            return self.fail_over(now, format!("{primary} has come back without {missing}"));
        }
        if !writable {
            return self.cope_with_read_only(now, primary);
        }
        if self.ahead().is_none() {
            self.run = Some(run);
        }
        self.rounds = 0;
        self.told = None;
        self.accept_loss = false;
        self.speak_for_primary(now, primary);
        false
    }

    /// What must have been said while the primary is well: that it is the primary, and that writes may begin.
    fn speak_for_primary(&mut self, now: Instant, primary: ServerId) {
        if self.published != Some((self.epoch, primary)) {
            let said = self.pursue(now, Goal::Publish, || Action::Publish { primary });
            if !said.is_open() {
                self.orders.retry(Goal::Publish);
            }
        } else if self.held {
            let said = self.pursue(now, Goal::Release, || Action::ReleaseWrites);
            if !said.is_open() {
                self.orders.retry(Goal::Release);
            }
        }
        if self.saved != Some(self.state(primary)) && self.retry_at.is_none_or(|at| now >= at) {
            let saved = self.save(now);
            if !saved.is_open() {
                self.orders.retry(Goal::Save);
                self.retry_at = Some(now + self.rules.retry);
            }
        }
    }

    /// The primary is read only, and no phase made it so.
    fn cope_with_read_only(&mut self, now: Instant, primary: ServerId) -> bool {
        if !self.make_writable_again(now, primary) {
            self.block(now, Why::PrimaryReadOnly(primary));
        }
        true
    }

    /// Many servers start read only, so that one which comes back does no harm. Where the primary was restarted, and nobody
    /// else has taken its place, that is all there is to it.
    fn make_writable_again(&mut self, now: Instant, primary: ServerId) -> bool {
        let Some(report) = self.primary_report() else { return false };
        let restarted = Some(report.run) != self.run;
        // A fence that an earlier run of Headgate sent may have come after this one had undone it.
        let by_us = now < self.settled_from + LOOKED_LATE;
        // One that was replaced, or in which nobody has written, has not taken anybody's place.
        let alone = self.roster.others(Some(primary)).all(|(_, known)| {
            known.bad.is_some()
                || known.report.as_ref().is_some_and(|other| {
                    !other.writable || known.replaced.is_some() || report.executed.contains(&other.executed)
                })
        });
        let may = (restarted || by_us) && alone && !self.is_demoted() && self.may_look_after();
        if may {
            self.stage = Stage::Changing;
            let why = if restarted { "was restarted and is" } else { "was made" };
            self.enter(now, Phase::Undoing, format!("{primary} {why} read only"));
        }
        may
    }

    /// What replicas have of the primary's own writing that it lacks itself since it was restarted.
    ///
    /// Only then: while it runs, semi-synchronous replicas have transactions before it shows them (HAZARDS 14).
    fn lacks(&self) -> Option<Transactions> {
        let asked = self.known_primary()?.reported?;
        self.ahead().filter(|(_, seen)| *seen <= asked).map(|(own, _)| own)
    }

    /// The same, though a replica was asked later than the primary: it may have got them since. And when it was asked.
    pub(super) fn ahead(&self) -> Option<(Transactions, Instant)> {
        let report = self.primary_report()?;
        if self.run.is_none_or(|run| run == report.run) {
            return None;
        }
        self.roster.others(self.primary).find_map(|(_, known)| {
            let received = &known.report.as_ref()?.received;
            if report.executed.contains(received) {
                return None;
            }
            let (own, _) = received.without(&report.executed).by_origin(&report.origin);
            (!own.is_empty()).then_some((own, known.reported?))
        })
    }

    pub(super) fn suspect(&mut self, now: Instant) -> bool {
        let Some(bad) = self.known_primary().and_then(|known| known.bad) else {
            return if self.is_late(now) || self.primary_report().is_some() {
                self.believe(now)
            } else {
                false
            };
        };
        if bad.count < 2 && !self.is_late(now) {
            return false;
        }
        self.enter(now, Phase::Confirming, format!("it {}, again", bad.trouble));
        true
    }

    /// The primary answers again.
    fn believe(&mut self, now: Instant) -> bool {
        match self.lacks() {
            Some(missing) => self.fail_over(now, format!("the primary has come back without {missing}")),
            None => self.come_to_rest(now, "the primary answers again"),
        }
    }

    pub(super) fn confirm(&mut self, now: Instant) -> bool {
        if let Some(moved) = self.follow_others(now) {
            return moved;
        }
        match self.verdict(now) {
            None if self.primary_report().is_some() => self.believe(now),
            Some(Verdict::Dead(trouble)) => self.fail_over(now, format!("the primary {trouble}")),
            Some(Verdict::Ask(replica)) if !self.is_late(now) => {
                self.ask(now, replica);
                false
            }
            Some(Verdict::No(why)) if self.is_late(now) => {
                self.block(now, why);
                true
            }
            None | Some(Verdict::Wait | Verdict::Ask(_)) if self.is_late(now) => {
                let why = self.permission(now).err().unwrap_or(Why::NoWitness);
                self.block(now, why);
                true
            }
            None | Some(Verdict::Wait | Verdict::Ask(_) | Verdict::No(_)) => false,
        }
    }

    /// What is to be thought of the primary; nothing where it answers.
    fn verdict(&self, now: Instant) -> Option<Verdict> {
        let primary = self.primary?;
        let bad = self.roster.get(primary)?.bad?;
        Some(judge(&self.roster, primary, bad, &self.rules, self.stage != Stage::Settled, now))
    }

    /// Has a receiver restarted, to see whether it gets a connection to the primary.
    fn ask(&mut self, now: Instant, replica: ServerId) {
        if !self.may_look_after() || self.orders.is_busy(replica) {
            return;
        }
        let within = self.rules.order / 2;
        if let Some(known) = self.roster.get_mut(replica) {
            known.stopped = known.stopped.max(Some(now + within));
        }
        // It is stopped first, and has to be started again by the next run if need be.
        if self.primary.is_some_and(|primary| self.saved != Some(self.state(primary)))
            && self.save(now).is_open()
        {
            return;
        }
        if let Some(known) = self.roster.get_mut(replica) {
            known.tested = Some(now);
        }
        self.orders.send(now, self.epoch, within, Action::RestartReceiver { replica }, None);
        self.note(now, format!("the receiver of {replica} is restarted, to see what it gets"));
    }

    /// Begins a failover, if one may begin.
    fn fail_over(&mut self, now: Instant, what: String) -> bool {
        match self.permission(now) {
            Ok(()) => {
                self.begin(now, Kind::Failover, what);
                true
            }
            Err(why) => self.change_reason(now, why),
        }
    }

    /// Blocks for this reason. Where it already does, only the particulars are taken in.
    fn change_reason(&mut self, now: Instant, why: Why) -> bool {
        match &mut self.phase {
            Phase::Blocked(known) if std::mem::discriminant(known) == std::mem::discriminant(&why) => {
                *known = why
            }
            _ => self.block(now, why),
        }
        false
    }

    /// Blocked: looks whether the reason still holds.
    pub(super) fn stand(&mut self, now: Instant, why: &Why) -> bool {
        if !self.leading {
            return false;
        }
        let try_again = self.retry_at.is_some_and(|at| now >= at);
        if matches!(self.stage, Stage::Promoting { .. }) {
            // A candidate may be writable. There is no way back, only on.
            if try_again {
                self.begin(now, Kind::Failover, "it is tried again");
            }
            return try_again;
        }
        if *why == Why::NoPrimary {
            return self.find_primary(now);
        }
        if let Some(moved) = self.follow_others(now) {
            return moved;
        }
        if let Some(report) = self.primary_report() {
            return match why {
                Why::PrimaryReadOnly(primary) if !report.writable => self.make_writable_again(now, *primary),
                Why::NotUndone(_) if !try_again => false,
                _ => self.believe(now),
            };
        }
        match self.verdict(now) {
            Some(Verdict::Dead(trouble)) if try_again || !why.needs_another_try() => {
                self.fail_over(now, format!("the primary {trouble}"))
            }
            Some(Verdict::Dead(_) | Verdict::Wait) | None => false,
            Some(Verdict::Ask(replica)) => {
                self.ask(now, replica);
                false
            }
            Some(Verdict::No(why)) => self.change_reason(now, why),
        }
    }
}
