//! The transactions that a server holds, of either kind, for comparing servers with each other.

use std::fmt;

use super::{GtidSet, MariaDbState};

/// The transactions that a server holds.
///
/// Those of different kinds have nothing in common: none contains any of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transactions {
    /// MySQL's sets.
    MySql(GtidSet),
    /// MariaDB's state of the binary log; of what is received, with `Gtid_IO_Pos` in it.
    MariaDb(MariaDbState),
}

impl Transactions {
    /// True when every transaction of `other` is among these.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MySql(held), Self::MySql(wanted)) => held.contains(wanted),
            (Self::MariaDb(held), Self::MariaDb(wanted)) => held.contains(wanted),
            (_, other) => other.is_empty(),
        }
    }

    /// The transactions that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::MySql(held), Self::MySql(taken)) => Self::MySql(held.without(taken)),
            (Self::MariaDb(held), Self::MariaDb(taken)) => Self::MariaDb(held.without(taken)),
            (held, _) => held.clone(),
        }
    }

    /// Adds every transaction of `other`, where it is of the same kind.
    pub fn insert_all(&mut self, other: &Self) {
        match (self, other) {
            (Self::MySql(held), Self::MySql(more)) => held.insert_all(more),
            (Self::MariaDb(held), Self::MariaDb(more)) => held.insert_all(more),
            _ => {}
        }
    }

    /// Parts them by who wrote: what `origin` did, and what others did. The origin is a UUID on MySQL and a server id
    /// on MariaDB.
    #[must_use]
    pub fn by_origin(&self, origin: &str) -> (Self, Self) {
        match self {
            Self::MySql(set) => {
                let (own, others) = set.by_origin(origin);
                (Self::MySql(own), Self::MySql(others))
            }
            Self::MariaDb(state) => {
                // An id that is no number is nobody's.
                let (own, others) = match origin.parse() {
                    Ok(server) => state.by_origin(server),
                    Err(_) => (MariaDbState::default(), state.clone()),
                };
                (Self::MariaDb(own), Self::MariaDb(others))
            }
        }
    }

    /// The same, with all that lie between the first and the last of each server. MariaDB's are so anyway.
    #[must_use]
    pub fn without_gaps(&self) -> Self {
        match self {
            Self::MySql(set) => Self::MySql(set.without_gaps()),
            Self::MariaDb(state) => Self::MariaDb(state.clone()),
        }
    }

    /// How many they are. On MariaDB, how far the domains have come.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::MySql(set) => set.count(),
            Self::MariaDb(state) => state.count(),
        }
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::MySql(set) => set.is_empty(),
            Self::MariaDb(state) => state.is_empty(),
        }
    }
}

impl fmt::Display for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(state) => state.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_nothing_in_common() {
        let mysql = Transactions::MySql("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3".parse().unwrap());
        let mariadb = Transactions::MariaDb("0-1-3".parse().unwrap());
        assert!(!mysql.contains(&mariadb) && !mariadb.contains(&mysql));
        assert_eq!(mysql.without(&mariadb), mysql);
        assert!(mariadb.by_origin("not a number").0.is_empty());
        assert_eq!(mariadb.by_origin("1").0, mariadb);
    }

    #[test]
    fn gaps_are_filled() {
        let set = |text: &str| Transactions::MySql(text.parse().unwrap());
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        assert_eq!(set(&format!("{uuid}:2-3:7")).without_gaps(), set(&format!("{uuid}:2-7")));
        let mariadb = Transactions::MariaDb("0-1-3".parse().unwrap());
        assert_eq!(mariadb.without_gaps(), mariadb);
    }
}
