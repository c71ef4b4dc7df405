//! The machine: what it knows, how an event changes that, and when it wants to be asked again.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::candidate::Ranking;
use super::change::{Change, Kind};
use super::command::{Action, Alert, Command, Failure};
use super::event::Event;
use super::orders::{Goal, Orders, Progress};
use super::phase::Phase;
use super::roster::{Known, Quarantine, Roster};
use super::rules::{Policy, Rules};
use super::sight::Report;
use super::state::{Stage, State};
use super::timeline::Timeline;
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

/// How often a suspicion is looked at without an event.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// More transitions than this in one step would be a circle.
const MOST_TRANSITIONS: u32 = 16;

/// Decides when the primary is dead, who follows it, and how.
///
/// Fed with events and the time, it answers with commands. Each step looks at all it knows, not at the event alone: an
/// answer that is lost, or comes twice, changes nothing but the time it takes.
#[derive(Debug)]
pub struct Machine {
    pub(super) rules: Rules,
    pub(super) roster: Roster,
    /// The reign; while one is about to begin, that one.
    pub(super) epoch: Epoch,
    pub(super) primary: Option<ServerId>,
    pub(super) stage: Stage,
    pub(super) phase: Phase,
    /// When the phase was entered.
    pub(super) entered: Instant,
    /// When the phase must be over.
    pub(super) deadline: Option<Instant>,
    pub(super) orders: Orders,
    pub(super) change: Option<Change>,
    /// How often it came to stand still since the primary was last well.
    pub(super) rounds: u32,
    /// What was seen on the primary in this reign.
    pub(super) lineage: Option<Transactions>,
    /// What was on the primary before this run of Headgate relayed anything in this reign. Whatever an earlier run
    /// acknowledged is in it.
    pub(super) floor: Option<Transactions>,
    /// The primary's run when it was last seen writable.
    pub(super) run: Option<u64>,
    /// What the shell was told last.
    pub(super) published: Option<(Epoch, ServerId)>,
    /// What was saved last, as far as that is known.
    pub(super) saved: Option<State>,
    /// A promotion that was not begun may be saved as begun: nobody knows what came of saving it.
    pub(super) in_doubt: bool,
    /// Writes may be held.
    pub(super) held: bool,
    pub(super) cooldown_until: Option<Instant>,
    pub(super) retry_at: Option<Instant>,
    pub(super) accept_loss: bool,
    /// The reason for standing still that operators know.
    pub(super) told: Option<Why>,
    /// No order of an earlier run of Headgate takes effect after this.
    pub(super) settled_from: Instant,
    pub(super) leading: bool,
    paused: bool,
    pub(super) rival: Option<String>,
    stepped: Instant,
    timeline: Timeline,
}

impl Machine {
    /// A machine that goes on where an earlier run of Headgate ended; with nothing saved, one that looks for the
    /// primary.
    #[must_use]
    pub fn restore(state: Option<State>, rules: Rules, servers: &[ServerId], now: Instant) -> Self {
        let mut machine = Self {
            rules,
            roster: Roster::default(),
            epoch: Epoch::default(),
            primary: None,
            stage: Stage::Settled,
            phase: Phase::Starting,
            entered: now,
            deadline: None,
            orders: Orders::default(),
            change: None,
            rounds: 0,
            lineage: None,
            floor: None,
            run: None,
            published: None,
            saved: None,
            in_doubt: false,
            held: true,
            cooldown_until: None,
            retry_at: None,
            accept_loss: false,
            told: None,
            settled_from: now,
            leading: true,
            paused: false,
            rival: None,
            stepped: now,
            timeline: Timeline::default(),
        };
        machine.set_servers(servers);
        machine.go_on_from(now, state);
        machine
    }

    /// Takes in what happened, and answers what is to be done.
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Command> {
        self.stepped = now;
        for (id, epoch) in self.orders.overdue(now) {
            self.settle(now, id, epoch, Err(Failure::TimedOut));
        }
        self.absorb(now, event);
        for _ in 0..MOST_TRANSITIONS {
            if !self.advance(now) {
                break;
            }
        }
        match self.phase {
            Phase::Healthy | Phase::Cooldown => self.upkeep(now),
            Phase::Suspecting | Phase::Confirming | Phase::Blocked(_) => self.fence_replaced(now),
            _ => {}
        }
        self.orders.take()
    }

