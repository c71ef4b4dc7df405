//! What happened, when, and why.

use std::collections::VecDeque;
use std::time::Instant;

use crate::topology::Epoch;

/// Older entries are forgotten.
const MOST: usize = 256;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up, so that a shell can tell which entries it has written to its log.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// In which reign.
    pub epoch: Epoch,
    /// The phase then entered, or that it happened in.
    pub phase: &'static str,
    /// What, and why.
    pub what: String,
}

/// The last things that happened, the oldest first.
#[derive(Debug, Default)]
pub struct Timeline {
    entries: VecDeque<Entry>,
    written: u64,
}

impl Timeline {
    /// The entries, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn write(&mut self, at: Instant, epoch: Epoch, phase: &'static str, what: String) {
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        self.written += 1;
        self.entries.push_back(Entry { number: self.written, at, epoch, phase, what });
    }
}
