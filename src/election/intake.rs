//! Taking in what happened.

use std::time::Instant;

use super::blocked::Why;
use super::command::{Action, CommandId, Done, Failure};
use super::event::Event;
use super::machine::Machine;
use super::state::Stage;
use crate::topology::{Epoch, ServerId};

impl Machine {
    pub(super) fn set_servers(&mut self, servers: &[ServerId]) {
        self.roster.0.retain(|server, _| servers.contains(server));
        for server in servers {
            self.roster.0.entry(*server).or_default();
        }
    }

    pub(super) fn absorb(&mut self, now: Instant, event: Event) {
        match event {
            Event::Tick => {}
            Event::Seen { server, asked, sight } => {
                if let Some(known) = self.roster.get_mut(server) {
                    known.see(now, asked, sight);
                }
                if Some(server) == self.primary {
                    self.learn_of_primary();
                }
            }
            Event::Answered { id, epoch, outcome } => self.settle(now, id, epoch, outcome),
            Event::Operator(wish) => self.obey(now, wish),
            Event::Rival(rival) => self.rival = rival,
            Event::Rules(rules) => self.rules = rules,
            Event::Servers(servers) => self.set_servers(&servers),
            Event::Leadership(None) => {
                // Nothing is sent any more, and what comes back is nobody's: who leads now decides.
                self.leading = false;
                self.orders.abandon();
                self.block(now, Why::NotLeading);
            }
            Event::Leadership(Some(state)) => {
                self.leading = true;
                self.go_on_from(now, Some(state));
            }
        }
    }

    /// Takes what the primary holds into what primaries wrote.
    fn learn_of_primary(&mut self) {
        let Some(report) = self.primary.and_then(|primary| self.roster.get(primary)?.current()) else {
            return;
        };
        let executed = &report.executed;
        match &mut self.lineage {
            Some(seen) if seen.contains(executed) => {}
            Some(seen) => seen.insert_all(executed),
            None => self.lineage = Some(executed.clone()),
        }
        if self.floor.is_none() && self.published.is_none() {
            self.floor = Some(executed.clone());
        }
    }

    /// Takes in what came of a command, unless nobody waits for it.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        id: CommandId,
        epoch: Epoch,
        outcome: Result<Done, Failure>,
    ) {
        let Some(action) = self.orders.settle(id, epoch, &outcome) else { return };
        let server = action.server();
        if let (Some(server), Ok(Done::Report(report))) = (server, &outcome)
            && let Some(known) = self.roster.get_mut(server)
        {
            known.take_report(now, now, (**report).clone());
        }
        if let Some(known) = server.and_then(|server| self.roster.get_mut(server)) {
            known.learn(now, epoch, &self.rules, &action, &outcome);
        }
        match (action, outcome) {
            (
                Action::StopReceiver { replica: server } | Action::Fence { server, .. },
                Ok(Done::Report(report)),
            ) => {
                if let Some(change) = &mut self.change {
                    change.freeze(server, *report);
                }
            }
            (Action::Promote { .. }, Ok(Done::Report(report))) => {
                if let Some(change) = &mut self.change {
                    change.run = Some(report.run);
                }
            }
            (Action::HoldWrites { .. }, Ok(Done::Held { relayed })) => {
                if let Some(change) = &mut self.change {
                    change.relayed = relayed;
                }
            }
            (Action::Save(state), Ok(_)) => {
                self.saved = Some(state);
                self.in_doubt = false;
            }
            (Action::Save(state), Err(Failure::TimedOut)) => {
                self.saved = None;
                self.in_doubt |= matches!(state.stage, Stage::Promoting { .. });
            }
            (Action::ReleaseWrites, Ok(_)) => self.held = false,
            (Action::Publish { primary }, Ok(_)) => self.published = Some((epoch, primary)),
            _ => {}
        }
    }
}
