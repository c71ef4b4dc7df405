//! All servers are restarted under traffic, as ROLLING RESTART guides; and what stops that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use headgate::lab::Flavor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::client::Options;
use crate::stage::{PATIENCE, Stage, run, texts};

/// Reads and read-only transactions, each of which must succeed.
async fn read_on(options: Options, done: Arc<AtomicBool>, count: Arc<AtomicU64>) {
    let mut link = options.login().await.unwrap().unwrap();
    while !done.load(Ordering::Relaxed) {
        for statement in
            ["SELECT SUM(balance) FROM accounts", "START TRANSACTION READ ONLY", "SELECT 1", "COMMIT"]
        {
            run(&mut link, statement).await.unwrap();
        }
        count.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(2)).await;
    }
}

async fn steps(stage: &Stage) -> Vec<String> {
    texts(&stage.console("SELECT state, server, what FROM rolling_restart").await.unwrap())
}

/// Waits until a server is to be restarted, or all have been, and says which.
async fn asked(stage: &Stage) -> Option<String> {
    let end = Instant::now() + PATIENCE * 2;
    loop {
        let wanted = "SELECT server FROM rolling_restart WHERE wanted LIKE 'restart this server%'";
        if let Some(server) = stage.console(wanted).await.unwrap().value() {
            return Some(server);
        }
        let steps = steps(stage).await;
        if steps.iter().all(|step| step.starts_with("done")) {
            return None;
        }
        let stopped = steps.iter().any(|step| step.starts_with("stopped"));
        assert!(!stopped && Instant::now() < end, "{steps:#?}\n{}", stage.headgate.log());
        sleep(Duration::from_millis(50)).await;
    }
}

async fn nobody_notices(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let old = stage.primary().await.unwrap();
    let (done, reads) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        readers.spawn(read_on(stage.client(), Arc::clone(&done), Arc::clone(&reads)));
    }
    let bank = Bank::open(&stage, 4);
    bank.go_on(&stage, 20).await;
    let told = texts(&stage.console("ROLLING RESTART").await.unwrap());
    assert_eq!(told.len(), 3, "{told:#?}");
    let mut restarted = BTreeSet::new();
    while let Some(address) = asked(&stage).await {
        let node = stage.cluster.nodes().iter().find(|node| node.address().to_string() == address).unwrap();
        assert!(restarted.insert(address.clone()), "{address} twice");
        assert_ne!(stage.primary().await.unwrap().name(), node.name());
        node.restart().await.unwrap();
        let behind = "SELECT COUNT(*) FROM rolling_restart WHERE wanted IS NOT NULL";
        stage
            .wait_for("the restart is noticed", async |stage| {
                stage.console(behind).await.unwrap().value().as_deref() == Some("0")
            })
            .await;
        bank.go_on(&stage, 20).await;
    }
    assert_eq!(restarted.len(), 3);
    assert_ne!(stage.primary().await.unwrap().name(), old.name());
    stage.wait_until_whole(&[]).await;
    done.store(true, Ordering::Relaxed);
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
    let ledger = bank.close().await;
    ledger.audit(&stage).await;
    assert!(ledger.errors.is_empty(), "{:?}\n{}", ledger.errors, stage.headgate.log());
    eprintln!("{flavor:?}: {} reads, {} transfers", reads.load(Ordering::Relaxed), ledger.acknowledged.len());
    let events = texts(&stage.console("SELECT what FROM events WHERE kind = 'rolling'").await.unwrap());
    assert!(events.last().is_some_and(|last| last.contains("finished")), "{events:#?}");
    let drained = stage.console("SELECT COUNT(*) FROM servers WHERE drained_ms IS NOT NULL").await.unwrap();
    assert_eq!(drained.value().as_deref(), Some("0"));
}

#[tokio::test]
async fn mysql_is_restarted_unnoticed() {
    nobody_notices(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_is_restarted_unnoticed() {
    nobody_notices(Flavor::MariaDb).await;
}

/// An operator stops it, and a primary that dies does.
async fn it_is_stopped(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let none_drained = async |stage: &Stage| {
        let drained = stage.console("SELECT COUNT(*) FROM servers WHERE drained_ms IS NOT NULL").await;
        drained.unwrap().value().as_deref() == Some("0")
    };
    let refused = async |statement: &str| stage.console(statement).await.unwrap_err().to_string();
    assert!(refused("ROLLING RESTART STOP").await.contains("no rolling restart"));
    stage.console("ROLLING RESTART").await.unwrap();
    asked(&stage).await.unwrap();
    assert!(refused("ROLLING RESTART").await.contains("one is under way"));
    stage.console("ROLLING RESTART STOP").await.unwrap();
    assert!(none_drained(&stage).await);
    assert!(steps(&stage).await.iter().all(|step| step.starts_with("stopped")));

    let replica = stage.cluster.replicas()[0].address();
    stage.console(&format!("DRAIN '{replica}'")).await.unwrap();
    let why = refused("ROLLING RESTART").await;
    assert!(why.contains(&format!("{replica} is drained; UNDRAIN it first")), "{why}");
    // A drained server may be promoted, which ends its drain.
    let told = texts(&stage.console(&format!("SWITCHOVER TO '{replica}'")).await.unwrap());
    assert!(none_drained(&stage).await, "{told:#?}");
    assert_eq!(stage.primary().await.unwrap().address(), replica);
    stage.wait_until_whole(&[]).await;
    stage.wait_for("all serve", async |stage| stage.console("ROLLING RESTART").await.is_ok()).await;
    asked(&stage).await.unwrap();
    let old = stage.primary().await.unwrap();
    old.kill();
    stage
        .wait_for("the failover stops it", async |stage| {
            steps(stage)
                .await
                .iter()
                .any(|step| step.contains("has become the primary") || step.contains("reign"))
        })
        .await;
    stage.wait_for("nothing is drained", none_drained).await;
    old.start().await.unwrap();
    stage.wait_until_whole(&[]).await;
}

#[tokio::test]
async fn mysql_stops_a_rolling_restart() {
    it_is_stopped(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_stops_a_rolling_restart() {
    it_is_stopped(Flavor::MariaDb).await;
}
