//! What carries commands out, in Headgate and on servers.

use std::time::Duration;

use headgate::election::{Action, Command, Done, Failure, Policy, Receiver, State};

use crate::history::changes_roles;
use crate::invariants::{
    no_acknowledged_commit_is_lost, no_flapping, no_old_command_takes_effect, no_revocation_while_heard,
    nothing_of_its_own, one_promotion,
};
use crate::mutation::Mutation;
use crate::process::index;
use crate::world::{HOP, Happening, MS, SECOND, World};

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

fn refused(why: &str) -> Result<Done, Failure> {
    Err(Failure::Refused(why.to_owned()))
}

impl World {
    pub(crate) fn arrive(&mut self, process: u64, command: Command) {
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
        if !self.servers[server].opens() || self.rejected[server] {
            return self.answer(process, &command, server, HOP, refused("connection refused"));
        }
        if self.servers[server].crowded {
            return self.answer(process, &command, server, HOP, refused("too many connections"));
        }
        if self.servers[server].frozen || self.servers[server].stalled {
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
                let state = *state;
                match self.store_broken.then(|| self.chance.below(3)) {
                    None => self.store(state),
                    Some(0) => outcome = refused("no space left on device"),
                    // It hangs: what comes of it is not known.
                    Some(1) => return self.store(state),
                    Some(_) => return,
                }
            }
            Action::RunHook(_) if self.chance.percent(10) => outcome = refused("exit status 1"),
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
                    // Who has too many connections takes no commands either.
                    server.works()
                        && !server.crowded
                        && !server.closing
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
            Action::Rebuild { donor, .. } => {
                let donor = index(*donor);
                if !self.connected(server, donor) || !self.servers[donor].works() {
                    refused("the donor cannot be reached")
                } else {
                    let donor = self.servers[donor].clone();
                    self.servers[server].copy(&donor);
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
        let at_once = alive || self.connected(server, link.source) && !self.servers[link.source].opens();
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
}
