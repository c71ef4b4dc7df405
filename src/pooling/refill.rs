//! Whether more connections are made ready for a user that has been here lately.

use std::time::{Duration, Instant};

/// What is kept ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// Idle connections for one user at one server.
    pub min_idle: usize,
    /// For so long after its last session.
    pub lasts: Duration,
}

/// What there is of a user's connections to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// Idle connections.
    pub idle: usize,
    /// When a session of the user was last seen.
    pub seen: Instant,
    /// No new one is tried before: the last attempt failed.
    pub paused_until: Option<Instant>,
    /// Places at the server, taken and in all.
    pub taken: usize,
    /// See above.
    pub limit: usize,
    /// Somebody waits for a place there.
    pub awaited: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refill {
    /// Open one.
    Open,
    /// There are enough.
    Enough,
    /// The user has gone: what proves it is to be forgotten.
    Gone,
    /// The server has just refused one, or could not be reached.
    Paused,
    /// The places are needed for those who have something to do.
    Crowded,
}

impl Readiness {
    /// Decides about one shelf.
    #[must_use]
    pub fn decide(&self, stock: &Stock, now: Instant) -> Refill {
        if now.saturating_duration_since(stock.seen) > self.lasts {
            Refill::Gone
        } else if stock.idle >= self.min_idle {
            Refill::Enough
        } else if stock.awaited || stock.taken >= stock.limit.div_ceil(2) {
            Refill::Crowded
        } else if stock.paused_until.is_some_and(|until| now < until) {
            Refill::Paused
        } else {
            Refill::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_made_ready_where_nobody_needs_their_place() {
        #[allow(clippy::disallowed_methods, reason = "an Instant has no literal")]
        let start = Instant::now();
        let now = start + Duration::from_secs(100);
        let readiness = Readiness { min_idle: 2, lasts: Duration::from_secs(60) };
        let stock = Stock { idle: 0, seen: now, paused_until: None, taken: 0, limit: 10, awaited: false };
        let check = |stock: Stock, expected| {
            assert_eq!(readiness.decide(&stock, now), expected, "{stock:?}");
        };
        check(stock, Refill::Open);
        check(Stock { idle: 1, taken: 4, ..stock }, Refill::Open);
        check(Stock { idle: 2, ..stock }, Refill::Enough);
        check(Stock { idle: 3, taken: 10, ..stock }, Refill::Enough);
        check(Stock { taken: 5, ..stock }, Refill::Crowded);
        check(Stock { taken: 1, limit: 1, ..stock }, Refill::Crowded);
        check(Stock { awaited: true, ..stock }, Refill::Crowded);
        check(Stock { paused_until: Some(now + Duration::from_secs(1)), ..stock }, Refill::Paused);
        check(Stock { paused_until: Some(now), ..stock }, Refill::Open);
        check(Stock { seen: start, ..stock }, Refill::Gone);
        check(Stock { seen: start + Duration::from_secs(40), ..stock }, Refill::Open);
    }
}
