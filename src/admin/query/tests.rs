//! What runs and what does not.

use proptest::prelude::*;

use super::run::run_on;
use super::translate::translate;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Asker;
use crate::admin::tables::Table;

/// Two servers, three pools, nothing else.
fn rows(table: &Table) -> Vec<Vec<Value>> {
    let (text, number) = (|text: &str| Value::text(text), Value::Integer);
    match table.name {
        "servers" => [("db1", "primary", number(0), 3, 1), ("db2", "replica", Value::Null, 2, 2)]
            .into_iter()
            .zip(0..)
            .map(|((address, role, age, open, idle), at)| {
                let value = |name: &str| match name {
                    "number" => number(at),
                    "address" => text(address),
                    "role" => text(role),
                    "state" => text("serving"),
                    "age_ms" => age.clone(),
                    "open" => number(open),
                    "idle" => number(idle),
                    _ => Value::Null,
                };
                table.columns.iter().map(|column| value(column.name)).collect()
            })
            .collect(),
        "pools" => [("db1", 1), ("db2", 1), ("db2", 4)]
            .iter()
            .map(|(server, idle)| {
                vec![
                    number(0),
                    text(server),
                    text("app"),
                    text("replica"),
                    number(0),
                    Value::Null,
                    number(*idle),
                    number(5),
                ]
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn ask(sql: &str) -> Result<Answer, ConsoleError> {
    let asker = Asker { id: 7, name: "admin@localhost".to_owned() };
    run_on(sql, &asker, &rows)
}

#[track_caller]
fn check(sql: &str, expected: &[&[&str]]) {
    let answer = ask(sql).unwrap();
    let shown: Vec<Vec<String>> = answer.rows.iter().map(|row| row.iter().map(show).collect()).collect();
    assert_eq!(shown, expected, "{sql}");
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

#[track_caller]
fn refused(sql: &str, why: &str) {
    let error = ask(sql).unwrap_err().to_string();
    assert!(error.contains(why), "{sql}: {error}");
}

#[test]
fn joins_and_aggregates() {
    check(
        "SELECT s.address, count(*), sum(p.idle) FROM servers s JOIN pools p ON p.server = s.address \
         GROUP BY 1 ORDER BY 1",
        &[&["db1", "1", "1"], &["db2", "2", "5"]],
    );
    check("SELECT a.number, b.number FROM servers a, servers b WHERE a.number < b.number", &[&["0", "1"]]);
    check("WITH busy AS (SELECT * FROM servers WHERE open > 2) SELECT count(*) FROM busy", &[&["1"]]);
    check("SELECT count(*) FROM (SELECT DISTINCT server FROM pools)", &[&["2"]]);
    check("SELECT age_ms FROM `servers` WHERE role = \"replica\"", &[&["NULL"]]);
    check("SELECT avg(idle) FROM pools", &[&["2"]]);
    check(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT sum(i) FROM n",
        &[&["6"]],
    );
    check("VALUES (1, 'x')", &[&["1", "x"]]);
    check("SELECT count(*) FROM sessions", &[&["0"]]);
}

#[test]
fn what_client_programs_ask() {
    check("select @@version_comment limit 1", &[&["Headgate console"]]);
    check("select connection_id(), user(), database()", &[&["7", "admin@localhost", "headgate"]]);
    let answer = ask("SELECT @@session.autocommit, @@Version AS v").unwrap();
    assert_eq!(answer.columns, ["@@session.autocommit", "v"]);
    refused("SELECT @@port", "Unknown system variable 'port'");
    check("SELECT '@@port'", &[&["@@port"]]);
    // Escaped as drivers escape.
    check(
        r"SELECT 'it\'s', 'it''s', '\\', count(*) FROM servers WHERE role = 'a\'b'",
        &[&["it's", "it's", "\\", "0"]],
    );
    check("SELECT 1--1 # the rest is a comment", &[&["2"]]);
    check("SELECT /* a; comment */ x'41'", &[&["A"]]);
    refused("SELECT /*!40101 1 */", "cannot be read");
    refused("SELECT 'a", "cannot be read");
    // Must be an error: the mysql command line loses count of replies otherwise.
    refused("select $$", "parameters");
    refused("SELECT ?", "parameters");
}

#[test]
fn only_reading_is_authorized() {
    for sql in [
        "DELETE FROM servers",
        "INSERT INTO servers (number) VALUES (1)",
        "WITH x AS (SELECT 1) DELETE FROM servers",
        "DROP TABLE servers",
        "CREATE TEMP TABLE t (a)",
        "ATTACH 'file' AS f",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA table_info(servers)",
        "VACUUM INTO 'file'",
        "SELECT load_extension('x')",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('servers')",
        "SELECT * FROM pragma_database_list",
        "BEGIN",
    ] {
        let error = ask(sql).unwrap_err();
        assert!(matches!(error, ConsoleError::ReadOnly), "{sql}: {error}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    refused("SELECT * FROM server", "there is no table `server`; did you mean servers?");
    refused("SELECT nam FROM servers", "no such column: nam");
    refused("SELECT FROM", "syntax error");
}

#[test]
fn a_statement_is_bounded() {
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    refused(&format!("{ENDLESS} SELECT count(*) FROM n"), "took longer");
    refused(&format!("{ENDLESS} SELECT i FROM n"), "more than 100,000 rows");
    refused(&format!("{ENDLESS} SELECT hex(zeroblob(30000)) FROM n"), "more than 16 MiB");
    // Sorted, so all of it is kept.
    refused(
        &format!("{ENDLESS} SELECT i, zeroblob(60000) AS x FROM n ORDER BY x, i DESC"),
        "128 MiB of memory",
    );
    refused("SELECT zeroblob(1000000)", "too big");
    refused(&format!("SELECT {}1", "1+".repeat(30_000)), "depth");
    // And the next one runs.
    check("SELECT count(*) FROM servers", &[&["2"]]);
}

proptest! {
    /// Whatever is typed is an error or an answer.
    #[test]
    fn any_text_is_answered(text in "[ -~\\n]{0,60}|(SELECT|@@version|'|\\\\|\"|`|--|#|/\\*|;| |é|\\?|x){0,20}") {
        let asker = Asker { id: 1, name: String::new() };
        let request = crate::admin::request::Request::read(&text, &asker);
        let _ = (request.behind(1), request.must_be_one());
        let _ = crate::admin::request::Request::unquote(&text);
        let _ = translate(&text);
        let _ = ask(&format!("SELECT {text}"));
    }

    /// A string arrives as it was before a driver escaped it.
    #[test]
    fn escaped_strings_arrive(text in "[ -~é漢]{0,40}") {
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
        let answer = ask(&format!("SELECT '{escaped}'")).unwrap();
        prop_assert_eq!(&answer.rows, &[[Value::text(text)]]);
    }
}
