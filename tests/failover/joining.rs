//! Servers that nobody has named: found, or added while Headgate runs, they take part in a failover like the others.

use headgate::lab::{Account, Cluster, DATABASE, Flavor, Node};

use crate::client::Options;
use crate::company::Company;
use crate::stage::{ask_console, follows, run, value};

/// One address is enough for a failover as well.
async fn found_ones_are_promoted(flavor: Flavor, flags: &[&str]) {
    let company = Company::start(flavor, |cluster| vec![cluster.primary().address()], flags).await;
    let [primary, one, two] = company.cluster.nodes() else { panic!("three servers") };
    company
        .wait_for("all take part, and hear often", async || {
            company.ask("SELECT silence_ms, phase FROM failover").await == ["3000: Healthy"]
                && company.ask("SELECT COUNT(*) FROM servers WHERE role = 'replica'").await == ["2"]
        })
        .await;
    let Account { user, password } = company.cluster.accounts().app;
    let client = Options::new(company.headgate.address(), user, password).schema(DATABASE).tls(false);
    let mut client = client.login().await.unwrap().unwrap();
    run(&mut client, "INSERT INTO notes VALUES (1)").await.unwrap();
    primary.kill();
    // The session waits, and goes on.
    run(&mut client, "INSERT INTO notes VALUES (2)").await.unwrap();
    let written = run(&mut client, "SELECT COUNT(*) FROM notes FOR UPDATE").await.unwrap();
    assert_eq!(written.value().as_deref(), Some("2"));
    primary.start().await.unwrap();
    company
        .wait_for("all follow the new one", async || {
            let (new, other) = if follows(one, two).await { (two, one) } else { (one, two) };
            follows(other, new).await && follows(primary, new).await
        })
        .await;
}

/// A server that was found is the primary and dies; Headgate starts again while only the one that people have named is up,
/// and writable, as many servers start. Nobody is to write there.
async fn a_found_primary_is_remembered(flavor: Flavor) {
    let mut company = Company::start(flavor, |cluster| vec![cluster.primary().address()], &[]).await;
    company
        .wait_for("all take part", async || {
            company.ask("SELECT silence_ms, phase FROM failover").await == ["3000: Healthy"]
                && company.ask("SELECT COUNT(*) FROM servers WHERE role = 'replica'").await == ["2"]
        })
        .await;
    let new = &company.cluster.replicas()[0];
    let switchover = format!("SWITCHOVER TO '{}'", new.address());
    let told = company.ask(&switchover).await;
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}\n{}", company.headgate.log());
    company.headgate.kill();
    for node in company.cluster.nodes() {
        node.kill();
    }
    let old = &company.cluster.nodes()[0];
    old.start().await.unwrap();
    let stop_following = match flavor {
        Flavor::MySql => ["STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL read_only = 0"],
        Flavor::MariaDb => ["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"],
    };
    for statement in stop_following {
        old.sql(statement).await.unwrap();
    }
    company.start_again(&["--set=failover.hold=2s"]);
    let Account { user, password } = company.cluster.accounts().app;
    let client = Options::new(company.headgate.address(), user, password).schema(DATABASE).tls(false);
    let refused = match client.login().await {
        Ok(Ok(mut client)) => run(&mut client, "INSERT INTO notes VALUES (1)").await.is_err(),
        _ => true,
    };
    assert!(refused, "a client wrote to the old primary\n{}", company.headgate.log());
    company.cluster.replicas()[0].start().await.unwrap();
    company.wait_for_primary(&company.cluster.replicas()[0]).await;
    let mut client = client.login().await.unwrap().unwrap();
    run(&mut client, "INSERT INTO notes VALUES (2)").await.unwrap();
    // The second row may be there already: the old primary comes back as a replica.
    assert_eq!(
        value(company.cluster.primary(), "SELECT COUNT(*) FROM app.notes WHERE id = 1").await.as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn mysql_found_is_remembered() {
    a_found_primary_is_remembered(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_found_is_remembered() {
    a_found_primary_is_remembered(Flavor::MariaDb).await;
}

#[tokio::test]
async fn mysql_found() {
    found_ones_are_promoted(Flavor::MySql, &[]).await;
}

#[tokio::test]
async fn mariadb_found() {
    found_ones_are_promoted(Flavor::MariaDb, &[]).await;
}

/// Workers with pools of their own.
#[tokio::test]
async fn mariadb_found_by_workers() {
    let flags = ["--set=runtime.model=per-core", "--workers=2"];
    found_ones_are_promoted(Flavor::MariaDb, &flags).await;
}

/// A server that is added takes part, and one that is removed does not any more.
async fn added_ones_are_promoted(flavor: Flavor) {
    let first_two = |cluster: &Cluster| cluster.nodes()[..2].iter().map(Node::address).collect();
    let company = Company::start(flavor, first_two, &["--discover=false"]).await;
    let [primary, one, two] = company.cluster.nodes() else { panic!("three servers") };
    company
        .wait_for("failover is on", async || company.ask("SELECT phase FROM failover").await == ["Healthy"])
        .await;
    company.ask(&format!("ADD SERVER '{}'", two.address())).await;
    company.takes_part(two).await;
    company.ask(&format!("REMOVE SERVER '{}'", one.address())).await;
    company
        .wait_for("one takes no part", async || {
            let line = format!("{} takes no part any more", one.address());
            company.ask("SELECT what FROM events").await.contains(&line)
        })
        .await;
    let refused = ask_console(&company.headgate, &format!("SWITCHOVER TO '{}'", one.address())).await;
    assert!(refused.is_err(), "{refused:?}");
    primary.kill();
    company.wait_for_primary(two).await;
}

#[tokio::test]
async fn mysql_added() {
    added_ones_are_promoted(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_added() {
    added_ones_are_promoted(Flavor::MariaDb).await;
}
