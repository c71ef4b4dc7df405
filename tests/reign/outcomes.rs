//! What becomes of statements that are under way when the primary goes.

use std::time::Duration;

use headgate::lab::Flavor;
use tokio::time::{Instant, sleep};

use crate::stage::{Stage, run, value};

/// A transaction that is cut before its COMMIT is rolled back, and its client hears what a deadlock's hears.
async fn cut_transaction(stage: &Stage) {
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "BEGIN").await;
    run(&mut connection, "INSERT INTO t VALUES (1, 'cut')").await;
    let mut idle = stage.client().connect().await.unwrap();
    run(&mut idle, "INSERT INTO t VALUES (2, 'kept')").await;
    // What could not be carried ends the session with it.
    let mut locker = stage.client().connect().await.unwrap();
    assert_eq!(value(&mut locker, "SELECT GET_LOCK('mine', 0)").await, "1");
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.cluster.primary().kill();
    let promoted = async {
        sleep(Duration::from_millis(300)).await;
        stage.promote().await;
    };
    let cut = async { connection.query("INSERT INTO t VALUES (3, 'cut')").await.unwrap() };
    let ((), reply) = tokio::join!(promoted, cut);
    let error = reply.error.expect("its transaction is gone");
    assert_eq!((error.code, &error.state[..]), (1213, &b"40001"[..]), "{error}");
    run(&mut connection, "INSERT INTO t VALUES (4, 'after')").await;
    run(&mut idle, "INSERT INTO t VALUES (5, 'after')").await;
    let lost = locker.query("SELECT 1 FROM t").await;
    assert!(lost.is_err() || lost.unwrap().error.is_some(), "its lock is gone, and it must hear of that");
    assert_eq!(stage.rows().await, ["2 kept", "4 after", "5 after"]);
}

/// A write that the old primary refuses because it is read only was not done, and runs on the next one.
async fn refused_write(stage: &Stage) {
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "INSERT INTO t VALUES (1, 'before')").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.freeze().await;
    let begun = Instant::now();
    let promoted = async {
        sleep(Duration::from_millis(300)).await;
        stage.promote().await;
    };
    let write = async { run(&mut connection, "INSERT INTO t VALUES (2, 'held')").await };
    let ((), _) = tokio::join!(promoted, write);
    println!("{}: the refused write took {} ms", stage.cluster.flavor(), begun.elapsed().as_millis());
    assert_eq!(stage.rows().await, ["1 before", "2 held"]);
}

/// A write under way when the primary dies may have been done: it is not sent again, and its client is told that
/// nobody knows. A read under way runs again.
async fn unknown_write(stage: &Stage) {
    let mut writer = stage.client().connect().await.unwrap();
    let mut reader = stage.client().connect().await.unwrap();
    run(&mut writer, "INSERT INTO t VALUES (1, 'before')").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    // What a write lock keeps waiting is under way.
    let mut locker = stage.client().connect().await.unwrap();
    run(&mut locker, "LOCK TABLES t WRITE").await;
    let kill = async {
        sleep(Duration::from_millis(500)).await;
        stage.cluster.primary().kill();
        stage.promote().await;
    };
    let write = async { writer.query("INSERT INTO t VALUES (2, 'unknown')").await.unwrap() };
    let read = async { value(&mut reader, "SELECT /* headgate: primary */ n FROM t WHERE n = 1").await };
    let ((), reply, read) = tokio::join!(kill, write, read);
    assert_eq!(read, "1");
    let error = reply.error.expect("nobody knows whether it was done");
    let class = &error.state[..2];
    assert!(class != b"08" && class != b"40", "drivers would send it again: {error}");
    assert!(String::from_utf8_lossy(&error.message).contains("not known"), "{error}");
    run(&mut writer, "INSERT INTO t VALUES (3, 'after')").await;
    assert_eq!(stage.rows().await, ["1 before", "3 after"]);
}

/// With nobody promoted, a write waits as long as it is told to, and is refused with a reason.
async fn nobody_comes(flavor: Flavor) {
    let stage = Stage::start(flavor, &["--set=failover.hold=2s"]).await;
    let mut connection = stage.client().connect().await.unwrap();
    run(&mut connection, "INSERT INTO t VALUES (1, 'before')").await;
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    stage.cluster.primary().kill();
    let begun = Instant::now();
    let error = loop {
        let reply = connection.query("INSERT INTO t VALUES (2, 'never')").await.unwrap();
        let error = reply.error.expect("there is no primary");
        if error.code != 1158 {
            break error;
        }
    };
    assert_eq!(error.code, 3168, "{error}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    // Reads go on, on what the replicas have.
    assert_eq!(value(&mut connection, "SELECT who FROM t WHERE n = 1").await, "before");
    stage.promote().await;
    run(&mut connection, "INSERT INTO t VALUES (3, 'after')").await;
    assert_eq!(stage.rows().await, ["1 before", "3 after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_transaction_is_rolled_back_on_mysql() {
    cut_transaction(&Stage::start(Flavor::MySql, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_transaction_is_rolled_back_on_mariadb() {
    cut_transaction(&Stage::start(Flavor::MariaDb, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_write_runs_on_the_next_primary_on_mysql() {
    refused_write(&Stage::start(Flavor::MySql, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_write_runs_on_the_next_primary_on_mariadb() {
    refused_write(&Stage::start(Flavor::MariaDb, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_way_stays_unknown_on_mysql() {
    unknown_write(&Stage::start(Flavor::MySql, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_way_stays_unknown_on_mariadb() {
    unknown_write(&Stage::start(Flavor::MariaDb, &[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_a_primary_waits_and_is_refused_on_mysql() {
    nobody_comes(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_a_primary_waits_and_is_refused_on_mariadb() {
    nobody_comes(Flavor::MariaDb).await;
}