    /// When it is to be stepped though nothing happened.
    #[must_use]
    pub fn wake_at(&self) -> Instant {
        let look_again = match self.phase {
            Phase::Suspecting
            | Phase::Confirming
            | Phase::Revoking
            | Phase::CatchingUp
            | Phase::Repointing => LOOK_AGAIN,
            _ => Duration::from_secs(1),
        };
        let times = [self.deadline, self.orders.next_deadline(), self.cooldown_until, self.retry_at];
        let later = times.into_iter().flatten().filter(|at| *at > self.stepped);
        later.fold(self.stepped + look_again, Instant::min)
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// When the phase is over at the latest; nothing for those that may last.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The reign; while one is about to begin, that one.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The primary; while it is replaced, the old one.
    #[must_use]
    pub const fn primary(&self) -> Option<ServerId> {
        self.primary
    }

    /// What happened lately.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The rules it goes by.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Who could be switched over to by now, the best first, and what stands against the others. While the primary is being
    /// replaced: who could become it.
    #[must_use]
    pub fn candidates(&self) -> Ranking {
        self.ranking()
    }

    /// The servers that are kept out, and why.
    pub fn quarantined(&self) -> impl Iterator<Item = (ServerId, &Quarantine)> {
        self.roster.0.iter().filter_map(|(server, known)| Some((*server, known.quarantine.as_ref()?)))
    }

    /// Begins anew with what was saved.
    pub(super) fn go_on_from(&mut self, now: Instant, state: Option<State>) {
        self.orders.abandon();
        self.change = None;
        self.published = None;
        self.saved = state;
        self.in_doubt = false;
        self.held = true;
        if state.map(|state| (state.epoch, Some(state.primary))) != Some((self.epoch, self.primary)) {
            self.lineage = None;
            self.floor = None;
        }
        // With nothing saved there was no earlier run.
        self.settled_from = if state.is_some() { now + self.rules.longest_order() } else { now };
        if let Some(state) = state {
            self.epoch = state.epoch;
            self.primary = Some(state.primary);
            self.stage = state.stage;
            self.cooldown_until = state.cooling.then(|| now + self.rules.cooldown);
        }
        // Whose receivers the earlier run has stopped is not known; starting one that runs does no harm.
        let touched = self.stage != Stage::Settled || state.is_some_and(|state| state.stopped);
        let touched = touched.then_some(self.settled_from);
        for (server, known) in &mut self.roster.0 {
            known.stopped = touched;
            let before = state.filter(|state| state.before == Some(*server));
            known.replaced = known.replaced.or(before.map(|state| state.epoch));
        }
        let what = state.map_or_else(|| "nothing is saved".to_owned(), |state| format!("{:?}", state.stage));
        self.enter(now, Phase::Starting, what);
    }

    /// Begins a phase.
    pub(super) fn enter(&mut self, now: Instant, phase: Phase, what: impl Into<String>) {
        let rules = &self.rules;
        let order = rules.order;
        let within = match &phase {
            Phase::Healthy | Phase::Cooldown | Phase::Blocked(_) => None,
            Phase::Starting | Phase::Suspecting => Some(rules.silence()),
            Phase::Confirming => Some(rules.silence() + Duration::from_secs(1)),
            Phase::Revoking => Some(order * 4 + rules.grace + rules.hook.unwrap_or_default()),
            Phase::Fencing => Some(order + rules.longest_order() * 2),
            Phase::CatchingUp => Some(rules.catch_up + rules.longest_order() * 2),
            Phase::Promoting => Some(order * 6),
            Phase::Repointing | Phase::Publishing => Some(order * 3),
            Phase::Undoing => Some(order * 3 + rules.longest_order() * 2),
        };
        self.entered = now;
        self.deadline = within.map(|within| now + within);
        // What did not work is tried less often the more often it did not.
        self.retry_at =
            matches!(phase, Phase::Blocked(_)).then(|| now + rules.retry * self.rounds.clamp(1, 6));
        self.orders.begin_phase();
        self.phase = phase;
        self.note(now, what);
    }

    /// Stops here, and tells operators why unless they know.
    pub(super) fn block(&mut self, now: Instant, why: Why) {
        self.change = None;
        let what = format!("{why}; {}", why.advice());
        self.rounds += 1;
        self.enter(now, Phase::Blocked(why.clone()), what);
        let told = self.told.as_ref().map(std::mem::discriminant);
        if told != Some(std::mem::discriminant(&why)) {
            self.told = Some(why.clone());
            self.alert(now, Alert::Blocked(why));
        }
    }

    pub(super) fn note(&mut self, now: Instant, what: impl Into<String>) {
        self.timeline.write(now, self.epoch, self.phase.name(), what.into());
    }

    pub(super) fn alert(&mut self, now: Instant, alert: Alert) {
        self.orders.send(now, self.epoch, self.rules.order, Action::Alert(alert), None);
    }

    /// Sees to a goal of the phase; see [`Orders::pursue`].
    pub(super) fn pursue(&mut self, now: Instant, goal: Goal, action: impl FnOnce() -> Action) -> Progress {
        self.pursue_within(now, goal, self.rules.order, action)
    }

    /// The same, for what may take long.
    pub(super) fn pursue_within(
        &mut self,
        now: Instant,
        goal: Goal,
        within: Duration,
        action: impl FnOnce() -> Action,
    ) -> Progress {
        self.orders.pursue(goal, now, self.epoch, within, action)
    }

    /// Whether something may begin without an operator.
    pub(super) fn permission(&self, now: Instant) -> Result<(), Why> {
        if !self.leading {
            return Err(Why::NotLeading);
        }
        if let Some(rival) = &self.rival {
            return Err(Why::Rival(rival.clone()));
        }
        match self.rules.policy {
            Policy::Off => return Err(Why::PolicyOff),
            Policy::External => return Err(Why::NobodyWritable),
            Policy::Available | Policy::Safe => {}
        }
        if self.paused {
            return Err(Why::Paused);
        }
        if self.cooldown_until.is_some_and(|until| now < until) {
            return Err(Why::CoolingDown);
        }
        Ok(())
    }

    /// Whether servers may be looked after: as [`Self::permission`], and while cooling down too.
    pub(super) fn may_look_after(&self) -> bool {
        let automatic = matches!(self.rules.policy, Policy::Available | Policy::Safe);
        self.leading && self.rival.is_none() && automatic && !self.paused
    }

    /// What is known of the primary.
    pub(super) fn known_primary(&self) -> Option<&Known> {
        self.roster.get(self.primary?)
    }

    /// How the primary stands, if questions to it do not fail.
    pub(super) fn primary_report(&self) -> Option<&Report> {
        self.known_primary()?.current()
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Moves on where it can. True where the phase changed.
    fn advance(&mut self, now: Instant) -> bool {
        match &self.phase {
            Phase::Starting => self.start(now),
            Phase::Healthy | Phase::Cooldown => self.rest(now),
            Phase::Suspecting => self.suspect(now),
            Phase::Confirming => self.confirm(now),
            Phase::Revoking => self.revoke(now),
            Phase::Fencing => self.fence(now),
            Phase::CatchingUp => self.catch_up(now),
            Phase::Promoting => self.promote(now),
            Phase::Repointing => self.repoint(now),
            Phase::Publishing => self.publish(now),
            Phase::Undoing => self.undo(now),
            Phase::Blocked(why) => {
                let why = why.clone();
                self.stand(now, &why)
            }
        }
    }

    /// The phase's time is up.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    pub(super) fn begin(&mut self, now: Instant, kind: Kind, what: impl Into<String>) {
        self.change = Some(Change::new(kind));
        self.enter(now, Phase::Revoking, what);
    }
}
