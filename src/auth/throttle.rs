//! Slows repeated failures of login.
//!
//! Failures are counted per client address, per user, and per both together; counts halve with time.
//! What is slowed is the *refusal* (by the worst of the three), so a right password is never late
//! because of somebody else's wrong ones, and the *next attempt* of the same user from the same
//! address, so that a guesser gains nothing by not waiting for refusals.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;

use super::scramble;

/// How a [`Throttle`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures that cost nothing: people mistype.
    pub free: u32,
    /// Delay of the first failure that is not free; it doubles with each further one.
    pub first_delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
    /// Time after which a count has halved.
    pub half_life: Duration,
    /// Most counts kept. When full, the one with the least to forget goes.
    pub capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            free: 3,
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
            half_life: Duration::from_secs(60),
            capacity: 16 * 1024,
        }
    }
}

/// Who tries to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The client's address; `None` on a unix socket. IPv6 counts by /64, which is one household.
    pub client: Option<IpAddr>,
    /// The user name.
    pub user: &'a [u8],
}

/// Counts of failed logins, bounded.
#[derive(Debug)]
pub struct Throttle {
    settings: Settings,
    counts: HashMap<Key, Count, FixedState>,
}

/// A digest, so that a count costs the same however long the user name is.
type Key = [u8; 16];

#[derive(Debug, Clone, Copy)]
struct Count {
    /// Failures, decayed to `at`.
    failures: f64,
    at: Instant,
}

impl Throttle {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, counts: HashMap::default() }
    }

    /// How long to wait before this attempt is looked at.
    #[must_use]
    pub fn before(&self, attempt: Attempt<'_>, now: Instant) -> Duration {
        self.delay(&pair_key(attempt), now)
    }

    /// Counts a failure and says how long to wait before the refusal is sent.
    pub fn failed(&mut self, attempt: Attempt<'_>, now: Instant) -> Duration {
        let keys = [client_key(attempt), user_key(attempt), pair_key(attempt)];
        keys.into_iter().map(|key| self.count(key, now)).max().unwrap_or_default()
    }

    /// Forgets the failures of this user from this address. Those of the address and of the user
    /// stay: one good login of a guesser's own does not excuse the others.
    pub fn succeeded(&mut self, attempt: Attempt<'_>) {
        self.counts.remove(&pair_key(attempt));
    }

    /// Counts kept at present.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no failure is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn count(&mut self, key: Key, now: Instant) -> Duration {
        if !self.counts.contains_key(&key) && self.counts.len() >= self.settings.capacity {
            self.make_room(now);
        }
        if self.settings.capacity > 0 {
            let half_life = self.settings.half_life;
            let count = self.counts.entry(key).or_insert(Count { failures: 0.0, at: now });
            let failures = count.failures_at(now, half_life) + 1.0;
            *count = Count { failures, at: now.max(count.at) };
        }
        self.delay(&key, now)
    }

    fn delay(&self, key: &Key, now: Instant) -> Duration {
        let Settings { free, first_delay, max_delay, half_life, .. } = self.settings;
        let failures = self.counts.get(key).map_or(0.0, |count| count.failures_at(now, half_life));
        let beyond = failures - f64::from(free);
        if beyond <= 0.0 {
            return Duration::ZERO;
        }
        let seconds = first_delay.as_secs_f64() * (beyond - 1.0).exp2();
        Duration::try_from_secs_f64(seconds).unwrap_or(max_delay).min(max_delay)
    }

    /// Drops what has decayed to nothing, and at least one count.
    fn make_room(&mut self, now: Instant) {
        let half_life = self.settings.half_life;
        self.counts.retain(|_, count| count.failures_at(now, half_life) >= FORGOTTEN);
        if self.counts.len() < self.settings.capacity {
            return;
        }
        let least = self
            .counts
            .iter()
            .min_by(|(_, a), (_, b)| a.failures_at(now, half_life).total_cmp(&b.failures_at(now, half_life)))
            .map(|(key, _)| *key);
        if let Some(key) = least {
            self.counts.remove(&key);
        }
    }
}

impl Count {
    fn failures_at(&self, now: Instant, half_life: Duration) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        let half_life = half_life.as_secs_f64().max(f64::MIN_POSITIVE);
        self.failures * (-age / half_life).exp2()
    }
}

fn client_key(attempt: Attempt<'_>) -> Key {
    key(&[b"client", &network(attempt.client)])
}

fn user_key(attempt: Attempt<'_>) -> Key {
    key(&[b"user", attempt.user])
}

fn pair_key(attempt: Attempt<'_>) -> Key {
    key(&[b"pair", &network(attempt.client), attempt.user])
}

fn key(parts: &[&[u8]]) -> Key {
    let digest = scramble::sha256(parts);
    digest.first_chunk().copied().unwrap_or_default()
}

