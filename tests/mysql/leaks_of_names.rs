//! Sessions that share one connection to the primary: what a name means there is for the server to say, and where that is
//! not what it seems, the session keeps its connection.

use headgate::lab::Flavor;
use headgate::wire::command::Command;
use tokio::time::sleep;

use crate::client::{Connection, Shape};
use crate::leaks::as_root;
use crate::sharing::{FACTS_READ, PING, Scene, error_of, ok};

/// One connection a server, for which nobody waits long.
const ONE: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "500ms"];

/// ER_CON_COUNT_ERROR: the only connection is another session's.
const KEPT: u16 = 1040;

/// COM_RESET_CONNECTION.
const RESET: &[u8] = &[0x1f];

async fn run(connection: &mut Connection, statements: &[&str]) {
    // The last one leaves nothing to be asked about, which would keep the connection too.
    for sql in statements.iter().chain(&[PING]) {
        ok(connection, sql).await;
    }
}

async fn prepare(connection: &mut Connection, text: &[u8]) -> u32 {
    let told = connection.prepare(text).await.unwrap();
    told.statement.unwrap_or_else(|| panic!("{:?}", told.error))
}

async fn execute(connection: &mut Connection, id: u32) {
    let reply = connection.execute(id, 0, &[], &[]).await.unwrap();
    assert!(reply.error.is_none(), "{:?}", reply.error);
}

/// Statements after which the server has something under a name that means another thing to it than to a reader.
async fn names_that_mislead_keep(flavor: Flavor) {
    let scene = Scene::begin_with(flavor, "mislead", ONE).await;
    let mut other = scene.session().await;
    let mut cases: Vec<&[&str]> = vec![
        &[
            "CREATE TEMPORARY TABLE tmp (a INT)",
            "SELECT 1; ALTER TABLE tmp RENAME TO tmp2",
            "DROP TEMPORARY TABLE IF EXISTS tmp",
        ],
        &[
            "CREATE TEMPORARY TABLE `\u{e9}` (a INT)",
            "SET NAMES latin1",
            "DROP TEMPORARY TABLE IF EXISTS `\u{e9}`",
        ],
        // It has a type by now, which NULL does not change.
        &["SET @a = 5", "SET @a = NULL"],
        &["SET sql_mode = 'ANSI_QUOTES'", "SET @\"a`b\" = 1"],
    ];
    if flavor == Flavor::MySql {
        // MariaDB compares bytes in both.
        cases.push(&["SELECT GET_LOCK('\u{e9}', 0)", "SET NAMES latin1", "SELECT RELEASE_LOCK('none')"]);
        cases.push(&["SET @a = 1, @`a ` = 2"]);
    }
    let mut lost = Vec::new();
    for statements in cases {
        let mut one = scene.session().await;
        run(&mut one, statements).await;
        if error_of(&mut other, PING).await != KEPT {
            lost.push(statements);
        }
        one.command(RESET, Shape::Query).await.unwrap();
        one.quit().await.unwrap();
        ok(&mut other, PING).await;
    }
    assert!(lost.is_empty(), "another session has the connection after {lost:?}");
    other.quit().await.unwrap();
    scene.end().await;
}

