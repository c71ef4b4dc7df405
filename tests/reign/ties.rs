//! What a session has on its lost connection alone is never silently missing: it hears of it before anything else runs.

use std::time::Duration;

use headgate::lab::Flavor;
use headgate::wire::command::Command;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Shape};
use crate::stage::{Stage, run, value};

async fn kill_and_promote(stage: &Stage) {
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.cluster.primary().kill();
    sleep(Duration::from_millis(300)).await;
    stage.promote().await;
    sleep(Duration::from_millis(1500)).await;
}

/// The number of the error that a statement ends in; nothing where it succeeds. A broken connection is as good as one.
async fn fails(connection: &mut Connection, statement: &str) -> Option<u16> {
    match connection.query(statement).await {
        Ok(reply) => reply.error.map(|error| error.code),
        Err(_) => Some(0),
    }
}

async fn ties(flavor: Flavor) {
    // Where connections are shared, LAST_INSERT_ID() goes with the session.
    let stage = Stage::start(flavor, &["--pool-mode=session"]).await;
    for statement in [
        "CREATE TABLE app.p (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
        "CREATE TABLE app.b (v INT)",
        "INSERT INTO app.t VALUES (100, 'base')",
    ] {
        stage.cluster.primary().sql(statement).await.unwrap();
    }
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(stage.client().connect().await.unwrap());
    }
    let [ids, lock, temp, close, ddl, ro, next, level] = &mut connections[..] else { panic!("eight") };
    run(ids, "INSERT INTO p (v) VALUES (1)").await;
    run(lock, "SELECT GET_LOCK('mine', 0)").await;
    run(lock, "BEGIN").await;
    run(lock, "INSERT INTO t VALUES (200, 'lock')").await;
    run(temp, "CREATE TEMPORARY TABLE b (v INT)").await;
    run(temp, "BEGIN").await;
    run(temp, "INSERT INTO t VALUES (201, 'temp')").await;
    let prepared = close.prepare(b"SELECT 1").await.unwrap().statement.unwrap();
    run(close, "BEGIN").await;
    run(close, "INSERT INTO t VALUES (202, 'close')").await;
    run(ddl, "BEGIN").await;
    run(ddl, "INSERT INTO t VALUES (203, 'ddl')").await;
    assert_eq!(fails(ddl, "CREATE TABLE t (x INT)").await, Some(1050));
    run(ro, "START TRANSACTION READ ONLY").await;
    run(ro, "SELECT /* headgate: primary */ COUNT(*) FROM t").await;
    run(next, "SELECT /* headgate: primary */ 1 FROM t").await;
    run(next, "SET TRANSACTION READ ONLY").await;
    run(level, "BEGIN").await;
    run(level, "SELECT /* headgate: primary */ COUNT(*) FROM t").await;
    kill_and_promote(&stage).await;
    // The id of the last insert is not made up.
    assert_eq!(fails(ids, "SELECT LAST_INSERT_ID()").await, Some(1235));
    run(ids, "INSERT INTO p (v) VALUES (2)").await;
    assert_ne!(value(ids, "SELECT LAST_INSERT_ID()").await, "0");
    // What is behind an open transaction counts too.
    assert!(fails(lock, "SELECT 1 FROM t WHERE n = 100").await.is_some());
    assert!(fails(temp, "INSERT INTO b VALUES (77)").await.is_some());
    assert!(fails(temp, "INSERT INTO b VALUES (77)").await.is_some());
    // A command without a reply gets none.
    close.statement_command(Command::StmtClose, prepared).await.unwrap();
    assert_eq!(fails(close, "SELECT 'first'").await, Some(1213));
    assert_eq!(value(close, "SELECT 'second'").await, "second");
    // Whether the DDL that failed had committed first is not for Headgate to say.
    let told = fails(ddl, "INSERT INTO t VALUES (204, 'ddl')").await;
    assert!(told.is_some_and(|code| code != 1213), "{told:?}");
    // A transaction that was read only does not become one that writes.
    assert!(fails(ro, "INSERT INTO t VALUES (205, 'ro')").await.is_some());
    assert!(fails(next, "BEGIN").await.is_some());
    assert_eq!(fails(level, "SELECT COUNT(*) FROM t").await, Some(1213));
    let rows = stage.rows().await;
    for gone in ["200 lock", "201 temp", "202 close", "205 ro"] {
        assert!(!rows.iter().any(|row| row == gone), "{rows:?}");
    }
    assert!(stage.cluster.replicas()[0].sql("SELECT v FROM app.b").await.unwrap().is_empty());
}

