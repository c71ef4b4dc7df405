//! The questions.

use crate::topology::Flavor;

/// Who the server is, and how far it has come.
#[must_use]
pub const fn identity(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => {
            "SELECT @@global.server_uuid AS uuid, @@global.server_id AS server_id, \
             @@global.read_only AS read_only, @@global.max_connections AS max_connections"
        }
        Flavor::MariaDb => {
            "SELECT '' AS uuid, @@global.server_id AS server_id, @@global.read_only AS read_only, \
             @@global.max_connections AS max_connections"
        }
    }
}

/// From whom it replicates. `SHOW REPLICA STATUS` since MySQL 8.0.22, the only name since 8.4.
#[must_use]
pub const fn replication(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "SHOW REPLICA STATUS",
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
    }
}

/// The same for MySQL 8.0 before 8.0.22, which answers a syntax error to [`replication`].
pub const OLD_REPLICATION: &str = "SHOW SLAVE STATUS";

/// Everything that the server has executed, see [`super::errant::Executed`].
#[must_use]
pub const fn executed(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "SELECT @@global.gtid_executed AS executed",
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_state AS executed",
    }
}

/// How far the server has come: what replicas can come to have of it, and what it has applied itself.
/// MySQL has one set for both. Beside it what shows at once that the server's role has changed.
#[must_use]
pub const fn positions(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => {
            "SELECT @@global.gtid_executed AS committed, '' AS applied, @@global.read_only AS read_only, \
             @@global.server_uuid AS uuid, 0 AS domain"
        }
        Flavor::MariaDb => {
            "SELECT @@global.gtid_binlog_pos AS committed, @@global.gtid_slave_pos AS applied, \
             @@global.read_only AS read_only, '' AS uuid, @@global.gtid_domain_id AS domain"
        }
    }
}

/// Defaults of new sessions that decide what a statement means or shows, one row a variable. Those that
/// a server does not have give no row.
#[must_use]
pub fn defaults() -> String {
    let names: Vec<String> = COMPARED.iter().map(|name| format!("'{name}'")).collect();
    format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","))
}

/// Defaults compared between the primary and its replicas (HAZARDS 4).
pub const COMPARED: &[&str] = &[
    "autocommit",
    "big_tables",
    "block_encryption_mode",
    "character_set_client",
    "character_set_collations",
    "character_set_connection",
    "character_set_database",
    "character_set_results",
    "character_set_server",
    "collation_connection",
    "collation_database",
    "collation_server",
    "cte_max_recursion_depth",
    "default_collation_for_utf8mb4",
    "default_regex_flags",
    "default_week_format",
    "div_precision_increment",
    "end_markers_in_json",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "ft_max_word_len",
    "ft_min_word_len",
    "ft_boolean_syntax",
    "group_concat_max_len",
    // Not a session's, but where it is not ON everywhere, positions say nothing.
    "gtid_mode",
    "init_connect",
    "innodb_ft_enable_stopword",
    "innodb_ft_max_token_size",
    "innodb_ft_min_token_size",
    "innodb_ft_server_stopword_table",
    "lc_messages",
    "lc_time_names",
    "lower_case_table_names",
    "max_allowed_packet",
    "max_error_count",
    "max_execution_time",
    "max_join_size",
    "max_recursive_iterations",
    "max_sort_length",
    "max_statement_time",
    "old_mode",
    "show_gipk_in_create_table_and_information_schema",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "system_time_zone",
    "system_versioning_asof",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "updatable_views_with_limit",
    "windowing_use_high_precision",
];

/// Defaults of the primary that Headgate itself reads.
pub const FACTS: &str = "SELECT @@global.sql_mode AS sql_mode, @@global.init_connect AS init_connect, \
                         @@global.wait_timeout AS wait_timeout, \
                         @@global.interactive_timeout AS interactive_timeout, \
                         @@session.collation_connection AS collation";

/// What stands in the binary log and what is left out: the name since MySQL 8.2, then the older one, which
/// MariaDB has kept.
pub const BINARY_LOG: [&str; 2] = ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"];

/// Ids of character sets and collations.
pub const COLLATIONS: &str = "SELECT ID, CHARACTER_SET_NAME, COLLATION_NAME \
                              FROM information_schema.COLLATIONS \
                              WHERE ID IS NOT NULL AND CHARACTER_SET_NAME IS NOT NULL";

/// What the control account may do.
pub const GRANTS: &str = "SHOW GRANTS";

/// How the accounts of a user name log in. Anonymous accounts match every name.
#[must_use]
pub fn accounts(user: &[u8]) -> String {
    // Hexadecimal needs no quoting, whatever the name holds and whatever sql_mode is.
    let digits: String = user.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = if digits.is_empty() { "''".to_owned() } else { format!("CAST(0x{digits} AS CHAR)") };
    format!("SELECT plugin, authentication_string FROM mysql.user WHERE user = {name} OR user = ''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_cannot_leave_its_place() {
        assert_eq!(
            accounts(b"a'b"),
            "SELECT plugin, authentication_string FROM mysql.user WHERE user = CAST(0x612762 AS CHAR) OR user = ''"
        );
        assert!(accounts(b"").contains("user = '' OR"));
    }
}
