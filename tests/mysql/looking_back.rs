//! Questions about the statement before, with whatever may come between the two: the answer is the one of a single
//! connection, or 1235, and never another.

use headgate::lab::{Cluster, Flavor};

use crate::client::{Connection, Options};
use crate::headgate::Headgate;
use crate::interloper::Interloper;
use crate::servers::{SCRIPT_USER, cluster, root};

/// Statements, of which the last is the question. `prepare NAME: SQL` and `execute NAME` are commands of the binary
/// protocol, `ping` is one.
const CASES: &[&[&str]] = &[
    // Prepared under other settings, so that another connection has to prepare it anew, or it runs at home.
    &[
        "prepare logs: INSERT INTO log VALUES (ROW_COUNT())",
        "SET time_zone = '+05:00'",
        "INSERT INTO n (a) VALUES (1), (2)",
        "execute logs",
        "SELECT n FROM log",
    ],
    &[
        "prepare asks: SELECT ROW_COUNT()",
        "SET time_zone = '+05:00'",
        "BEGIN",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "execute asks",
    ],
    &["prepare asks: SELECT ROW_COUNT()", "INSERT INTO n (a) VALUES (1), (2)", "execute asks"],
    &[
        "prepare asks: SELECT ROW_COUNT()",
        "BEGIN",
        "USE <schema>",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "execute asks",
    ],
    // By text.
    &[
        "INSERT INTO n (a) VALUES (1), (2)",
        "PREPARE asks FROM 'SELECT ROW_COUNT()'",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "EXECUTE asks",
    ],
    // In what is no read.
    &[
        "INSERT INTO n (a) VALUES (1), (2)",
        "CREATE TABLE made AS SELECT ROW_COUNT() AS n",
        "SELECT n FROM made",
    ],
    &[
        "INSERT INTO n (a) VALUES (1), (2)",
        "CREATE TEMPORARY TABLE made AS SELECT ROW_COUNT() AS n",
        "SELECT n FROM made",
    ],
    &["INSERT INTO n (a) VALUES (1), (2)", "INSERT INTO log VALUES (ROW_COUNT())", "SELECT n FROM log"],
    &["SELECT a FROM t LIMIT 3", "CREATE TABLE made SELECT a FROM t", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t LIMIT 3", "INSERT INTO log TABLE t2", "SELECT FOUND_ROWS()"],
    &["UPDATE t SET b = b + 1 WHERE a < 3", "SELECT a FROM t", "SET @r = ROW_COUNT()", "SELECT @r"],
    &["SELECT a FROM t", "SET @r = FOUND_ROWS()", "SELECT @r"],
    &["SELECT a + 'x' FROM t", "SET @r = @@warning_count", "SELECT @r"],
    &["SELECT a FROM t", "INSERT INTO log VALUES (FOUND_ROWS())", "SELECT n FROM log"],
    &["SELECT a FROM t LIMIT 2", "DO FOUND_ROWS()", "SELECT FOUND_ROWS()"],
    // With something in between.
    &["SELECT a FROM t", "COMMIT", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t", "USE <schema>", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t", "SET NAMES utf8mb4", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t LIMIT 3 OFFSET 1", "COMMIT", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t LIMIT 1, 2", "COMMIT", "SELECT FOUND_ROWS()"],
    &["(SELECT a FROM t LIMIT 1) UNION ALL SELECT 1 LIMIT 1", "COMMIT", "SELECT FOUND_ROWS()"],
    &["SET sql_select_limit = 2", "SELECT a FROM t LIMIT 3", "COMMIT", "SELECT FOUND_ROWS()"],
    &["UPDATE t SET b = b + 1 WHERE a < 3", "ping", "SELECT ROW_COUNT()"],
    // In characters that have to be asked for first.
    &["SET character_set_results = NULL", "UPDATE t SET b = 7 WHERE a < 3", "SELECT ROW_COUNT() AS `é`"],
    // Text that is not read.
    &[
        "INSERT INTO n (a) VALUES (1)",
        "BEGIN",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "<long>SELECT ROW_COUNT()",
    ],
];

/// How Headgate is started.
const MODES: &[&[&str]] = &[
    &[],
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "250ms"],
];

