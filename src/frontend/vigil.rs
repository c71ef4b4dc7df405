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
    timer: LazyTimer,
}

impl Vigil {
    /// A statement begins, which may take this long.
    pub(super) fn begin(&mut self, limit: Option<Duration>) {
        self.due = limit.map(|limit| clock::now() + limit);
    }

    /// Ready when the wait should not go on as it is.
    pub(super) fn poll(&mut self, client: &mut Link, cx: &mut Context<'_>) -> Poll<Alarm> {
        if client.poll_ended(cx).is_ready() {
            return Poll::Ready(Alarm::Gone);
        }
        let Some(due) = self.due else { return Poll::Pending };
        ready!(self.timer.poll_due(due, cx));
        self.due = None;
        Poll::Ready(Alarm::Overtime)
    }
}
