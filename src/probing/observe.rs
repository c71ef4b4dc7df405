//! What one server's answers say.

use std::collections::BTreeMap;

use super::errant::Executed;
use super::family::Kin;
use super::grants::Grants;
use crate::gtid::{BadGtid, Position};
use crate::topology::Flavor;
use crate::wire::answer::{Answer, Row};

/// Columns of a channel that are empty where it leaves nothing out; the last two are MariaDB's.
pub(in crate::probing) const FILTERS: [&str; 9] = [
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
];

/// What one server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Who it is.
    pub identity: Identity,
    /// From whom it replicates; one entry a channel.
    pub channels: Vec<Replication>,
    /// Defaults of new sessions.
    pub defaults: BTreeMap<String, String>,
    /// `max_connections`.
    pub max_connections: Option<usize>,
    /// What it says of the cluster it is in.
    pub kin: Kin,
    /// All that it has executed, where it says.
    pub executed: Option<Executed>,
}

/// Reads the answer to [`super::queries::executed`].
#[must_use]
pub fn executed(flavor: Flavor, answer: &Answer) -> Option<Executed> {
    let text = answer.value("executed")?;
    Some(match flavor {
        Flavor::MySql => Executed::MySql(text.parse().ok()?),
        Flavor::MariaDb => Executed::MariaDb(text.parse().ok()?),
    })
}

/// Reads `max_connections` out of the answer to [`super::queries::identity`].
#[must_use]
pub fn max_connections(answer: &Answer) -> Option<usize> {
    answer.value("max_connections")?.parse().ok()
}

/// Who a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// `server_uuid`; empty on MariaDB.
    pub uuid: String,
    /// `server_id`.
    pub server_id: u64,
    /// It refuses writes of ordinary accounts.
    pub read_only: bool,
}

/// One replication channel of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replication {
    /// `Source_Host:Source_Port`.
    pub source: String,
    /// `Source_UUID`, where the server knows it.
    pub source_uuid: String,
    /// `Source_Server_Id`, 0 before the first contact.
    pub source_server_id: u64,
    /// Why it does not run, if it does not.
    pub stopped: Option<String>,
    /// It has filters.
    pub filtered: bool,
    /// `SQL_Delay`, in seconds.
    pub delay: u64,
}

impl Identity {
    /// Whether it is the same server, whatever its role is now.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        (&self.uuid, self.server_id) == (&other.uuid, other.server_id)
    }

    /// Reads the answer to [`super::queries::identity`].
    #[must_use]
    pub fn read(answer: &Answer) -> Option<Self> {
        let read_only = answer.value("read_only")?;
        Some(Self {
            uuid: answer.value("uuid")?.to_ascii_lowercase(),
            server_id: answer.value("server_id")?.parse().ok()?,
            read_only: is_read_only(read_only),
        })
    }
}

impl Replication {
    /// Reads the answer to [`super::queries::replication`], under the names of any version.
    #[must_use]
    pub fn read(answer: &Answer) -> Vec<Self> {
        answer.rows.iter().map(|row| Self::of(answer, row)).collect()
    }

    fn of(answer: &Answer, row: &Row) -> Self {
        let get = |new: &str, old: &str| answer.get(row, new).or(answer.get(row, old)).unwrap_or_default();
        let threads = [
            ("receiver", get("Replica_IO_Running", "Slave_IO_Running"), "Last_IO_Error"),
            ("applier", get("Replica_SQL_Running", "Slave_SQL_Running"), "Last_SQL_Error"),
        ];
        // A receiver that is connecting applies what it has, and how old that is, is known: while the primary is away, reads
        // go on.
        let runs = |word: &str| {
            ["yes", "connecting", "preparing"].iter().any(|known| word.eq_ignore_ascii_case(known))
        };
        let stopped = threads.iter().find(|(_, running, _)| !runs(running));
        Self {
            source: format!("{}:{}", get("Source_Host", "Master_Host"), get("Source_Port", "Master_Port")),
            source_uuid: get("Source_UUID", "Master_UUID").to_ascii_lowercase(),
            source_server_id: get("Source_Server_Id", "Master_Server_Id").parse().unwrap_or(0),
            stopped: stopped.map(|(name, running, error)| {
                let error = answer.get(row, error).unwrap_or_default();
                let shown = if running.is_empty() { "says nothing of itself" } else { "does not run" };
                if error.is_empty() {
                    format!("the {name} {shown}")
                } else {
                    format!("the {name} {shown}: {error}")
                }
            }),
            filtered: FILTERS.iter().any(|name| answer.get(row, name).is_some_and(|value| !value.is_empty())),
            delay: answer.get(row, "SQL_Delay").and_then(|delay| delay.parse().ok()).unwrap_or(0),
        }
    }
}

