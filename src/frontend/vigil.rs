//! What is looked at while a server is at work: whether the client is still there, and how long it takes.

use std::pin::Pin;
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
    /// Ready when the primary is given up, where that concerns the statement.
    cut: Option<Cut>,
    heeds: bool,
}

/// Waits until the primary is given up.
struct Cut(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cut")
    }
}

impl Cut {
    fn of(gate: &Gate) -> Self {
        let mut cuts = gate.cuts();
        Self(Box::pin(async move {
            if cuts.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }))
    }
}

impl Vigil {
    /// A statement begins, which may take this long. So many bytes of it are left in the client's inbox.
    pub(super) fn begin(&mut self, limit: Option<Duration>, standing: usize) {
        self.due = limit.map(|limit| clock::now() + limit);
        self.standing = standing;
    }

    /// From now on the statement ends when the primary is given up, where there is a gate for that; or it does not.
    pub(super) fn heed(&mut self, gate: Option<&Gate>) {
        let gate = gate.filter(|gate| gate.is_active());
        self.heeds = gate.is_some();
        if let Some(gate) = gate
            && self.cut.is_none()
        {
            self.cut = Some(Cut::of(gate));
        }
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
        if self.heeds
            && let Some(Cut(cut)) = &mut self.cut
            && cut.as_mut().poll(cx).is_ready()
        {
            self.cut = None;
            return Poll::Ready(Alarm::Cut);
        }
        let Some(due) = self.due else { return Poll::Pending };
        ready!(self.timer.poll_due(due, cx));
        self.due = None;
        Poll::Ready(Alarm::Overtime)
    }
}
