//! A client brings a position from one Headgate to another, and reads what was there.

use anyhow::Context;
use headgate::lab::Flavor;

use crate::client::Connection;
use crate::stage::{on_replicas, run, stage};

const ROUNDS: u64 = 100;

async fn carried(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.carried", "CREATE TABLE app.carried (n INT)"]).await;
    stage.prepare(["INSERT INTO app.carried VALUES (0)"]).await;
    // Without a position the second one promises nothing.
    let headgates =
        [stage.headgate(&[]).await, stage.headgate(&["--set=routing.consistency=eventual"]).await];
    let mut writer = stage.through(&headgates[0]).connect().await.unwrap();
    let mut reader = stage.through(&headgates[1]).connect().await.unwrap();
    let position = match flavor {
        Flavor::MySql => "SELECT @@global.gtid_executed",
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_pos",
    };
    let value = |reply: crate::client::Reply| reply.value().context("a value").unwrap();
    let (mut stale, before) = (0, on_replicas(&headgates[1]));
    for round in 1..=ROUNDS {
        run(&mut writer, &format!("UPDATE carried SET n = {round}")).await.unwrap();
        let after = value(run(&mut writer, position).await.unwrap());
        let read = async |reader: &mut Connection, hint: &str| {
            value(run(reader, &format!("SELECT {hint} n FROM carried")).await.unwrap())
        };
        stale += u64::from(read(&mut reader, "").await != round.to_string());
        let found = read(&mut reader, &format!("/* headgate: after='{}' */", after.replace('\n', ""))).await;
        assert_eq!(found, round.to_string(), "after {after}");
    }
    println!("{flavor}: {stale} of {ROUNDS} stale without a position, none with one");
    assert!(on_replicas(&headgates[1]) - before > ROUNDS as f64, "not all of it on the primary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_carried_from_one_headgate_to_another_on_mysql() {
    carried(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_carried_from_one_headgate_to_another_on_mariadb() {
    carried(Flavor::MariaDb).await;
}
