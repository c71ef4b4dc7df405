//! MariaDB's positions, `domain-server-sequence` a domain; and either server's position as one type.
//!
//! Source: MariaDB Knowledge Base, "Global Transaction ID".

use std::collections::BTreeMap;
use std::str::FromStr;

use super::triples::{Triple, triples};
use super::{BadGtid, GtidSet};

/// The last transaction of each replication domain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MariaDbPosition {
    /// By domain: the server that wrote the last transaction, and its sequence number.
    domains: BTreeMap<u32, (u32, u64)>,
}

impl MariaDbPosition {
    /// True when every domain has come at least as far as in `other`.
    ///
    /// Only sequence numbers are compared, as the server itself does: two servers that wrote different
    /// transactions under the same number look alike. So positions are only to be compared within the
    /// reign of one primary (HAZARDS 12).
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.domains.iter().all(|(domain, (_, wanted))| {
            *wanted == 0 || self.domains.get(domain).is_some_and(|(_, held)| held >= wanted)
        })
    }
}

impl MariaDbPosition {
    /// How many domains there are.
    #[must_use]
    pub fn domains(&self) -> usize {
        self.domains.len()
    }

    /// The last sequence number of a domain; 0 where there is none.
    #[must_use]
    pub fn sequence(&self, domain: u32) -> u64 {
        self.domains.get(&domain).map_or(0, |(_, sequence)| *sequence)
    }
}

impl FromStr for MariaDbPosition {
    type Err = BadGtid;

    fn from_str(text: &str) -> Result<Self, BadGtid> {
        let mut position = Self::default();
        for triple in triples(text, "GTID position") {
            let Triple { domain, server, sequence } = triple?;
            let last = (server, sequence);
            // A position of the binary log names a domain once for each server; the highest counts.
            let held = position.domains.entry(domain).or_insert(last);
            if last.1 > held.1 {
                *held = last;
            }
        }
        Ok(position)
    }
}

/// How far a server has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// MySQL's executed set.
    MySql(GtidSet),
    /// MariaDB's position.
    MariaDb(MariaDbPosition),
}

impl Position {
    /// True when everything up to `other` is there. Positions of different kinds contain nothing of
    /// each other.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MySql(held), Self::MySql(wanted)) => held.contains(wanted),
            (Self::MariaDb(held), Self::MariaDb(wanted)) => held.contains(wanted),
            (Self::MySql(_), Self::MariaDb(_)) | (Self::MariaDb(_), Self::MySql(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> MariaDbPosition {
        text.parse().unwrap()
    }

    #[test]
    fn every_domain_must_have_come_as_far() {
        assert!(position("0-1-10").contains(&position("0-2-10")));
        assert!(!position("0-1-9").contains(&position("0-1-10")));
        assert!(!position("0-1-10").contains(&position("0-1-10,1-1-1")));
        assert!(position("0-1-10,1-1-5").contains(&position("")));
        assert_eq!(position("0-1-3,0-2-7"), position("0-2-7"));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["0-1", "0-1-2-3", "a-1-2", "0-1-x", "4294967296-1-1"] {
            assert!(text.parse::<MariaDbPosition>().is_err(), "{text}");
        }
    }
}
