//! Headgate: the machine, what carries out its commands, and what is kept of clients' writes.

use std::collections::BTreeMap;
use std::time::Duration;

use headgate::election::{
    Action, Command, CommandId, Done, Event, Failure, Machine, Operator, Phase, Policy, Receiver, Report,
    Sight, Stage, State, Trouble, Why,
};
use headgate::gtid::Transactions;
use headgate::topology::{Epoch, ServerId};

use crate::history::changes_roles;
use crate::invariants::{
    every_wait_is_bounded, no_acknowledged_commit_is_lost, no_flapping, no_old_command_takes_effect,
    no_promotion_of, no_revocation_while_heard, nothing_of_its_own, one_promotion,
};
use crate::mutation::Mutation;
use crate::world::{HOP, Happening, MS, SECOND, World};

/// How often a server is asked, and how long it may take.
const PROBE: u64 = 250 * MS;
const PATIENCE: u64 = 500 * MS;

/// A run of Headgate.
pub struct Process {
    pub number: u64,
    pub machine: Machine,
    pub held: bool,
    pub published: Option<(u64, usize)>,
    /// Counts up whenever the connections to the primary are cut.
    pub connection: u64,
    pub relayed: Option<Transactions>,
    /// Until when clients' writes that are under way are waited for.
    pub in_flight: Vec<u64>,
    /// What servers said last.
    reports: BTreeMap<usize, Report>,
    /// Receivers that are being stopped.
    stopping: BTreeMap<CommandId, usize>,
    waking: u64,
    told: u64,
}

pub fn id(server: usize) -> ServerId {
    ServerId(u16::try_from(server).unwrap())
}

