//! What becomes of old primaries that come back.

use headgate::lab::{Fault, Flavor, Node};

use crate::bank::{self, Bank};
use crate::client::{Connection, Options};
use crate::stage::{Stage, read_only, run, texts, value};

/// Starts a server that Headgate does not reach yet, writes what nobody else has, and lets Headgate see it.
pub(crate) async fn write_alone(old: &Node) {
    let semi_sync = match old.flavor() {
        Flavor::MySql => "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        Flavor::MariaDb => "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
    };
    old.link().unwrap().set(Fault::Refuse).await;
    old.start().await.unwrap();
    old.sql(semi_sync).await.unwrap();
    old.sql("INSERT INTO app.transfers (n, id) VALUES (-1, -1)").await.unwrap();
    old.link().unwrap().set(Fault::None).await;
}

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
    write_alone(old).await;
    let own = match flavor {
        Flavor::MySql => value(old, "SELECT @@global.server_uuid").await.unwrap(),
        Flavor::MariaDb => "0-1-".to_owned(),
    };
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

/// A connection past Headgate.
async fn direct(stage: &Stage, node: &Node) -> Connection {
    let root = stage.cluster.accounts().root;
    let options = Options::new(node.direct_address(), root.user, root.password).tls(false);
    options.login().await.unwrap().unwrap()
}

/// A prepared XA branch would pass every fence when it is committed, so it is found, named, and stands against a
/// switchover.
async fn prepared(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let old = stage.primary().await.unwrap();
    let mut client = direct(&stage, old).await;
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

/// A branch is prepared before the old primary is fenced, and committed there after it: both are found and named.
async fn committed_behind_the_fence(flavor: Flavor) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let old = stage.primary().await.unwrap();
    let mut client = direct(&stage, old).await;
    for statement in [
        "XA START 'branch-8'",
        "INSERT INTO app.transfers (id) VALUES (-8)",
        "XA END 'branch-8'",
        "XA PREPARE 'branch-8'",
    ] {
        run(&mut client, statement).await.unwrap();
    }
    drop(client);
    let told = texts(&stage.console("FAILOVER").await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}\n{}", stage.headgate.log());
    let address = old.address().to_string();
    let kept_out_for = async |stage: &Stage, what: &str| {
        let kept = stage.console("SELECT address, why FROM quarantine").await.unwrap_or_default();
        texts(&kept).iter().any(|line| line.starts_with(&address) && line.contains(what))
    };
    // MySQL names branches in hexadecimal.
    let branch = if flavor == Flavor::MySql { "0x6272616E63682D38" } else { "branch-8" };
    stage.wait_for("the branch is named", async |stage| kept_out_for(stage, branch).await).await;
    assert!(read_only(old).await);
    // It passes the fence.
    old.sql("XA COMMIT 'branch-8'").await.unwrap();
    assert!(read_only(old).await);
    let lacks = "transactions that the primary lacks";
    stage.wait_for("what it has written is named", async |stage| kept_out_for(stage, lacks).await).await;
}

#[tokio::test]
async fn mysql_committed_behind_the_fence() {
    committed_behind_the_fence(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_committed_behind_the_fence() {
    committed_behind_the_fence(Flavor::MariaDb).await;
}
