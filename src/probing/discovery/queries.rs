//! The questions of discovery.
//!
//! Measured on MySQL 9.7.4 and MariaDB 10.11.19, a statement with its round trip over a Unix socket: `SELECT 1`
//! 54 and 21 µs, [`variables`] 315 and 234, [`REPLICAS`] 28 and 21, [`dumps`] 48 and 200, [`MEMBERS`] 50. So
//! variables are for a new connection, the others may be asked again and again.

use crate::topology::Flavor;

pub use crate::probing::survey::queries::REPLICAS;

/// What tells who a server is and of which family.
const TELLING: &[&str] = &[
    "aurora_server_id",
    "aurora_version",
    "group_replication_group_name",
    "group_replication_single_primary_mode",
    "hostname",
    "innodb_read_only",
    "port",
    "server_id",
    "server_uid",
    "server_uuid",
    "wsrep_on",
    "wsrep_provider",
];

/// Variables that tell who a server is and of which family, one row each. Those that it does not have give no row,
/// so one statement serves every version.
#[must_use]
pub fn variables() -> String {
    let names: Vec<String> = TELLING.iter().map(|name| format!("'{name}'")).collect();
    format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","))
}

/// From where replicas' connections come: the first that is known counts. Worth asking only where a replica does
/// not report its host. An account without PROCESS is not refused, it sees no row.
///
/// MySQL's manual on the performance_schema table `processlist` (since 8.0.22) advises against
/// `information_schema.PROCESSLIST`, which takes a lock that every connection needs.
#[must_use]
pub const fn dumps(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MySql => &[
            "SELECT HOST AS Host, COMMAND AS Command FROM performance_schema.processlist \
             WHERE COMMAND LIKE 'Binlog Dump%'",
            "SELECT HOST AS Host, COMMAND AS Command FROM information_schema.PROCESSLIST \
             WHERE COMMAND LIKE 'Binlog Dump%'",
        ],
        Flavor::MariaDb => &["SELECT HOST AS Host, COMMAND AS Command FROM information_schema.PROCESSLIST \
             WHERE COMMAND LIKE 'Binlog Dump%'"],
    }
}

/// The members of a replication group as one of them sees them. Needs SELECT on the table.
pub const MEMBERS: &str = "SELECT MEMBER_ID, MEMBER_HOST, MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE \
                           FROM performance_schema.replication_group_members";

/// The instances of an Aurora cluster. Rows of instances that are gone stay for a while, so each has its age.
pub const INSTANCES: &str = "SELECT SERVER_ID, SESSION_ID, REPLICA_LAG_IN_MILLISECONDS, \
                             TIMESTAMPDIFF(SECOND, LAST_UPDATE_TIMESTAMP, NOW()) AS AGE \
                             FROM information_schema.replica_host_status";

/// What a refused question means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server has no such statement or table: the older form may do.
    Unknown,
    /// The account may not ask.
    Denied,
    /// Something else is wrong.
    Other,
}

impl Refusal {
    /// By error number: MySQL's "Server Error Message Reference".
    #[must_use]
    pub const fn of(code: u16) -> Self {
        match code {
            // ER_PARSE_ERROR, ER_NO_SUCH_TABLE, ER_UNKNOWN_TABLE, ER_BAD_FIELD_ERROR.
            1064 | 1146 | 1109 | 1054 => Self::Unknown,
            // ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR.
            1044 | 1142 | 1227 => Self::Denied,
            _ => Self::Other,
        }
    }
}
