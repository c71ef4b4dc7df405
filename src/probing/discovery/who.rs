//! Whether two addresses lead to one server.

use std::collections::BTreeMap;

/// Who a server says it is, in words that do not depend on how it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// `server_uuid` in lower case; empty on MariaDB.
    pub uuid: String,
    /// `server_id`.
    pub server_id: u64,
    /// `hostname`, its own name for its host.
    pub host: String,
    /// `port`, the one it listens on.
    pub port: u16,
    /// `server_uid`: MariaDB's hash of a MAC address and the port, the same for containers that got the same MAC
    /// address. Empty where there is none.
    pub uid: String,
    /// `aurora_server_id`; empty elsewhere.
    pub instance: String,
}

/// How two servers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// One server.
    Same,
    /// Two servers.
    Other,
    /// Two servers that carry one name, as after a copy of the data directory: MySQL's `server_uuid`, MariaDB's
    /// `server_id`. Replication between them does not work, and positions of one are taken for the other's.
    Twin,
}

impl Who {
    /// Reads variables as [`super::queries::variables`] gives them, names in lower case.
    #[must_use]
    pub fn read(variables: &BTreeMap<String, String>) -> Option<Self> {
        let text = |name: &str| variables.get(name).cloned().unwrap_or_default();
        Some(Self {
            uuid: text("server_uuid").to_ascii_lowercase(),
            server_id: text("server_id").parse().ok()?,
            host: text("hostname"),
            port: text("port").parse().unwrap_or(0),
            uid: text("server_uid"),
            instance: text("aurora_server_id"),
        })
    }

    /// Compares two servers by what each says of itself.
    ///
    /// Aurora's instances are told apart by their names. MySQL's UUID is made for one data directory; where two
    /// claim the same, host and port tell a second way to one server from a copy. MariaDB has nothing like it:
    /// replication and GTIDs need the server ids of a cluster to differ, so another id is another server, and the
    /// same id is the same server where host, port and `server_uid` agree too.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Likeness {
        let differ = |own: &str, others: &str| !own.is_empty() && !others.is_empty() && own != others;
        if !self.instance.is_empty() && !other.instance.is_empty() {
            return if self.instance == other.instance { Likeness::Same } else { Likeness::Other };
        }
        if self.uuid != other.uuid || (self.uuid.is_empty() && self.server_id != other.server_id) {
            return Likeness::Other;
        }
        let elsewhere = differ(&self.host, &other.host)
            || (self.port != 0 && other.port != 0 && self.port != other.port)
            || differ(&self.uid, &other.uid);
        if elsewhere { Likeness::Twin } else { Likeness::Same }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(uuid: &str, server_id: u64, host: &str, port: u16, uid: &str) -> Who {
        Who { uuid: uuid.into(), server_id, host: host.into(), port, uid: uid.into(), ..Who::default() }
    }

    #[test]
    fn one_server_is_known_under_any_address() {
        let check = |a: &Who, b: &Who, expected| {
            assert_eq!((a.compare(b), b.compare(a)), (expected, expected), "{a:?} {b:?}");
        };
        let db1 = who("u1", 1, "db1", 3306, "");
        check(&db1, &db1, Likeness::Same);
        check(&db1, &who("u1", 9, "db1", 3306, ""), Likeness::Same);
        check(&db1, &who("u2", 1, "db1", 3306, ""), Likeness::Other);
        check(&db1, &who("u1", 1, "db2", 3306, ""), Likeness::Twin);
        check(&db1, &who("u1", 1, "db1", 3307, ""), Likeness::Twin);
        check(&db1, &who("", 1, "db1", 3306, ""), Likeness::Other);
        let maria = who("", 1, "db1", 3306, "C8S1");
        check(&maria, &maria, Likeness::Same);
        check(&maria, &who("", 1, "db1", 3306, ""), Likeness::Same);
        check(&maria, &who("", 2, "db1", 3306, "C8S1"), Likeness::Other);
        check(&maria, &who("", 1, "db1", 3306, "4F30"), Likeness::Twin);
        check(&maria, &who("", 1, "db1", 3307, "4F30"), Likeness::Twin);
        let aurora = |instance: &str| Who { instance: instance.into(), ..who("u1", 1, "h", 3306, "") };
        check(&aurora("a"), &aurora("b"), Likeness::Other);
        check(&aurora("a"), &aurora("a"), Likeness::Same);
    }
}
