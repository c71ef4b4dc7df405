//! When nobody is promoted, and when Headgate is not there to finish what it began.

use std::time::Duration;

use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Fault, Flavor, Headgate, Node};
use tokio::time::{Instant, sleep};

use crate::stage::{Stage, ask_console, binary, read_only, texts};

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
