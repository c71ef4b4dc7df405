//! What operators want.

use std::time::{Duration, Instant};

use super::blocked::Why;
use super::change::Kind;
use super::command::{Action, Alert};
use super::event::Operator;
use super::machine::Machine;
use super::phase::Phase;
use super::roster::Quarantine;
use super::rules::Policy;
use crate::topology::ServerId;

/// How long a copy of a server may take.
const REBUILD: Duration = Duration::from_secs(24 * 3600);

impl Machine {
    pub(super) fn obey(&mut self, now: Instant, wish: Operator) {
        let refused = match wish {
            Operator::Switchover { to } => self.switch_over(now, to),
            Operator::Failover => self.force(now),
            Operator::Veto { server, on } => self.veto(now, server, on),
            Operator::Pause(on) => {
                self.set_paused(on);
                self.note(now, if on { "paused" } else { "resumed" });
                None
            }
            Operator::AcceptLoss => self.take_loss(now),
            Operator::Rejoin { server } => self.rejoin(now, server),
            Operator::Rebuild { server } => self.rebuild(now, server),
        };
        if let Some(why) = refused {
            self.note(now, format!("declined: {why}"));
            self.alert(now, Alert::Declined(why));
        }
    }

    /// Begins a planned switchover, or says why not.
    fn switch_over(&mut self, now: Instant, to: ServerId) -> Option<String> {
        if !self.leading {
            return Some("another Headgate has the lease".into());
        }
        if self.rules.policy == Policy::External {
            return Some("something else promotes here (failover = \"external\")".into());
        }
        if !self.phase.is_at_rest() {
            return Some(format!("the machine is not at rest: {}", self.phase.name()));
        }
        if Some(to) == self.primary {
            return Some(format!("{to} is the primary"));
        }
        let ranking = self.ranking();
        if !ranking.order.contains(&to) {
            let why = ranking.rejected.into_iter().find(|(server, _)| *server == to).map(|(_, why)| why);
            return Some(why.map_or_else(|| format!("{to} is not known"), |why| format!("{to} {why}")));
        }
        self.begin(now, Kind::Switchover(to), format!("switchover to {to}"));
        None
    }

    fn force(&mut self, now: Instant) -> Option<String> {
        let phase = &self.phase;
        let may =
            phase.is_at_rest() || matches!(phase, Phase::Suspecting | Phase::Confirming | Phase::Blocked(_));
        if !self.leading {
            return Some("another Headgate has the lease".into());
        }
        if !may || self.primary.is_none() {
            return Some(format!("a change is under way: {}", phase.name()));
        }
        self.begin(now, Kind::Forced, "an operator wants a failover");
        None
    }

    fn veto(&mut self, now: Instant, server: ServerId, on: bool) -> Option<String> {
        if self.roster.get(server).is_none() {
            return Some(format!("{server} is not known"));
        }
        if on {
            self.rules.vetoes.insert(server);
        } else {
            self.rules.vetoes.remove(&server);
        }
        self.note(now, format!("{server} {}", if on { "is vetoed" } else { "may be promoted" }));
        None
    }

    fn take_loss(&mut self, now: Instant) -> Option<String> {
        if !matches!(self.phase, Phase::Blocked(Why::WouldLose(_) | Why::AcknowledgedUnknown)) {
            return Some("no failover waits for it".into());
        }
        self.accept_loss = true;
        self.retry_at = Some(now);
        self.note(now, "an operator accepts the loss");
        None
    }

    fn rejoin(&mut self, now: Instant, server: ServerId) -> Option<String> {
        let Some(source) = self.primary.filter(|_| self.phase.is_at_rest() && self.leading) else {
            return Some("the primary is not well".into());
        };
        let Some(Quarantine::Errant(errant)) =
            self.roster.get(server).and_then(|known| known.quarantine.clone())
        else {
            return Some(format!("{server} is not in quarantine for transactions of its own"));
        };
        if self.orders.is_busy(server) {
            return Some(format!("{server} is busy with another command"));
        }
        let within = self.primary_report().map(|report| report.executed.clone());
        let follow = Action::Follow { replica: server, source, within, accept: Some(errant) };
        self.orders.send(now, self.epoch, self.rules.order, follow, None);
        None
    }

    fn rebuild(&mut self, now: Instant, server: ServerId) -> Option<String> {
        let Some(donor) = self.primary.filter(|_| self.phase.is_at_rest() && self.leading) else {
            return Some("the primary is not well".into());
        };
        if self.roster.get(server).is_none_or(|known| known.quarantine.is_none()) {
            return Some(format!("{server} is not in quarantine"));
        }
        if self.orders.is_busy(server) {
            return Some(format!("{server} is busy with another command"));
        }
        self.orders.send(now, self.epoch, REBUILD, Action::Rebuild { server, donor }, None);
        None
    }
}
