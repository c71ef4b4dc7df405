//! MariaDB's `gtid_binlog_state`: the last transaction of each domain *and server*.
//!
//! A position tells how far a domain has come and not through whose transactions, so two servers that wrote different
//! ones under the same number look alike. The state tells them apart: a server's own numbers only rise, so what it has
//! written beyond what another holds of it is missing there. Source: MariaDB Knowledge Base, "gtid_binlog_state".

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::BadGtid;
use super::triples::{Triple, triples};

/// What a MariaDB server has in its binary log, by who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MariaDbState {
    /// By domain and server: the last sequence number.
    last: BTreeMap<(u32, u32), u64>,
}

impl MariaDbState {
    /// Adds a transaction, and with it all earlier ones of that server in that domain.
    pub fn insert(&mut self, domain: u32, server: u32, sequence: u64) {
        let last = self.last.entry((domain, server)).or_default();
        *last = sequence.max(*last);
    }

    /// Adds every transaction of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        other.last.iter().for_each(|((domain, server), last)| self.insert(*domain, *server, *last));
    }

    /// True when every transaction of `other` is in this state.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.last.iter().all(|(of, wanted)| self.last.get(of).is_some_and(|held| held >= wanted))
    }

    /// What is missing in `other`: by domain and server, the last of them.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let missing = self.last.iter().filter(|(of, last)| other.last.get(of).is_none_or(|held| held < last));
        Self { last: missing.map(|(of, last)| (*of, *last)).collect() }
    }

    /// Parts it by who wrote: what `server` did, and what others did.
    #[must_use]
    pub fn by_origin(&self, server: u32) -> (Self, Self) {
        let (own, others) = self.last.iter().partition(|((_, writer), _)| *writer == server);
        (Self { last: own }, Self { last: others })
    }

    /// How far the domains have come, added up: sequence numbers rise by one with each transaction of a domain.
    #[must_use]
    pub fn count(&self) -> u64 {
        let mut domains = BTreeMap::<u32, u64>::new();
        for ((domain, _), last) in &self.last {
            let reached = domains.entry(*domain).or_default();
            *reached = (*reached).max(*last);
        }
        domains.values().fold(0, |sum, last| sum.saturating_add(*last))
    }

    /// What is in both.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Self {
        let both = self.last.iter().filter_map(|(of, last)| Some((*of, (*last).min(*other.last.get(of)?))));
        Self { last: both.collect() }
    }

    /// The position of a replica that has all of it: the last transaction of each domain.
    #[must_use]
    pub fn position(&self) -> Self {
        let newest = |domain: u32, last: u64| {
            !self.last.iter().any(|((other, _), further)| *other == domain && *further > last)
        };
        let ends = self.last.iter().filter(|((domain, _), last)| newest(*domain, **last));
        Self { last: ends.map(|(of, last)| (*of, *last)).collect() }
    }

    /// True when there is no transaction in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

impl FromStr for MariaDbState {
    type Err = BadGtid;

    fn from_str(text: &str) -> Result<Self, BadGtid> {
        let mut state = Self::default();
        for triple in triples(text, "GTID state") {
            let Triple { domain, server, sequence } = triple?;
            state.insert(domain, server, sequence);
        }
        Ok(state)
    }
}

impl fmt::Display for MariaDbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ((domain, server), last)) in self.last.iter().enumerate() {
            write!(f, "{}{domain}-{server}-{last}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> MariaDbState {
        text.parse().unwrap()
    }

    #[test]
    fn servers_are_told_apart_where_positions_are_not() {
        assert!(!state("0-1-10").contains(&state("0-2-10")));
        assert!(state("0-1-10,0-2-12").contains(&state("0-1-9,0-2-12")));
        assert_eq!(state("0-1-12,0-2-10").without(&state("0-1-10,0-2-11")), state("0-1-12"));
        assert!(state("0-1-5").without(&state("0-1-5")).is_empty());
        assert_eq!(state("0-1-10,0-2-12,3-1-4").count(), 16);
        assert_eq!(state("0-1-10,0-2-12").by_origin(2), (state("0-2-12"), state("0-1-10")));
    }

    #[test]
    fn a_replica_goes_on_where_both_have_been() {
        let common = state("0-1-105,0-2-90,3-1-4").in_common(&state("0-1-100,0-2-120"));
        assert_eq!(common, state("0-1-100,0-2-90"));
        assert_eq!(common.position(), state("0-1-100"));
    }

    #[test]
    fn states_read_and_print() {
        assert_eq!(state("1-2-3, 0-1-5,0-1-4").to_string(), "0-1-5,1-2-3");
        for text in ["0-1", "0-1-2-3", "a-1-2", "0-1-x"] {
            assert!(text.parse::<MariaDbState>().is_err(), "{text}");
        }
    }
}
