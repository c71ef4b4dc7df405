//! Views and stored functions: what to ask for them, and what the answers mean.
//!
//! Bodies are asked for only when their fingerprint has changed: a count and a checksum over all of them,
//! which the server computes in about the time it takes to list the names. Times of change would not do, as
//! they are whole seconds, and MariaDB keeps none for views.

use std::collections::HashMap;
use std::time::Duration;

use super::grants::Grants;
use crate::sql::LONGEST_BODY;
use crate::topology::{Definitions, Flavor, FunctionBody, StoredCode, ViewBody};
use crate::wire::answer::{Answer, Row};

/// The most views, and the most functions, whose bodies are read.
pub const MOST_BODIES: u64 = 10_000;

/// The most bytes of bodies, of views and of functions each, that are read.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// How long a server may take for one of these questions: while it does, nothing else is asked of it. One that
/// takes longer is refused by the server itself, and the connection goes on.
pub const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Names of all views but the servers' own.
pub const VIEW_NAMES: &str = "SELECT DISTINCT TABLE_NAME FROM information_schema.VIEWS \
                              WHERE TABLE_SCHEMA NOT IN ('sys','mysql','information_schema','performance_schema')";

/// The fingerprint of all views. Where definitions may not be seen they are empty, and the fingerprint is one
/// of names.
#[must_use]
pub fn view_fingerprint() -> String {
    fingerprint(
        "VIEW_DEFINITION",
        &["TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION"],
        "information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN \
         ('sys','mysql','information_schema','performance_schema')",
    )
}

/// The fingerprint of all stored functions. The time of change stands for the parameters.
#[must_use]
pub fn function_fingerprint() -> String {
    let columns = [
        "ROUTINE_SCHEMA",
        "ROUTINE_NAME",
        "SQL_MODE",
        "CHARACTER_SET_CLIENT",
        "CREATED",
        "LAST_ALTERED",
        "ROUTINE_DEFINITION",
    ];
    fingerprint("ROUTINE_DEFINITION", &columns, FUNCTIONS_FROM)
}

const FUNCTIONS_FROM: &str =
    "information_schema.ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_SCHEMA NOT IN ('sys','mysql')";

/// Puts [`LONGEST_LOOK`] on a SELECT.
#[must_use]
pub fn bounded(flavor: Flavor, select: &str) -> String {
    match (flavor, select.strip_prefix("SELECT ")) {
        (Flavor::MySql, Some(rest)) => {
            format!("SELECT /*+ MAX_EXECUTION_TIME({}) */ {rest}", LONGEST_LOOK.as_millis())
        }
        (Flavor::MySql, None) => select.to_owned(),
        (Flavor::MariaDb, _) => {
            format!("SET STATEMENT max_statement_time={} FOR {select}", LONGEST_LOOK.as_secs_f64())
        }
    }
}

/// The exclusive or of 64 bits of each row's checksum: no order, no length, no two equal rows.
fn fingerprint(body: &str, columns: &[&str], from: &str) -> String {
    let columns = columns.join(",");
    let limit = MOST_BODIES + 1;
    format!(
        "SELECT COUNT(*) AS bodies, COALESCE(SUM(bytes), 0) AS bytes, BIT_XOR(hash) AS hash FROM \
         (SELECT LENGTH({body}) AS bytes, \
         CAST(CONV(LEFT(SHA2(CONCAT_WS(0x00,{columns}), 256), 16), 16, 10) AS UNSIGNED) AS hash \
         FROM {from} LIMIT {limit}) AS bodies"
    )
}

/// Names and definitions of all views.
#[must_use]
pub fn views() -> String {
    format!(
        "SELECT TABLE_NAME, IF(LENGTH(VIEW_DEFINITION) <= {LONGEST_BODY}, VIEW_DEFINITION, NULL) AS body \
         FROM information_schema.VIEWS \
         WHERE TABLE_SCHEMA NOT IN ('sys','mysql','information_schema','performance_schema')"
    )
}

