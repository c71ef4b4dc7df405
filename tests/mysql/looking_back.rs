//! Questions about the statement before, with whatever may come between the two: the answer is the one of a single
//! connection, or 1235, and never another.

use headgate::lab::{Cluster, Flavor};
use headgate::wire::command::Command;

use crate::client::{Connection, Options, Reply, Shape};
use crate::headgate::Headgate;
use crate::interloper::Interloper;
use crate::servers::{SCRIPT_USER, cluster, root};

/// Statements, of which the last is the question. [`send`] says what stands for commands that are none.
const CASES: &[&[&str]] = &[
    // Prepared under other settings, so that another connection has to prepare it anew, or it runs at home.
    &[
        "<prepare>INSERT INTO log VALUES (ROW_COUNT())",
        "SET time_zone = '+05:00'",
        "INSERT INTO n (a) VALUES (1), (2)",
        "<execute>",
        "SELECT n FROM log",
    ],
    &[
        "<prepare>SELECT ROW_COUNT()",
        "SET time_zone = '+05:00'",
        "BEGIN",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "<execute>",
    ],
    &["<prepare>SELECT ROW_COUNT()", "INSERT INTO n (a) VALUES (1), (2)", "<execute>"],
    &[
        "<prepare>SELECT ROW_COUNT()",
        "BEGIN",
        "USE d_looking_back",
        "UPDATE t SET b = b + 1 WHERE a < 3",
        "<execute>",
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
    &["SELECT a FROM t", "USE d_looking_back", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t", "SET NAMES utf8mb4", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t LIMIT 3 OFFSET 1", "COMMIT", "SELECT FOUND_ROWS()"],
    &["SELECT a FROM t LIMIT 1, 2", "COMMIT", "SELECT FOUND_ROWS()"],
    &["(SELECT a FROM t LIMIT 1) UNION ALL SELECT 1 LIMIT 1", "COMMIT", "SELECT FOUND_ROWS()"],
    &["SET sql_select_limit = 2", "SELECT a FROM t LIMIT 3", "COMMIT", "SELECT FOUND_ROWS()"],
    &["UPDATE t SET b = b + 1 WHERE a < 3", "<ping>", "SELECT ROW_COUNT()"],
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

/// What may be asked about, and the question.
const QUESTIONS: &[(&[&str], &str)] = &[
    (&["SELECT a + 'x' FROM t"], "SHOW WARNINGS"),
    (&["SELECT a + 'x' FROM t"], "SELECT @@warning_count"),
    (&["BEGIN", "SELECT a + 'x' FROM t"], "SHOW WARNINGS"),
    // After an error, reads of the session stay on the primary.
    (&["INSERT INTO t VALUES (1, 1)", "SELECT CAST('12x' AS SIGNED)"], "SHOW WARNINGS"),
    (&["INSERT INTO t VALUES (1, 1)"], "SHOW ERRORS"),
    (&["UPDATE t SET b = b + 1 WHERE a < 3"], "SELECT ROW_COUNT()"),
    (&["SELECT a FROM t LIMIT 3"], "SELECT FOUND_ROWS()"),
    (&["BEGIN", "SELECT a FROM t LIMIT 3 OFFSET 1"], "SELECT FOUND_ROWS()"),
    (
        &["UPDATE t SET b = b + 1 WHERE a < 3", "START TRANSACTION READ ONLY", "SELECT a FROM t LIMIT 3"],
        "SELECT FOUND_ROWS()",
    ),
    (
        &["UPDATE t SET b = b + 1 WHERE a < 3", "START TRANSACTION READ ONLY", "SELECT a FROM t LIMIT 3"],
        "SELECT ROW_COUNT()",
    ),
    (&["START TRANSACTION READ ONLY", "SELECT a + 'x' FROM t"], "SHOW WARNINGS"),
];

/// Commands that are no statements and may come between the two.
const COMMANDS: &[&str] = &[
    "<ping>",
    "<statistics>",
    "<option>",
    "<schema>d_looking_back",
    "<schema>nowhere",
    "<fields>t",
    "<reset>",
    "<prepare>SELECT 1",
    "<prepare>SELECT nothing FROM nowhere",
    "<close>",
    "<restart>",
    "<kill>",
];

/// [`CASES`], and every question with every command before it.
fn cases() -> Vec<Vec<String>> {
    let own = |case: &[&str]| -> Vec<String> { case.iter().map(|text| (*text).to_owned()).collect() };
    let mut cases: Vec<_> = CASES.iter().map(|case| own(case)).collect();
    for (about, question) in QUESTIONS {
        cases.extend(
            COMMANDS
                .iter()
                .map(|command| own(&[&["<prepare>SELECT 2"], *about, &[*command, *question]].concat())),
        );
    }
    cases
}

/// How Headgate is started.
const MODES: &[&[&str]] = &[
    &[],
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "250ms"],
];

const SCHEMA: &str = "d_looking_back";

/// ER_NOT_SUPPORTED_YET: what is not known any more.
const GONE: u16 = 1235;

/// ER_PARSE_ERROR: the other family alone has this statement.
const NO_SUCH_STATEMENT: u16 = 1064;

/// Sends a statement, or what stands for a command in the binary protocol. `prepared`: the statement prepared last.
async fn send(connection: &mut Connection, text: &str, prepared: &mut u32) -> Reply {
    let reply = match text.split_once('>') {
        Some(("<prepare", sql)) => {
            let reply = connection.prepare(sql.as_bytes()).await;
            *prepared = reply.as_ref().ok().and_then(|reply| reply.statement).unwrap_or(*prepared);
            reply
        }
        Some(("<execute", _)) => connection.execute(*prepared, 0, &[], &[]).await,
        Some(("<close", _)) => connection.statement_command(Command::StmtClose, *prepared).await,
        Some(("<restart", _)) => connection.statement_command(Command::StmtReset, *prepared).await,
        Some(("<kill", _)) => {
            let own = connection.greeting.thread_id;
            connection.query(format!("KILL QUERY {own}")).await
        }
        Some(("<ping", _)) => connection.command(&[Command::Ping as u8], Shape::Query).await,
        Some(("<statistics", _)) => connection.command(&[Command::Statistics as u8], Shape::Text).await,
        Some(("<option", _)) => connection.command(&[Command::SetOption as u8, 0, 0], Shape::Query).await,
        Some(("<reset", _)) => connection.command(&[Command::ResetConnection as u8], Shape::Query).await,
        Some(("<schema", name)) => {
            connection.command(&[&[Command::InitDb as u8], name.as_bytes()].concat(), Shape::Query).await
        }
        Some(("<fields", table)) => {
            let pattern = [&[Command::FieldList as u8], table.as_bytes(), &[0]].concat();
            connection.command(&pattern, Shape::Fields).await
        }
        _ => connection.query(text).await,
    };
    reply.unwrap()
}

/// What the last statement of a case is answered; an error's number where it fails.
async fn answer(
    case: &[String],
    connection: &mut Connection,
    mut interloper: Option<&mut Interloper>,
) -> Result<Vec<String>, u16> {
    let mut prepared = 0;
    let mut answer = Ok(Vec::new());
    for text in case {
        if let Some(interloper) = &mut interloper {
            interloper.turn().await.unwrap();
        }
        let reply = send(connection, text, &mut prepared).await;
        answer = match reply.error {
            // The other family alone has it, or Headgate does not know any more.
            Some(error) if matches!(error.code, NO_SUCH_STATEMENT | GONE) => return Err(error.code),
            Some(error) => Err(error.code),
            None => Ok(reply.lines.into_iter().filter(|line| line.contains(" row ")).collect()),
        };
    }
    answer
}

async fn fresh(cluster: &Cluster) {
    let schema = SCHEMA;
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

async fn answers_follow_the_statement(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let (user, password) = SCRIPT_USER;
    let mut wrong = Vec::new();
    for mode in MODES {
        let headgate = Headgate::start(cluster, mode).await.unwrap();
        let mut known = 0;
        for (number, case) in cases().iter().enumerate() {
            let options = |address| Options::new(address, user, password).tls(true).schema(SCHEMA);
            // What follows those leaves the schema as it is.
            let changes = number <= CASES.len();
            if changes {
                fresh(cluster).await;
            }
            let mut direct = options(cluster.primary().address()).connect().await.unwrap();
            let expected = answer(case, &mut direct, None).await;
            direct.quit().await.unwrap();
            if expected == Err(NO_SUCH_STATEMENT) {
                continue;
            }
            assert!(expected.is_ok(), "{case:?}: {expected:?}");
            if changes {
                fresh(cluster).await;
                cluster.wait_caught_up(std::time::Duration::from_secs(10)).await.unwrap();
            }
            let mut session = options(headgate.address()).connect().await.unwrap();
            let mut interloper = match mode.is_empty() {
                true => None,
                false => Some(Interloper::start(&options(headgate.address())).await.unwrap()),
            };
            let answered = answer(case, &mut session, interloper.as_mut()).await;
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

/// What another session does with the only connection, before what the client does next and before the question.
const OTHERS: [&str; 2] = [
    "UPDATE t SET b = b + 1 WHERE a < 5",
    "/* headgate: primary */ SELECT CAST('others' AS SIGNED), @@session.unique_checks",
];

/// What the client does, what comes between, and the question.
const ALONE: &[[&str; 3]] = &[
    ["UPDATE t SET b = b + 1 WHERE a < 3", "<statistics>", "SELECT ROW_COUNT()"],
    ["UPDATE t SET b = b + 1 WHERE a < 3", "<schema>d_looking_back", "SELECT ROW_COUNT()"],
    ["SELECT CAST('mine' AS SIGNED), @@session.unique_checks", "<schema>d_looking_back", "SHOW WARNINGS"],
    ["SELECT CAST('mine' AS SIGNED), @@session.unique_checks", "<statistics>", "SHOW WARNINGS"],
    ["SELECT CAST('mine' AS SIGNED), @@session.unique_checks", "SET @a = 1", "SHOW WARNINGS"],
];

/// Two sessions take turns on one connection, in every way in which the other may have a turn before the last two.
async fn answers_are_its_own(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    fresh(cluster).await;
    let flags =
        &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "5s"];
    let headgate = Headgate::start(cluster, flags).await.unwrap();
    let (user, password) = SCRIPT_USER;
    let options = |address| Options::new(address, user, password).tls(true).schema(SCHEMA);
    let mut wrong = Vec::new();
    for case in ALONE {
        let case: Vec<String> = case.iter().map(|text| (*text).to_owned()).collect();
        let mut direct = options(cluster.primary().address()).connect().await.unwrap();
        let expected = answer(&case, &mut direct, None).await;
        direct.quit().await.unwrap();
        for turns in 0..9 {
            let mut one = options(headgate.address()).connect().await.unwrap();
            let mut other = options(headgate.address()).connect().await.unwrap();
            let mut answered = Ok(Vec::new());
            for (number, text) in case.iter().enumerate() {
                let turn = [0, turns % 3, turns / 3][number];
                if let Some(sql) = OTHERS.iter().take(turn).next_back() {
                    let reply = other.query(*sql).await.unwrap();
                    assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
                }
                answered = answer(std::slice::from_ref(text), &mut one, None).await;
                if answered == Err(GONE) {
                    break;
                }
            }
            if answered != expected && answered != Err(GONE) {
                wrong.push(format!("{turns} {case:?}: {answered:?} instead of {expected:?}"));
            }
            one.quit().await.unwrap();
            other.quit().await.unwrap();
        }
    }
    if flavor == Flavor::MariaDb {
        let mut one = options(headgate.address()).connect().await.unwrap();
        let mut other = options(headgate.address()).connect().await.unwrap();
        let write = "UPDATE t SET b = b + 1 WHERE a < 3".to_owned();
        let ask = "SELECT @@last_gtid".to_owned();
        let own = answer(&[write, ask.clone()], &mut one, None).await;
        other.query(OTHERS[0]).await.unwrap();
        let asked = answer(&["<schema>d_looking_back".to_owned(), ask], &mut one, None).await;
        assert!(asked == own || asked == Err(GONE), "{asked:?} and not {own:?}");
        one.quit().await.unwrap();
        other.quit().await.unwrap();
    }
    headgate.stop().await.unwrap();
    assert!(wrong.is_empty(), "{} wrong answers\n{}", wrong.len(), wrong.join("\n"));
}

/// One after the other, in the same schema.
async fn answers_are_right_or_none(flavor: Flavor) {
    answers_follow_the_statement(flavor).await;
    answers_are_its_own(flavor).await;
}

on!(MySql on_mysql: answers_are_right_or_none);
on!(MariaDb on_mariadb: answers_are_right_or_none);
