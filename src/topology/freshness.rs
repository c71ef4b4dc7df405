//! How old a replica's data is, by Headgate's own clock.
//!
//! Clocks of servers differ and their event times are coarse (HAZARDS 15), so they are not asked.
//! Instead the primary's position is noted with the time just before it was asked for. A replica whose
//! position contains a noted one has everything that was committed before that time: it is *as of*
//! that time. The age of a replica's data is now minus that, and a read that must not miss what
//! happened before some moment may go where `as_of` is no earlier than that moment.

use std::collections::VecDeque;
use std::time::Instant;

/// The primary's recent positions.
#[derive(Debug, Clone)]
pub struct History<P> {
    /// Oldest first. The time is the last at which the primary was known to be there.
    notes: VecDeque<(Instant, P)>,
}

/// Notes kept. When they run out, every second old one is dropped, so the newest stay close together
/// and a replica that lags for long can still be dated, if coarsely.
const KEPT: usize = 256;

impl<P> Default for History<P> {
    fn default() -> Self {
        Self { notes: VecDeque::new() }
    }
}

impl<P: PartialEq> History<P> {
    /// Notes the primary's position; `asked` is the time just before the question was sent.
    pub fn note(&mut self, asked: Instant, position: P) {
        match self.notes.back_mut() {
            // Nothing was committed meanwhile: who has that position is as of now.
            Some((at, known)) if *known == position => *at = asked.max(*at),
            _ => self.notes.push_back((asked, position)),
        }
        if self.notes.len() > KEPT {
            let newer = self.notes.split_off(KEPT / 2);
            let mut index = 0;
            self.notes.retain(|_| {
                index += 1;
                index % 2 == 0
            });
            self.notes.extend(newer);
        }
    }

    /// The latest time before which `replica` has everything. `contains(replica, noted)` compares.
    pub fn date(&self, replica: &P, contains: impl Fn(&P, &P) -> bool) -> Option<Instant> {
        self.notes.iter().rev().find(|(_, noted)| contains(replica, noted)).map(|(at, _)| *at)
    }

    /// Forgets everything: another server is the primary now.
    pub fn clear(&mut self) {
        self.notes.clear();
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn later(from: Instant, ms: u64) -> Instant {
        from + Duration::from_millis(ms)
    }

    #[test]
    fn an_idle_primary_makes_no_lag() {
        let start = Instant::now();
        let mut history = History::default();
        history.note(start, 5);
        history.note(later(start, 1000), 5);
        assert_eq!(history.date(&5, i32::ge), Some(later(start, 1000)));
        assert_eq!(history.date(&4, i32::ge), None);
    }

    proptest! {
        /// The primary commits transaction n at `commits[n]`. Whoever is dated as of t has every
        /// transaction committed before t.
        #[test]
        fn never_dated_later_than_true(
            gaps in proptest::collection::vec(0_u64..50, 1..600),
            asks in proptest::collection::vec(0_u64..30, 1..600),
            replica in 0_usize..600,
        ) {
            let start = Instant::now();
            let commits: Vec<u64> = gaps.iter().scan(0, |t, gap| { *t += gap; Some(*t) }).collect();
            let mut history = History::default();
            let mut now = 0;
            for gap in asks {
                now += gap;
                history.note(later(start, now), commits.iter().filter(|at| **at <= now).count());
            }
            if let Some(as_of) = history.date(&replica, usize::ge) {
                let missed = commits.iter().skip(replica).find(|at| later(start, **at) < as_of);
                prop_assert_eq!(missed, None);
            }
        }
    }
}
