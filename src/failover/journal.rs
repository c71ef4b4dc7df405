//! What was seen, ordered and wished, for people: the last of it.

use std::collections::VecDeque;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::view::Happened;
use crate::topology::Epoch;

/// Older ones are forgotten.
const MOST: usize = 512;

/// What happened, the last [`MOST`] entries. Whoever has something to tell writes in it.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    epoch: Epoch,
    entries: VecDeque<Happened>,
}

impl Journal {
    /// From now on it is this reign.
    pub(super) fn reigns(&self, epoch: Epoch) {
        self.0.lock().epoch = epoch;
    }

    /// Notes an event.
    pub fn note(&self, at: SystemTime, kind: &'static str, what: String) {
        let mut pages = self.0.lock();
        let (number, epoch) = (pages.last() + 1, pages.epoch);
        if pages.entries.len() == MOST {
            pages.entries.pop_front();
        }
        pages.entries.push_back(Happened { number, at, epoch, kind, what });
    }

    /// The number of the last entry; 0 where there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.0.lock().last()
    }

    /// The entries behind a number, the oldest first.
    #[must_use]
    pub fn since(&self, number: u64) -> Vec<Happened> {
        let pages = self.0.lock();
        pages.entries.iter().filter(|entry| entry.number > number).cloned().collect()
    }
}

impl Pages {
    fn last(&self) -> u64 {
        self.entries.back().map_or(0, |last| last.number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_numbers_go_on() {
        let journal = Journal::default();
        for _ in 0..MOST + 3 {
            journal.note(UNIX_EPOCH, "seen", String::new());
        }
        let numbers: Vec<u64> = journal.since(0).iter().map(|entry| entry.number).collect();
        assert_eq!((numbers.len(), numbers.first(), journal.last()), (512, Some(&4), 515));
        journal.reigns(Epoch(7));
        journal.note(UNIX_EPOCH, "seen", String::new());
        let news = journal.since(515);
        assert_eq!(
            news.iter().map(|entry| (entry.number, entry.epoch)).collect::<Vec<_>>(),
            [(516, Epoch(7))]
        );
    }
}