/// The primary is read only for a moment: who has something on the connection keeps it, and hears the refusal.
async fn refusal(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let mut tied = stage.client().connect().await.unwrap();
    run(&mut tied, "SELECT GET_LOCK('mine', 0)").await;
    run(&mut tied, "CREATE TEMPORARY TABLE t (n INT, who VARCHAR(20))").await;
    stage.freeze().await;
    assert_eq!(fails(&mut tied, "CREATE TABLE app.other (x INT)").await, Some(1290));
    assert_eq!(value(&mut tied, "SELECT IS_USED_LOCK('mine') = CONNECTION_ID()").await, "1");
    stage.cluster.primary().sql("SET GLOBAL read_only = OFF").await.unwrap();
    run(&mut tied, "INSERT INTO t VALUES (2, 'temporary')").await;
    assert!(stage.cluster.primary().sql("SELECT n FROM app.t").await.unwrap().is_empty());
}

/// Two servers take writes, so that Headgate refuses them itself: what a statement was about to let go of is still there.
async fn refused_here(flavor: Flavor) {
    let pool = ["--pool-mode=transaction", "--max-connections-per-server=1", "--pool-wait-timeout=500ms"];
    // Those that outlive their primary wait for the next one instead.
    let stage = Stage::start_with(flavor, "close", &pool).await;
    let mut tied = stage.client().connect().await.unwrap();
    let mut other = stage.client().connect().await.unwrap();
    run(&mut tied, "CREATE TEMPORARY TABLE mine (n INT)").await;
    let word = if flavor == Flavor::MySql { "REPLICA" } else { "SLAVE" };
    for replica in stage.cluster.replicas() {
        replica.sql(format!("STOP {word}")).await.unwrap();
        replica.sql(format!("RESET {word} ALL")).await.unwrap();
    }
    let second = &stage.cluster.replicas()[0];
    second.sql("SET GLOBAL read_only = OFF").await.unwrap();
    let end = Instant::now() + crate::stage::PATIENCE;
    while fails(&mut tied, "REPLACE INTO t VALUES (1, 'tied')").await != Some(1290) {
        assert!(Instant::now() < end, "two servers take writes, and nobody minds");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(fails(&mut tied, "DROP TEMPORARY TABLE mine").await, Some(1290));
    tied.command(&[Command::Ping as u8], Shape::Query).await.unwrap();
    second.sql("SET GLOBAL read_only = ON").await.unwrap();
    while fails(&mut tied, "REPLACE INTO t VALUES (1, 'tied')").await.is_some() {
        assert!(Instant::now() < end, "one server takes writes, and nobody may");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(fails(&mut other, "SELECT 1 FROM t FOR UPDATE").await, Some(1040));
    assert_eq!(value(&mut tied, "SELECT COUNT(*) FROM mine").await, "0");
}

/// A long execution is cut in the middle: its rest is no command, whatever is in it.
async fn rest(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let mut client = stage.client().connect().await.unwrap();
    let packet = |sql: &str| {
        let mut packet = vec![u8::try_from(sql.len() + 1).unwrap(), 0, 0, 0, Command::Query as u8];
        packet.extend_from_slice(sql.as_bytes());
        packet
    };
    let inside = packet("INSERT INTO t VALUES (666, 'injected')  ");
    // The statement is as long as many of them, behind what makes a whole number of them.
    let mut head = format!("INSERT INTO t VALUES (1, '{}", " ".repeat(inside.len()));
    head.truncate(inside.len() * 2 - 5);
    let body = String::from_utf8(inside.repeat(100_000)).unwrap();
    let statement = format!("{head}{body}')");
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    client.send_part(&statement, 0..inside.len() * 50_000).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    kill_and_promote(&stage).await;
    // As much as the client can still send.
    let _ = client.send_part(&statement, inside.len() * 50_000..usize::MAX).await;
    sleep(Duration::from_secs(1)).await;
    assert!(stage.rows().await.is_empty(), "{:?}", stage.rows().await);
}

macro_rules! on_both {
    ($($what:ident: $mysql:ident, $mariadb:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $mysql() {
            $what(Flavor::MySql).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $mariadb() {
            $what(Flavor::MariaDb).await;
        }
    )+};
}

on_both! {
    ties: what_is_lost_is_told_on_mysql, what_is_lost_is_told_on_mariadb;
    refused_here: what_is_refused_lets_go_of_nothing_on_mysql, what_is_refused_lets_go_of_nothing_on_mariadb;
    refusal: who_is_tied_hears_the_refusal_on_mysql, who_is_tied_hears_the_refusal_on_mariadb;
    rest: the_rest_of_a_cut_command_is_none_on_mysql, the_rest_of_a_cut_command_is_none_on_mariadb;
}
