//! Session variables that can be carried to another connection.
//!
//! A variable is carried when the server reports every change of it with the value it has then, and when
//! setting it to that value elsewhere makes the same session. [`CARRIED`] lists those; a test asks every
//! server at hand about each of them. Whatever is not listed keeps the session on its primary connection
//! (HAZARDS 1).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What becomes of a session when a variable changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// It is set on other connections as well.
    Carried,
    /// It matters on the primary alone; a read elsewhere does not depend on it.
    Local,
    /// It is followed by other means: the status flags, the schema, the character sets.
    Mirrored,
    /// The session stays where it is.
    Pins,
}

impl Handling {
    /// What is done with a variable of this name, in lower case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let Ok(name) = std::str::from_utf8(name) else { return Self::Pins };
        if CARRIED.binary_search(&name).is_ok() {
            Self::Carried
        } else if LOCAL.binary_search(&name).is_ok() {
            Self::Local
        } else if MIRRORED.contains(&name) {
            Self::Mirrored
        } else {
            Self::Pins
        }
    }
}

/// Variables with the values that a session has given them, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Option<Arc<Vec<Pair>>>);

/// A name and a value.
type Pair = (&'static str, Box<str>);

impl Variables {
    /// None: what a new session has.
    pub const DEFAULT: Self = Self(None);

    /// Notes a reported value. False where it cannot be carried: the value cannot be written in any
    /// `sql_mode` without escapes.
    pub fn note(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.note_of(CARRIED, name, value)
    }

    /// As [`Self::note`], for a variable that matters on the primary alone.
    pub fn note_local(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.note_of(LOCAL, name, value)
    }

    fn note_of(&mut self, names: &'static [&'static str], name: &[u8], value: &[u8]) -> bool {
        let known = std::str::from_utf8(name).ok().and_then(|name| names.binary_search(&name).ok());
        let Some(name) = known.and_then(|at| names.get(at).copied()) else { return false };
        let usable = |value: &&str| value.bytes().all(is_plain);
        let Some(value) = std::str::from_utf8(value).ok().filter(usable) else { return false };
        if self.get(name) == Some(value) {
            return true;
        }
        let list = Arc::make_mut(self.0.get_or_insert_default());
        let other = ALIASES.iter().find_map(|(one, other)| match name {
            _ if name == *one => Some(*other),
            _ if name == *other => Some(*one),
            _ => None,
        });
        list.retain(|(known, _)| Some(*known) != other);
        match list.binary_search_by_key(&name, |(known, _)| known) {
            Ok(at) => {
                if let Some((_, known)) = list.get_mut(at) {
                    *known = value.into();
                }
            }
            Err(at) => list.insert(at, (name, value.into())),
        }
        true
    }

    /// The value noted for a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.list().iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// True where the two cannot differ; most sessions set nothing, and most others set the same.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two) || one == two,
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// As [`Self::of_defaults`], of a client that has asked for IGNORE_SPACE at its login: that is a part of `sql_mode`.
    #[must_use]
    pub fn of_login<'a>(
        defaults: impl IntoIterator<Item = (&'a String, &'a String)>,
        ignore_space: bool,
    ) -> Self {
        const MODE: &str = "IGNORE_SPACE";
        /// Those that servers name before it.
        const BEFORE: [&str; 3] = ["REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES"];
        let mut variables = Self::of_defaults(defaults);
        let modes = variables.get("sql_mode").unwrap_or_default().to_owned();
        let modes: Vec<&str> = modes.split(',').filter(|mode| !mode.is_empty()).collect();
        if ignore_space && !modes.contains(&MODE) {
            let (before, after): (Vec<&str>, Vec<&str>) =
                modes.iter().partition(|mode| BEFORE.contains(mode));
            let modes = [before, vec![MODE], after].concat().join(",");
            variables.note(b"sql_mode", modes.as_bytes());
        }
        variables
    }

    /// What new sessions begin with, as far as [`levels`] can make other servers begin with it.
    #[must_use]
    pub fn of_defaults<'a>(defaults: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut variables = Self::DEFAULT;
        for (name, value) in defaults.into_iter().filter(|(name, value)| levels(name, value)) {
            variables.note(name.as_bytes(), value.as_bytes());
        }
        variables
    }

    /// The SET that brings a connection which has these to `wanted`; nothing where nothing differs. What is not
    /// named in either has the value of `defaults`.
    #[must_use]
    pub fn change_to(&self, wanted: &Self, defaults: &Self) -> Option<String> {
        let mut set = Assignments::default();
        self.put_changes(wanted, defaults, &mut set);
        set.sql()
    }

    /// Puts what differs into a SET. What goes back comes first, since it may be another name of what is set.
    pub fn put_changes(&self, wanted: &Self, defaults: &Self, set: &mut Assignments) {
        for (name, _) in self.list() {
            if wanted.get(name).is_none() {
                // Not DEFAULT: MySQL 9.7 takes that for OFF where a variable stands for its opposite in the server, such
                // as foreign_key_checks.
                let global = || format!("@@global.{name}");
                set.put(name, &defaults.get(name).map_or_else(global, |value| literal(name, value)));
            }
        }
        // Servers set `sql_big_selects` with it.
        let resized = self.get("max_join_size") != wanted.get("max_join_size");
        for (name, value) in wanted.list() {
            if self.get(name) != Some(value) || (resized && *name == "sql_big_selects") {
                set.put(name, &literal(name, value));
            }
        }
    }

    /// Whether a server that had `before` and was sent [`Self::change_to`] to this has reported all of it.
    #[must_use]
    pub fn confirmed_by(&self, before: &Self, reported: &[(Vec<u8>, Vec<u8>)]) -> bool {
        self.list().iter().filter(|(name, value)| before.get(name) != Some(value)).all(|(name, value)| {
            reported.iter().any(|(known, new)| known == name.as_bytes() && new == value.as_bytes())
        })
    }

    /// The variables and their values.
    #[must_use]
    pub fn list(&self) -> &[Pair] {
        self.0.as_ref().map_or(&[], |list| list)
    }
}

