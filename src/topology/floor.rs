//! The least that a reader must find, and how a replica shows that it has it.
//!
//! There are two ways to say how much that is. By time: everything that was committed before a moment of
//! Headgate's clock, which a replica proves with its [`as_of`](super::Server::as_of). And by transaction: a
//! server tells a session with the OK of a write which number the transaction has got, and numbers are given
//! in the order of the binary log, before anybody can see what a transaction has done. So a replica that has
//! transaction *n* of the primary's own and all before it has whatever the session could have seen by then,
//! and nobody needs to ask the primary.
//!
//! Sources: MySQL manual, "GTID Life Cycle" (the GTID is assigned when the transaction is written to the
//! binary log, before it is committed in the engine); MariaDB knowledge base, "Group Commit for the Binary Log".

use std::time::Instant;

use super::ids::Epoch;
use crate::gtid::{GtidSet, Position};

/// A transaction of the reigning primary's own, and with it all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The reign it belongs to. Numbers of another reign say nothing (HAZARDS 12).
    pub epoch: Epoch,
    /// Its number among the primary's own transactions.
    pub number: u64,
}

/// The name under which a primary writes its own transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// MySQL's `server_uuid`, in lower case.
    MySql {
        /// The UUID.
        uuid: String,
    },
    /// MariaDB's `gtid_domain_id` and `server_id`.
    MariaDb {
        /// The domain.
        domain: u32,
        /// The server.
        server: u32,
    },
}

impl Origin {
    /// The number of the last transaction in what a server reports with an OK: `uuid:7` or `uuid:7-9` on MySQL, `0-1-7`
    /// on MariaDB. Nothing where it names a transaction that is not the primary's own: such a one was given its GTID by
    /// the client, or has a tag or a domain of its own, and says nothing of those before it.
    #[must_use]
    pub fn number(&self, reported: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(reported).ok()?;
        match self {
            Self::MySql { uuid } => text.parse::<GtidSet>().ok()?.last_of_only(uuid),
            Self::MariaDb { domain, server } => {
                let mut fields = text.trim().split('-');
                let own = fields.next()?.parse() == Ok(*domain) && fields.next()?.parse() == Ok(*server);
                let number = fields.next()?.parse().ok()?;
                (own && fields.next().is_none()).then_some(number)
            }
        }
    }

    /// How far a replica at `applied` has come, where the primary is known to have been at `primary`: all transactions
    /// of the primary's own up to this number are there, and all that came from elsewhere. Nothing where some are missing.
    #[must_use]
    pub fn reached(&self, applied: &Position, primary: &Position) -> Option<u64> {
        match (self, applied, primary) {
            (Self::MySql { uuid }, Position::MySql(applied), Position::MySql(primary)) => {
                applied.complete_to(uuid, primary)
            }
            (Self::MariaDb { domain, .. }, Position::MariaDb(applied), Position::MariaDb(primary)) => {
                // Transactions of several domains are in no order among each other.
                (primary.domains() <= 1 && applied.domains() <= 1).then(|| applied.sequence(*domain))
            }
            _ => None,
        }
    }

    /// Whether the numbers of its transactions are given in order. Into a gap, numbers are given later.
    #[must_use]
    pub fn is_in_order(&self, primary: &Position) -> bool {
        match (self, primary) {
            (Self::MySql { uuid }, Position::MySql(set)) => !set.has_gap(uuid),
            (Self::MariaDb { .. }, Position::MariaDb(_)) => true,
            _ => false,
        }
    }

    /// Whether two positions of the primary differ only in its own transactions. Where they do not, somebody writes
    /// under other names too, and the order of its own is not the order of all.
    #[must_use]
    pub fn alone_between(&self, before: &Position, after: &Position) -> bool {
        match (self, before, after) {
            (Self::MySql { uuid }, Position::MySql(before), Position::MySql(after)) => {
                after.without(before).is_of_only(uuid)
            }
            (Self::MariaDb { .. }, Position::MariaDb(_), Position::MariaDb(after)) => after.domains() <= 1,
            _ => false,
        }
    }
}

/// The least that a reader must find: both, where both are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Floor {
    /// Everything that was committed before this.
    pub at: Option<Instant>,
    /// A transaction and all before it.
    pub mark: Option<Reported>,
}

/// A transaction that a server has reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Which.
    pub mark: Mark,
    /// When: who is as of then has it, under whatever number.
    pub at: Instant,
}

impl Floor {
    /// Nothing needs to be found.
    pub const NONE: Self = Self { at: None, mark: None };

    /// Everything that was committed before `now`, with the transaction that stands for it where there is one.
    #[must_use]
    pub fn of(mark: Option<Mark>, now: Instant) -> Self {
        match mark {
            Some(mark) => Self { at: None, mark: Some(Reported { mark, at: now }) },
            None => Self { at: Some(now), mark: None },
        }
    }

    /// The moment that meets all of it.
    #[must_use]
    pub fn moment(&self) -> Option<Instant> {
        self.at.max(self.mark.map(|reported| reported.at))
    }

    /// Whether data as of a moment, complete to a mark, is enough.
    #[must_use]
    #[inline]
    pub fn is_met(&self, as_of: Option<Instant>, reached: Option<Mark>) -> bool {
        let dated = |at: Instant| as_of.is_some_and(|as_of| as_of >= at);
        let marked = |wanted: Mark| {
            reached.is_some_and(|held| held.epoch == wanted.epoch && held.number >= wanted.number)
        };
        self.at.is_none_or(dated) && self.mark.is_none_or(|told| marked(told.mark) || dated(told.at))
    }

