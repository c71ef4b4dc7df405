//! What a session can see of its variables, and in what two connections of one session may differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use headgate::wire::err::ErrPacket;

use crate::client::Connection;

/// Names and values, as SHOW SESSION VARIABLES has them.
pub(crate) type Variables = BTreeMap<String, String>;

/// What stands for the effects of variables among them: what is in force must be what is shown.
const IN_FORCE: &str = "(in force)";

/// Tells the server by its port, and then what variables do: the schema is none of them.
const EFFECTS: &str = "SELECT @@port, DATABASE(), '\\\\', CHARSET('x'), COLLATION('x'), 1 / 3, WEEK('2026-01-01'), \
                       DATE_FORMAT('2026-11-24', '%W'), FROM_UNIXTIME(0)";

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    /// Two connections to the primary.
    Primaries,
    /// One to the primary and one to a replica.
    Servers,
}

/// What may differ, between what, and why.
const MAY_DIFFER: &[(Between, &str, &[&str])] = &[
    (
        Between::Servers,
        "every server has its own",
        &[
            "server_id",
            "server_uuid",
            "server_uid",
            "hostname",
            "port",
            "socket",
            "datadir",
            "aria_log_dir_path",
            "wsrep_data_home_dir",
            "tmpdir",
            "replica_load_tmpdir",
            "slave_load_tmpdir",
            "sql_slave_skip_counter",
            "pid_file",
            "log_error",
            "general_log_file",
            "slow_query_log_file",
            "log_bin_basename",
            "log_bin_index",
            "max_relay_log_size",
            "relay_log",
            "relay_log_basename",
            "relay_log_index",
            "report_host",
            "report_port",
            "read_only",
            "super_read_only",
        ],
    ),
    (
        Between::Primaries,
        "where each server stands, which changes while one looks",
        &[
            "gtid_executed",
            "gtid_purged",
            "gtid_binlog_pos",
            "gtid_binlog_state",
            "gtid_current_pos",
            "gtid_slave_pos",
            "last_gtid",
        ],
    ),
    (
        Between::Primaries,
        "each connection has its own",
        &["pseudo_thread_id", "timestamp", "rand_seed1", "rand_seed2", "statement_id"],
    ),
    (Between::Primaries, "Headgate's own on every connection", TRACKERS),
    (Between::Servers, "replica connections are read only", &["transaction_read_only", "tx_read_only"]),
    (
        Between::Servers,
        "only about the connection to the primary, or only about writes",
        &[
            "default_storage_engine",
            "storage_engine",
            "default_tmp_storage_engine",
            "foreign_key_checks",
            "interactive_timeout",
            "unique_checks",
            "wait_timeout",
        ],
    ),
    // SHOW VARIABLES tells them; a reset sets them to the server's, and a SET to anything, whatever the schema is.
    // LOAD DATA, CREATE DATABASE and SET CHARACTER SET use them, all of which run on the primary.
    (
        Between::Servers,
        "only about what is loaded or created",
        &["character_set_database", "collation_database"],
    ),
    (Between::Primaries, "about the statement before", &["error_count", "warning_count"]),
    (Between::Servers, "about the statement before", &["identity", "insert_id", "last_insert_id"]),
];

/// Variables of session tracking.
const TRACKERS: &[&str] = &[
    "session_track_gtids",
    "session_track_schema",
    "session_track_state_change",
    "session_track_system_variables",
    "session_track_transaction_info",
];

/// What SHOW SESSION VARIABLES is to tell.
pub(crate) const EVERYTHING: &str = "SHOW SESSION VARIABLES";

/// The variables of a session where a hint of Headgate's says, or the error with which the server would not tell.
/// `show`: [`EVERYTHING`], or less of it, the port among that.
pub(crate) async fn look(
    connection: &mut Connection,
    on: &str,
    show: &str,
) -> Result<std::result::Result<Variables, ErrPacket>> {
    let text =
        |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or(b"NULL")).into_owned();
    let reply = connection.query(format!("/* headgate: {on} */ {show}")).await?;
    if let Some(error) = reply.error {
        return Ok(Err(error));
    }
    let rows = reply.results.first().context("one result")?;
    let mut found: Variables = rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
    let reply = connection.query(format!("/* headgate: {on} */ {EFFECTS}")).await?;
    if let Some(error) = reply.error {
        return Ok(Err(error));
    }
    let row = reply.results.first().and_then(|rows| rows.first()).context("one row")?;
    // Another replica may have answered the second question.
    if text(&row[0]) == found["port"] {
        found.insert(IN_FORCE.to_owned(), row.iter().skip(1).map(text).collect::<Vec<_>>().join(", "));
    }
    Ok(Ok(found))
}

/// How what a client saw differs from what it should see, `touched` being what it has just set; empty where it does
/// not.
pub(crate) fn differences(
    seen: &Variables,
    expected: &Variables,
    between: Between,
    touched: &[&str],
) -> String {
    let may_differ = |name: &str| {
        // On one server a session sees what it has set, whatever that is.
        let set = between == Between::Primaries && touched.contains(&name) && !TRACKERS.contains(&name);
        !set && MAY_DIFFER.iter().any(|(scope, _, names)| {
            (*scope == Between::Primaries || between == Between::Servers) && names.contains(&name)
        })
    };
    let mut differences = String::new();
    for name in seen.keys().chain(expected.keys().filter(|name| !seen.contains_key(*name))) {
        let (here, there) = (seen.get(name), expected.get(name));
        let told = name != IN_FORCE || (here.is_some() && there.is_some());
        if told && here != there && !may_differ(name) {
            let text =
                |value: Option<&String>| value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
            let _ = write!(differences, " {name}: {} and not {};", text(here), text(there));
        }
    }
    differences
}
