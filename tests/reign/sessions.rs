//! Sessions wait for the next primary, move there, and have what they had.

use std::time::Duration;

use headgate::lab::Flavor;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Param};
use crate::stage::{Stage, run, value};

/// Clients that are there when the primary dies.
const CLIENTS: usize = 8;

/// Executes a statement with one number.
async fn execute(connection: &mut Connection, statement: u32, number: i64) {
    const LONGLONG: u8 = 8;
    let value = Some(number.to_le_bytes().to_vec());
    let param = Param { name: String::new(), kind: LONGLONG, unsigned: false, value };
    let reply = connection.execute(statement, 0, &[param], &[]).await.unwrap();
    assert!(reply.error.is_none(), "{:?}", reply.error);
}

async fn go_on(flavor: Flavor, mode: &[&str]) {
    let stage = Stage::start(flavor, mode).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut connection = stage.client().connect().await.unwrap();
        run(&mut connection, "SET SESSION sql_mode = 'ANSI', time_zone = '+05:00'").await;
        run(&mut connection, &format!("SET @mine = {number}")).await;
        run(&mut connection, "SET NAMES latin1").await;
        let prepared = connection.prepare(b"INSERT INTO t VALUES (?, 'prepared')").await.unwrap();
        let statement = prepared.statement.unwrap();
        execute(&mut connection, statement, i64::try_from(number).unwrap()).await;
        clients.push((connection, statement));
    }
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.cluster.primary().kill();
    let killed = Instant::now();
    // Most are idle; one asks before anybody was promoted.
    let (hasty, _) = &mut clients[0];
    // What is sent in the very moment may have been done.
    let write = async {
        sleep(Duration::from_millis(100)).await;
        run(hasty, "INSERT INTO t VALUES (1000, 'held')").await
    };
    let promote = async {
        sleep(Duration::from_millis(800)).await;
        stage.promote().await;
    };
    let (_, ()) = tokio::join!(write, promote);
    let waited = killed.elapsed();
    for (number, (connection, statement)) in clients.iter_mut().enumerate() {
        let seen =
            value(connection, "SELECT CONCAT(@mine, ' ', @@time_zone, ' ', @@character_set_client)").await;
        assert_eq!(seen, format!("{number} +05:00 latin1"));
        execute(connection, *statement, i64::try_from(100 + number).unwrap()).await;
    }
    let rows = stage.rows().await;
    assert_eq!(rows.len(), 2 * CLIENTS + 1, "{rows:?}");
    assert!(rows.contains(&"1000 held".to_owned()), "{rows:?}");
    println!(
        "{flavor} {mode:?}: the held write took {} ms, of which 800 nobody was promoted",
        waited.as_millis()
    );
}

const SHARING: &[&str] = &["--pool-mode=transaction"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_a_killed_primary_on_mysql() {
    go_on(Flavor::MySql, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_a_killed_primary_on_mariadb() {
    go_on(Flavor::MariaDb, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_sessions_outlive_a_killed_primary_on_mysql() {
    go_on(Flavor::MySql, SHARING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_sessions_outlive_a_killed_primary_on_mariadb() {
    go_on(Flavor::MariaDb, SHARING).await;
}
