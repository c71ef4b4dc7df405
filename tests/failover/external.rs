//! `failover.mode = "external"`: something else promotes, here the test, and Headgate follows.

use std::time::Duration;

use headgate::lab::{Flavor, Node};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::plan::Plan;
use crate::stage::{Stage, read_only};

/// Makes a replica the primary by hand, as other tools do, and has another one follow it.
async fn promote(node: &Node, follower: &Node) {
    let address = node.address();
    let (host, port) = (address.ip(), address.port());
    let (promoting, repointing): (&[&str], String) = match node.flavor() {
        Flavor::MySql => (
            &[
                "STOP REPLICA",
                "RESET REPLICA ALL",
                "SET GLOBAL super_read_only = 0",
                "SET GLOBAL read_only = 0",
            ],
            format!("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}"),
        ),
        Flavor::MariaDb => (
            &["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"],
            format!("CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}"),
        ),
    };
    follower.sql("STOP REPLICA").await.unwrap();
    follower.sql(repointing).await.unwrap();
    for statement in promoting {
        node.sql(*statement).await.unwrap();
    }
    follower.sql("START REPLICA").await.unwrap();
}

async fn why(stage: &Stage) -> String {
    stage.console("SELECT why FROM failover").await.ok().and_then(|why| why.value()).unwrap_or_default()
}

/// What a server does not do is seen only by looking for a while: no failover takes longer than this.
async fn nobody_is_promoted(stage: &Stage, replicas: &[&Node]) {
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        for replica in replicas {
            assert!(read_only(replica).await, "{} was promoted\n{}", replica.name(), stage.headgate.log());
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn follows_whoever_is_writable(flavor: Flavor) {
    let plan = Plan::new(flavor).asynchronous().arguments(&["--set=failover.mode=external"]);
    let stage = Stage::of(&plan).await;
    bank::found(&stage).await;
    let [old, first, second] = stage.cluster.nodes() else { panic!("three servers") };
    let bank = Bank::open(&stage, 4);
    bank.go_on(&stage, 20).await;
    old.kill();
    let waits = async |stage: &Stage| why(stage).await.contains("no other server has become writable");
    stage.wait_for("it is said who must act", async |stage| waits(stage).await).await;
    nobody_is_promoted(&stage, &[first, second]).await;
    promote(first, second).await;
    bank.go_on(&stage, 20).await;
    assert_eq!(stage.primary().await.unwrap().name(), first.name());

    // The old primary comes back writable, as it was configured. That says nothing of who is the primary, whatever
    // becomes of the new one.
    old.start().await.unwrap();
    assert!(!read_only(old).await);
    bank.go_on(&stage, 20).await;
    first.pause().await.unwrap();
    stage.wait_for("it is said who must act", async |stage| waits(stage).await).await;
    nobody_is_promoted(&stage, &[second]).await;
    assert_ne!(stage.primary().await.map(Node::name), Some(old.name()), "{}", stage.headgate.log());
    first.resume().unwrap();
    bank.go_on(&stage, 20).await;
    assert_eq!(stage.primary().await.unwrap().name(), first.name());
    let ledger = bank.close().await;
    eprintln!("{flavor:?} external: errors {:?}", ledger.errors);

    // Who made it read only in between means it where it is made writable again.
    old.sql("SET GLOBAL read_only = 1").await.unwrap();
    nobody_is_promoted(&stage, &[second]).await;
    first.kill();
    stage.wait_for("it is said who must act", async |stage| waits(stage).await).await;
    old.sql("SET GLOBAL read_only = 0").await.unwrap();
    stage
        .wait_for("it is followed", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() == old.name())
        })
        .await;
    let bank = Bank::open(&stage, 2);
    bank.go_on(&stage, 10).await;
    bank.close().await;
}

#[tokio::test]
async fn mysql_external() {
    follows_whoever_is_writable(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_external() {
    follows_whoever_is_writable(Flavor::MariaDb).await;
}
