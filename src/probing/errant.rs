//! What a server has that the primary has not: errant transactions (HAZARDS 14). Pure.
//!
//! It is information. A server with errant transactions serves reads, but must not become the primary.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::gtid::{BinlogState, GtidSet};
use crate::topology::ServerId;

/// How often in a row a transaction must be missing on the primary. Its own are missing for a moment where a
/// semi-synchronous replica executes before the primary shows it, and where the primary is asked first.
pub const IN_A_ROW: usize = 3;

/// Everything a server has executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executed {
    /// MySQL's `gtid_executed`.
    MySql(GtidSet),
    /// MariaDB's `gtid_binlog_state`, which anybody may read.
    ///
    /// `gtid_binlog_pos` cannot serve: it names the last writer of a domain alone. Measured on 10.11: a replica writes
    /// 0-2-13 of its own, the primary then 0-1-13 and 0-1-14. Without gtid_strict_mode the replica goes on, and its
    /// position 0-1-14 is the primary's, while its state says `0-2-13,0-1-14`.
    MariaDb(BinlogState),
}

/// Transactions that one server has and another has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surplus {
    /// All of them.
    MySql(GtidSet),
    /// By domain and server, the numbers after the first and up to the second. A gap is not seen, nor what two servers
    /// wrote under one server id and number.
    MariaDb(BTreeMap<(u32, u32), (u64, u64)>),
}

impl Surplus {
    /// What `server` has and `primary` has not. Of two flavors nothing can be compared.
    #[must_use]
    pub fn of(server: &Executed, primary: &Executed) -> Option<Self> {
        match (server, primary) {
            (Executed::MySql(own), Executed::MySql(primary)) => Some(Self::MySql(own.without(primary))),
            (Executed::MariaDb(own), Executed::MariaDb(primary)) => {
                let ahead = |(domain, server, last)| {
                    let held = primary.last(domain, server);
                    (held < last).then_some(((domain, server), (held, last)))
                };
                Some(Self::MariaDb(own.iter().filter_map(ahead).collect()))
            }
            (Executed::MySql(_), Executed::MariaDb(_)) | (Executed::MariaDb(_), Executed::MySql(_)) => None,
        }
    }

    /// True where there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::MySql(set) => set.is_empty(),
            Self::MariaDb(ranges) => ranges.is_empty(),
        }
    }

    /// What is in both.
    fn and(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::MySql(set), Self::MySql(other)) => Some(Self::MySql(set.without(&set.without(other)))),
            (Self::MariaDb(ranges), Self::MariaDb(others)) => {
                let both = |(key, (after, last)): (&(u32, u32), &(u64, u64))| {
                    let (other_after, other_last) = others.get(key)?;
                    let (after, last) = (*after.max(other_after), *last.min(other_last));
                    (after < last).then_some((*key, (after, last)))
                };
                Some(Self::MariaDb(ranges.iter().filter_map(both).collect()))
            }
            (Self::MySql(_), Self::MariaDb(_)) | (Self::MariaDb(_), Self::MySql(_)) => None,
        }
    }

    /// What is in either; both are of one difference, so ranges of one server overlap.
    fn or(mut self, other: &Self) -> Self {
        match (&mut self, other) {
            (Self::MySql(set), Self::MySql(other)) => set.insert_all(other),
            (Self::MariaDb(ranges), Self::MariaDb(others)) => {
                for (key, (after, last)) in others {
                    let held = ranges.entry(*key).or_insert((*after, *last));
                    *held = (held.0.min(*after), held.1.max(*last));
                }
            }
            (Self::MySql(_), Self::MariaDb(_)) | (Self::MariaDb(_), Self::MySql(_)) => {}
        }
        self
    }

    /// What was written by none of these.
    fn not_by(&self, reign: &Reign) -> Self {
        match self {
            Self::MySql(set) => Self::MySql(set.only(|uuid| !reign.uuids.contains(uuid))),
            Self::MariaDb(ranges) => {
                let foreign =
                    |((_, server), _): &(&(u32, u32), &(u64, u64))| !reign.server_ids.contains(server);
                Self::MariaDb(ranges.iter().filter(foreign).map(|(key, range)| (*key, *range)).collect())
            }
        }
    }
}

impl fmt::Display for Surplus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(ranges) => {
                let text = |((domain, server), (_, last)): (&(u32, u32), &(u64, u64))| {
                    format!("{domain}-{server}-{last}")
                };
                f.write_str(&ranges.iter().map(text).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// All primaries of the present chain of reigns: what they wrote was acknowledged to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reign {
    /// Their `server_uuid`, and the name of a replication group.
    pub uuids: BTreeSet<String>,
    /// Their `server_id`.
    pub server_ids: BTreeSet<u32>,
}

impl Reign {
    /// Before the first primary.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uuids.is_empty() && self.server_ids.is_empty()
    }

    /// Whether a server has anything that a primary of this chain wrote. Without it, it is of another cluster, whoever
    /// may follow it. MariaDB's server ids are small numbers, which another cluster may have too.
    #[must_use]
    pub fn has_written(&self, executed: &Executed) -> bool {
        match executed {
            Executed::MySql(set) => !set.only(|uuid| self.uuids.contains(uuid)).is_empty(),
            Executed::MariaDb(state) => state.iter().any(|(_, server, _)| self.server_ids.contains(&server)),
        }
    }
}

/// What was missing on the primary when servers were last asked.
#[derive(Debug, Clone, Default)]
pub struct ErrantWatch(BTreeMap<ServerId, VecDeque<Surplus>>);

