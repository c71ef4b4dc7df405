//! Commands that are out, and what a phase has got done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::command::{Action, Command, CommandId, Done, Failure};
use crate::topology::{Epoch, ServerId};

/// Something that a phase wants done once. A phase begins with none done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goal {
    Save,
    /// To save anew what may have been saved otherwise.
    Clarify,
    Hold,
    Hook,
    Stop(ServerId),
    Fence(ServerId),
    Unfence,
    Drain,
    Promote,
    Follow(ServerId),
    SemiSync,
    Publish,
    Release,
}

/// How far a goal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits for an answer, or for an earlier command to the same server.
    Open,
    Done,
    Failed(Failure),
}

/// A command that was sent and is not answered.
#[derive(Debug)]
pub(super) struct Outstanding {
    command: Command,
    /// What it was sent for, and in which phase: a goal of an earlier phase is nobody's any more.
    goal: Option<(u64, Goal)>,
}

/// What a command is about. There is one at a time about each, so that what undoes another never overtakes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Server(ServerId),
    /// Whether and where clients write.
    Clients,
    Store,
    Hooks,
}

/// Commands that are out, and what the phase has got done.
///
/// A server has one command at a time. One that is not answered by its
/// deadline counts as unanswered for ever: it takes no effect later.
#[derive(Debug, Default)]
pub(super) struct Orders {
    next: u64,
    phase: u64,
    out: Vec<Outstanding>,
    outbox: Vec<Command>,
    goals: BTreeMap<Goal, Progress>,
}

impl Lane {
    fn of(action: &Action) -> Self {
        match (action.server(), action) {
            (Some(server), _) => Self::Server(server),
            (None, Action::Save(_)) => Self::Store,
            (None, Action::RunHook(_) | Action::Alert(_)) => Self::Hooks,
            (None, _) => Self::Clients,
        }
    }
}

impl Progress {
    pub(super) fn is_done(&self) -> bool {
        *self == Self::Done
    }

    pub(super) fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

impl Orders {
    /// Forgets what the last phase wanted. What it sent is still out.
    pub(super) fn begin_phase(&mut self) {
        self.phase += 1;
        self.goals.clear();
    }

    /// A server still has to answer, or to let a deadline pass. A copy that is being made takes hours and changes nobody's
    /// role.
    pub(super) fn are_out(&self) -> bool {
        self.out
            .iter()
            .map(|order| &order.command.action)
            .any(|action| action.server().is_some() && !matches!(action, Action::Rebuild { .. }))
    }

    pub(super) fn is_busy(&self, server: ServerId) -> bool {
        self.out.iter().any(|order| order.command.action.server() == Some(server))
    }

    /// How far the phase is with a goal; nothing where it was not asked for.
    pub(super) fn progress(&self, goal: Goal) -> Option<&Progress> {
        self.goals.get(&goal)
    }

    /// Forgets that it was tried, so that it is tried again.
    pub(super) fn retry(&mut self, goal: Goal) {
        self.goals.remove(&goal);
    }

    /// Sees to a goal: sends its command unless that was done in this phase. Answers how far it is.
    pub(super) fn pursue(
        &mut self,
        goal: Goal,
        now: Instant,
        epoch: Epoch,
        within: Duration,
        action: impl FnOnce() -> Action,
    ) -> Progress {
        if let Some(progress) = self.goals.get(&goal) {
            return progress.clone();
        }
        let action = action();
        let lane = Lane::of(&action);
        if !self.out.iter().any(|order| Lane::of(&order.command.action) == lane) {
            self.goals.insert(goal, Progress::Open);
            self.send(now, epoch, within, action, Some(goal));
        }
        Progress::Open
    }

    /// Sends a command that no goal waits for.
    pub(super) fn send(
        &mut self,
        now: Instant,
        epoch: Epoch,
        within: Duration,
        action: Action,
        goal: Option<Goal>,
    ) {
        self.next += 1;
        let command = Command { id: CommandId(self.next), epoch, deadline: now + within, action };
        self.outbox.push(command.clone());
        if !matches!(command.action, Action::Alert(_)) {
            self.out.push(Outstanding { command, goal: goal.map(|goal| (self.phase, goal)) });
        }
    }

    /// Takes what is to be sent.
    pub(super) fn take(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.outbox)
    }

    /// Takes in an answer. Nothing where nobody waits for it: it is of another id, of an older epoch, or too late.
    pub(super) fn settle(
        &mut self,
        id: CommandId,
        epoch: Epoch,
        outcome: &Result<Done, Failure>,
    ) -> Option<Action> {
        let at = self.out.iter().position(|order| order.command.id == id && order.command.epoch == epoch)?;
        let order = self.out.swap_remove(at);
        if let Some((phase, goal)) = order.goal
            && phase == self.phase
        {
            let progress = match outcome {
                Ok(_) => Progress::Done,
                Err(why) => Progress::Failed(why.clone()),
            };
            self.goals.insert(goal, progress);
        }
        Some(order.command.action)
    }

    /// The commands whose time is up.
    pub(super) fn overdue(&self, now: Instant) -> Vec<(CommandId, Epoch)> {
        let late = self.out.iter().filter(|order| order.command.deadline <= now);
        late.map(|order| (order.command.id, order.command.epoch)).collect()
    }

    /// When the next command's time is up.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.out.iter().map(|order| order.command.deadline).min()
    }

    /// Forgets all: somebody else leads now, or the machine begins anew.
    pub(super) fn abandon(&mut self) {
        self.begin_phase();
        self.out.clear();
        self.outbox.clear();
    }
}
