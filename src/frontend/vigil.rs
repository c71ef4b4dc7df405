//! What is looked at while a server is at work: whether the client is still there, and how long it takes.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::net::link::Link;
use crate::runtime::clock::{self, LazyTimer};

/// Why the wait for a server is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The client has hung up.
    Gone,
    /// The statement has taken longer than it may. Said once for each.
    Overtime,
}

/// Looks on while statements run.
#[derive(Debug, Default)]
pub(super) struct Vigil {
    /// When the statement under way shall be over.
    due: Option<Instant>,
    /// Bytes of it that stand in the client's inbox meanwhile.
    standing: usize,
    timer: LazyTimer,
}

impl Vigil {
    /// A statement begins, which may take this long. So many bytes of it are left in the client's inbox.
    pub(super) fn begin(&mut self, limit: Option<Duration>, standing: usize) {
        self.due = limit.map(|limit| clock::now() + limit);
        self.standing = standing;
    }

    /// Whether the time is over. Asked wherever a server is about to be read from: one that has always more
    /// than its client takes is never waited for.
    pub(super) fn is_overtime(&mut self) -> bool {
        let over = self.due.is_some_and(|due| clock::now() >= due);
        if over {
            self.due = None;
        }
        over
    }

    /// Ready when the wait should not go on as it is.
    pub(super) fn poll(&mut self, client: &mut Link, cx: &mut Context<'_>) -> Poll<Alarm> {
        if client.poll_ended(self.standing, cx).is_ready() {
            return Poll::Ready(Alarm::Gone);
        }
        let Some(due) = self.due else { return Poll::Pending };
        ready!(self.timer.poll_due(due, cx));
        self.due = None;
        Poll::Ready(Alarm::Overtime)
    }
}