/// ER_NOT_SUPPORTED_YET: what is not known any more.
const GONE: u16 = 1235;

/// ER_PARSE_ERROR: the other family alone has this statement.
const NO_SUCH_STATEMENT: u16 = 1064;

/// What the last statement of a case is answered; an error's number where one fails.
async fn answer(
    case: &[&str],
    schema: &str,
    connection: &mut Connection,
    mut interloper: Option<&mut Interloper>,
) -> Result<Vec<String>, u16> {
    let mut prepared = 0;
    let mut rows = Vec::new();
    for statement in case {
        if let Some(interloper) = &mut interloper {
            interloper.turn().await.unwrap();
        }
        let text = statement.replace("<schema>", schema);
        let reply = match text.split_once(' ') {
            Some(("prepare", rest)) => {
                let reply = connection.prepare(rest.split_once(": ").unwrap().1.as_bytes()).await.unwrap();
                prepared = reply.statement.unwrap_or_default();
                reply
            }
            Some(("execute", _)) => connection.execute(prepared, 0, &[], &[]).await.unwrap(),
            None if text == "ping" => connection.command(&[0x0e], crate::client::Shape::Query).await.unwrap(),
            _ => connection.query(&text).await.unwrap(),
        };
        if let Some(error) = reply.error {
            return Err(error.code);
        }
        rows = reply.lines.into_iter().filter(|line| line.contains(" row ")).collect();
    }
    Ok(rows)
}

async fn fresh(cluster: &Cluster, schema: &str) {
    let mut admin = root(cluster).connect().await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {schema}"),
        format!("CREATE DATABASE {schema}"),
        format!("CREATE TABLE {schema}.t (a INT PRIMARY KEY, b INT)"),
        format!("CREATE TABLE {schema}.t2 (a INT PRIMARY KEY)"),
        format!("CREATE TABLE {schema}.n (id INT AUTO_INCREMENT PRIMARY KEY, a INT)"),
        format!("CREATE TABLE {schema}.log (n BIGINT)"),
        format!("INSERT INTO {schema}.t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)"),
        format!("INSERT INTO {schema}.t2 VALUES (1), (2), (3), (4)"),
    ] {
        let reply = admin.query(&sql).await.unwrap();
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    }
    admin.quit().await.unwrap();
}

async fn answers_are_right_or_none(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let (user, password) = SCRIPT_USER;
    let schema = "d_looking_back";
    let mut wrong = Vec::new();
    for mode in MODES {
        let headgate = Headgate::start(cluster, mode).await.unwrap();
        let mut known = 0;
        for case in CASES {
            let options = |address| Options::new(address, user, password).tls(true).schema(schema);
            fresh(cluster, schema).await;
            let mut direct = options(cluster.primary().address()).connect().await.unwrap();
            let expected = answer(case, schema, &mut direct, None).await;
            direct.quit().await.unwrap();
            if expected == Err(NO_SUCH_STATEMENT) {
                continue;
            }
            assert!(expected.is_ok(), "{case:?}: {expected:?}");
            fresh(cluster, schema).await;
            cluster.wait_caught_up(std::time::Duration::from_secs(10)).await.unwrap();
            let mut session = options(headgate.address()).connect().await.unwrap();
            let mut interloper = match mode.is_empty() {
                true => None,
                false => Some(Interloper::start(&options(headgate.address())).await.unwrap()),
            };
            let answered = answer(case, schema, &mut session, interloper.as_mut()).await;
            session.quit().await.unwrap();
            if let Some(interloper) = interloper {
                interloper.leave().await.unwrap();
            }
            known += usize::from(answered.is_ok());
            if answered != expected && answered != Err(GONE) {
                wrong.push(format!("{mode:?} {case:?}: {answered:?} instead of {expected:?}"));
            }
        }
        assert!(known > 0, "hardly a question is answered: {known}");
        headgate.stop().await.unwrap();
    }
    assert!(wrong.is_empty(), "{} wrong answers\n{}", wrong.len(), wrong.join("\n"));
}

on!(MySql on_mysql: answers_are_right_or_none);
on!(MariaDb on_mariadb: answers_are_right_or_none);
