//! The steps, one after the other.

use std::time::{Duration, Instant};

use super::step::{Look, Seen, Stage, Step};
use crate::topology::{Epoch, ServerId};

/// So long a server must be well without a break before it serves again.
const STEADY: Duration = Duration::from_secs(3);

/// How often a switchover is tried: transactions may not have ended in time.
const ATTEMPTS: u32 = 3;

/// Between two attempts.
const BETWEEN: Duration = Duration::from_secs(5);

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The servers were looked at.
    Look(Look),
    /// What came of the last order.
    Obeyed(Result<(), String>),
    /// An operator wants no more of it.
    Stop {
        /// Who.
        by: String,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Send nothing new to this server.
    Drain(ServerId),
    /// Let it serve again.
    Undrain(ServerId),
    /// Make this one the primary.
    SwitchOver {
        /// The server.
        to: ServerId,
    },
}

/// How it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All servers were restarted.
    Finished,
    /// It was stopped, and all is put back.
    Stopped(String),
}

/// A rolling restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    steps: Vec<Step>,
    at: usize,
    primary: ServerId,
    epoch: Epoch,
    /// An order that is not answered yet.
    open: Option<Order>,
    /// Who is to be the primary, and how often that was tried.
    successor: Option<ServerId>,
    attempts: u32,
    /// The drain of the present server has been seen.
    seen_drained: bool,
    /// Since when the present server has been well.
    well_since: Option<Instant>,
    outcome: Option<Outcome>,
}

impl Rolling {
    /// Begins, or says why not.
    ///
    /// # Errors
    /// A server is not well, or drained already, or there is nobody to take the primary's place.
    pub fn begin(now: Instant, look: &Look) -> Result<Self, String> {
        let primary = look.primary.ok_or("there is no primary")?;
        if !look.at_rest {
            return Err("a failover or a switchover is under way".to_owned());
        }
        if look.of(primary).is_none() || look.servers.len() < 2 {
            return Err("there is no replica that could take the primary's place".to_owned());
        }
        for seen in &look.servers {
            if seen.drained {
                return Err(format!("{} is drained; UNDRAIN it first", seen.server));
            }
            if let Err(why) = &seen.well {
                return Err(format!("{}: {why}", seen.server));
            }
        }
        let replicas = look.servers.iter().map(|seen| seen.server).filter(|server| *server != primary);
        let step =
            |server| Step { server, stage: Stage::Waiting, since: now, what: String::new(), run: None };
        Ok(Self {
            steps: replicas.chain([primary]).map(step).collect(),
            at: 0,
            primary,
            epoch: look.epoch,
            open: None,
            successor: None,
            attempts: 0,
            seen_drained: false,
            well_since: None,
            outcome: None,
        })
    }

    /// The servers in their order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How it has ended; nothing while it goes on.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Takes in what is told, and answers with what is to be done, if anything is.
    pub fn step(&mut self, now: Instant, event: Event) -> Option<Order> {
        if self.outcome.is_some() {
            return None;
        }
        match event {
            Event::Stop { by } => self.stop(now, format!("{by} has stopped it")),
            Event::Obeyed(outcome) => self.obeyed(now, outcome),
            Event::Look(look) => match self.broken(&look) {
                Some(why) => self.stop(now, why),
                None if self.open.is_some() => None,
                None => self.go_on(now, &look),
            },
        }
    }

    /// What has happened that this has not done.
    fn broken(&self, look: &Look) -> Option<String> {
        if let Some(gone) = self.steps.iter().find(|step| look.of(step.server).is_none()) {
            return Some(format!("{} is none of the servers any more", gone.server));
        }
        let switches = self.steps.get(self.at).is_some_and(|step| step.stage == Stage::SwitchingOver);
        let mine = |primary| primary == self.primary || (switches && Some(primary) == self.successor);
        if let Some(other) = look.primary.filter(|primary| !mine(*primary)) {
            return Some(format!("{other} has become the primary"));
        }
        if look.epoch != self.epoch && !switches {
            return Some("a failover has begun another reign".to_owned());
        }
        None
    }

    fn go_on(&mut self, now: Instant, look: &Look) -> Option<Order> {
        let step = self.steps.get(self.at)?;
        let seen = look.of(step.server)?;
        match step.stage {
            Stage::Waiting => self.take_turn(now, look),
            Stage::SwitchingOver => self.switch_over(now, look, seen),
            Stage::Draining => self.empty(now, seen),
            Stage::Asked => self.await_restart(now, seen),
            Stage::Returning => self.await_return(now, seen),
            Stage::Done => None,
        }
    }

    /// It is a server's turn, once all others are well.
    fn take_turn(&mut self, now: Instant, look: &Look) -> Option<Order> {
        let server = self.steps.get(self.at)?.server;
        let others = look.servers.iter().filter(|seen| seen.server != server);
        let unwell = others.filter_map(|seen| Some((seen.server, seen.well.as_ref().err()?))).next();
        if let Some((other, why)) = unwell {
            return self.wait(format!("begins when {other} is well: {why}"));
        }
        if !look.at_rest {
            return self.wait("begins when failover is at rest".to_owned());
        }
        match server == self.primary {
            true => self.propose(now, look),
            false => self.drain(now, look.of(server)?),
        }
    }

