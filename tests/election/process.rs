//! Headgate: the machine, what carries out its commands, and what is kept of clients' writes.

use std::collections::BTreeMap;
use std::time::Duration;

use headgate::election::{
    Action, Command, CommandId, Done, Event, Failure, Machine, Operator, Phase, Receiver, Report, Sight,
    Stage, Trouble, Why,
};
use headgate::gtid::Transactions;
use headgate::topology::{Epoch, ServerId};

use crate::invariants::{every_wait_is_bounded, no_promotion_of};
use crate::mutation::Mutation;
use crate::world::{HOP, Happening, MS, World};

/// How often a server is asked, and how long it may take.
const PROBE: u64 = 250 * MS;
const PATIENCE: u64 = 500 * MS;

/// A run of Headgate.
pub(crate) struct Process {
    pub(crate) number: u64,
    pub(crate) machine: Machine,
    pub(crate) held: bool,
    pub(crate) published: Option<(u64, usize)>,
    /// Counts up whenever the connections to the primary are cut.
    pub(crate) connection: u64,
    pub(crate) relayed: Option<Transactions>,
    /// Until when clients' writes that are under way are waited for.
    pub(crate) in_flight: Vec<u64>,
    /// What servers said last.
    pub(crate) reports: BTreeMap<usize, Report>,
    /// Receivers that are being stopped.
    stopping: BTreeMap<CommandId, usize>,
    waking: u64,
    told: u64,
}

pub(crate) fn id(server: usize) -> ServerId {
    ServerId(u16::try_from(server).unwrap())
}

pub(crate) fn index(server: ServerId) -> usize {
    usize::from(server.0)
}

impl World {
    pub(crate) fn start_headgate(&mut self) {
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

    pub(crate) fn kill_headgate(&mut self) {
        self.process = None;
        self.waiters.clear();
    }

    pub(crate) fn is_current(&self, process: u64) -> bool {
        self.process.as_ref().is_some_and(|here| here.number == process)
    }

    pub(crate) fn published(&self) -> Option<usize> {
        self.process.as_ref().and_then(|here| here.published).map(|(_, server)| server)
    }

    // The monitor.

    pub(crate) fn probe(&mut self, process: u64, server: usize) {
        if !self.is_current(process) {
            return;
        }
        let here = self.here();
        let asked = self.now;
        self.count_heartbeats_of(server);
        let model = &self.servers[server];
        let (sight, delay) = if self.rejected[server] || (self.connected(server, here) && !model.opens()) {
            (Sight::Trouble(Trouble::Refused), HOP)
        } else if model.frozen || !self.connected(server, here) {
            (Sight::Trouble(Trouble::Silent), PATIENCE)
        } else if model.stalled {
            (Sight::Trouble(Trouble::Hung), PATIENCE)
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

    pub(crate) fn seen(&mut self, process: u64, server: usize, asked: u64, sight: Sight) {
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
    pub(crate) fn distort(&self, server: usize, mut report: Report) -> Report {
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

    pub(crate) fn wake(&mut self, process: u64) {
        if self.is_current(process) {
            if let Some(here) = &mut self.process {
                here.waking = u64::MAX;
            }
            self.step(Event::Tick);
        }
    }

    pub(crate) fn answered(
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

    pub(crate) fn wish(&mut self, wish: Operator) {
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

    pub(crate) fn step(&mut self, event: Event) {
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

    pub(crate) fn set_leading(&mut self, leading: bool) {
        let state = if leading { self.stored } else { None };
        if self.stored.is_none() {
            return;
        }
        self.step(Event::Leadership(state));
    }

    /// When the machine stands still, and why.
    pub(crate) fn blocked(&self) -> Option<&Phase> {
        self.process
            .as_ref()
            .map(|here| here.machine.phase())
            .filter(|phase| matches!(phase, Phase::Blocked(_)))
    }
}
