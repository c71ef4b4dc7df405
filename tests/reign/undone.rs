//! What was under way on the lost primary, and is known to be undone: it could be committed by a COMMIT alone, which was
//! not sent. Drivers for Python switch autocommit off, so that with them every first statement is of that kind.

use std::time::Duration;

use headgate::lab::{Fault, Flavor};
use tokio::time::sleep;

use crate::client::Shape;
use crate::stage::{Stage, run, value};

/// The session that was told 1213 may begin again at once.
async fn undone(flavor: Flavor, first: &str) {
    let stage = Stage::start(flavor, &[]).await;
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "INSERT INTO t VALUES (1, 'before')").await;
    run(&mut connection, "SET autocommit = 0").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    // What a write lock keeps waiting is under way.
    let mut locker = stage.client().connect().await.unwrap();
    run(&mut locker, "LOCK TABLES t WRITE").await;
    let kill = async {
        sleep(Duration::from_millis(500)).await;
        stage.cluster.primary().kill();
        stage.promote().await;
    };
    let ((), reply) = tokio::join!(kill, connection.query(first));
    let error = reply.unwrap().error.unwrap_or_else(|| panic!("{first}: it was not under way"));
    assert_eq!((error.code, error.state.as_slice()), (1213, &b"40001"[..]), "{first}: {error}");
    run(&mut connection, "INSERT INTO t VALUES (3, 'after')").await;
    run(&mut connection, "COMMIT").await;
    assert_eq!(stage.rows().await, ["1 before", "3 after"]);
}

/// A BEGIN on its way to a primary that is lost has nothing to undo, and its client notices nothing.
async fn begins(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "SET @mark = 7").await;
    let link = stage.cluster.primary().link().unwrap();
    link.set(Fault::Swallow).await;
    let kill = async {
        sleep(Duration::from_millis(500)).await;
        stage.cluster.primary().kill();
        link.set(Fault::Refuse).await;
        stage.promote().await;
    };
    let ((), reply) = tokio::join!(kill, connection.query("START TRANSACTION"));
    assert!(reply.as_ref().unwrap().error.is_none(), "{:?}\n{}", reply.unwrap().error, stage.headgate.log());
    run(&mut connection, "INSERT INTO t VALUES (3, 'after')").await;
    assert_eq!(value(&mut connection, "SELECT @mark").await, "7");
    assert_eq!(stage.rows().await, [""; 0], "it is in a transaction");
    run(&mut connection, "COMMIT").await;
    assert_eq!(stage.rows().await, ["3 after"]);
}

/// Who rolls a transaction back that was lost with its primary has what they want: drivers do so before they tell of the
/// error that came before, or when they give a connection back.
async fn rolls_back(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "INSERT INTO t VALUES (1, 'before')").await;
    run(&mut connection, "BEGIN").await;
    run(&mut connection, "INSERT INTO t VALUES (2, 'undone')").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.cluster.primary().kill();
    stage.promote().await;
    run(&mut connection, "ROLLBACK").await;
    run(&mut connection, "INSERT INTO t VALUES (3, 'after')").await;
    assert_eq!(stage.rows().await, ["1 before", "3 after"]);
}

/// Connector/Python pings before every cursor, and takes whatever is wrong then for the end of the connection.
async fn pings(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "SET autocommit = 0").await;
    let link = stage.cluster.primary().link().unwrap();
    link.set(Fault::Swallow).await;
    let kill = async {
        sleep(Duration::from_millis(500)).await;
        stage.cluster.primary().kill();
        link.set(Fault::Refuse).await;
        stage.promote().await;
    };
    let ((), reply) = tokio::join!(kill, connection.command(&[PING], Shape::Query));
    assert!(reply.as_ref().unwrap().error.is_none(), "{:?}\n{}", reply.unwrap().error, stage.headgate.log());
    run(&mut connection, "INSERT INTO t VALUES (3, 'after')").await;
    run(&mut connection, "COMMIT").await;
    assert_eq!(stage.rows().await, ["3 after"]);
}

const PING: u8 = 0x0e;

/// A server that shuts down in order says so with SQLSTATE 08S01, after which some drivers give the connection up. The
/// transaction is rolled back, and its client is told that.
async fn shut_down(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    let [mut waiting, mut holding] =
        [stage.client().connect().await.unwrap(), stage.client().connect().await.unwrap()];
    run(&mut waiting, "INSERT INTO t VALUES (1, 'before')").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    for connection in [&mut holding, &mut waiting] {
        run(connection, "BEGIN").await;
    }
    run(&mut holding, "SELECT n FROM t WHERE n = 1 FOR UPDATE").await;
    let stop = async {
        sleep(Duration::from_millis(500)).await;
        stage.cluster.primary().stop().await.unwrap();
        stage.promote().await;
    };
    let ((), reply) = tokio::join!(stop, waiting.query("SELECT n FROM t WHERE n = 1 FOR UPDATE"));
    let error = reply.unwrap().error.expect("its transaction is gone");
    assert_eq!((error.code, error.state.as_slice()), (1213, &b"40001"[..]), "{error}");
    run(&mut waiting, "INSERT INTO t VALUES (3, 'after')").await;
    assert_eq!(stage.rows().await, ["1 before", "3 after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_of_what_was_lost_is_done_on_mysql() {
    rolls_back(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_of_what_was_lost_is_done_on_mariadb() {
    rolls_back(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_under_way_is_answered_on_mysql() {
    pings(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_under_way_is_answered_on_mariadb() {
    pings(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_rolls_back_on_mysql() {
    shut_down(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_rolls_back_on_mariadb() {
    shut_down(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_read_without_autocommit_is_undone_on_mysql() {
    undone(Flavor::MySql, "SELECT n FROM t WHERE n = 1 FOR UPDATE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_write_without_autocommit_is_undone_on_mysql() {
    undone(Flavor::MySql, "INSERT INTO t VALUES (2, 'undone')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_read_without_autocommit_is_undone_on_mariadb() {
    undone(Flavor::MariaDb, "SELECT n FROM t WHERE n = 1 FOR UPDATE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_write_without_autocommit_is_undone_on_mariadb() {
    undone(Flavor::MariaDb, "INSERT INTO t VALUES (2, 'undone')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_under_way_begins_on_the_next_primary_on_mysql() {
    begins(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_begin_under_way_begins_on_the_next_primary_on_mariadb() {
    begins(Flavor::MariaDb).await;
}
