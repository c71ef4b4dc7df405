//! How many connections a server is to be asked for.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::topology::fitting;

/// After a refusal nothing more is asked for during this time; twice as long after the next one, and so on.
const HOLD: Duration = Duration::from_millis(500);

/// No longer than this. Where there is no connection at all, nobody can go on, and the next one is tried after [`HOLD`].
const LONGEST_HOLD: Duration = Duration::from_secs(8);

/// Then one more is tried each time this has passed.
const STEP: Duration = Duration::from_secs(1);

/// What is allowed where nothing is said and the server has not been asked.
const UNKNOWN: usize = 4_000;

/// A server has refused a connection for want of room: what there was by then is all that it takes, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Squeeze {
    since: Instant,
    taken: usize,
    hold: Duration,
}

/// What one server may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// `pool.max_connections_per_server`, where it is set.
    pub own: Option<usize>,
    /// The server's `max_connections`, where it is known.
    pub server: Option<usize>,
    /// The last refusal, as long as it counts.
    pub squeeze: Option<Squeeze>,
}

impl Squeeze {
    /// A refusal while there were `taken` connections.
    #[must_use]
    pub fn after(before: Option<Self>, taken: usize, now: Instant) -> Self {
        let longest = if taken == 0 { HOLD } else { LONGEST_HOLD };
        let hold = before.map_or(HOLD, |before| {
            // Those that were refused together are one refusal.
            let is_new = now.saturating_duration_since(before.since) >= before.hold;
            (if is_new { before.hold * 2 } else { before.hold }).min(longest)
        });
        Self { since: now, taken, hold }
    }

    /// How many connections there may be by now.
    #[must_use]
    pub fn allows(&self, now: Instant) -> usize {
        let Some(recovering) = now.saturating_duration_since(self.since).checked_sub(self.hold) else {
            return self.taken;
        };
        let steps = recovering.as_millis() / STEP.as_millis().max(1) + 1;
        self.taken.saturating_add(usize::try_from(steps).unwrap_or(usize::MAX))
    }
}

/// How many of the connections that a server allows a user are asked for: others may need one in its name.
#[must_use]
pub(super) fn fitting_user(most: NonZeroUsize) -> usize {
    let most = most.get();
    most.saturating_sub((most / 10).max(1)).max(1)
}

impl Allowance {
    /// Where the operator has set a number, or not.
    #[must_use]
    pub const fn new(own: Option<usize>) -> Self {
        Self { own, server: None, squeeze: None }
    }

    /// Most connections, whatever the server has said lately. What an operator has set counts up to what the server
    /// takes at all.
    #[must_use]
    pub fn most(&self) -> usize {
        let server = self.server.unwrap_or(usize::MAX);
        match self.own {
            Some(own) => own.min(server).max(1),
            None => match self.server.and_then(|server| u64::try_from(server).ok()) {
                Some(server) => usize::try_from(fitting(server)).unwrap_or(UNKNOWN),
                None => UNKNOWN,
            },
        }
    }

    /// Most connections by now. A squeeze that has eased is forgotten.
    pub fn by(&mut self, now: Instant) -> usize {
        let most = self.most();
        match self.squeeze.map(|squeeze| squeeze.allows(now)) {
            Some(allowed) if allowed < most => allowed,
            _ => {
                self.squeeze = None;
                most
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an Instant has no literal")]
    fn start() -> Instant {
        Instant::now()
    }

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_server_is_asked_for_less_than_it_has() {
        let check = |own, server, expected| {
            assert_eq!(Allowance { own, server, squeeze: None }.most(), expected, "{own:?} of {server:?}");
        };
        check(None, None, 4_000);
        check(None, Some(151), 136);
        check(None, Some(8), 3);
        check(None, Some(5), 1);
        check(None, Some(10_000), 9_000);
        check(Some(20), None, 20);
        check(Some(20), Some(151), 20);
        check(Some(500), Some(151), 151);
    }

    #[test]
    fn a_refusal_counts_for_a_while() {
        let start = start();
        let mut allowance = Allowance { own: Some(10), server: None, squeeze: None };
        assert_eq!(allowance.by(start), 10);
        allowance.squeeze = Some(Squeeze::after(None, 4, start));
        for (at, expected) in [(0, 4), (499, 4), (500, 5), (1_499, 5), (1_500, 6), (4_500, 9), (5_500, 10)] {
            assert_eq!(allowance.by(start + ms(at)), expected, "after {at} ms");
        }
        assert_eq!(allowance.squeeze, None);
    }

    #[test]
    fn who_has_nothing_left_waits_no_longer_than_the_first_time() {
        let start = start();
        let long = Squeeze { since: start, taken: 1, hold: LONGEST_HOLD };
        let within = Squeeze::after(Some(long), 0, start + ms(10));
        assert_eq!(within.hold, HOLD);
        assert_eq!(within.allows(within.since + HOLD), 1);
    }

    #[test]
    fn who_is_refused_again_waits_longer() {
        let start = start();
        let first = Squeeze::after(None, 4, start);
        let together = Squeeze::after(Some(first), 3, start + ms(10));
        assert_eq!((together.allows(start + ms(509)), together.allows(start + ms(510))), (3, 4));
        let second = Squeeze::after(Some(together), 3, start + ms(600));
        assert_eq!((second.allows(start + ms(1_599)), second.allows(start + ms(1_600))), (3, 4));
        for (taken, longest) in [(1, LONGEST_HOLD), (0, HOLD)] {
            let mut last = second;
            for _ in 0..10 {
                let now = last.since + last.hold;
                last = Squeeze::after(Some(last), taken, now);
            }
            assert_eq!(last.hold, longest);
            assert_eq!(last.allows(last.since + longest), taken + 1, "one more is tried in the end");
        }
    }
}
