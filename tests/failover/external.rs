//! `failover.mode = "external"`: something else promotes, here the test, and Headgate follows.

use std::time::Duration;

use headgate::lab::{Account, Flavor, Node};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::plan::Plan;
use crate::stage::{Stage, read_only, value};

/// Makes a replica the primary by hand, as other tools do, and has another one follow it. With the heartbeat that Headgate
/// has set: MySQL goes back to half a minute where none is named, and silence is told only by then.
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
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, \
                 SOURCE_HEARTBEAT_PERIOD = 0.5"
            ),
        ),
        Flavor::MariaDb => (
            &["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"],
            format!(
                "CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, MASTER_HEARTBEAT_PERIOD = 0.5"
            ),
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

/// Has the old primary follow the new one, by hand.
async fn follow(node: &Node, source: &Node, account: Account) {
    let (address, Account { user, password }) = (source.address(), account);
    let (host, port) = (address.ip(), address.port());
    let statements = match node.flavor() {
        Flavor::MySql => vec![format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}, SOURCE_USER = '{user}', \
             SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1"
        )],
        Flavor::MariaDb => vec![
            "SET GLOBAL gtid_slave_pos = @@global.gtid_binlog_pos".to_owned(),
            format!(
                "CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}, MASTER_USER = '{user}', \
                 MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos"
            ),
        ],
    };
    for statement in statements {
        node.sql(statement).await.unwrap();
    }
    node.sql("START REPLICA").await.unwrap();
}

/// Somebody switches over by hand, while Headgate is away and while it is paused. What Headgate has written down of the
/// primary is not true any more then, and the old one must not be made writable again.
async fn switched_by_hand(flavor: Flavor) {
    let mut stage = Stage::of(&Plan::new(flavor).asynchronous()).await;
    bank::found(&stage).await;
    let replication = stage.cluster.accounts().replication;
    let read_only_now = match flavor {
        Flavor::MySql => "SET GLOBAL super_read_only = 1",
        Flavor::MariaDb => "SET GLOBAL read_only = 1",
    };
    for (away, from, to, other) in [(true, 0, 1, 2), (false, 1, 2, 0)] {
        if away {
            stage.headgate.kill();
        } else {
            // Else it would make whoever does not follow read only.
            stage.console("PAUSE FAILOVER").await.unwrap();
        }
        let [from, to, other] = [from, to, other].map(|number: usize| &stage.cluster.nodes()[number]);
        from.sql(read_only_now).await.unwrap();
        let position = value(from, POSITION[usize::from(flavor == Flavor::MariaDb)]).await;
        stage
            .wait_for("replicas have all", async |_| {
                value(to, POSITION[usize::from(flavor == Flavor::MariaDb)]).await == position
            })
            .await;
        promote(to, other).await;
        follow(from, to, replication).await;
        let (from, to) = (from.name().to_owned(), to.name().to_owned());
        if away {
            stage.start_headgate();
        }
        stage
            .wait_for("the new primary is followed", async |stage| {
                stage.primary().await.is_some_and(|primary| primary.name() == to)
            })
            .await;
        let bank = Bank::open(&stage, 2);
        bank.go_on(&stage, 20).await;
        if !away {
            stage.console("RESUME FAILOVER").await.unwrap();
        }
        stage.wait_until_whole(&[]).await;
        bank.close().await.audit(&stage).await;
        let old = stage.cluster.nodes().iter().find(|node| node.name() == from).unwrap();
        assert!(read_only(old).await, "{}", stage.headgate.log());
    }
}

/// What a server has: MySQL's question, and MariaDB's.
const POSITION: [&str; 2] = ["SELECT @@global.gtid_executed", "SELECT @@global.gtid_binlog_pos"];

#[tokio::test]
async fn mysql_switched_by_hand() {
    switched_by_hand(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_switched_by_hand() {
    switched_by_hand(Flavor::MariaDb).await;
}
