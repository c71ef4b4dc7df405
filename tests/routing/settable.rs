//! The variables that a session can set, found by setting each of a server's.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use headgate::lab::Flavor;
use headgate::wire::command::Command;

use crate::client::{Connection, Shape};

/// A variable that a session can set.
#[derive(Debug, Clone)]
pub(crate) struct Settable {
    pub(crate) name: String,
    /// One or two values, as they stand in SQL, that differ from what it has at first and from each other.
    pub(crate) values: Vec<String>,
}

/// What was found of a server's variables. All of them are in one of the two.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) settable: Vec<Settable>,
    /// What the others were refused with at last, and which they are.
    pub(crate) refused: BTreeMap<String, Vec<String>>,
}

impl Found {
    /// The statement that shows all of them, and which server it is.
    pub(crate) fn show(&self) -> String {
        let names = self.settable.iter().map(|variable| format!(", '{}'", variable.name));
        format!("SHOW SESSION VARIABLES WHERE Variable_name IN ('port'{})", names.collect::<String>())
    }

    /// For the output of a test.
    pub(crate) fn print(&self, flavor: Flavor) {
        println!("{flavor}: {} variables can be set for a session; of the others", self.settable.len());
        for (error, names) in &self.refused {
            println!("  {}: {error}: {}", names.len(), names.join(" "));
        }
    }
}

