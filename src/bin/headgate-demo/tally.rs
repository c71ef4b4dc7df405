//! What the clients have seen.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) stopping: AtomicBool,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    /// Reads of a value the same client had just written.
    pub(crate) own_reads: AtomicU64,
    /// Those that showed something older.
    pub(crate) stale: AtomicU64,
    /// Reads whose answer shows the session's time zone or `sql_mode`.
    pub(crate) settings: AtomicU64,
    /// Those that were answered under others.
    pub(crate) unset: AtomicU64,
    /// Reports over several tables in one transaction.
    pub(crate) reports: AtomicU64,
    /// Those whose figures did not belong together.
    pub(crate) torn: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) last_error: Mutex<Option<String>>,
}

/// A [`Tally`] at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) own_reads: u64,
    pub(crate) stale: u64,
    pub(crate) settings: u64,
    pub(crate) unset: u64,
    pub(crate) reports: u64,
    pub(crate) torn: u64,
    pub(crate) errors: u64,
}

impl Tally {
    pub(crate) fn seen(&self) -> Seen {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Seen {
            reads: of(&self.reads),
            writes: of(&self.writes),
            own_reads: of(&self.own_reads),
            stale: of(&self.stale),
            settings: of(&self.settings),
            unset: of(&self.unset),
            reports: of(&self.reports),
            torn: of(&self.torn),
            errors: of(&self.errors),
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn did(&self, reads: u64, writes: u64) {
        self.reads.fetch_add(reads, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
    }

    /// Counts a check, and whether it was passed.
    pub(crate) fn checked(&self, passed: bool, all: &AtomicU64, failed: &AtomicU64) {
        all.fetch_add(1, Ordering::Relaxed);
        failed.fetch_add(u64::from(!passed), Ordering::Relaxed);
    }
}

impl Seen {
    /// Answers that no single server would have given.
    pub(crate) fn wrong(&self) -> u64 {
        self.stale + self.unset + self.torn
    }
}
