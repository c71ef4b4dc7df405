//! Which of the servers that may run a read gets it.
//!
//! Chance and turns come in as numbers, so that the same question has the same answer. A server's share is
//! its weight, less while it warms up; every way of choosing goes by shares, and those that look at the load
//! divide it by them.
//!
//! Sources: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001); Thaler and Ravishankar,
//! "Using Name-Based Mappings to Increase Hit Rates" (1998), for the choice by address, with weights after Schindelhauer
//! and Schomaker (2005).

use std::time::Duration;

use super::policy::Balance;
use crate::topology::ServerId;

/// What a server has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Statements of clients of this Headgate that run there or wait for a connection to it.
    pub running: u32,
    /// How long the first byte of a read's reply has taken of late; zero where it is not known.
    pub latency: Duration,
}

/// What the servers have to do.
pub trait Loads {
    /// What this one has to do.
    fn of(&self, server: ServerId) -> Load;
}

/// Nobody has anything to do.
impl Loads for () {
    fn of(&self, _: ServerId) -> Load {
        Load::default()
    }
}

/// A server that may run a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Which.
    pub server: ServerId,
    /// How often it is chosen beside others, in any unit; at least 1.
    pub share: u32,
}

/// What a choice depends on beside the servers.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    /// Counts up with every choice, and is read as chance too.
    pub turn: u64,
    /// Stands for the client's address.
    pub client: u64,
}

/// Chooses one. Nothing where there is none.
pub(super) fn choose(
    balance: Balance,
    candidates: impl Iterator<Item = Candidate> + Clone,
    loads: &dyn Loads,
    dice: Dice,
) -> Option<ServerId> {
    // Most clusters have few servers, and most of the time one question is left or none.
    let mut first = candidates.clone();
    let (one, other) = (first.next()?, first.next());
    if other.is_none() {
        return Some(one.server);
    }
    match balance {
        Balance::RoundRobin => in_turn(candidates, dice.turn),
        Balance::Weighted => by_share(candidates, spread(dice.turn)),
        Balance::LeastConnections => {
            let running = |candidate: &Candidate| u64::from(loads.of(candidate.server).running) + 1;
            least(candidates, dice.turn, |candidate| running(candidate) as f64 / f64::from(candidate.share))
        }
        Balance::ClientAddress => by_address(candidates, dice.client),
        Balance::TwoChoices => two_choices(candidates, loads, dice.turn),
    }
}

/// Each in turn. One that warms up lets turns pass.
fn in_turn(candidates: impl Iterator<Item = Candidate> + Clone, turn: u64) -> Option<ServerId> {
    let most = candidates.clone().map(|candidate| candidate.share).max()?;
    let level = candidates.clone().all(|candidate| candidate.share == most);
    if !level {
        return by_share(candidates, spread(turn));
    }
    let count = u64::try_from(candidates.clone().count()).ok()?;
    let mut candidates = candidates;
    candidates.nth(usize::try_from(turn % count).ok()?).map(|candidate| candidate.server)
}