    /// Raises it, so that whoever meets it meets `other` too.
    pub fn raise(&mut self, other: Self) {
        self.at = self.at.max(other.at);
        self.mark = match (self.mark, other.mark) {
            (Some(own), Some(other)) => {
                let mark = own.mark.max(other.mark);
                Some(Reported { mark, at: own.at.max(other.at) })
            }
            (own, other) => own.or(other),
        };
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const V: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn mysql(text: &str) -> Position {
        Position::MySql(text.replace('u', U).replace('v', V).parse().unwrap())
    }

    fn mariadb(text: &str) -> Position {
        Position::MariaDb(text.parse().unwrap())
    }

    #[test]
    fn what_an_ok_reports_is_a_mark_only_where_it_is_the_primarys_own() {
        let own = Origin::MySql { uuid: U.to_owned() };
        let number = |text: &str| own.number(text.replace('u', U).replace('v', V).as_bytes());
        assert_eq!(number("u:7"), Some(7));
        assert_eq!(number("u:7-9"), Some(9));
        assert_eq!(
            (number("v:7"), number("u:tag:7"), number("u:7,v:1"), number("")),
            (None, None, None, None)
        );
        let own = Origin::MariaDb { domain: 0, server: 1 };
        let number = |text: &str| own.number(text.as_bytes());
        assert_eq!(number("0-1-630"), Some(630));
        assert_eq!((number("0-2-630"), number("1-1-630"), number("0-1-630,1-1-2")), (None, None, None));
    }

    #[test]
    fn a_replica_has_reached_what_it_has_without_a_gap() {
        let own = Origin::MySql { uuid: U.to_owned() };
        let check = |applied: &str, primary: &str, reached| {
            assert_eq!(own.reached(&mysql(applied), &mysql(primary)), reached, "{applied} of {primary}");
        };
        check("u:1-5", "u:1-9", Some(5));
        check("u:1-9", "u:1-5", Some(9));
        // Parallel workers leave gaps for a while.
        check("u:1-5:7-12", "u:1-9", Some(5));
        check("u:1-5:7-12", "u:1-5", Some(5));
        // What the primary itself lacks is nobody's gap; but its next transaction may get that number.
        assert!(!own.is_in_order(&mysql("u:1-3:5-10")) && own.is_in_order(&mysql("u:1-10,v:1:3")));
        check("u:1-3:5-8", "u:1-3:5-10", Some(8));
        check("u:1-3,v:1-4", "u:1-3,v:1-5", None);
        check("u:1-3,v:1-5", "u:1-3,v:1-5", Some(3));
        check("v:1-5", "v:1-5", Some(0));
        check("v:1-5", "u:1-2,v:1-5", Some(0));
        let own = Origin::MariaDb { domain: 0, server: 1 };
        assert_eq!(own.reached(&mariadb("0-1-7"), &mariadb("0-1-9")), Some(7));
        assert_eq!(own.reached(&mariadb("0-1-7"), &mariadb("0-1-9,1-1-3")), None);
        assert_eq!(own.reached(&mysql("u:1"), &mariadb("0-1-9")), None);
    }

    #[test]
    fn writers_under_other_names_are_noticed() {
        let own = Origin::MySql { uuid: U.to_owned() };
        assert!(own.alone_between(&mysql("u:1-3,v:1-5"), &mysql("u:1-9,v:1-5")));
        assert!(!own.alone_between(&mysql("u:1-3,v:1-5"), &mysql("u:1-3,v:1-6")));
        assert!(!own.alone_between(&mysql("u:1-3"), &mysql("u:1-3,u:tag:1")));
    }

    proptest! {
        /// Whoever meets a floor that was raised meets both.
        #[test]
        fn a_raised_floor_covers_both(
            floors in proptest::array::uniform2((proptest::option::of(0_u64..50), proptest::option::of((0_u64..3, 0_u64..9, 0_u64..50)))),
            as_of in proptest::option::of(0_u64..50),
            reached in proptest::option::of((0_u64..3, 0_u64..9)),
        ) {
            let start = Instant::now();
            let later = |ms| start + Duration::from_millis(ms);
            let mark = |(epoch, number)| Mark { epoch: Epoch(epoch), number };
            let [a, b] = floors.map(|(at, told)| Floor {
                at: at.map(later),
                mark: told.map(|(epoch, number, at)| Reported { mark: mark((epoch, number)), at: later(at) }),
            });
            let mut both = a;
            both.raise(b);
            let (as_of, reached) = (as_of.map(later), reached.map(mark));
            // A number of this reign says that all of the reigns before it is there.
            let same_reign = [a, b].iter().filter_map(|floor| floor.mark).all(|told| Some(told.mark.epoch) == reached.map(|mark| mark.epoch));
            if both.is_met(as_of, reached) && same_reign {
                prop_assert!(a.is_met(as_of, reached) && b.is_met(as_of, reached));
            }
            if both.is_met(as_of, None) {
                prop_assert!(a.is_met(as_of, None) && b.is_met(as_of, None));
            }
        }
    }
}