/// A session whose statements are too many to be remembered runs one unread.
async fn statements_that_are_not_remembered_keep(flavor: Flavor) {
    /// Of texts that are read and fill what is remembered of one session, four.
    const LONGEST: usize = 256 * 1024 - 1;
    let scene = Scene::begin_with(flavor, "unread", ONE).await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    let comment = "x".repeat(LONGEST - "SELECT 1 /**/".len());
    for _ in 0..4 {
        prepare(&mut one, format!("SELECT 1 /*{comment}*/").as_bytes()).await;
    }
    let id = prepare(&mut one, b"SELECT GET_LOCK('d_leaks_unread', 0)").await;
    execute(&mut one, id).await;
    one.statement_command(Command::StmtClose, id).await.unwrap();
    assert_eq!(error_of(&mut other, PING).await, KEPT);
    for session in [one, other] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// Statements mean what they meant when they were prepared, whatever the session is when it executes them.
async fn executions_mean_what_was_prepared(flavor: Flavor) {
    let scene = Scene::begin_with(flavor, "prepared", ONE).await;
    let second = format!("{}_second", scene.schema);
    as_root(flavor, &[format!("DROP DATABASE IF EXISTS {second}"), format!("CREATE DATABASE {second}")])
        .await;
    let mut other = scene.session().await;
    let moves = format!("USE {second}");
    let cases: [(&str, &str, &str, &str); 2] = [
        ("DO 0", "CREATE TEMPORARY TABLE tmp (a INT)", &moves, "DROP TEMPORARY TABLE IF EXISTS tmp"),
        // Where a backslash escapes, the function stands in a string.
        (
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
            "SELECT '\\', GET_LOCK('d_leaks_prepared', 0), 'a\\' -- '",
            "SET sql_mode = ''",
            "DO 0",
        ),
    ];
    let mut lost = Vec::new();
    for (before, text, between, after) in cases {
        let mut one = scene.session().await;
        ok(&mut one, before).await;
        let id = prepare(&mut one, text.as_bytes()).await;
        ok(&mut one, between).await;
        execute(&mut one, id).await;
        run(&mut one, &[after]).await;
        if error_of(&mut other, PING).await != KEPT {
            lost.push(text);
        }
        one.quit().await.unwrap();
        ok(&mut other, PING).await;
    }
    other.quit().await.unwrap();
    scene.end().await;
    assert!(lost.is_empty(), "another session has the connection after {lost:?}");
}

/// A string that was prepared under other character sets goes with its session as it is.
async fn strings_stay_what_was_prepared(flavor: Flavor) {
    let scene = Scene::begin_with(flavor, "strings", ONE).await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    let id = prepare(&mut one, "SET @a = '\u{e9}'".as_bytes()).await;
    ok(&mut one, "SET NAMES latin1").await;
    execute(&mut one, id).await;
    // Where the other one gets the connection, the string is carried.
    error_of(&mut other, "SET @b = 1").await;
    let asks = "SELECT HEX(@a), CHARSET(@a), CHAR_LENGTH(@a)";
    assert_eq!(ok(&mut one, asks).await, "\"C3A9\", \"utf8mb4\", \"1\"");
    for session in [one, other] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// What stored code does to the session under a name, or a function in quotes.
async fn calls_that_leave_names_keep(flavor: Flavor) {
    // Before Headgate looks for the first time: what others define later, it knows after ten seconds.
    let create = "CREATE PROCEDURE d_leaks_code";
    let code = [
        "DROP DATABASE IF EXISTS d_leaks_code".to_owned(),
        "CREATE DATABASE d_leaks_code".to_owned(),
        format!("{create}.quiet(n INT) DO 0"),
        format!("{create}.renames() ALTER TABLE tmp RENAME TO tmp2"),
        format!("{create}.locks() DO `get_lock`('d_leaks_calls', 0)"),
        "SET sql_mode = 'ANSI_QUOTES'".to_owned(),
        format!("{create}.locks_too() DO \"get_lock\"('d_leaks_calls', 0)"),
    ];
    as_root(flavor, &code).await;
    let scene = Scene::begin_with(flavor, "calls", ONE).await;
    let mut other = scene.session().await;
    let mut looks = 0;
    loop {
        sleep(FACTS_READ).await;
        let mut one = scene.session().await;
        ok(&mut one, "CALL d_leaks_code.quiet(1)").await;
        let kept = error_of(&mut other, PING).await == KEPT;
        one.quit().await.unwrap();
        if !kept {
            break;
        }
        looks += 1;
        assert!(looks < 10, "what the procedure does is never known");
    }
    let cases: [&[&str]; 4] = [
        &[
            "CREATE TEMPORARY TABLE d_leaks_code.tmp (a INT)",
            "CALL d_leaks_code.renames()",
            "DROP TEMPORARY TABLE IF EXISTS d_leaks_code.tmp",
        ],
        &["CALL d_leaks_code.quiet(`GET_LOCK`('d_leaks_calls', 0))"],
        &["CALL d_leaks_code.locks()"],
        &["CALL d_leaks_code.locks_too()"],
    ];
    let mut lost = Vec::new();
    for statements in cases {
        let mut one = scene.session().await;
        run(&mut one, statements).await;
        if error_of(&mut other, PING).await != KEPT {
            lost.push(statements);
        }
        one.quit().await.unwrap();
        ok(&mut other, PING).await;
    }
    assert!(lost.is_empty(), "another session has the connection after {lost:?}");
    other.quit().await.unwrap();
    scene.end().await;
}

on!(MySql on_mysql:
    names_that_mislead_keep
    statements_that_are_not_remembered_keep
    executions_mean_what_was_prepared
    strings_stay_what_was_prepared
    calls_that_leave_names_keep
);

on!(MariaDb on_mariadb:
    names_that_mislead_keep
    statements_that_are_not_remembered_keep
    executions_mean_what_was_prepared
    strings_stay_what_was_prepared
    calls_that_leave_names_keep
);
