//! Sessions go on after a failover though no server remembers their user: MySQL's caching_sha2_password takes a proof of
//! the password from a user whom it has seen since it was started, and wants the password itself from others.

use headgate::lab::{Account, DATABASE, Flavor};

use crate::bank;
use crate::client::Options;
use crate::plan::Plan;
use crate::stage::{Stage, run};

async fn cold_caches(plan: Plan) {
    let stage = Stage::of(&plan).await;
    bank::found(&stage).await;
    let Account { user, password } = stage.cluster.accounts().app;
    let options = |tls| Options::new(stage.headgate.address(), user, password).schema(DATABASE).tls(tls);
    let mut sessions = Vec::new();
    // The later ones log in where the primary remembers the user.
    for tls in [false, true, false, true] {
        let mut session = options(tls).login().await.unwrap().unwrap();
        run(&mut session, "SET @mine = 7").await.unwrap();
        sessions.push(session);
    }
    let old = stage.primary().await.unwrap();
    for replica in stage.cluster.replicas() {
        replica.restart().await.unwrap();
    }
    stage.wait_until_whole(&[]).await;
    for node in stage.cluster.nodes() {
        node.sql("FLUSH LOCAL PRIVILEGES").await.unwrap();
    }
    old.kill();
    stage
        .wait_for("another server is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != old.name())
        })
        .await;
    for (number, session) in sessions.iter_mut().enumerate() {
        // Whoever comes first warms the cache for those who follow.
        stage.primary().await.unwrap().sql("FLUSH LOCAL PRIVILEGES").await.unwrap();
        let written = run(session, "INSERT INTO transfers (id) VALUES (@mine)").await;
        assert!(written.is_ok(), "session {number}: {written:?}\n{}", stage.headgate.log());
        let seen = run(session, "SELECT COUNT(*) FROM transfers WHERE id = @mine").await.unwrap();
        assert_eq!(seen.value(), Some((number + 1).to_string()));
    }
    for tls in [false, true] {
        stage.primary().await.unwrap().sql("FLUSH LOCAL PRIVILEGES").await.unwrap();
        options(tls).login().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn mysql_cold_caches() {
    cold_caches(Plan::new(Flavor::MySql)).await;
}

#[tokio::test]
async fn mysql_cold_caches_without_tls() {
    cold_caches(Plan::new(Flavor::MySql).server_option("tls-version=")).await;
}
