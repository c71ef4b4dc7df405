//! What is looked at while a server is at work: whether the client is still there, and how long it takes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::failover::Gate;
use crate::net::link::Link;
use crate::runtime::clock::{self, LazyTimer};

/// Why the wait for a server is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The client has hung up.
    Gone,
    /// The statement has taken longer than it may. Said once for each.
    Overtime,
    /// The primary is given up, with all that is under way there.
    Cut,
}

/// Looks on while statements run.
#[derive(Debug, Default)]
pub(super) struct Vigil {
    /// When the statement under way shall be over.
    due: Option<Instant>,
    /// Bytes of it that stand in the client's inbox meanwhile.
    standing: usize,
    timer: LazyTimer,
    /// Hears when the primary is given up, where that concerns the statement.
    cut: Option<Cut>,
    /// The statement under way runs on the primary.
    at_primary: bool,
}

/// Waits until the primary is given up.
struct Cut {
    gate: Arc<Gate>,
    /// How often that had happened when the statement began.
    before: u64,
    next: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cut")
    }
}

impl Cut {
    fn of(gate: &Arc<Gate>) -> Self {
        Self { gate: Arc::clone(gate), before: gate.cut_count(), next: next(gate) }
    }

    /// Ready when it has happened since the statement began.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.next.as_mut().poll(cx));
            self.next = next(&self.gate);
            if self.gate.cut_count() != self.before {
                return Poll::Ready(());
            }
        }
    }
}

fn next(gate: &Gate) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    let mut cuts = gate.cuts();
    Box::pin(async move {
        if cuts.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

impl Vigil {
    /// A statement begins, which may take this long. So many bytes of it are left in the client's inbox.
    pub(super) fn begin(&mut self, limit: Option<Duration>, standing: usize) {
        self.due = limit.map(|limit| clock::now() + limit);
        self.standing = standing;
    }

    /// From now on it is heard when the primary is given up.
    pub(super) fn heed(&mut self, gate: &Arc<Gate>) {
        match &mut self.cut {
            Some(cut) => cut.before = gate.cut_count(),
            none => *none = Some(Cut::of(gate)),
        }
    }

    /// A statement begins on the primary, or on a replica, which has nothing to do with the primary.
    pub(super) const fn stands_at_primary(&mut self, at_primary: bool) {
        self.at_primary = at_primary;
    }

    /// Ready when the primary was given up since it is heeded.
    pub(super) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.cut.as_mut().map_or(Poll::Pending, |cut| cut.poll(cx))
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
        if self.at_primary && self.poll_cut(cx).is_ready() {
            return Poll::Ready(Alarm::Cut);
        }
        let Some(due) = self.due else { return Poll::Pending };
        ready!(self.timer.poll_due(due, cx));
        self.due = None;
        Poll::Ready(Alarm::Overtime)
    }
}
