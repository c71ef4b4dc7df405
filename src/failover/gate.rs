//! The gate towards the primary: statements pass while there is one, and wait while it is replaced.
//!
//! Whoever is inside has a [`Pass`]: for a statement, and for as long as its transaction lasts. To hold writes is to
//! let nobody in, and to wait until all are out; to cut is to have those leave who are inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::runtime::clock;
use crate::topology::Mark;

/// The gate towards the primary.
#[derive(Debug)]
pub struct Gate {
    /// Whether Headgate looks after the cluster at all, so that sessions outlive their primary.
    active: AtomicBool,
    held: watch::Sender<bool>,
    /// Counts up when all connections to the primary are to be given up.
    cuts: watch::Sender<u64>,
    inside: AtomicUsize,
    left: Notify,
    waiting: AtomicUsize,
    /// The last transaction that a client was told is committed.
    relayed: Mutex<Option<Mark>>,
}

/// Leave to be inside. Dropping it is to leave.
#[derive(Debug)]
pub struct Pass(Arc<Gate>);

/// A place in the line. Dropping it is to leave.
#[derive(Debug)]
pub struct InLine(Arc<Gate>);

/// Commands that wait for a primary at a time.
const MOST_WAITING: usize = 10_000;

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// An open gate. `active`: sessions outlive their primary.
    #[must_use]
    pub fn new(active: bool) -> Arc<Self> {
        Arc::new(Self {
            active: AtomicBool::new(active),
            held: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            inside: AtomicUsize::new(0),
            left: Notify::new(),
            waiting: AtomicUsize::new(0),
            relayed: Mutex::new(None),
        })
    }

    /// Whether sessions outlive their primary.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Whether nobody is let in.
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Enters, where the gate is open.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Option<Pass> {
        // Counted first, so that who holds the gate waits for whoever has found it open.
        self.inside.fetch_add(1, Ordering::SeqCst);
        let pass = Pass(Arc::clone(self));
        (!self.is_held()).then_some(pass)
    }

    /// A place in the line before the gate, until the answer is dropped. Nothing where the line is too long.
    #[must_use]
    pub fn stand_in_line(self: &Arc<Self>) -> Option<InLine> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = InLine(Arc::clone(self));
        (before < MOST_WAITING).then_some(place)
    }

    /// Hears when the gate is opened or closed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    /// Hears when connections to the primary are to be given up.
    #[must_use]
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// How often connections to the primary were to be given up.
    #[must_use]
    pub fn cut_count(&self) -> u64 {
        *self.cuts.borrow()
    }

    /// A client is about to be told that this transaction is committed.
    pub fn relay(&self, mark: Mark) {
        let mut relayed = self.relayed.lock();
        *relayed = (*relayed).max(Some(mark));
    }

    /// Lets nobody in, and waits until all have left, for so long at most. With no time at all, those inside are cut
    /// first. True where all have left.
    pub async fn hold(&self, grace: Duration) -> bool {
        self.close();
        if grace.is_zero() {
            self.cut();
        }
        // Those who are cut need a moment to notice.
        let limit = grace.max(LEAVING);
        let empty = async {
            loop {
                let left = self.left.notified();
                if self.inside.load(Ordering::SeqCst) == 0 {
                    return;
                }
                left.await;
            }
        };
        clock::within(limit, empty).await.is_ok()
    }

    /// Lets nobody in from now on.
    pub fn close(&self) {
        self.held.send_replace(true);
    }

    /// Has everybody inside give up the connection to the primary.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Lets everybody in.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The last transaction that a client was told is committed.
    #[must_use]
    pub fn relayed(&self) -> Option<Mark> {
        *self.relayed.lock()
    }
}

/// How long those who are cut may take to leave.
const LEAVING: Duration = Duration::from_millis(500);

impl Drop for Pass {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tasks;

    #[tokio::test(start_paused = true)]
    async fn nobody_gets_in_while_it_is_held_and_those_inside_are_waited_for() {
        let gate = Gate::new(true);
        let pass = gate.enter().unwrap();
        assert!(!gate.hold(Duration::from_millis(100)).await, "one is still inside");
        assert!(gate.enter().is_none());
        let holder = Arc::clone(&gate);
        let held = tasks::spawn("hold", async move { assert!(holder.hold(Duration::from_secs(5)).await) });
        tokio::task::yield_now().await;
        drop(pass);
        held.await.unwrap();
        assert!(gate.enter().is_none());
        gate.release();
        assert!(gate.enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_grace_those_inside_are_cut() {
        let gate = Gate::new(true);
        let mut cuts = gate.cuts();
        let pass = gate.enter().unwrap();
        let inside = tasks::spawn("inside", async move {
            cuts.changed().await.unwrap();
            drop(pass);
        });
        assert!(gate.hold(Duration::ZERO).await);
        inside.await.unwrap();
    }

    #[test]
    fn the_last_transaction_is_the_greatest() {
        let gate = Gate::new(true);
        let mark = |number| Mark { epoch: crate::topology::Epoch(1), number };
        gate.relay(mark(7));
        gate.relay(mark(5));
        assert_eq!(gate.relayed(), Some(mark(7)));
    }
}
