//! How old a replica's data is, by Headgate's own clock.
//!
//! Clocks of servers differ and their event times are coarse (HAZARDS 15), so they are not asked.
//! Instead the primary's position is noted with the time just before it was asked for. A replica whose
//! position contains a noted one has everything that was committed before that time: it is *as of*
//! that time. The age of a replica's data is now minus that, and a read that must not miss what
//! happened before some moment may go where `as_of` is no earlier than that moment.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The primary's recent positions.
#[derive(Debug, Clone)]
pub struct History<P> {
    /// Oldest first. The time is the last at which the primary was known to be there.
    notes: VecDeque<(Instant, P)>,
}

/// Notes kept. When they run out, every second old one is dropped, so the newest stay close together
/// and a replica that lags for long can still be dated, if coarsely.
const KEPT: usize = 256;

/// A note that is no older says where the primary is now.
const CURRENT: Duration = Duration::from_secs(1);

/// How far a replica was behind the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// So much later a transaction was there than on the primary. An idle primary leaves nobody behind.
    pub behind: Duration,
    /// When the replica was asked.
    pub at: Instant,
}

/// The greatest lag of late.
#[derive(Debug, Clone, Default)]
pub struct Peak {
    /// Oldest and greatest first; each is greater than all after it.
    peaks: VecDeque<Lag>,
}

/// For so long a lag is remembered: a replica that was behind a limit serves again when it has been within it this
/// long.
const REMEMBERED: Duration = Duration::from_secs(2);

impl Peak {
    /// Takes in a lag.
    pub fn note(&mut self, lag: Lag) {
        while self.peaks.back().is_some_and(|known| known.behind <= lag.behind) {
            self.peaks.pop_back();
        }
        self.peaks.push_back(lag);
        let old = |known: &Lag| lag.at.saturating_duration_since(known.at) > REMEMBERED;
        while self.peaks.front().is_some_and(old) {
            self.peaks.pop_front();
        }
    }

    /// The greatest lag remembered.
    #[must_use]
    pub fn greatest(&self) -> Duration {
        self.peaks.front().map_or(Duration::ZERO, |lag| lag.behind)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.peaks.clear();
    }
}

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

    /// How far behind the primary a replica was when it was asked at `asked`: nothing, if it has all that the primary is
    /// known to have had shortly before; else somewhere between the last position that it contains and the next.
    #[must_use]
    pub fn lag(&self, replica: &P, asked: Instant, contains: impl Fn(&P, &P) -> bool) -> Option<Lag> {
        let held = self.notes.iter().rposition(|(_, noted)| contains(replica, noted))?;
        let (as_of, _) = self.notes.get(held)?;
        let behind = match self.notes.get(held + 1) {
            None if asked.saturating_duration_since(*as_of) <= CURRENT => Duration::ZERO,
            // The primary has not been asked of late.
            None => asked.saturating_duration_since(*as_of),
            Some((next, _)) => {
                let most = asked.saturating_duration_since(*as_of);
                let least = asked.saturating_duration_since(*next);
                (most + least) / 2
            }
        };
        Some(Lag { behind, at: asked })
    }

    /// Where the primary was when it was last asked.
    #[must_use]
    pub fn newest(&self) -> Option<&P> {
        self.notes.back().map(|(_, position)| position)
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

    #[test]
    fn lag_lies_between_two_notes() {
        let start = Instant::now();
        let mut history = History::default();
        for (ms, position) in [(0, 5), (100, 6), (200, 7), (300, 7)] {
            history.note(later(start, ms), position);
        }
        let lag = |replica: i32, asked| {
            history.lag(&replica, later(start, asked), i32::ge).map(|lag| lag.behind.as_millis())
        };
        assert_eq!(lag(7, 500), Some(0));
        assert_eq!(lag(8, 500), Some(0));
        assert_eq!(lag(5, 500), Some(450));
        // As of 100 ms; what it lacks was there at 300 ms at the latest.
        assert_eq!(lag(6, 500), Some(300));
        assert_eq!(lag(4, 500), None);
        // Nobody knows what the primary has done since.
        assert_eq!(lag(7, 5_300), Some(5_000));
    }

    proptest! {
        /// The peak is the greatest of the last two seconds.
        #[test]
        fn the_peak_is_the_greatest_of_late(lags in proptest::collection::vec((0_u64..900, 0_u64..1000), 1..60)) {
            let start = Instant::now();
            let mut peak = Peak::default();
            let mut noted = Vec::new();
            let mut now = 0;
            for (pause, behind) in lags {
                now += pause;
                let lag = Lag { behind: Duration::from_millis(behind), at: later(start, now) };
                peak.note(lag);
                noted.push(lag);
                let late = noted.iter().filter(|known| lag.at - known.at <= REMEMBERED);
                prop_assert_eq!(Some(peak.greatest()), late.map(|known| known.behind).max());
            }
        }

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