/// Tries all variables on a connection to a server, and leaves it as it was.
pub(crate) async fn settable(server: &mut Connection, flavor: Flavor) -> Result<Found> {
    let rows = |reply: crate::client::Reply| {
        let text = |value: Option<Vec<u8>>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
        let rows = reply.results.into_iter().next().unwrap_or_default();
        rows.into_iter().map(|row| row.into_iter().map(text).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let names = rows(server.query("SHOW SESSION VARIABLES").await?);
    let listed = match flavor {
        Flavor::MySql => Vec::new(),
        Flavor::MariaDb => rows(
            server
                .query(
                    "SELECT LOWER(VARIABLE_NAME), ENUM_VALUE_LIST FROM information_schema.SYSTEM_VARIABLES \
                     WHERE ENUM_VALUE_LIST IS NOT NULL",
                )
                .await?,
        ),
    };
    let listed: BTreeMap<&str, &str> = listed.iter().map(|row| (&*row[0], &*row[1])).collect();
    let mut found = Found::default();
    for row in names {
        let [name, shown] = row.try_into().ok().context("a name and a value")?;
        if NOT_OF_SESSIONS.contains(&&*name) {
            found
                .refused
                .entry("the server's own, whatever SET SESSION says".to_owned())
                .or_default()
                .push(name);
            continue;
        }
        let mut values = Vec::new();
        let mut refusal = "no other value is known".to_owned();
        let mut seen = HashSet::from([read(server, &name).await?]);
        for value in candidates(&name, &shown, listed.get(&*name).copied()) {
            if let Some(error) = server.query(format!("SET SESSION {name} = {value}")).await?.error {
                refusal = error.to_string().replace(&name, "…");
                if matches!(error.code, GLOBAL_VARIABLE | INCORRECT_GLOBAL_LOCAL_VAR | VARIABLE_IS_READONLY) {
                    break;
                }
            } else if seen.insert(read(server, &name).await?) || WRITE_ONLY.contains(&&*name) {
                values.push(value);
                if values.len() == 2 {
                    break;
                }
            }
        }
        if values.is_empty() {
            found.refused.entry(refusal).or_default().push(name);
        } else {
            server.command(&[Command::ResetConnection as u8], Shape::Query).await?;
            found.settable.push(Settable { name, values });
        }
    }
    Ok(found)
}

/// ER_GLOBAL_VARIABLE
const GLOBAL_VARIABLE: u16 = 1229;
/// ER_INCORRECT_GLOBAL_LOCAL_VAR
const INCORRECT_GLOBAL_LOCAL_VAR: u16 = 1238;
/// ER_VARIABLE_IS_READONLY
const VARIABLE_IS_READONLY: u16 = 1621;

/// On MariaDB they are settings of the replication connection that `default_master_connection` names.
const NOT_OF_SESSIONS: &[&str] = &["max_relay_log_size", "sql_slave_skip_counter"];

/// MySQL shows 0 whatever they are.
const WRITE_ONLY: &[&str] = &["rand_seed1", "rand_seed2"];

async fn read(server: &mut Connection, name: &str) -> Result<Option<String>> {
    Ok(server.query(format!("SELECT @@session.{name}")).await?.value())
}

/// Values that a variable might be set to, where it is shown to have this one.
fn candidates(name: &str, shown: &str, list: Option<&str>) -> Vec<String> {
    let quoted = |values: &[&str]| values.iter().map(|value| format!("'{value}'")).collect();
    if let Some((_, values)) = VALUES.iter().find(|(names, _)| names.contains(&name)) {
        return quoted(values);
    }
    if let Some((_, values)) = NUMBERS.iter().find(|(names, _)| *names == name) {
        return values.iter().map(|value| (*value).to_string()).collect();
    }
    match (shown, list) {
        ("ON" | "OFF", None) => vec![if shown == "ON" { "OFF" } else { "ON" }.to_owned()],
        (_, Some(list)) => quoted(&list.split(',').filter(|value| *value != shown).collect::<Vec<_>>()),
        _ => match shown.parse::<f64>() {
            Ok(number) => numbers(number),
            Err(_) => quoted(&["", "a"]),
        },
    }
}

/// Other numbers than this: not much less, so that nothing becomes too small to work with.
fn numbers(number: f64) -> Vec<String> {
    let others = match number {
        0.0 => vec![7.0, 8.0, 1.0],
        large if large > 1e15 => vec![8_192_000.0, 16_384_000.0],
        size if size > 4096.0 => vec![(size / 2.0).floor(), (size / 4.0).floor(), size * 2.0, size * 4.0],
        few if few <= 4.0 => vec![few + 2.0, few + 1.0, few - 1.0, 0.0],
        some => vec![some - 1.0, some - 2.0, some * 2.0, some * 4.0],
    };
    others.into_iter().map(|number| format!("{number:.0}")).collect()
}

/// Of variables that are numbers, those that would stop what looks at them.
const NUMBERS: &[(&str, &[u32])] =
    &[("max_execution_time", &[60_000, 70_000]), ("max_statement_time", &[60, 70])];

/// What servers do not tell: values of variables that are neither numbers nor switches.
const VALUES: &[(&[&str], &[&str])] = &[
    (&["binlog_format"], &["STATEMENT", "MIXED", "ROW"]),
    (&["binlog_row_image"], &["MINIMAL", "NOBLOB"]),
    (&["binlog_row_value_options"], &["PARTIAL_JSON"]),
    (&["block_encryption_mode"], &["aes-256-cbc", "aes-256-ecb"]),
    (
        &[
            "character_set_client",
            "character_set_connection",
            "character_set_database",
            "character_set_filesystem",
            "character_set_results",
            "character_set_server",
        ],
        &["latin1", "latin2", "utf8mb4"],
    ),
    (
        &["collation_connection", "collation_database", "collation_server"],
        &["latin1_german2_ci", "utf8mb4_bin"],
    ),
    (&["completion_type"], &["CHAIN", "RELEASE"]),
    (&["default_collation_for_utf8mb4"], &["utf8mb4_general_ci"]),
    (
        &["default_storage_engine", "storage_engine", "default_tmp_storage_engine", "enforce_storage_engine"],
        &["MyISAM", "MEMORY"],
    ),
    (&["external_table_storage_engine"], &["InnoDB", "CSV", "MEMORY"]),
    (&["explain_format"], &["JSON", "TRADITIONAL"]),
    (&["group_replication_consistency"], &["EVENTUAL", "BEFORE"]),
    (&["gtid_next"], &["AUTOMATIC:headgate"]),
    (&["innodb_ft_user_stopword_table"], &["app/stop_words"]),
    (&["innodb_tmpdir"], &["/tmp"]),
    (&["internal_tmp_mem_storage_engine"], &["MEMORY"]),
    (&["lc_messages", "lc_time_names"], &["de_DE", "fr_FR"]),
    (&["myisam_stats_method"], &["nulls_equal", "nulls_ignored"]),
    (&["optimizer_switch"], &["index_merge=off", "mrr=off"]),
    (&["optimizer_trace"], &["enabled=on"]),
    (&["optimizer_trace_features"], &["greedy_search=off"]),
    (&["rbr_exec_mode"], &["IDEMPOTENT"]),
    (&["resultset_metadata"], &["NONE"]),
    (&["session_track_gtids"], &["OWN_GTID", "ALL_GTIDS"]),
    (&["session_track_transaction_info"], &["STATE", "CHARACTERISTICS"]),
    (&["session_track_system_variables"], &["time_zone", "*"]),
    (&["sql_mode"], &["ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"]),
    (&["system_versioning_asof"], &["2020-01-01 00:00:00", "2021-01-01 00:00:00"]),
    (&["terminology_use_previous"], &["BEFORE_8_0_26"]),
    (&["time_zone"], &["+05:30", "-03:00"]),
    (&["transaction_isolation", "tx_isolation"], &["READ-COMMITTED", "SERIALIZABLE"]),
    (&["updatable_views_with_limit"], &["NO", "YES"]),
];
