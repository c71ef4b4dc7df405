//! Whether a write gets through on the primary.
//!
//! A server whose disk is full greets, answers and sends heartbeats, while its commits wait for room: MySQL and MariaDB
//! wait for as long as it takes (manual pages "How MySQL Handles a Full Disk"). Only a write shows it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::topology::{ServerId, Trouble};

/// The table that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTable {
    schema: String,
    table: String,
}

/// How every write begins, by which its session is known in the server's list of them.
pub(in crate::probing) const WRITE: &str = "REPLACE INTO";

/// The longest identifier of MySQL and MariaDB, in characters.
const LONGEST_NAME: usize = 64;

impl ProbeTable {
    /// Reads `schema.table`, without quotes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (schema, table) = text.split_once('.')?;
        let is_name = |name: &str| {
            (1..=LONGEST_NAME).contains(&name.chars().count())
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
        };
        (is_name(schema) && is_name(table))
            .then(|| Self { schema: schema.to_owned(), table: table.to_owned() })
    }

    /// The write. It does nothing on a server that is read only, since the control account may be one whom that does not
    /// hold back (on MariaDB whoever may set `read_only`), and what only an old primary has keeps it out of the cluster.
    #[must_use]
    pub fn write(&self) -> String {
        format!(
            "{WRITE} {self} (id, written) SELECT 1, UNIX_TIMESTAMP() FROM DUAL WHERE @@global.read_only = 0"
        )
    }

    /// Whether the server takes writes. It is asked before each: where the binary log is one of statements, even a write
    /// that changes nothing is in it.
    pub const MAY_WRITE: &str = "SELECT @@global.read_only AS read_only";

    /// What to do about an error that the write was answered with, where it is the operator's to mend.
    #[must_use]
    pub fn advice(&self, code: u16) -> Option<String> {
        match code {
            // ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR.
            1049 | 1146 | 1054 => {
                Some(format!("CREATE TABLE {self} (id INT PRIMARY KEY, written BIGINT NOT NULL)"))
            }
            // ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR.
            1044 | 1142 => Some(format!("GRANT INSERT, DELETE ON {self} to the control account")),
            _ => None,
        }
    }
}

impl fmt::Display for ProbeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`.`{}`", self.schema, self.table)
    }
}

/// A failure that was not seen again for so long may be over: a primary is replaced in less.
const STALE: Duration = Duration::from_secs(20);

/// Whether writes wait for ever.
const fn is_stuck(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::DiskFull | Trouble::WriteLate)
}

/// Whether writes get through on the primary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writes {
    /// Nobody tries, or there is no primary, or it was not tried yet.
    #[default]
    Unknown,
    /// The last one did.
    Work {
        /// The primary.
        server: ServerId,
    },
    /// They do not.
    Fail {
        /// The primary.
        server: ServerId,
        /// In which way.
        trouble: Trouble,
        /// The same for people.
        problem: Arc<str>,
        /// When the first one of them was sent.
        since: Instant,
        /// When that was last seen. While the primary is being replaced nobody tries.
        seen: Instant,
    },
}

impl Writes {
    /// What comes of a write that was sent at `asked` and has failed by `seen`.
    #[must_use]
    pub fn failed(
        &self,
        server: ServerId,
        trouble: Trouble,
        problem: Arc<str>,
        asked: Instant,
        seen: Instant,
    ) -> Self {
        let since = match self {
            // Whoever could not write for another reason was not stuck meanwhile.
            Self::Fail { server: before, trouble: earlier, since, .. }
                if *before == server && is_stuck(*earlier) == is_stuck(trouble) =>
            {
                *since
            }
            _ => asked,
        };
        Self::Fail { server, trouble, problem, since, seen }
    }

    /// For how long a server takes no writes though it should. An answer that says what the operator has to mend is no
    /// sign of it.
    #[must_use]
    pub fn stuck_for(&self, server: ServerId, now: Instant) -> Option<Duration> {
        match self {
            Self::Fail { server: stuck, trouble, since, seen, .. }
                if *stuck == server && is_stuck(*trouble) && now.saturating_duration_since(*seen) < STALE =>
            {
                Some(now.saturating_duration_since(*since))
            }
            _ => None,
        }
    }

    /// What is wrong with a server's writes; nothing where they work. None where it is not known.
    #[must_use]
    pub fn of(&self, server: ServerId) -> Option<Option<&str>> {
        match self {
            Self::Work { server: known } if *known == server => Some(None),
            Self::Fail { server: known, problem, .. } if *known == server => Some(Some(problem)),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_two_plain_names() {
        let table = ProbeTable::parse("headgate.write-probe").unwrap();
        assert_eq!(table.to_string(), "`headgate`.`write-probe`");
        for text in
            ["", "probe", "a.", ".b", "a.b.c", "a`.b", "a.b c", "a.b;", &format!("a.{}", "b".repeat(65))]
        {
            assert_eq!(ProbeTable::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_stuck_counts_from_the_first_write_that_was() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (here, there) = (ServerId(1), ServerId(2));
        let late = |writes: &Writes, server, asked| {
            writes.failed(server, Trouble::WriteLate, "it does not end".into(), at(asked), at(asked))
        };
        let writes = late(&late(&Writes::Work { server: here }, here, 10), here, 20);
        assert_eq!(writes.stuck_for(here, at(25)), Some(Duration::from_secs(15)));
        assert_eq!(writes.stuck_for(there, at(25)), None);
        assert_eq!(late(&writes, there, 24).stuck_for(there, at(25)), Some(Duration::from_secs(1)));
        assert_eq!(writes.stuck_for(here, at(41)), None, "nobody has seen it since");
        let refused = writes.failed(here, Trouble::Answered, "no such table".into(), at(30), at(30));
        assert_eq!(refused.stuck_for(here, at(40)), None);
        assert_eq!(late(&refused, here, 39).stuck_for(here, at(40)), Some(Duration::from_secs(1)));
        assert_eq!(refused.of(here), Some(Some("no such table")));
        assert_eq!((Writes::Work { server: here }.of(here), Writes::Unknown.of(here)), (Some(None), None));
    }
}