/// All stored functions. A body that is not written in SQL is nothing that can be read.
#[must_use]
pub fn functions() -> String {
    format!(
        "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, SQL_MODE, CHARACTER_SET_CLIENT, \
         IF(LENGTH(ROUTINE_DEFINITION) <= {LONGEST_BODY} AND ROUTINE_BODY = 'SQL' \
         AND COALESCE(EXTERNAL_LANGUAGE, 'SQL') = 'SQL', ROUTINE_DEFINITION, NULL) AS body FROM {FUNCTIONS_FROM}"
    )
}

/// Names of the parameters of all stored functions.
pub const PARAMETERS: &str = "SELECT SPECIFIC_SCHEMA, SPECIFIC_NAME, PARAMETER_NAME \
                              FROM information_schema.PARAMETERS \
                              WHERE ROUTINE_TYPE = 'FUNCTION' AND PARAMETER_NAME IS NOT NULL \
                              AND SPECIFIC_SCHEMA NOT IN ('sys','mysql')";

/// Names of all loadable functions. MySQL's components bring some that `mysql.func` does not name.
#[must_use]
pub const fn loadable(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "SELECT UDF_NAME FROM performance_schema.user_defined_functions",
        Flavor::MariaDb => "SELECT name FROM mysql.func",
    }
}

/// Reads the answer to [`loadable`]. MySQL has some from the start, and tells none where its
/// performance_schema is off.
#[must_use]
pub fn read_loadable(flavor: Flavor, answer: &Answer) -> Option<Vec<String>> {
    let names: Vec<String> = answer.rows.iter().filter_map(|row| row.first()?.clone()).collect();
    (flavor == Flavor::MariaDb || !names.is_empty()).then_some(names)
}

/// What one look says of many bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    bodies: u64,
    bytes: u64,
    hash: String,
}

impl Fingerprint {
    /// Reads the answer to [`view_fingerprint`], [`function_fingerprint`] or [`stored_code_fingerprint`].
    #[must_use]
    pub fn read(answer: &Answer) -> Option<Self> {
        Some(Self {
            bodies: answer.value("bodies")?.parse().ok()?,
            bytes: answer.value("bytes")?.parse().ok()?,
            hash: answer.value("hash")?.to_owned(),
        })
    }

    /// Whether it stands for more than is read.
    #[must_use]
    pub const fn is_too_much(&self) -> bool {
        self.bodies > MOST_BODIES || self.bytes > MOST_BYTES
    }
}

/// Reads the answer to [`views`] or [`VIEW_NAMES`].
#[must_use]
pub fn read_views(answer: Answer) -> Vec<ViewBody> {
    let view = |row: Row| {
        let mut values = row.into_iter();
        let name = values.next()??;
        let definition = values.next().flatten().filter(|text| !text.is_empty());
        Some(ViewBody { name, definition })
    };
    answer.rows.into_iter().filter_map(view).collect()
}

/// Reads the answers to [`functions`] and [`PARAMETERS`].
#[must_use]
pub fn read_functions(functions: Answer, parameters: Answer) -> Vec<FunctionBody> {
    let mut names: HashMap<(String, String), Vec<String>> = HashMap::new();
    for row in parameters.rows {
        let mut values = row.into_iter().flatten();
        if let (Some(schema), Some(function), Some(name)) = (values.next(), values.next(), values.next()) {
            names.entry((schema, function)).or_default().push(name);
        }
    }
    let function = |row: Row| {
        let mut values = row.into_iter();
        let mut value = || values.next().flatten();
        let (schema, name) = (value()?, value()?);
        let (sql_mode, charset, body) = (value().unwrap_or_default(), value().unwrap_or_default(), value());
        let key = (schema, name);
        let parameters = names.remove(&key).unwrap_or_default();
        let (schema, name) = key;
        Some(FunctionBody { schema, name, body, sql_mode, charset, parameters })
    };
    functions.rows.into_iter().filter_map(function).collect()
}

/// Definitions of which only the names of views are known.
#[must_use]
pub fn only_names(names: Answer) -> Definitions {
    let mut views = read_views(names);
    for view in &mut views {
        view.definition = None;
    }
    Definitions { views, functions: None, loadable: None }
}

