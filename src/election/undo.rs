//! Putting back what was begun.

use std::time::Instant;

use super::blocked::Why;
use super::command::Action;
use super::machine::Machine;
use super::orders::{Goal, Progress};
use super::phase::Phase;
use super::state::Stage;
use crate::topology::ServerId;

impl Machine {
    /// Makes the primary writable, has the replicas follow it again, and lets writes begin. Each is read back: that is what
    /// the answers carry.
    pub(super) fn undo(&mut self, now: Instant) -> bool {
        let Some(primary) = self.primary else { return false };
        if let Some(bad) = self.known_primary().and_then(|known| known.bad) {
            self.change = None;
            self.enter(now, Phase::Suspecting, format!("{primary} {}", bad.trouble));
            return true;
        }
        // A run that found the promotion saved would go on with it while the primary is written to.
        if self.in_doubt {
            let state = self.state(primary);
            match self.pursue(now, Goal::Clarify, || Action::Save(state)) {
                Progress::Open => return self.stuck(now, "the state is not saved".into()),
                Progress::Failed(why) => {
                    self.block(now, Why::NotUndone(format!("the state is not saved: {why}")));
                    return true;
                }
                Progress::Done => {}
            }
        }
        let writable = self.pursue(now, Goal::Unfence, || Action::Unfence { server: primary });
        match writable {
            Progress::Open => return self.stuck(now, format!("{primary} is not writable again")),
            Progress::Failed(why) => {
                self.block(now, Why::NotUndone(format!("{primary} is not writable again: {why}")));
                return true;
            }
            Progress::Done => {}
        }
        if !self.primary_report().is_some_and(|report| report.writable) {
            self.block(now, Why::NotUndone(format!("{primary} says that it is read only")));
            return true;
        }
        // Clients need not wait for the replicas.
        if self.held && self.published == Some((self.epoch, primary)) {
            let _ = self.pursue(now, Goal::Release, || Action::ReleaseWrites);
        }
        let mut open = false;
        let stopped: Vec<ServerId> = self
            .roster
            .others(Some(primary))
            .filter(|(_, known)| {
                known.stopped.is_some() && known.current().is_some_and(|report| report.follows(primary))
            })
            .map(|(server, _)| server)
            .collect();
        for replica in stopped {
            let follow = || Action::Follow { replica, source: primary, within: None, accept: None };
            open |= self.pursue(now, Goal::Follow(replica), follow).is_open();
        }
        if open && !self.is_late(now) {
            return false;
        }
        self.stage = Stage::Settled;
        match self.save(now) {
            Progress::Done => self.come_to_rest(now, "all is put back"),
            Progress::Open => {
                self.stage = Stage::Changing;
                self.stuck(now, "the state is not saved".into())
            }
            Progress::Failed(why) => {
                self.stage = Stage::Changing;
                self.block(now, Why::NotUndone(format!("the state is not saved: {why}")));
                true
            }
        }
    }

    fn stuck(&mut self, now: Instant, what: String) -> bool {
        let late = self.is_late(now);
        if late {
            self.block(now, Why::NotUndone(what));
        }
        late
    }
}
