//! The primary changes while an operator has paused the traffic: nobody has anything under way, so nobody sees an error.

use headgate::lab::Flavor;

use crate::bank::{self, Bank};
use crate::stage::{Stage, texts};

async fn nobody_sees_it(flavor: Flavor, arguments: &[&str]) {
    let stage = Stage::start(flavor, &[&["--set=failover.hold=60s"], arguments].concat()).await;
    bank::found(&stage).await;
    let bank = Bank::open(&stage, 8);
    bank.go_on(&stage, 50).await;
    let pause = async || {
        let paused = texts(&stage.console("PAUSE").await.unwrap());
        assert!(paused[0].starts_with("paused"), "{paused:?}");
        let under_way = stage.console("SELECT under_way FROM traffic").await.unwrap();
        assert_eq!(under_way.value().as_deref(), Some("0"), "{paused:?}");
        stage
            .wait_for("all customers wait", async |stage| {
                let waiting = stage.console("SELECT waiting FROM traffic").await.unwrap();
                waiting.value().as_deref() == Some("8")
            })
            .await;
        bank.acknowledged().await
    };

    let before = pause().await;
    let to = stage.cluster.replicas()[0].address();
    let told = texts(&stage.console(&format!("SWITCHOVER TO '{to}'")).await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}");
    assert_eq!(bank.acknowledged().await, before, "something was written while traffic was paused");
    stage.console("RESUME").await.unwrap();
    bank.go_on(&stage, 50).await;
    assert_eq!(stage.primary().await.unwrap().address(), to);
    stage.wait_until_whole(&[]).await;

    let before = pause().await;
    let old = stage.primary().await.unwrap();
    old.kill();
    stage
        .wait_for("another is promoted", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != old.name())
        })
        .await;
    assert_eq!(bank.acknowledged().await, before, "something was written while traffic was paused");
    stage.console("RESUME").await.unwrap();
    bank.go_on(&stage, 50).await;
    let ledger = bank.close().await;
    ledger.audit(&stage).await;
    assert!(ledger.errors.is_empty(), "{:?}\n{}", ledger.errors, stage.headgate.log());
}

#[tokio::test]
async fn clients_of_mysql_see_no_change_of_the_primary() {
    nobody_sees_it(Flavor::MySql, &[]).await;
}

#[tokio::test]
async fn clients_of_mariadb_see_no_change_of_the_primary() {
    nobody_sees_it(Flavor::MariaDb, &["--pool-mode=transaction"]).await;
}