/// Triggers, routines and views: the schema, what is theirs alone in it, and the name by which statements reach them,
/// which for a trigger is that of its table.
const CODE: &str = "SELECT TRIGGER_SCHEMA AS home, TRIGGER_NAME AS own, EVENT_OBJECT_TABLE AS name, \
                    ACTION_STATEMENT AS body, SQL_MODE AS mode FROM information_schema.TRIGGERS \
                    WHERE TRIGGER_SCHEMA NOT IN ('sys','mysql') \
                    UNION ALL SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE \
                    FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys','mysql') \
                    UNION ALL SELECT TABLE_SCHEMA, 'VIEW', TABLE_NAME, NULLIF(VIEW_DEFINITION, ''), '' \
                    FROM information_schema.VIEWS \
                    WHERE TABLE_SCHEMA NOT IN ('sys','mysql','information_schema','performance_schema')";

/// Whether any of it may leave something behind on its connection: what [`sql::leaves_traces`](crate::sql) looks for,
/// and what may not be seen.
#[must_use]
pub fn suspicious_code() -> String {
    format!(
        "SELECT name FROM ({CODE}) AS code WHERE body IS NULL OR UPPER(CAST(body AS CHAR)) REGEXP \
         'LOCK|ROLE|TRANSACTION|DIAGNOSTICS|NEXTVAL|SETVAL|FOUND_ROWS|SESSION_TRACK|VALUE|@|PREPARE|EXECUTE|FLUSH|XA|BACKUP|\
         GROUP_REPLICATION|RESOURCE|HANDLER|TEMPORARY|RENAME|LAST_INSERT_ID|IDENTITY|/' LIMIT 1"
    )
}

/// The fingerprint of all of it.
#[must_use]
pub fn stored_code_fingerprint() -> String {
    fingerprint("body", &["home", "own", "name", "body", "mode"], &format!("({CODE}) AS code"))
}

/// All of it.
#[must_use]
pub fn stored_code() -> String {
    let limit = MOST_BODIES + 1;
    format!(
        "SELECT name, IF(LENGTH(body) <= {LONGEST_BODY}, body, NULL) AS body, mode FROM ({CODE}) AS code LIMIT {limit}"
    )
}

/// Reads the answer to [`stored_code`]. Nothing where there is more than is read.
#[must_use]
pub fn read_stored_code(answer: Answer) -> Option<Vec<StoredCode>> {
    let code = |row: Row| {
        let mut values = row.into_iter();
        let (name, body) = (values.next()??, values.next().flatten());
        // Views are rendered in the usual one.
        Some(StoredCode { name, body, sql_mode: values.next().flatten().unwrap_or_default() })
    };
    let all = u64::try_from(answer.rows.len()).is_ok_and(|rows| rows <= MOST_BODIES);
    all.then(|| answer.rows.into_iter().filter_map(code).collect())
}

/// Whether the control account sees every trigger and routine with its body.
#[must_use]
pub fn grants_show_stored_code(flavor: Flavor, grants: &Answer) -> bool {
    grants_show_functions(flavor, grants) && Grants::read(grants).hold(&["TRIGGER"], "*.*")
}

