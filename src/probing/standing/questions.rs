//! The questions.

use crate::topology::Flavor;

/// How many Headgates can tell each other apart by the user locks that they hold on a server.
pub(super) const SLOTS: u8 = 4;

/// The questions that are asked again and again, for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Who it is, whether it takes writes, and what it has committed.
    pub own: String,
    /// From whom it replicates, and what it has received.
    pub channel: &'static str,
}

impl Questions {
    /// For a server of this flavor and version, as version comments number it.
    ///
    /// `UNIX_TIMESTAMP() - Uptime` is the second in which the process began, exactly: both are taken from the time at
    /// which the statement began, whatever has been done to the clock since.
    #[must_use]
    pub fn of(flavor: Flavor, version: u32) -> Self {
        let (own, channel) = match flavor {
            Flavor::MySql => {
                // The older name until 8.0.26; both until 8.4.
                let passes_on = if version < 80_026 { "log_slave_updates" } else { "log_replica_updates" };
                (
                    format!(
                        "SELECT @@global.server_uuid AS origin, CAST(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM \
                         performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime') AS SIGNED) AS run, \
                         @@global.read_only AS read_only, @@global.log_bin AS log_bin, @@global.{passes_on} AS \
                         passes_on, @@global.gtid_executed AS executed, @@global.gtid_purged AS purged"
                    ),
                    MYSQL_CHANNEL,
                )
            }
            Flavor::MariaDb => (
                "SELECT @@global.server_id AS origin, CAST(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM \
                 information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME') AS SIGNED) AS run, \
                 @@global.read_only AS read_only, @@global.log_bin AS log_bin, @@global.log_slave_updates AS \
                 passes_on, @@global.gtid_binlog_state AS executed"
                    .to_owned(),
                "SHOW ALL SLAVES STATUS",
            ),
        };
        let slots: String =
            (1..=SLOTS).map(|slot| format!(", IS_USED_LOCK('{}') AS slot{slot}", Self::slot(slot))).collect();
        Self { own: own + &slots + ", CONNECTION_ID() AS me", channel }
    }

    /// The name of the user lock that says that a Headgate watches this server.
    ///
    /// User locks need no grant, go with their connection, and are there on both servers with everything at its
    /// default; connection attributes are not (MariaDB's performance schema is off).
    #[must_use]
    pub fn slot(slot: u8) -> String {
        format!("headgate-failover-{slot}")
    }

    /// Takes the first free slot. One row, with its number, or 0 where all are taken.
    #[must_use]
    pub fn take_slot() -> String {
        let take = |slot: u8| format!("WHEN GET_LOCK('{}', 0) = 1 THEN {slot}", Self::slot(slot));
        let takes: Vec<String> = (1..=SLOTS).map(take).collect();
        format!("SELECT CASE {} ELSE 0 END AS slot", takes.join(" "))
    }
}

/// Not SHOW REPLICA STATUS: it has no heartbeats. Sources: MySQL manual, "Performance Schema Replication Tables".
const MYSQL_CHANNEL: &str = "SELECT c.HOST AS host, c.PORT AS port, s.SOURCE_UUID AS source, s.SERVICE_STATE AS receiver, \
     s.COUNT_RECEIVED_HEARTBEATS AS heartbeats, s.RECEIVED_TRANSACTION_SET AS received, s.LAST_ERROR_NUMBER AS error, \
     a.SERVICE_STATE AS applier, (SELECT COUNT(*) FROM performance_schema.replication_applier_filters) + \
     (SELECT COUNT(*) FROM performance_schema.replication_applier_global_filters) AS filters \
     FROM performance_schema.replication_connection_configuration c \
     JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME) \
     JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME) \
     WHERE c.CHANNEL_NAME NOT LIKE 'group_replication_%' ORDER BY c.CHANNEL_NAME";

/// The server's clock, in seconds since 1970 with a fraction.
pub const SERVER_CLOCK: &str = "SELECT UNIX_TIMESTAMP(NOW(6)) AS now";

/// The beginning of MariaDB's oldest binary log: its second event tells what came before.
pub const FIRST_LOG: &str = "SHOW BINLOG EVENTS LIMIT 2";

/// What is left out of the binary log: the name since MySQL 8.2, then the older one, which MariaDB has kept.
pub const LOG_FILTERS: [&str; 2] = super::super::queries::BINARY_LOG;

/// Who is connected.
pub const PROCESSES: &str = "SHOW PROCESSLIST";

/// Events that a replica does not run since its source does. The word is another since MySQL 8.0.26.
pub const EVENTS: &str = "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS \
                          WHERE STATUS IN ('SLAVESIDE_DISABLED', 'REPLICA_SIDE_DISABLED')";

/// How many sessions keep all others from writing: FLUSH TABLES WITH READ LOCK, LOCK INSTANCE FOR BACKUP. A server becomes
/// read only beside them, and they would be ended. MariaDB does not tell of them without a plugin.
pub const BACKUP_LOCKS: &str = "SELECT COUNT(*) AS locks FROM performance_schema.metadata_locks \
                                WHERE OBJECT_TYPE IN ('GLOBAL', 'BACKUP LOCK') AND LOCK_TYPE = 'SHARED' \
                                AND LOCK_DURATION = 'EXPLICIT' AND LOCK_STATUS = 'GRANTED'";

/// Whether a server can be cloned, or made a clone.
pub const CLONE_PLUGIN: &str =
    "SELECT PLUGIN_STATUS AS status FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'";

/// How often the source of the default channel is to say that it is there, in seconds. MariaDB tells with the channel.
#[must_use]
pub const fn heartbeat(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => {
            "SELECT HEARTBEAT_INTERVAL AS period FROM performance_schema.replication_connection_configuration \
             WHERE CHANNEL_NAME = ''"
        }
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
    }
}

/// The settings of semi-synchronous replication that a new primary takes over.
#[must_use]
pub const fn semi_sync() -> &'static str {
    "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync%'"
}

/// Prepared XA branches, each named so that it can be typed.
#[must_use]
pub const fn prepared_branches(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "XA RECOVER CONVERT XID",
        Flavor::MariaDb => "XA RECOVER FORMAT='SQL'",
    }
}
