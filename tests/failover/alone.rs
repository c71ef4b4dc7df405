//! When nobody is promoted, and when Headgate is not there to finish what it began.

use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Fault, Flavor, Headgate, Node};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::stage::{Stage, ask_console, binary, read_only, texts};

/// Two Headgates without a lease: neither promotes, and both say why.
async fn two(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let other = stage.another();
    let rival = async |headgate: &Headgate| {
        let events = ask_console(headgate, "SELECT what FROM events WHERE kind = 'rival'").await;
        events.is_ok_and(|events| texts(&events).iter().any(|line| line.contains("another Headgate watches")))
    };
    stage
        .wait_for("both know of each other", async |stage| {
            rival(&stage.headgate).await && rival(&other).await
        })
        .await;
    stage.primary().await.unwrap().kill();
    let blocked = async |headgate: &Headgate| {
        let timeline = ask_console(headgate, "SELECT phase, what FROM failovers").await.unwrap_or_default();
        texts(&timeline).iter().any(|line| line.starts_with("Blocked") && line.contains("another Headgate"))
    };
    stage
        .wait_for("both say why", async |stage| blocked(&stage.headgate).await && blocked(&other).await)
        .await;
    sleep(Duration::from_secs(3)).await;
    for replica in stage.cluster.replicas() {
        assert!(read_only(replica).await);
    }
    // The one that is left goes on.
    drop(other);
    stage
        .wait_for("the one that is left promotes", async |stage| {
            let primary = stage.primary().await;
            primary.is_some_and(|primary| primary.name() != stage.cluster.primary().name())
        })
        .await;
}

#[tokio::test]
async fn mysql_two_headgates() {
    two(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_two_headgates() {
    two(Flavor::MariaDb).await;
}

/// How long Headgate is cut off: minutes by `HEADGATE_CUT_SECONDS`.
fn cut() -> Duration {
    let seconds = std::env::var("HEADGATE_CUT_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(12))
}

/// Headgate does not reach the primary, which is well and idle: its replicas hear from it.
async fn cut_off(flavor: Flavor, fault: Fault) {
    let stage = Stage::start(flavor, &[]).await;
    let primary = stage.primary().await.unwrap();
    primary.link().unwrap().set(fault).await;
    let end = Instant::now() + cut();
    while Instant::now() < end {
        sleep(Duration::from_millis(250)).await;
        for replica in stage.cluster.replicas() {
            assert!(read_only(replica).await, "promoted:\n{}", stage.headgate.log());
        }
    }
    let timeline = stage.timeline().await;
    assert!(timeline.iter().any(|line| line.contains("is still heard by")), "{timeline:#?}");
    primary.link().unwrap().set(Fault::None).await;
    stage
        .wait_for("the primary is believed again", async |stage| {
            let phase = stage.console("SHOW FAILOVER").await;
            phase.is_ok_and(|phase| phase.value().as_deref() == Some("Healthy"))
        })
        .await;
}

#[tokio::test]
async fn mysql_cut_off() {
    cut_off(Flavor::MySql, Fault::Swallow).await;
}

#[tokio::test]
async fn mariadb_cut_off() {
    cut_off(Flavor::MariaDb, Fault::Refuse).await;
}

/// Headgate is killed at some moment of a failover, and started again.
async fn killed_within(flavor: Flavor) {
    for after in [600, 900] {
        let mut stage = Stage::start(flavor, &[]).await;
        bank::found(&stage).await;
        stage.cluster.primary().kill();
        sleep(Duration::from_millis(after)).await;
        stage.headgate.kill();
        stage.start_headgate();
        stage
            .wait_for("one of the others is the primary", async |stage| {
                let primary = stage.primary().await;
                primary.is_some_and(|primary| primary.name() != stage.cluster.primary().name())
            })
            .await;
        let bank = Bank::open(&stage, 4);
        bank.go_on(&stage, 50).await;
        let mut writable = Vec::new();
        for replica in stage.cluster.replicas() {
            if !read_only(replica).await {
                writable.push(replica.name());
            }
        }
        assert_eq!(writable.len(), 1, "{writable:?}\n{}", stage.headgate.log());
        bank.close().await.audit(&stage).await;
    }
}

#[tokio::test]
async fn mysql_headgate_killed() {
    killed_within(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_headgate_killed() {
    killed_within(Flavor::MariaDb).await;
}

/// Without the grants nobody is promoted, and it is said what is missing.
#[tokio::test]
async fn without_grants() {
    let stage = Stage::start(Flavor::MySql, &[]).await;
    let servers: Vec<_> = stage.cluster.nodes().iter().map(Node::address).collect();
    let replication = HeadgateOptions::default().failover().replication;
    let options = HeadgateOptions { replication, ..HeadgateOptions::default() };
    let headgate = Headgate::start(binary(), &servers, &options).unwrap();
    let mut said = Vec::new();
    for _ in 0..100 {
        said = texts(&ask_console(&headgate, "SELECT mode, why FROM failover").await.unwrap_or_default());
        if said.iter().any(|line| line.contains("REPLICATION_SLAVE_ADMIN")) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(said[0].starts_with("off: ") && said[0].contains("CONNECTION_ADMIN"), "{said:?}");
    let refused = ask_console(&headgate, "FAILOVER").await.unwrap_err().to_string();
    assert!(refused.contains("CONNECTION_ADMIN"), "{refused}");
}