/// A number for each turn, such that those of any run of turns lie evenly among all numbers: multiples of the golden
/// section.
const fn spread(turn: u64) -> u64 {
    turn.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Chance from a count (SplitMix64, Steele and others 2014).
const fn chance(count: u64) -> u64 {
    let mut bits = count.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// The one in whose part of the whole a number lies.
fn by_share(candidates: impl Iterator<Item = Candidate> + Clone, number: u64) -> Option<ServerId> {
    let whole: u64 = candidates.clone().map(|candidate| u64::from(candidate.share)).sum();
    let point = (u128::from(number) * u128::from(whole)) >> 64;
    let mut passed = 0_u128;
    let mut last = None;
    for candidate in candidates {
        passed += u128::from(candidate.share);
        last = Some(candidate.server);
        if point < passed {
            break;
        }
    }
    last
}

/// The one with the least of something; of equal ones, each in turn.
fn least(
    candidates: impl Iterator<Item = Candidate> + Clone,
    turn: u64,
    of: impl Fn(&Candidate) -> f64,
) -> Option<ServerId> {
    let lowest = candidates.clone().map(|candidate| of(&candidate)).min_by(f64::total_cmp)?;
    let equal = candidates.filter(|candidate| of(candidate) <= lowest);
    let count = u64::try_from(equal.clone().count()).ok()?;
    let mut equal = equal;
    equal.nth(usize::try_from(turn.checked_rem(count)?).ok()?).map(|candidate| candidate.server)
}

/// The highest of the numbers that the client's address makes with each server: whoever comes or goes takes only its
/// own clients along.
fn by_address(candidates: impl Iterator<Item = Candidate> + Clone, client: u64) -> Option<ServerId> {
    let score = |candidate: &Candidate| {
        let drawn = chance(client ^ chance(u64::from(candidate.server.0)));
        // Evenly between 0 and 1, neither of them among it.
        let evenly = (((drawn >> 12) as f64) + 0.5) / (1_u64 << 52) as f64;
        -f64::from(candidate.share) / evenly.ln()
    };
    candidates.max_by(|a, b| score(a).total_cmp(&score(b))).map(|candidate| candidate.server)
}

fn two_choices(
    candidates: impl Iterator<Item = Candidate> + Clone,
    loads: &dyn Loads,
    turn: u64,
) -> Option<ServerId> {
    let one = by_share(candidates.clone(), chance(turn.wrapping_mul(2)))?;
    let others = candidates.filter(|candidate| candidate.server != one);
    let Some(other) = by_share(others, chance(turn.wrapping_mul(2) + 1)) else { return Some(one) };
    let (ours, theirs) = (loads.of(one), loads.of(other));
    // Who has not answered yet is taken to be as fast as the other: it is tried, and not flooded.
    let known = |latency: Duration, instead: Duration| if latency.is_zero() { instead } else { latency };
    let expected = |load: Load, instead: Load| {
        known(load.latency, instead.latency).max(FLOOR).as_secs_f64() * (f64::from(load.running) + 1.0)
    };
    Some(if expected(theirs, ours) < expected(ours, theirs) { other } else { one })
}

/// Latencies below this are all alike: they say more of the machine's mood than of the server.
const FLOOR: Duration = Duration::from_micros(50);

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const ALL: [Balance; 5] = [
        Balance::RoundRobin,
        Balance::Weighted,
        Balance::LeastConnections,
        Balance::ClientAddress,
        Balance::TwoChoices,
    ];

    fn candidates(shares: &[u32]) -> Vec<Candidate> {
        let candidate = |(id, share): (u16, &u32)| Candidate { server: ServerId(id), share: *share };
        (0..).zip(shares).map(candidate).collect()
    }

    fn counts(balance: Balance, shares: &[u32], loads: &dyn Loads, rounds: u64) -> Vec<u64> {
        let all = candidates(shares);
        let mut counts = vec![0; shares.len()];
        for turn in 0..rounds {
            let dice = Dice { turn, client: chance(turn ^ 0xABCD) };
            let chosen = choose(balance, all.iter().copied(), loads, dice).unwrap();
            counts[usize::from(chosen.0)] += 1;
        }
        counts
    }

    struct Busy(HashMap<ServerId, Load>);

    impl Loads for Busy {
        fn of(&self, server: ServerId) -> Load {
            self.0.get(&server).copied().unwrap_or_default()
        }
    }

    #[test]
    fn nobody_is_chosen_of_none_and_the_only_one_always() {
        for balance in ALL {
            let dice = Dice { turn: 3, client: 9 };
            assert_eq!(choose(balance, std::iter::empty(), &(), dice), None);
            let only = candidates(&[7]);
            assert_eq!(choose(balance, only.into_iter(), &(), dice), Some(ServerId(0)));
        }
    }

    #[test]
    fn the_busy_and_the_slow_are_spared() {
        let load = |running, ms| Load { running, latency: Duration::from_millis(ms) };
        let loads = Busy(HashMap::from([
            (ServerId(0), load(9, 1)),
            (ServerId(1), load(0, 1)),
            (ServerId(2), load(3, 1)),
        ]));
        assert_eq!(counts(Balance::LeastConnections, &[1, 1, 1], &loads, 100), [0, 100, 0]);
        // With ten times the weight it has the least to do for it, though it has more to do.
        assert_eq!(counts(Balance::LeastConnections, &[1, 1, 10], &loads, 100), [0, 0, 100]);
        let slow = Busy(HashMap::from([
            (ServerId(0), load(0, 500)),
            (ServerId(1), load(0, 1)),
            (ServerId(2), load(0, 1)),
        ]));
        let counts = counts(Balance::TwoChoices, &[1, 1, 1], &slow, 3000);
        assert_eq!(counts[0], 0, "one of the two is always the faster: {counts:?}");
        assert!(counts[1].abs_diff(counts[2]) < 300, "{counts:?}");
    }

    #[test]
    fn who_has_not_answered_yet_is_compared_by_what_it_has_to_do() {
        let load = |running, us| Load { running, latency: Duration::from_micros(us) };
        let of = |new: Load| {
            let loads = Busy(HashMap::from([(ServerId(0), load(4, 900)), (ServerId(1), new)]));
            counts(Balance::TwoChoices, &[1, 1], &loads, 100)
        };
        assert_eq!(of(load(3, 0)), [0, 100]);
        assert_eq!(of(load(5, 0)), [100, 0]);
    }

    proptest! {
        /// Each way of choosing that goes by weights alone gives each server its share, within what chance allows.
        #[test]
        fn weights_are_kept(shares in proptest::collection::vec(1_u32..20, 2..6)) {
            const ROUNDS: u64 = 6_000;
            let whole: u32 = shares.iter().sum();
            for balance in [Balance::Weighted, Balance::ClientAddress] {
                let counts = counts(balance, &shares, &(), ROUNDS);
                for (count, share) in counts.iter().zip(&shares) {
                    let p = f64::from(*share) / f64::from(whole);
                    let expected = p * ROUNDS as f64;
                    // Turns lie evenly; addresses are chance, so five standard deviations.
                    let slack = match balance {
                        Balance::Weighted => 8.0,
                        _ => 5.0 * (ROUNDS as f64 * p * (1.0 - p)).sqrt() + 1.0,
                    };
                    prop_assert!((*count as f64 - expected).abs() <= slack, "{balance:?} {shares:?}: {counts:?}");
                }
            }
        }

        #[test]
        fn equal_servers_get_equal_shares(servers in 2_usize..8) {
            const ROUNDS: u64 = 4_000;
            let shares = vec![1; servers];
            for balance in ALL {
                let counts = counts(balance, &shares, &(), ROUNDS);
                let fair = ROUNDS as f64 / servers as f64;
                let most = counts.iter().map(|count| (*count as f64 - fair).abs()).fold(0.0, f64::max);
                prop_assert!(most <= 5.0 * fair.sqrt() + 1.0, "{balance:?}: {counts:?}");
            }
        }

        /// Who goes takes only its own clients along.
        #[test]
        fn addresses_stay_where_they_are(shares in proptest::collection::vec(1_u32..20, 3..6), gone: prop::sample::Index, clients in proptest::collection::vec(any::<u64>(), 50)) {
            let all = candidates(&shares);
            let gone = all[gone.index(all.len())].server;
            for client in clients {
                let dice = Dice { turn: client, client };
                let before = choose(Balance::ClientAddress, all.iter().copied(), &(), dice).unwrap();
                let left = all.iter().copied().filter(|candidate| candidate.server != gone);
                let after = choose(Balance::ClientAddress, left, &(), dice).unwrap();
                prop_assert!(before == gone || before == after);
            }
        }
    }
}
