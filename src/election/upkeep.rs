//! Looking after the servers that are not the primary, while it is well: strays are fenced, old primaries rejoin or are kept
//! out.

use std::time::Instant;

use super::command::{Action, Alert, Done, Failure};
use super::machine::Machine;
use super::roster::{Known, Quarantine};
use super::rules::Rules;
use super::sight::{Receiver, Report};
use crate::topology::{Epoch, ServerId};

/// What a server that is not the primary needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    /// Nothing: it follows.
    Nothing,
    /// It cannot be told yet.
    Later,
    /// To be made read only before anything else.
    Fence,
    /// To follow the primary.
    Follow,
    /// To be kept out.
    Quarantine(Quarantine),
}

impl Machine {
    pub(super) fn upkeep(&mut self, now: Instant) {
        let Some(primary) = self.primary else { return };
        if !self.may_look_after() || self.published != Some((self.epoch, primary)) {
            return;
        }
        let Some(known) =
            self.known_primary().filter(|known| known.current().is_some_and(|report| report.writable))
        else {
            return;
        };
        let needs: Vec<(ServerId, Need)> = self
            .roster
            .others(Some(primary))
            .filter(|(server, other)| {
                !self.orders.is_busy(*server) && other.rest_until.is_none_or(|until| now >= until)
            })
            .filter_map(|(server, other)| Some((server, need(other, known, primary, self.epoch)?)))
            .collect();
        for (server, need) in needs {
            self.serve(now, primary, server, need);
        }
    }

    /// A primary that was replaced and is back takes no writes, whatever state its successor is in.
    pub(super) fn fence_replaced(&mut self, now: Instant) {
        if !self.may_look_after() {
            return;
        }
        let back: Vec<ServerId> = self
            .roster
            .others(self.primary)
            .filter(|(server, known)| {
                known.replaced.is_some()
                    && known.current().is_some_and(|report| report.writable)
                    && !self.orders.is_busy(*server)
                    && known.rest_until.is_none_or(|until| now >= until)
            })
            .map(|(server, _)| server)
            .collect();
        let (within, lock_wait) = (self.rules.longest_order(), self.rules.lock_wait);
        for server in back {
            self.orders.send(now, self.epoch, within, Action::Fence { server, lock_wait }, None);
        }
    }

    fn serve(&mut self, now: Instant, primary: ServerId, server: ServerId, need: Need) {
        let (epoch, rules) = (self.epoch, &self.rules);
        let (order, longest, lock_wait) = (rules.order, rules.longest_order(), rules.lock_wait);
        let rest_until = now + rules.retry;
        let Some(known) = self.roster.get_mut(server) else { return };
        match need {
            Need::Later => {}
            Need::Nothing => {
                known.replaced = None;
                known.in_vain = false;
                if known.stopped.is_some_and(|until| known.reported.is_some_and(|asked| asked > until)) {
                    known.stopped = None;
                }
                if known.quarantine.take().is_some() {
                    self.note(now, format!("{server} follows, and is out of quarantine"));
                }
            }
            Need::Fence => self.orders.send(now, epoch, longest, Action::Fence { server, lock_wait }, None),
            Need::Follow => {
                known.quarantine = None;
                // What does not help is not repeated at once, whatever the answer says.
                known.rest_until = Some(rest_until);
                let goes_on = known.current().is_some_and(|report| report.follows(primary));
                let has = self.primary_report().map(|report| report.executed.clone());
                let within = has.filter(|_| !goes_on);
                let follow = Action::Follow { replica: server, source: primary, within, accept: None };
                self.orders.send(now, epoch, order, follow, None);
            }
            Need::Quarantine(why) => {
                known.rest_until = Some(rest_until);
                // What was prepared may be settled by then.
                if matches!(why, Quarantine::Prepared(_)) {
                    known.fenced = None;
                }
                if known.quarantine.as_ref() != Some(&why) {
                    known.quarantine = Some(why.clone());
                    self.note(now, format!("{server} is in quarantine: {why}"));
                    self.alert(now, Alert::Quarantined { server, why });
                }
            }
        }
    }
}

/// What a server needs; nothing where it cannot be asked.
fn need(other: &Known, known: &Known, primary: ServerId, epoch: Epoch) -> Option<Need> {
    let (report, source) = (other.current()?, known.current()?);
    let purged = || {
        let missing = source.purged.without(&report.received);
        (!missing.is_empty()).then_some(Need::Quarantine(Quarantine::LogsPurged(missing)))
    };
    let receiver = report.channel.as_ref().map(|channel| channel.receiver);
    let kept_out = match &other.quarantine {
        Some(Quarantine::Errant(_)) => errant(report, source),
        _ => None,
    };
    if report.follows(primary) && !report.writable && kept_out.is_none() {
        return Some(match receiver {
            Some(Receiver::Stopped) if other.stopped.is_some() => purged().unwrap_or(Need::Follow),
            // An operator has stopped it, or it gave up: that is for people, unless it is clear why.
            Some(Receiver::Stopped) => purged().unwrap_or(Need::Later),
            _ => Need::Nothing,
        });
    }
    if other.fenced != Some(epoch) || report.writable {
        return Some(Need::Fence);
    }
    if !other.prepared.is_empty() {
        return Some(Need::Quarantine(Quarantine::Prepared(other.prepared.clone())));
    }
    Some(errant(report, source).or_else(purged).unwrap_or(Need::Follow))
}

/// What it has and the primary lacks keeps it out. If the primary could have written it, the primary is asked again first:
/// it may have been seen before it did.
fn errant(report: &Report, source: &Report) -> Option<Need> {
    if source.executed.contains(&report.received) {
        return None;
    }
    let extra = report.received.without(&source.executed);
    let (own, others) = extra.by_origin(&source.origin);
    if others.is_empty() && !own.is_empty() {
        return Some(Need::Later);
    }
    Some(Need::Quarantine(Quarantine::Errant(others)))
}

impl Known {
    /// Learns from what came of a command to this server.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        epoch: Epoch,
        rules: &Rules,
        action: &Action,
        outcome: &Result<Done, Failure>,
    ) {
        match (action, outcome) {
            (Action::RestartReceiver { .. }, Ok(Done::Receiver { alive: true })) => {
                // What was asked before tells nothing of the new connection.
                (self.heard, self.lost, self.reported) = (Some(now), None, Some(now));
            }
            (Action::RestartReceiver { .. }, Ok(Done::Receiver { alive: false })) => self.lost = Some(now),
            (Action::Fence { .. }, Ok(Done::Report(report))) => {
                self.fenced = Some(epoch);
                if report.writable {
                    self.rest_until = Some(now + rules.retry);
                }
                self.prepared.clone_from(&report.prepared);
            }
            (Action::Follow { .. }, Ok(_)) => {
                // A stop that was sent earlier may still come.
                self.stopped = self.stopped.filter(|until| now < *until);
            }
            (Action::Fence { .. } | Action::Follow { .. } | Action::Rebuild { .. }, Err(_)) => {
                self.rest_until = Some(now + rules.retry);
            }
            _ => {}
        }
    }
}