impl ErrantWatch {
    /// Takes in what a server and the primary have executed and says what of it is errant: transactions that the
    /// primary has not and that come from none of its line, and those that it has lacked [`IN_A_ROW`] times in a row.
    ///
    /// The server is to be asked before the primary, so that what is on its way to both is not missing.
    pub fn observe(
        &mut self,
        id: ServerId,
        server: &Executed,
        primary: &Executed,
        reign: &Reign,
    ) -> Option<Surplus> {
        let Some(missing) = Surplus::of(server, primary) else {
            self.forget(id);
            return None;
        };
        let foreign = missing.not_by(reign);
        let seen = self.0.entry(id).or_default();
        seen.push_back(missing);
        if seen.len() > IN_A_ROW {
            seen.pop_front();
        }
        let mut lasting = seen.front().cloned().filter(|_| seen.len() == IN_A_ROW);
        for later in seen.iter().skip(1) {
            lasting = lasting.and_then(|kept| kept.and(later));
        }
        let errant = lasting.map_or_else(|| foreign.clone(), |lasting| foreign.clone().or(&lasting));
        (!errant.is_empty()).then_some(errant)
    }

    /// Begins anew for a server: it was out of reach, or another one is the primary.
    pub fn forget(&mut self, id: ServerId) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "01a52c04-ec4b-11f1-a5ca-02fc00000001";
    const REPLICA: &str = "01ab9f62-ec4b-11f1-ac65-02fc00000001";

    fn mysql(text: &str) -> Executed {
        Executed::MySql(text.replace('p', PRIMARY).replace('r', REPLICA).parse().unwrap())
    }

    fn mariadb(text: &str) -> Executed {
        Executed::MariaDb(text.parse().unwrap())
    }

    fn errant(rounds: &[(Executed, Executed)]) -> Vec<Option<String>> {
        let reign = Reign { uuids: [PRIMARY.to_owned()].into(), server_ids: [1].into() };
        let mut watch = ErrantWatch::default();
        let id = ServerId(1);
        let said = |(server, primary): &(Executed, Executed)| watch.observe(id, server, primary, &reign);
        let told: Vec<_> = rounds.iter().map(said).collect();
        let short = |errant: &Surplus| errant.to_string().replace(PRIMARY, "p").replace(REPLICA, "r");
        told.iter().map(|errant| errant.as_ref().map(short)).collect()
    }

    #[test]
    fn what_the_primary_wrote_is_errant_only_if_it_stays_missing() {
        let check = |rounds: &[(&str, &str)], expected: &[Option<&str>]| {
            let rounds: Vec<_> = rounds.iter().map(|(own, primary)| (mysql(own), mysql(primary))).collect();
            let expected: Vec<_> = expected.iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(errant(&rounds), expected);
        };
        check(&[("p:1-8", "p:1-8"), ("p:1-7", "p:1-8")], &[None, None]);
        // As measured: CREATE DATABASE on a replica.
        check(&[("p:1-8,r:1", "p:1-8")], &[Some("r:1")]);
        // Ahead of the primary for a moment, each time by other transactions.
        let ahead: &[(&str, &str)] = &[("p:1-9", "p:1-8"), ("p:1-10", "p:1-9"), ("p:1-11", "p:1-10")];
        check(ahead, &[None, None, None]);
        let stuck = ("p:1-9", "p:1-8");
        check(&[stuck, stuck, stuck, ("p:1-9", "p:1-9")], &[None, None, Some("p:9"), None]);
    }

    #[test]
    fn mariadb_tells_by_who_wrote_last() {
        let check = |rounds: &[(&str, &str)], expected: &[Option<&str>]| {
            let rounds: Vec<_> =
                rounds.iter().map(|(own, primary)| (mariadb(own), mariadb(primary))).collect();
            let expected: Vec<_> = expected.iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(errant(&rounds), expected);
        };
        // As measured: seen at once, and still after the primary has passed its number.
        check(&[("0-1-12,0-2-13", "0-1-12"), ("0-2-13,0-1-14", "0-1-14")], &[Some("0-2-13"), Some("0-2-13")]);
        check(&[("0-1-9", "0-1-8"), ("0-1-10", "0-1-9"), ("0-1-11", "0-1-10")], &[None, None, None]);
        let stuck = ("0-1-9", "0-1-8");
        check(&[stuck, stuck, stuck], &[None, None, Some("0-1-9")]);
        check(&[("", "0-1-8"), ("0-1-8", "0-1-8,0-3-5")], &[None, None]);
    }

    #[test]
    fn a_server_of_another_cluster_has_nothing_of_this_one() {
        let reign = Reign { uuids: [PRIMARY.to_owned()].into(), server_ids: [1].into() };
        let check = |executed: &Executed, expected| assert_eq!(reign.has_written(executed), expected);
        check(&mysql("p:1-8,r:1"), true);
        check(&mysql("r:1-9"), false);
        check(&mysql(""), false);
        check(&mariadb("0-2-5,0-1-9"), true);
        check(&mariadb("0-3-12"), false);
        assert!(Reign::default().is_empty() && !reign.is_empty());
    }

    #[test]
    fn nothing_is_said_of_two_flavors_or_after_a_break() {
        let both = (mysql("p:1"), mariadb("0-1-1"));
        assert_eq!(errant(&[both]), [None]);
        let mut watch = ErrantWatch::default();
        let (own, primary) = (mysql("p:1-9"), mysql("p:1-8"));
        let reign = Reign { uuids: [PRIMARY.to_owned()].into(), ..Reign::default() };
        let mut observe = |forget: bool| {
            if forget {
                watch.forget(ServerId(1));
            }
            watch.observe(ServerId(1), &own, &primary, &reign).is_some()
        };
        assert_eq!([false, false, true, false, false].map(&mut observe), [false, false, false, false, true]);
    }
}