    fn propose(&mut self, now: Instant, look: &Look) -> Option<Order> {
        let others = |server: &&ServerId| **server != self.primary && look.of(**server).is_some();
        let Some(to) = look.candidates.iter().find(others).copied() else {
            return self.stop(now, "no replica may become the primary".to_owned());
        };
        (self.successor, self.attempts) = (Some(to), self.attempts + 1);
        self.enter(now, Stage::SwitchingOver, format!("{to} takes its place"));
        self.order(Order::SwitchOver { to })
    }

    /// The switchover is done, or has failed and is tried again.
    fn switch_over(&mut self, now: Instant, look: &Look, seen: &Seen) -> Option<Order> {
        if look.primary == Some(self.primary) {
            let since = self.steps.get(self.at)?.since;
            let waited = now.saturating_duration_since(since) >= BETWEEN;
            return if waited && look.at_rest { self.propose(now, look) } else { None };
        }
        if !look.at_rest || seen.well.is_err() {
            return self.wait("it is taken in as a replica".to_owned());
        }
        (self.primary, self.epoch) = (look.primary?, look.epoch);
        self.drain(now, seen)
    }

    fn drain(&mut self, now: Instant, seen: &Seen) -> Option<Order> {
        let server = seen.server;
        (self.seen_drained, self.well_since) = (false, None);
        self.enter(now, Stage::Draining, "what is under way there ends".to_owned());
        if let Some(step) = self.steps.get_mut(self.at) {
            step.run = seen.run;
        }
        self.order(Order::Drain(server))
    }

    /// What is under way ends. A server that was restarted too early, or stopped, has nothing under way any more.
    fn empty(&mut self, now: Instant, seen: &Seen) -> Option<Order> {
        if self.is_undrained(seen) {
            return self.stop(now, format!("{} was undrained", seen.server));
        }
        if !seen.answers || self.is_restarted(seen) || (self.seen_drained && seen.in_use == 0) {
            self.enter(now, Stage::Asked, "it is noticed when it was restarted".to_owned());
            return None;
        }
        self.wait(format!("{} connections to it are in use", seen.in_use))
    }

    fn await_restart(&mut self, now: Instant, seen: &Seen) -> Option<Order> {
        if self.is_undrained(seen) {
            return self.stop(now, format!("{} was undrained", seen.server));
        }
        if self.is_restarted(seen) {
            self.enter(now, Stage::Returning, "it was restarted".to_owned());
            return None;
        }
        match seen.answers {
            true => self.wait("it is noticed when it was restarted".to_owned()),
            false => self.wait("it is stopped, and is to be started again".to_owned()),
        }
    }

    fn await_return(&mut self, now: Instant, seen: &Seen) -> Option<Order> {
        if self.is_undrained(seen) {
            return self.stop(now, format!("{} was undrained", seen.server));
        }
        match &seen.well {
            Err(why) => {
                self.well_since = None;
                self.wait(why.clone())
            }
            Ok(()) => {
                let since = *self.well_since.get_or_insert(now);
                if now.saturating_duration_since(since) < STEADY {
                    return self.wait("it is well, and must stay so for a moment".to_owned());
                }
                self.order(Order::Undrain(seen.server))
            }
        }
    }

    /// What came of the last order.
    fn obeyed(&mut self, now: Instant, outcome: Result<(), String>) -> Option<Order> {
        match (self.open.take()?, outcome) {
            (Order::Drain(_) | Order::SwitchOver { .. }, Ok(())) => None,
            (Order::Undrain(_), Ok(())) => {
                self.enter(now, Stage::Done, "restarted, and serves again".to_owned());
                self.at += 1;
                if self.at == self.steps.len() {
                    self.outcome = Some(Outcome::Finished);
                }
                None
            }
            (Order::SwitchOver { .. }, Err(why)) if self.attempts < ATTEMPTS => {
                self.enter(now, Stage::SwitchingOver, format!("it is tried again: {why}"));
                None
            }
            (Order::SwitchOver { to }, Err(why)) => self.stop(now, format!("switchover to {to}: {why}")),
            (Order::Drain(server) | Order::Undrain(server), Err(why)) => {
                self.stop(now, format!("{server}: {why}"))
            }
        }
    }

    /// Ends it, and puts back what is changed.
    fn stop(&mut self, now: Instant, why: String) -> Option<Order> {
        let step = self.steps.get_mut(self.at)?;
        let back = step.stage.is_drained().then_some(Order::Undrain(step.server));
        (step.since, step.what) = (now, why.clone());
        (self.open, self.outcome) = (None, Some(Outcome::Stopped(why)));
        back
    }

    fn is_restarted(&self, seen: &Seen) -> bool {
        let before = self.steps.get(self.at).and_then(|step| step.run);
        seen.answers && seen.run.is_some() && seen.run != before
    }

    /// Somebody else has let it serve again. That it is drained is seen a moment after it was ordered.
    fn is_undrained(&mut self, seen: &Seen) -> bool {
        self.seen_drained |= seen.drained;
        self.seen_drained && !seen.drained
    }

    fn enter(&mut self, now: Instant, stage: Stage, what: String) {
        if let Some(step) = self.steps.get_mut(self.at) {
            (step.stage, step.since, step.what) = (stage, now, what);
        }
    }

    fn wait(&mut self, what: String) -> Option<Order> {
        if let Some(step) = self.steps.get_mut(self.at) {
            step.what = what;
        }
        None
    }

    fn order(&mut self, order: Order) -> Option<Order> {
        self.open = Some(order);
        self.open
    }
}
