//! Acknowledged transactions that only the dead primary has: with `failover.mode = "safe"` nobody is promoted until an
//! operator accepts that or the primary is back, with `"available"` somebody is and they are named.

use std::time::Duration;

use headgate::lab::{Fault, Flavor, Node};
use tokio::time::Instant;

use crate::bank;
use crate::client::Connection;
use crate::plan::Plan;
use crate::stage::{Stage, follows, read_only, run, texts, value};

/// How long a read may wait for a fresh replica.
const FRESHNESS_WAIT: Duration = Duration::from_secs(2);

async fn stage(flavor: Flavor, mode: &str) -> Stage {
    let arguments = [&format!("--set=failover.mode={mode}"), "--set=routing.freshness_wait=2s"];
    let stage = Stage::of(&Plan::new(flavor).asynchronous().arguments(&arguments)).await;
    bank::found(&stage).await;
    stage
}

/// Commits three transactions that no replica gets. Answers what GTIDs they have.
async fn commit_alone(stage: &Stage, client: &mut Connection, first: i64) -> String {
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    for replica in stage.cluster.replicas() {
        replica.replication_link().unwrap().set(Fault::Refuse).await;
    }
    let primary = stage.cluster.primary();
    let position = match stage.cluster.flavor() {
        Flavor::MySql => "SELECT @@global.gtid_executed",
        Flavor::MariaDb => "SELECT @@global.gtid_binlog_pos",
    };
    let before = value(primary, position).await.unwrap();
    for id in first..first + 3 {
        run(client, &format!("INSERT INTO transfers VALUES ({id}, {id})")).await.unwrap();
    }
    let after = value(primary, position).await.unwrap();
    match stage.cluster.flavor() {
        Flavor::MySql => {
            value(primary, &format!("SELECT GTID_SUBTRACT('{after}', '{before}')")).await.unwrap()
        }
        // MariaDB's are named by the last of them.
        Flavor::MariaDb => after,
    }
}

async fn restore_links(stage: &Stage) {
    for replica in stage.cluster.replicas() {
        replica.replication_link().unwrap().set(Fault::None).await;
    }
}

/// What `SHOW FAILOVER` says of why nothing is done.
async fn why(stage: &Stage) -> String {
    stage.console("SELECT why FROM failover").await.ok().and_then(|why| why.value()).unwrap_or_default()
}

/// Waits until an attempt to fail over has ended with this reason, and another one after it.
async fn refused_twice(stage: &Stage, reason: &str) {
    let attempts = async |stage: &Stage| {
        let timeline = stage.timeline().await;
        timeline.iter().filter(|line| line.starts_with("Blocked") && line.contains(reason)).count()
    };
    let before = attempts(stage).await;
    stage.wait_for(reason, async |stage| attempts(stage).await >= before + 2).await;
    for replica in stage.cluster.replicas() {
        assert!(read_only(replica).await, "{} was promoted\n{}", replica.name(), stage.headgate.log());
    }
}

async fn is_promoted(stage: &Stage, old: &Node) {
    stage
        .wait_for("another server is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != old.name())
        })
        .await;
}

async fn count(node: &Node) -> String {
    value(node, "SELECT COUNT(*) FROM app.transfers").await.unwrap_or_default()
}

async fn safe(flavor: Flavor) {
    let mut stage = stage(flavor, "safe").await;
    let mut client = stage.client().login().await.unwrap().unwrap();
    let lost = commit_alone(&stage, &mut client, 1).await;
    stage.cluster.primary().kill();
    stage.wait_for("it is said what is lacking", async |stage| why(stage).await.contains(&lost)).await;
    let said = why(&stage).await;
    assert!(said.contains("would be lost") && said.contains("ACCEPT LOSS"), "{said}");
    refused_twice(&stage, "would be lost").await;

    // The old primary is back in time: it is the primary as before, and has lost nothing.
    restore_links(&stage).await;
    stage.cluster.primary().start().await.unwrap();
    stage.wait_until_whole(&[]).await;
    let old = stage.cluster.primary();
    assert_eq!(stage.primary().await.unwrap().name(), old.name());
    let told = stage.console("ACCEPT LOSS").await.unwrap_err().to_string();
    assert!(told.contains("no failover waits for it"), "{told}");
    run(&mut client, "INSERT INTO transfers VALUES (4, 4)").await.unwrap();
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    assert_eq!(count(&stage.cluster.replicas()[1]).await, "4");
    assert!(why(&stage).await.is_empty());

    // It dies again, and Headgate with it: the next run cannot know what was acknowledged.
    commit_alone(&stage, &mut client, 5).await;
    stage.cluster.primary().kill();
    stage.wait_for("nobody is promoted", async |stage| why(stage).await.contains("would be lost")).await;
    stage.headgate.kill();
    stage.start_headgate();
    refused_twice(&stage, "not known what was acknowledged").await;
    let told = texts(&stage.console("ACCEPT LOSS").await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}");
    is_promoted(&stage, stage.cluster.primary()).await;
    let mut client = stage.client().login().await.unwrap().unwrap();
    run(&mut client, "INSERT INTO transfers VALUES (8, 8)").await.unwrap();
    assert_eq!(count(stage.primary().await.unwrap()).await, "5");
}

#[tokio::test]
async fn mysql_safe() {
    safe(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_safe() {
    safe(Flavor::MariaDb).await;
}

async fn available(flavor: Flavor) {
    let stage = stage(flavor, "available").await;
    let old = stage.cluster.primary();
    let mut client = stage.client().login().await.unwrap().unwrap();
    let lost = commit_alone(&stage, &mut client, 1).await;
    old.kill();
    is_promoted(&stage, old).await;
    let alerts = texts(&stage.console("SELECT what FROM events WHERE kind = 'alert'").await.unwrap());
    let named = |line: &String| line.contains("acknowledged") && line.contains(&lost);
    assert!(alerts.iter().any(named), "{lost} is not named: {alerts:#?}\n{}", stage.headgate.log());

    // What the session wrote last is nowhere. No read of it waits for that.
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        let seen = run(&mut client, "SELECT COUNT(*) FROM transfers").await.unwrap();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(seen.value().as_deref(), Some("0"));
    }
    eprintln!("{flavor:?}: the slowest read after a loss took {slowest:?}");
    assert!(slowest < FRESHNESS_WAIT / 2, "{slowest:?}");
    run(&mut client, "INSERT INTO transfers VALUES (4, 4)").await.unwrap();
    let begun = Instant::now();
    let seen = run(&mut client, "SELECT COUNT(*) FROM transfers").await.unwrap();
    assert_eq!(seen.value().as_deref(), Some("1"));
    assert!(begun.elapsed() < FRESHNESS_WAIT / 2, "{:?}", begun.elapsed());

    // With the dead primary they come back, and are kept out until somebody decides.
    restore_links(&stage).await;
    old.start().await.unwrap();
    let address = old.address().to_string();
    let kept_out = async |stage: &Stage| {
        let kept = stage.console("SELECT address, why FROM quarantine").await.unwrap_or_default();
        texts(&kept).iter().any(|line| line.starts_with(&address) && line.contains(&lost))
    };
    stage.wait_for("it is kept out for them", async |stage| kept_out(stage).await).await;
    assert!(read_only(old).await);
    stage.console(&format!("REJOIN '{address}'")).await.unwrap();
    let primary = stage.primary().await.unwrap();
    stage.wait_for("it is let in", async |_| follows(old, primary).await).await;
}

#[tokio::test]
async fn mysql_available() {
    available(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_available() {
    available(Flavor::MariaDb).await;
}
