//! What becomes of old primaries that come back.

use headgate::lab::Flavor;

use crate::bank::{self, Bank};
use crate::stage::{Stage, read_only, run, texts, value};

/// An old primary comes back with a transaction that it alone has: it is kept out, named with it, and let in again by
/// an operator.
async fn errant(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let old = stage.primary().await.unwrap();
    old.stop().await.unwrap();
    stage
        .wait_for("another server is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != old.name())
        })
        .await;
    // What nobody else has, written while nobody looks.
    let semi_sync = match flavor {
        Flavor::MySql => "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        Flavor::MariaDb => "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
    };
    old.link().unwrap().set(headgate::lab::Fault::Refuse).await;
    old.start().await.unwrap();
    old.sql(semi_sync).await.unwrap();
    old.sql("INSERT INTO app.transfers (id) VALUES (-1)").await.unwrap();
    let own = match flavor {
        Flavor::MySql => value(old, "SELECT @@global.server_uuid").await.unwrap(),
        Flavor::MariaDb => "0-1-".to_owned(),
    };
    old.link().unwrap().set(headgate::lab::Fault::None).await;
    let address = old.address().to_string();
    let quarantine = async |stage: &Stage| {
        let kept = stage.console("SHOW QUARANTINE").await.unwrap_or_default();
        texts(&kept).into_iter().find(|line| line.starts_with(&address))
    };
    stage.wait_for("it is kept out", async |stage| quarantine(stage).await.is_some()).await;
    let why = quarantine(&stage).await.unwrap();
    assert!(why.contains(&own), "{why}");
    stage.wait_for("it is fenced", async |_| read_only(old).await).await;
    let told = texts(&stage.console(&format!("REJOIN '{address}'")).await.unwrap());
    assert!(told.iter().any(|line| line.contains("follow") && line.contains("done")), "{told:#?}");
    stage.wait_until_whole(&[]).await;
    stage.wait_for("it is let in", async |stage| quarantine(stage).await.is_none()).await;
    let bank = Bank::open(&stage, 2);
    bank.go_on(&stage, 20).await;
    bank.close().await.audit(&stage).await;
    assert!(stage.console("REJOIN 'nowhere:1'").await.is_err());
}

#[tokio::test]
async fn mysql_errant() {
    errant(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_errant() {
    errant(Flavor::MariaDb).await;
}

/// A prepared XA branch would pass every fence when it is committed, so it is found, named, and stands against a
/// switchover.
async fn prepared(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let old = stage.primary().await.unwrap();
    let root = stage.cluster.accounts().root;
    let mut client = crate::client::Options::new(old.direct_address(), root.user, root.password)
        .tls(false)
        .login()
        .await
        .unwrap()
        .unwrap();
    for statement in [
        "XA START 'branch-7'",
        "INSERT INTO app.transfers (id) VALUES (-7)",
        "XA END 'branch-7'",
        "XA PREPARE 'branch-7'",
    ] {
        run(&mut client, statement).await.unwrap();
    }
    drop(client);
    let to = stage.cluster.replicas()[0].address();
    let told = texts(&stage.console(&format!("SWITCHOVER TO '{to}'")).await.unwrap());
    assert!(told.iter().any(|line| line.contains("XA branches are prepared")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("all is put back")), "{told:#?}\n{}", stage.headgate.log());
    assert!(!read_only(old).await);
    old.sql("XA COMMIT 'branch-7'").await.unwrap();
    let told = texts(&stage.console(&format!("SWITCHOVER TO '{to}'")).await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}\n{}", stage.headgate.log());
    stage.wait_until_whole(&[]).await;
}

#[tokio::test]
async fn mysql_xa() {
    prepared(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_xa() {
    prepared(Flavor::MariaDb).await;
}