/// A `SET SESSION` in the making.
#[derive(Debug, Default)]
pub struct Assignments(String);

impl Assignments {
    /// Sets a variable to a value as it stands in SQL.
    pub fn put(&mut self, name: &str, value: &str) {
        let sql = &mut self.0;
        sql.push_str(if sql.is_empty() { "SET SESSION " } else { ", " });
        sql.push_str(name);
        sql.push('=');
        sql.push_str(value);
    }

    /// The statement; nothing where it would set nothing.
    #[must_use]
    pub fn sql(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

/// Whether a session on a server with another default can be given this one: it can be carried, and any account
/// may set it.
#[must_use]
pub fn levels(name: &str, value: &str) -> bool {
    // Restricted on MySQL ("Restrictions on Setting System Variables" and measured).
    !matches!(name, "explicit_defaults_for_timestamp" | "max_error_count")
        && CARRIED.binary_search(&name).is_ok()
        && value.bytes().all(is_plain)
}

/// The value of a variable that is a number of seconds.
pub(super) fn seconds(value: &[u8]) -> Option<Duration> {
    std::str::from_utf8(value).ok()?.parse().ok().map(Duration::from_secs)
}

/// What may stand in a string in any `sql_mode`, and whose case and bytes every server keeps.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b',' | b'+' | b'-' | b':' | b'/' | b'.' | b'=' | b' ' | b'@')
}

/// Numbers are refused in quotes, words without. MariaDB shows an engine for temporary tables that is not chosen as
/// nothing, and takes no empty name for it.
fn literal(name: &str, value: &str) -> String {
    if value.is_empty() && name == "default_tmp_storage_engine" {
        return "NULL".to_owned();
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    let number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if number {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    let _ = write!(quoted, "'{value}'");
    quoted
}

/// Two names of one variable, where a server has both. It reports the one that was used; what the other said before
/// is past.
const ALIASES: &[(&str, &str)] = &[
    ("tmp_memory_table_size", "tmp_table_size"),
    ("transaction_isolation", "tx_isolation"),
    ("transaction_read_only", "tx_read_only"),
];

/// Sorted. Of either family; a server reports only what it has.
pub const CARRIED: &[&str] = &[
    "big_tables",
    "block_encryption_mode",
    "bulk_insert_buffer_size",
    "cte_max_recursion_depth",
    "default_week_format",
    "div_precision_increment",
    "end_markers_in_json",
    "eq_range_index_dive_limit",
    "explicit_defaults_for_timestamp",
    "group_concat_max_len",
    "information_schema_stats_expiry",
    "innodb_lock_wait_timeout",
    "innodb_strict_mode",
    "join_buffer_size",
    "join_cache_level",
    "lc_messages",
    "lc_time_names",
    "lock_wait_timeout",
    "long_query_time",
    "low_priority_updates",
    "max_error_count",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_length_for_sort_data",
    "max_recursive_iterations",
    "max_seeks_for_key",
    "max_sort_length",
    "max_sp_recursion_depth",
    "max_statement_time",
    "min_examined_row_limit",
    "myisam_sort_buffer_size",
    "net_read_timeout",
    "net_retry_count",
    "net_write_timeout",
    "optimizer_prune_level",
    "optimizer_search_depth",
    "optimizer_switch",
    "optimizer_use_condition_selectivity",
    "query_alloc_block_size",
    "query_prealloc_size",
    "range_alloc_block_size",
    "range_optimizer_max_mem_size",
    "read_buffer_size",
    "read_rnd_buffer_size",
    "sort_buffer_size",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_buffer_result",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "time_zone",
    "tmp_memory_table_size",
    "tmp_table_size",
    "transaction_alloc_block_size",
    "transaction_isolation",
    "transaction_prealloc_size",
    "tx_isolation",
    "updatable_views_with_limit",
    "windowing_use_high_precision",
];

/// How long the primary lets the connection idle, and what is only about writes: replica connections are
/// read only anyway, and are opened again when they have idled too long.
const LOCAL: &[&str] = &[
    "default_storage_engine",
    "default_tmp_storage_engine",
    "foreign_key_checks",
    "interactive_timeout",
    "transaction_read_only",
    "tx_read_only",
    "unique_checks",
    "wait_timeout",
];

/// Statement and transaction counters, the schema's character set, what the status flags tell.
const MIRRORED: &[&str] =
    &["autocommit", "character_set_database", "collation_database", "last_gtid", "statement_id"];

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::DEFAULT;
        for (name, value) in pairs {
            assert!(variables.note(name.as_bytes(), value.as_bytes()), "{name}");
        }
        variables
    }

    #[test]
    fn the_table_is_sorted_and_has_no_name_twice() {
        assert!(CARRIED.is_sorted_by(|one, two| one < two));
        for name in CARRIED {
            assert_eq!(Handling::of(name.as_bytes()), Handling::Carried);
            assert!(!LOCAL.contains(name) && !MIRRORED.contains(name));
        }
        assert!(LOCAL.is_sorted_by(|one, two| one < two));
        assert_eq!(Handling::of(b"timestamp"), Handling::Pins);
        assert_eq!(Handling::of(b"autocommit"), Handling::Mirrored);
        assert_eq!(Handling::of(b"wait_timeout"), Handling::Local);
    }

    #[test]
    fn only_the_difference_is_sent() {
        let check = |has: &[(&str, &str)], wants: &[(&str, &str)], expected: Option<&str>| {
            let sql = variables(has).change_to(&variables(wants), &variables(&[("lc_messages", "de_DE")]));
            assert_eq!(sql.as_deref(), expected);
        };
        check(&[], &[], None);
        check(&[("sql_mode", "ANSI")], &[("sql_mode", "ANSI")], None);
        check(&[], &[("sql_mode", "")], Some("SET SESSION sql_mode=''"));
        check(
            &[("time_zone", "+01:00"), ("sql_mode", "ANSI")],
            &[("sql_mode", "ANSI"), ("max_join_size", "18446744073709551615")],
            Some("SET SESSION time_zone=@@global.time_zone, max_join_size=18446744073709551615"),
        );
        check(&[], &[("long_query_time", "1.500000")], Some("SET SESSION long_query_time=1.500000"));
        check(&[("lc_messages", "fr_FR")], &[], Some("SET SESSION lc_messages='de_DE'"));
        // The one name goes back before the other is set.
        check(
            &[("tmp_memory_table_size", "1024")],
            &[("tmp_table_size", "2048")],
            Some("SET SESSION tmp_memory_table_size=@@global.tmp_memory_table_size, tmp_table_size=2048"),
        );
        // `max_join_size` sets `sql_big_selects`.
        check(
            &[("max_join_size", "9"), ("sql_big_selects", "OFF")],
            &[("sql_big_selects", "OFF")],
            Some("SET SESSION max_join_size=@@global.max_join_size, sql_big_selects='OFF'"),
        );
        check(
            &[("max_join_size", "9"), ("sql_big_selects", "ON")],
            &[("max_join_size", "8"), ("sql_big_selects", "ON")],
            Some("SET SESSION max_join_size=8, sql_big_selects='ON'"),
        );
        check(
            &[("max_join_size", "9"), ("sql_big_selects", "OFF")],
            &[],
            Some(
                "SET SESSION max_join_size=@@global.max_join_size, sql_big_selects=@@global.sql_big_selects",
            ),
        );
    }

    #[test]
    fn an_engine_that_is_not_chosen_is_null() {
        let mut engine = Variables::DEFAULT;
        assert!(engine.note_local(b"default_tmp_storage_engine", b""));
        let sql = Variables::DEFAULT.change_to(&engine, &Variables::DEFAULT);
        assert_eq!(sql.as_deref(), Some("SET SESSION default_tmp_storage_engine=NULL"));
    }

    #[test]
    fn of_two_names_the_last_counts() {
        let known = variables(&[("tmp_table_size", "2048"), ("tmp_memory_table_size", "1024")]);
        assert!(known.same_as(&variables(&[("tmp_memory_table_size", "1024")])));
        let known = variables(&[("tmp_memory_table_size", "1024"), ("tmp_table_size", "2048")]);
        assert!(known.same_as(&variables(&[("tmp_table_size", "2048")])));
    }

    #[test]
    fn a_change_counts_when_all_of_it_was_reported() {
        let before = variables(&[("time_zone", "SYSTEM")]);
        let wanted = variables(&[("time_zone", "SYSTEM"), ("sql_mode", "ANSI")]);
        let told = |name: &str, value: &str| vec![(name.as_bytes().to_vec(), value.as_bytes().to_vec())];
        assert!(wanted.confirmed_by(&before, &told("sql_mode", "ANSI")));
        assert!(!wanted.confirmed_by(&before, &told("sql_mode", "")));
        assert!(!wanted.confirmed_by(&Variables::DEFAULT, &told("sql_mode", "ANSI")));
        assert!(Variables::DEFAULT.confirmed_by(&before, &[]));
    }

    #[test]
    fn defaults_are_levelled_where_any_account_may() {
        let defaults = [("sql_mode", "ANSI"), ("autocommit", "ON"), ("lc_time_names", "a\\b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let level = Variables::of_defaults(defaults.iter().map(|(name, value)| (name, value)));
        assert_eq!(level, variables(&[("sql_mode", "ANSI")]));
        assert!(!levels("explicit_defaults_for_timestamp", "ON"));
        let modes = [("sql_mode".to_owned(), "ANSI_QUOTES,STRICT_TRANS_TABLES".to_owned())];
        let level = Variables::of_login(modes.iter().map(|(name, value)| (name, value)), true);
        assert_eq!(level.get("sql_mode"), Some("ANSI_QUOTES,IGNORE_SPACE,STRICT_TRANS_TABLES"));
    }

    #[test]
    fn values_that_need_escapes_are_not_carried() {
        let mut variables = Variables::DEFAULT;
        assert!(!variables.note(b"sql_mode", b"a'b"));
        assert!(!variables.note(b"sql_mode", b"a\\"));
        assert!(!variables.note(b"sql_mode", b"\xff"));
        assert!(!variables.note(b"timestamp", b"1"));
        assert!(variables.same_as(&Variables::DEFAULT));
    }

    #[test]
    fn equal_variables_are_the_same_whatever_way_they_came() {
        let one = variables(&[("sql_mode", "ANSI"), ("time_zone", "SYSTEM")]);
        let two = variables(&[("time_zone", "SYSTEM"), ("sql_mode", ""), ("sql_mode", "ANSI")]);
        assert!(one.same_as(&two) && !one.same_as(&Variables::DEFAULT));
    }
}