fn index(server: ServerId) -> usize {
    usize::from(server.0)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

fn refused(why: &str) -> Result<Done, Failure> {
    Err(Failure::Refused(why.to_owned()))
}

impl World {
    pub fn start_headgate(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.processes += 1;
        let number = self.processes;
        let mut rules = self.setup.rules.clone();
        if self.mutation == Some(Mutation::NoCooldown) {
            rules.cooldown = Duration::ZERO;
        }
        if self.mutation != Some(Mutation::NoVeto) {
            rules.vetoes = self.history.vetoed.iter().copied().map(id).collect();
        }
        let servers: Vec<ServerId> = (0..self.servers.len()).map(id).collect();
        let machine = Machine::restore(self.stored, rules, &servers, self.instant());
        self.process = Some(Process {
            number,
            machine,
            held: true,
            published: None,
            connection: 0,
            relayed: None,
            in_flight: Vec::new(),
            reports: BTreeMap::new(),
            stopping: BTreeMap::new(),
            waking: u64::MAX,
            told: 0,
        });
        self.history.tell(self.now, || format!("Headgate starts, its run {number}"));
        for server in 0..self.servers.len() {
            let delay = self.chance.within(0, PROBE);
            self.after(delay, Happening::Probe { process: number, server });
        }
        self.step(Event::Tick);
    }

    pub fn kill_headgate(&mut self) {
        self.process = None;
        self.waiters.clear();
    }

    fn is_current(&self, process: u64) -> bool {
        self.process.as_ref().is_some_and(|here| here.number == process)
    }

    pub fn published(&self) -> Option<usize> {
        self.process.as_ref().and_then(|here| here.published).map(|(_, server)| server)
    }

    // The monitor.

    pub fn probe(&mut self, process: u64, server: usize) {
        if !self.is_current(process) {
            return;
        }
        let here = self.here();
        let asked = self.now;
        self.count_heartbeats_of(server);
        let model = &self.servers[server];
        let (sight, delay) = if self.rejected[server] || (self.connected(server, here) && !model.up) {
            (Sight::Trouble(Trouble::Refused), HOP)
        } else if !self.connected(server, here) {
            (Sight::Trouble(Trouble::Silent), PATIENCE)
        } else if model.frozen {
            let trouble = if self.processes % 2 == 0 { Trouble::Hung } else { Trouble::Silent };
            (Sight::Trouble(trouble), PATIENCE)
        } else if model.crowded {
            (Sight::Crowded, HOP)
        } else if model.disk_full && model.writable {
            (Sight::Trouble(Trouble::DiskFull), HOP)
        } else {
            (Sight::Answered(Box::new(model.report())), HOP)
        };
        self.after(delay, Happening::Seen { process, server, asked, sight });
        self.after(delay.max(PROBE), Happening::Probe { process, server });
    }

    pub fn seen(&mut self, process: u64, server: usize, asked: u64, sight: Sight) {
        if !self.is_current(process) {
            return;
        }
        let sight = match sight {
            Sight::Answered(report) => Sight::Answered(Box::new(self.distort(server, *report))),
            sight => sight,
        };
        if self.mutation == Some(Mutation::NoFreeze)
            && let (Sight::Answered(report), Some(here)) = (&sight, &mut self.process)
        {
            here.reports.insert(server, (**report).clone());
        }
        let asked = self.base + Duration::from_micros(asked);
        self.step(Event::Seen { server: id(server), asked, sight });
    }

    /// What the machine is told of a report, with a known fault put back.
    fn distort(&self, server: usize, mut report: Report) -> Report {
        let primary = self.process.as_ref().and_then(|here| here.machine.primary()).map(index);
        match self.mutation {
            Some(Mutation::VetoByFlags) => {
                if let Some(channel) =
                    report.channel.as_mut().filter(|channel| channel.receiver == Receiver::Running)
                {
                    channel.heartbeats = self.now;
                }
            }
            Some(Mutation::DeafToProgress) => {
                report.received = report.executed.clone();
                if let Some(channel) = &mut report.channel {
                    channel.heartbeats = 0;
                    channel.receiver = Receiver::Connecting;
                }
            }
            Some(Mutation::RankByExecuted) => report.received = report.executed.clone(),
            Some(Mutation::BlindToErrant) if Some(server) != primary => {
                if let Some(primary) = primary {
                    let known = &self.servers[primary].executed;
                    let extra = report.executed.without(known);
                    if !extra.is_empty() {
                        report.executed = known.clone();
                        report.received = known.clone();
                    }
                }
            }
            Some(Mutation::BlindToPrepared) => report.prepared.clear(),
            Some(Mutation::BlindToPurged) => report.purged = crate::server::none(self.setup.flavor),
            _ => {}
        }
        report
    }

    // The machine.

    pub fn wake(&mut self, process: u64) {
        if self.is_current(process) {
            if let Some(here) = &mut self.process {
                here.waking = u64::MAX;
            }
            self.step(Event::Tick);
        }
    }

    pub fn answered(
        &mut self,
        process: u64,
        command: CommandId,
        epoch: Epoch,
        outcome: Result<Done, Failure>,
    ) {
        if !self.is_current(process) {
            return;
        }
        let stopped = self.process.as_mut().and_then(|here| here.stopping.remove(&command));
        if let (Some(server), Ok(_)) = (stopped, &outcome) {
            self.history.frozen.insert(server);
        }
        self.step(Event::Answered { id: command, epoch, outcome });
    }

    pub fn wish(&mut self, wish: Operator) {
        let before = self.phase_name();
        let waits =
            matches!(self.blocked(), Some(Phase::Blocked(Why::WouldLose(_) | Why::AcknowledgedUnknown)));
        self.step(Event::Operator(wish));
        let begun = before != "Revoking" && self.phase_name() == "Revoking";
        match wish {
            Operator::Switchover { .. } if begun => self.history.planned = true,
            Operator::Failover if begun => self.history.forced = true,
            Operator::AcceptLoss => self.history.accepted |= waits,
            _ => {}
        }
    }

    fn phase_name(&self) -> &'static str {
        self.process.as_ref().map_or("", |here| here.machine.phase().name())
    }

    pub fn step(&mut self, event: Event) {
        let now = self.instant();
        let Some(here) = &mut self.process else { return };
        let before = here.machine.phase().name();
        let commands = here.machine.step(now, event);
        every_wait_is_bounded(&mut self.history, &here.machine, now);
        let after = here.machine.phase().name();
        if after == "Revoking" && before != "Revoking" {
            self.history.frozen.clear();
        }
        if here.machine.phase().is_at_rest() {
            self.history.at_rest();
        }
        // What has come so far is finished, whoever wanted it.
        let forward = self.stored.is_some_and(|state| matches!(state.stage, Stage::Promoting { .. }));
        if matches!(after, "Undoing" | "Suspecting" | "Confirming" | "Blocked") && !forward {
            self.history.unplanned();
        }
        if self.history.telling {
            for entry in here.machine.timeline().entries().filter(|entry| entry.number > here.told) {
                self.history
                    .tell(self.now, || format!("  [{} {}] {}", entry.epoch.0, entry.phase, entry.what));
            }
            here.told = here.machine.timeline().entries().last().map_or(0, |entry| entry.number);
        }
        let wake_at = here.machine.wake_at();
        let number = here.number;
        let wake_at = self.micros(wake_at).max(self.now + 1);
        if let Some(here) = self.process.as_mut().filter(|here| wake_at < here.waking) {
            here.waking = wake_at;
            self.after(wake_at - self.now, Happening::Wake { process: number });
        }
        for command in commands {
            self.dispatch(number, command);
        }
    }

    fn dispatch(&mut self, process: u64, command: Command) {
        self.history.tell(self.now, || format!("    → {:?} {:?}", command.id.0, command.action));
        let Some(server) = command.action.server().map(index) else {
            if !matches!(command.action, Action::Alert(_)) {
                let delay = self.chance.within(1, 4) * MS;
                self.after(delay, Happening::Arrive { process, command });
            }
            return;
        };
        if let Action::Promote { .. } = command.action {
            no_promotion_of(&mut self.history, server);
        }
        if let (Action::StopReceiver { .. }, Some(here)) = (&command.action, &mut self.process) {
            here.stopping.insert(command.id, server);
        }
        if self.is_cut(self.here(), server) {
            return;
        }
        // Now and then a server takes its time, and more than it has.
        let delay = if self.chance.percent(self.sluggish) { self.chance.within(1, 4_000) * MS } else { HOP };
        self.after(delay, Happening::Arrive { process, command });
    }

    // What carries commands out.

    pub fn arrive(&mut self, process: u64, command: Command) {
        let current = self.is_current(process);
        match command.action.server().map(index) {
            None if current => self.do_here(process, command),
            // What was being written when Headgate was killed may be written or not.
            None => {
                if let Action::Save(state) = command.action
                    && self.processes == process
                    && self.chance.percent(50)
                {
                    self.store(state);
                }
            }
            Some(server) => self.reach(process, command, server),
        }
    }

    fn reach(&mut self, process: u64, command: Command, server: usize) {
        let late = self.instant() > command.deadline;
        if late && self.mutation != Some(Mutation::NoExpiry) {
            return;
        }
        if !self.servers[server].up || self.rejected[server] {
            return self.answer(process, &command, server, HOP, refused("connection refused"));
        }
        if self.servers[server].crowded {
            return self.answer(process, &command, server, HOP, refused("too many connections"));
        }
        if self.servers[server].frozen {
            return self.after(50 * MS, Happening::Arrive { process, command });
        }
        self.do_there(process, command, server);
    }

    /// Sends an answer back, if the network lets it.
    fn answer(
        &mut self,
        process: u64,
        command: &Command,
        server: usize,
        delay: u64,
        outcome: Result<Done, Failure>,
    ) {
        if !self.is_cut(server, self.here()) {
            let (id, epoch) = (command.id, command.epoch);
            self.after(delay, Happening::Answer { process, id, epoch, outcome });
        }
    }

    fn report(&self, server: usize) -> Result<Done, Failure> {
        Ok(Done::Report(Box::new(self.distort(server, self.servers[server].report()))))
    }

    fn do_here(&mut self, process: u64, command: Command) {
        let mut outcome = Ok(Done::Plainly);
        let now = self.now;
        let leaky = self.mutation == Some(Mutation::LeakyHold);
        match &command.action {
            Action::HoldWrites { grace } => {
                let waits = self.hold(*grace, leaky);
                let given_up = self.instant() + self.setup.rules.order >= command.deadline;
                match waits {
                    Some(_) if given_up => outcome = refused("transactions did not end"),
                    Some(delay) => return self.after(delay, Happening::Arrive { process, command }),
                    None => {
                        let relayed = self.process.as_ref().and_then(|here| here.relayed.clone());
                        let relayed = relayed.filter(|_| self.mutation != Some(Mutation::NothingRelayed));
                        outcome = Ok(Done::Held { relayed });
                    }
                }
            }
            Action::ReleaseWrites => {
                if let Some(here) = &mut self.process {
                    here.held = false;
                }
            }
            Action::Save(state) => {
                if self.store_broken {
                    outcome = refused("no space left on device");
                } else {
                    self.store(*state);
                }
            }
            Action::RunHook(_) => {
                if self.chance.percent(10) {
                    outcome = refused("exit status 1");
                }
            }
            Action::Publish { primary } => self.publish(command.epoch.0, index(*primary)),
            _ => {}
        }
        let (id, epoch) = (command.id, command.epoch);
        self.history.tell(now, || format!("    ← {:?} {outcome:?}", id.0));
        self.after(0, Happening::Answer { process, id, epoch, outcome });
    }

    /// Holds writes. Says after how long to look again, where writes are under way.
    fn hold(&mut self, grace: Duration, leaky: bool) -> Option<u64> {
        let now = self.now;
        let here = self.process.as_mut()?;
        here.held = true;
        here.in_flight.retain(|until| *until > now);
        if grace.is_zero() {
            if !leaky {
                here.connection += 1;
            }
            here.in_flight.clear();
        }
        (!here.in_flight.is_empty()).then_some(5 * MS)
    }

    fn store(&mut self, state: State) {
        self.history.newest = self.history.newest.max(state.epoch.0);
        match self.mutation {
            Some(Mutation::NothingSaved) => {}
            Some(Mutation::SavedLate) => self.after(SECOND, Happening::Stored(state)),
            _ => self.stored = Some(state),
        }
    }

    fn publish(&mut self, epoch: u64, primary: usize) {
        let now = self.now;
        let before = self.history.primary.replace(primary);
        if before.is_some_and(|before| before != primary) {
            self.history.promotions += 1;
            let (here, rules) = (self.here(), self.setup.rules.clone());
            let compared = self.history.frozen.iter().chain([&primary]);
            let oldest = compared.map(|server| self.servers[*server].version).min();
            let strays = self.history.strays.clone();
            let vetoed = self.history.vetoed.clone();
            let kept_up: Vec<bool> = (0..self.servers.len()).map(|server| self.kept_up(server)).collect();
            let connected: Vec<bool> = (0..self.servers.len())
                .map(|server| self.connected(server, here) && !self.rejected[server])
                .collect();
            no_acknowledged_commit_is_lost(
                &mut self.history,
                &self.servers,
                primary,
                rules.policy == Policy::Safe,
                |server| {
                    server.works()
                        && connected[server.id]
                        && kept_up[server.id]
                        && server.logs
                        && !server.filtered
                        && !vetoed.contains(&server.id)
                        && oldest.is_none_or(|oldest| server.version <= oldest)
                        && !strays.keys().any(|stray| server.has_received(*stray))
                },
            );
            self.history.accepted = false;
            if !self.history.planned && !self.history.forced {
                no_flapping(&mut self.history, now, micros(rules.cooldown));
            }
        }
        if let Some(here) = &mut self.process {
            if here.published.replace((epoch, primary)).is_none_or(|(before, _)| before != epoch) {
                here.relayed = None;
            }
            here.connection += 1;
            here.in_flight.clear();
        }
        self.note_witnesses();
        self.history.tell(now, || format!("server {primary} is published, epoch {epoch}"));
    }

    /// It followed the last primary when its receiver was stopped, or has all that those have which did.
    fn kept_up(&self, server: usize) -> bool {
        let followed = |server: &usize| self.history.followers.contains(server);
        followed(&server)
            || self
                .history
                .frozen
                .iter()
                .filter(|other| followed(other))
                .all(|other| self.servers[*other].held.iter().all(|id| self.servers[server].has(*id)))
    }

    fn do_there(&mut self, process: u64, command: Command, server: usize) {
        if changes_roles(&command.action) {
            no_old_command_takes_effect(&mut self.history, &command);
        }
        self.history.tell(self.now, || format!("    ! {:?} takes effect on server {server}", command.id.0));
        self.count_heartbeats();
        let outcome = match &command.action {
            Action::RestartReceiver { .. } => return self.restart_receiver(process, &command, server),
            Action::StopReceiver { .. } => self.stop_receiver(server),
            Action::Fence { lock_wait, .. } => {
                let lock_wait = micros(*lock_wait);
                return self.fence(process, command, server, lock_wait);
            }
            Action::Unfence { .. } => {
                self.servers[server].writable = true;
                self.report(server)
            }
            Action::DrainApplier { up_to, .. } => {
                let mutated = self.mutation == Some(Mutation::RankByExecuted);
                if !mutated && !self.servers[server].executed.contains(up_to) {
                    return self.after(20 * MS, Happening::Arrive { process, command });
                }
                self.report(server)
            }
            Action::Promote { .. } => self.promote(&command, server),
            Action::Follow { source, within, accept, .. } => {
                let mut within = within.clone();
                if let (Some(within), Some(accept)) = (&mut within, accept) {
                    within.insert_all(accept);
                }
                let blind = self.mutation == Some(Mutation::BlindToErrant);
                if !blind && within.is_some_and(|within| !within.contains(&self.servers[server].received)) {
                    refused("it has transactions of its own")
                } else {
                    self.repoint(server, index(*source), accept.is_some());
                    self.report(server)
                }
            }
            _ => Ok(Done::Plainly),
        };
        self.note_witnesses();
        self.pump_all();
        self.answer(process, &command, server, HOP, outcome);
    }

    fn restart_receiver(&mut self, process: u64, command: &Command, server: usize) {
        self.reconnect(server);
        let Some(link) = &self.servers[server].link else { return };
        let alive = matches!(link.receiver, Receiver::Running | Receiver::Crowded)
            && self.mutation != Some(Mutation::DeafToProgress);
        let at_once = alive || self.connected(server, link.source) && !self.servers[link.source].up;
        let delay = if at_once { 5 * MS } else { 600 * MS };
        self.answer(process, command, server, delay, Ok(Done::Receiver { alive }));
    }

    fn stop_receiver(&mut self, server: usize) -> Result<Done, Failure> {
        let heard_for = self.witness_since.iter().flatten().map(|since| self.now - since).max();
        // What Headgate asked a second ago was true then.
        let silence = micros(self.setup.rules.silence()) + SECOND;
        no_revocation_while_heard(&mut self.history, heard_for, silence);
        self.history.stopped.insert(server);
        let follows =
            self.servers[server].link.as_ref().is_some_and(|link| Some(link.source) == self.history.primary);
        if follows {
            self.history.followers.insert(server);
        } else {
            self.history.followers.remove(&server);
        }
        if self.mutation == Some(Mutation::NoFreeze)
            && let Some(report) = self.process.as_ref().and_then(|here| here.reports.get(&server))
        {
            return Ok(Done::Report(Box::new(report.clone())));
        }
        if let Some(link) = &mut self.servers[server].link {
            link.receiver = Receiver::Stopped;
            link.session += 1_000_000;
        }
        self.report(server)
    }

    fn fence(&mut self, process: u64, command: Command, server: usize, lock_wait: u64) {
        let at_rest = self.process.as_ref().is_some_and(|here| here.machine.phase().is_at_rest());
        if self.mutation == Some(Mutation::NoFenceOnReturn) && at_rest {
            let mut report = self.servers[server].report();
            report.writable = false;
            return self.answer(process, &command, server, HOP, Ok(Done::Report(Box::new(report))));
        }
        let locked_for = self.servers[server].locked_until.saturating_sub(self.now);
        if locked_for > 0 {
            if self.mutation == Some(Mutation::EndlessFence) {
                let run = self.servers[server].run;
                return self.after(locked_for, Happening::ReadOnlyAtLast { server, run });
            }
            if locked_for <= lock_wait {
                return self.after(locked_for, Happening::Arrive { process, command });
            }
            return self.answer(process, &command, server, lock_wait, refused("lock wait timeout exceeded"));
        }
        let model = &mut self.servers[server];
        model.writable = false;
        model.stop_waiting();
        let mut report = model.report();
        report.prepared = model.prepared.iter().map(|tx| tx.id.to_string()).collect();
        let report = self.distort(server, report);
        self.pump_all();
        self.answer(process, &command, server, HOP, Ok(Done::Report(Box::new(report))));
    }

    fn promote(&mut self, command: &Command, server: usize) -> Result<Done, Failure> {
        one_promotion(&mut self.history, command.epoch.0, server);
        if self.mutation == Some(Mutation::PromisedPromotion) {
            let mut report = self.servers[server].report();
            report.writable = true;
            return Ok(Done::Report(Box::new(report)));
        }
        let model = &mut self.servers[server];
        model.link = None;
        model.drop_relay();
        model.writable = true;
        self.report(server)
    }

    fn repoint(&mut self, server: usize, source: usize, accepting: bool) {
        self.servers[server].writable = false;
        self.servers[server].stop_waiting();
        if accepting {
            let own: Vec<_> = self.servers[server]
                .log
                .iter()
                .copied()
                .filter(|tx| !self.servers[source].has(tx.id))
                .collect();
            for tx in own {
                self.servers[source].log_it(tx);
                self.servers[source].commit(tx);
            }
        } else {
            let goes_on = self.servers[server].link.as_ref().is_some_and(|link| link.source == source);
            if !goes_on {
                nothing_of_its_own(&mut self.history, &self.servers[server], &self.servers[source]);
            }
        }
        self.follow(server, source);
    }

    pub fn set_leading(&mut self, leading: bool) {
        let state = if leading { self.stored } else { None };
        if self.stored.is_none() {
            return;
        }
        self.step(Event::Leadership(state));
    }

    /// When the machine stands still, and why.
    pub fn blocked(&self) -> Option<&Phase> {
        self.process
            .as_ref()
            .map(|here| here.machine.phase())
            .filter(|phase| matches!(phase, Phase::Blocked(_)))
    }
}
