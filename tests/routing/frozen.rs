//! A replica that stands still in the middle of a read: the read is answered by the primary.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headgate::lab::{Flavor, Headgate};

use crate::client::Connection;
use crate::stage::{PATIENCE, counted, run, stage, through};

const READ: &str = "SELECT SUM(n) FROM frozen";

/// Reads until both replicas have a connection that waits for the next read.
async fn warm_up(headgate: &Headgate, connection: &mut Connection) -> Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    while counted(headgate).1 < 8.0 {
        ensure!(tokio::time::Instant::now() < end, "no reads on replicas");
        run(connection, READ).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Reads that replicas have begun and did not end.
fn failed(headgate: &Headgate) -> f64 {
    let samples = headgate.metrics().unwrap();
    let failed = samples.iter().filter(|sample| {
        sample.name == "headgate_statements_total" && sample.label("reason") == "replica_failed"
    });
    failed.map(|sample| sample.value).sum()
}

async fn reads_go_on(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.frozen", "CREATE TABLE app.frozen (n INT)"]).await;
    stage.prepare(["INSERT INTO app.frozen VALUES (40), (2)"]).await;
    let headgate = stage.headgate(&[]).await;
    let mut connection = through(&headgate, stage.cluster.accounts().app).connect().await.unwrap();
    warm_up(&headgate, &mut connection).await.unwrap();
    let before = failed(&headgate);
    for replica in stage.cluster.replicas() {
        replica.pause().await.unwrap();
    }
    let read = tokio::time::timeout(PATIENCE, run(&mut connection, READ)).await;
    // Whatever came of it: others need them too.
    for replica in stage.cluster.replicas() {
        replica.resume().unwrap();
    }
    let reply = read.context("no answer").and_then(|read| read).unwrap();
    assert_eq!(reply.value().as_deref(), Some("42"));
    assert_eq!(failed(&headgate) - before, 1.0, "it was on a replica first:\n{}", headgate.log());
    stage.cluster.wait_caught_up(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_outlives_its_replica_on_mysql() {
    reads_go_on(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_outlives_its_replica_on_mariadb() {
    reads_go_on(Flavor::MariaDb).await;
}