/// Newer MariaDB has more values than 0 and 1; all but these two refuse writes.
fn is_read_only(value: &str) -> bool {
    !matches!(value, "0" | "OFF")
}

/// How far a server has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions {
    /// What replicas can come to have of it.
    pub committed: Position,
    /// What it has applied as a replica.
    pub applied: Position,
    /// It refuses writes of ordinary accounts.
    pub read_only: bool,
    /// `server_uuid`; empty on MariaDB.
    pub uuid: String,
    /// `gtid_domain_id`; 0 on MySQL.
    pub domain: u32,
}

impl Positions {
    /// Reads the answer to [`super::queries::positions`].
    ///
    /// # Errors
    /// Where a text is no position.
    pub fn read(flavor: Flavor, answer: &Answer) -> Result<Self, BadGtid> {
        let text = |column| answer.value(column).unwrap_or_default();
        let (committed, applied) = match flavor {
            Flavor::MySql => {
                let executed = Position::MySql(text("committed").parse()?);
                (executed.clone(), executed)
            }
            Flavor::MariaDb => {
                (Position::MariaDb(text("committed").parse()?), Position::MariaDb(text("applied").parse()?))
            }
        };
        Ok(Self {
            committed,
            applied,
            read_only: is_read_only(text("read_only")),
            uuid: text("uuid").to_ascii_lowercase(),
            domain: text("domain").parse().unwrap_or(0),
        })
    }
}

/// Whether the control account sees every view. `information_schema` hides the others, and a view that
/// is not seen would be taken for a table.
#[must_use]
pub fn grants_show_views(answer: &Answer) -> bool {
    Grants::read(answer).hold(&["SHOW VIEW", "SELECT"], "*.*")
}

/// Whether the answer to one of [`super::queries::BINARY_LOG`] names schemas that are logged alone, or not.
#[must_use]
pub fn log_is_filtered(answer: &Answer) -> bool {
    ["Binlog_Do_DB", "Binlog_Ignore_DB"]
        .iter()
        .any(|column| answer.value(column).is_some_and(|schemas| !schemas.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(columns: &[&str], row: &[&str]) -> Answer {
        Answer {
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: vec![row.iter().map(|value| Some((*value).to_owned())).collect()],
            ..Answer::default()
        }
    }

    #[test]
    fn replication_reads_under_old_and_new_names() {
        let new = answer(
            &["Source_Host", "Source_Port", "Source_UUID", "Replica_IO_Running", "Replica_SQL_Running"],
            &["db1", "3306", "ABC", "Yes", "Yes"],
        );
        let channel = Replication::read(&new).remove(0);
        assert_eq!((channel.source.as_str(), channel.source_uuid.as_str()), ("db1:3306", "abc"));
        assert_eq!(channel.stopped, None);
        let old = answer(
            &["Master_Host", "Master_Port", "Slave_IO_Running", "Slave_SQL_Running", "Last_IO_Error"],
            &["db1", "3306", "No", "Yes", "refused"],
        );
        let channel = Replication::read(&old).remove(0);
        assert_eq!(channel.stopped.as_deref(), Some("the receiver does not run: refused"));
    }

    #[test]
    fn grants_count_only_everywhere() {
        let check = |text: &str, expected| {
            assert_eq!(grants_show_views(&answer(&["Grants"], &[text])), expected, "{text}");
        };
        check("GRANT SELECT, SHOW VIEW ON *.* TO `headgate`@`%`", true);
        check("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", true);
        check("GRANT REPLICATION CLIENT, SHOW VIEW ON *.* TO `headgate`@`%`", true);
        check("GRANT SHOW VIEW ON `shop`.* TO `headgate`@`%`", false);
        check("GRANT REPLICATION CLIENT ON *.* TO `headgate`@`%`", false);
        check("GRANT SELECT_SOMETHING ON *.* TO `headgate`@`%`", false);
    }
}