/// The client's network in a fixed width, so that it cannot run into the user name.
fn network(client: Option<IpAddr>) -> [u8; 17] {
    let mut out = [0; 17];
    let (kind, bytes): (u8, [u8; 16]) = match client.map(household) {
        None => (0, [0; 16]),
        Some(IpAddr::V4(v4)) => (4, v4.to_ipv6_mapped().octets()),
        Some(IpAddr::V6(v6)) => (6, v6.octets()),
    };
    for (to, from) in out.iter_mut().zip(std::iter::once(kind).chain(bytes)) {
        *to = from;
    }
    out
}

/// What counts as one address: an IPv4 address, or a /64 of IPv6, all of which one machine can have.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & HOUSEHOLD).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The network part of an IPv6 address.
const HOUSEHOLD: u128 = !0 << 64;

/// A count below this is as good as none.
const FORGOTTEN: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of the tests' time")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn attempt(last: u8, user: &[u8]) -> Attempt<'_> {
        Attempt { client: Some(IpAddr::from([10, 0, 0, last])), user }
    }

    #[test]
    fn delays_grow_to_a_cap() {
        let now = origin();
        let mut throttle = Throttle::new(Settings::default());
        let delays: Vec<_> = (0..10).map(|_| throttle.failed(attempt(1, b"u"), now).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(throttle.before(attempt(1, b"u"), now), Duration::from_secs(2));
    }

    #[test]
    fn others_wrong_passwords_delay_no_attempt() {
        let now = origin();
        let mut throttle = Throttle::new(Settings::default());
        for _ in 0..20 {
            throttle.failed(attempt(1, b"u"), now);
        }
        assert_eq!(throttle.before(attempt(2, b"u"), now), Duration::ZERO);
        assert_eq!(throttle.before(attempt(1, b"v"), now), Duration::ZERO);
        // Their own refusals are late from the first, though.
        assert_eq!(throttle.failed(attempt(2, b"u"), now), Duration::from_secs(2));
        assert_eq!(throttle.failed(attempt(1, b"v"), now), Duration::from_secs(2));
    }

    #[test]
    fn counts_decay_and_a_success_clears_the_pair() {
        let now = origin();
        let mut throttle = Throttle::new(Settings::default());
        for _ in 0..8 {
            throttle.failed(attempt(1, b"u"), now);
        }
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.before(attempt(1, b"u"), later), Duration::from_millis(100));
        assert_eq!(throttle.before(attempt(1, b"u"), later + Duration::from_secs(60)), Duration::ZERO);
        throttle.succeeded(attempt(1, b"u"));
        assert_eq!(throttle.before(attempt(1, b"u"), now), Duration::ZERO);
    }

    #[test]
    fn neighbours_in_an_ipv6_network_count_together() {
        let from = |text: &str| Attempt { client: Some(text.parse().unwrap()), user: b"u" };
        assert_eq!(pair_key(from("2001:db8::1")), pair_key(from("2001:db8::ffff:2")));
        assert_ne!(pair_key(from("2001:db8::1")), pair_key(from("2001:db8:0:1::1")));
        assert_eq!(pair_key(from("::ffff:10.0.0.1")), pair_key(from("10.0.0.1")));
        assert_ne!(pair_key(from("10.0.0.2")), pair_key(from("10.0.0.1")));
    }

    proptest! {
        #[test]
        fn bounded_in_entries_and_delay(
            events in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<bool>(), 0u64..100_000), 1..300),
            capacity in 0usize..20,
        ) {
            let mut now = origin();
            let settings = Settings { capacity, ..Settings::default() };
            let mut throttle = Throttle::new(settings);
            for (client, user, success, pause) in events {
                now += Duration::from_millis(pause);
                let user = [user];
                let attempt = attempt(client, &user);
                if success {
                    throttle.succeeded(attempt);
                    prop_assert_eq!(throttle.before(attempt, now), Duration::ZERO);
                } else {
                    prop_assert!(throttle.failed(attempt, now) <= settings.max_delay);
                    prop_assert!(throttle.before(attempt, now) <= settings.max_delay);
                }
                prop_assert!(throttle.len() <= capacity);
            }
        }

        #[test]
        fn waiting_never_makes_a_delay_longer(failures in 0usize..40, a in 0u64..1_000_000, b in 0u64..1_000_000) {
            let now = origin();
            let mut throttle = Throttle::new(Settings::default());
            for _ in 0..failures {
                throttle.failed(attempt(1, b"u"), now);
            }
            let at = |ms| throttle.before(attempt(1, b"u"), now + Duration::from_millis(ms));
            prop_assert!(at(a.max(b)) <= at(a.min(b)));
        }

        #[test]
        fn the_busiest_guesser_is_not_pushed_out(strangers in 1u8..200) {
            let now = origin();
            let mut throttle = Throttle::new(Settings { capacity: 9, ..Settings::default() });
            for _ in 0..20 {
                throttle.failed(attempt(0, b"victim"), now);
            }
            for stranger in 1..=strangers {
                throttle.failed(attempt(stranger, &[stranger]), now);
            }
            prop_assert_eq!(throttle.before(attempt(0, b"victim"), now), Duration::from_secs(2));
        }
    }
}