/// Whether the control account sees every stored function and its body. Those that are not seen would make a
/// bare name seem to mean another one.
#[must_use]
pub fn grants_show_functions(flavor: Flavor, grants: &Answer) -> bool {
    let grants = Grants::read(grants);
    match flavor {
        Flavor::MySql => grants.hold(&["SHOW_ROUTINE"], "*.*"),
        Flavor::MariaDb => grants.hold(&["SELECT"], "mysql.proc"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(columns: &[&str], rows: &[&[Option<&str>]]) -> Answer {
        let row = |row: &&[Option<&str>]| row.iter().map(|value| value.map(str::to_owned)).collect();
        Answer {
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: rows.iter().map(row).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn grants_show_functions_where_all_of_them_are_seen() {
        let check = |flavor, text: &str, expected| {
            let grants = answer(&["Grants"], &[&[Some(text)]]);
            assert_eq!(grants_show_functions(flavor, &grants), expected, "{text}");
        };
        check(Flavor::MySql, "GRANT SHOW_ROUTINE ON *.* TO `headgate`@`%`", true);
        check(Flavor::MySql, "GRANT BACKUP_ADMIN,SHOW_ROUTINE,CLONE_ADMIN ON *.* TO `r`@`%`", true);
        check(Flavor::MySql, "GRANT SELECT ON `mysql`.`proc` TO `headgate`@`%`", false);
        check(Flavor::MySql, "GRANT SELECT, SHOW VIEW ON *.* TO `headgate`@`%`", false);
        check(Flavor::MariaDb, "GRANT SELECT ON `mysql`.`proc` TO `headgate`@`%`", true);
        check(Flavor::MariaDb, "GRANT SELECT, INSERT ON `mysql`.* TO `headgate`@`%`", true);
        check(Flavor::MariaDb, "GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION", true);
        check(Flavor::MariaDb, "GRANT SELECT (name) ON `mysql`.`proc` TO `headgate`@`%`", false);
        check(Flavor::MariaDb, "GRANT SELECT ON `mysql`.`user` TO `headgate`@`%`", false);
        check(Flavor::MariaDb, "GRANT SHOW VIEW ON *.* TO `headgate`@`%`", false);
    }

    #[test]
    fn bodies_that_may_not_be_seen_are_not_there() {
        let views = answer(
            &["TABLE_NAME", "body"],
            &[&[Some("a"), Some("select 1")], &[Some("b"), Some("")], &[Some("c"), None]],
        );
        let known: Vec<_> = read_views(views).into_iter().map(|view| view.definition).collect();
        assert_eq!(known, [Some("select 1".to_owned()), None, None]);
        let functions = answer(
            &["schema", "name", "mode", "charset", "body"],
            &[
                &[Some("d"), Some("f"), Some(""), Some("utf8mb4"), Some("RETURN x")],
                &[Some("e"), Some("f"), Some(""), Some("utf8mb4"), None],
            ],
        );
        let parameters = answer(&["s", "n", "p"], &[&[Some("d"), Some("f"), Some("x")]]);
        let functions = read_functions(functions, parameters);
        assert_eq!(functions[0].parameters, ["x"]);
        assert_eq!((functions[1].body.as_ref(), functions[1].parameters.len()), (None, 0));
    }

    #[test]
    fn every_long_question_has_a_bound() {
        for select in
            [view_fingerprint(), function_fingerprint(), views(), functions(), PARAMETERS.to_owned()]
        {
            let mysql = bounded(Flavor::MySql, &select);
            assert!(mysql.starts_with("SELECT /*+ MAX_EXECUTION_TIME(1000) */ "), "{mysql}");
            let mariadb = bounded(Flavor::MariaDb, &select);
            assert_eq!(mariadb, format!("SET STATEMENT max_statement_time=1 FOR {select}"));
        }
    }

    #[test]
    fn a_mysql_without_performance_schema_tells_of_no_loadable_function() {
        let nothing = answer(&["UDF_NAME"], &[]);
        assert_eq!(read_loadable(Flavor::MySql, &nothing), None);
        assert_eq!(read_loadable(Flavor::MariaDb, &nothing), Some(Vec::new()));
    }

    #[test]
    fn a_fingerprint_past_the_bounds_is_too_much() {
        let check = |bodies: u64, bytes: u64, expected| {
            let (bodies, bytes) = (bodies.to_string(), bytes.to_string());
            let row = [Some(bodies.as_str()), Some(bytes.as_str()), Some("7")];
            let fingerprint = Fingerprint::read(&answer(&["bodies", "bytes", "hash"], &[&row])).unwrap();
            assert_eq!(fingerprint.is_too_much(), expected, "{bodies} {bytes}");
        };
        check(MOST_BODIES, MOST_BYTES, false);
        check(MOST_BODIES + 1, 0, true);
        check(1, MOST_BYTES + 1, true);
    }
}
