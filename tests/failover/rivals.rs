//! Two Headgates before one cluster, without a lease: neither promotes by itself, and both say why. What an operator does
//! with one of them, the other goes along with. So often by `HEADGATE_ROUNDS`.

use std::time::Duration;

use headgate::lab::{Account, DATABASE, Flavor, Headgate};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::client::Options;
use crate::crash::comes_back;
use crate::stage::{Stage, ask_console, read_only, rounds, texts};

/// How the standstill ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// An operator promotes with one of them.
    Operator,
    /// One of them leaves, and the other is alone.
    Alone,
}

async fn says(headgate: &Headgate, question: &str, what: &str) -> bool {
    let answer = ask_console(headgate, question).await.unwrap_or_default();
    texts(&answer).iter().any(|line| line.contains(what))
}

async fn knows_of_a_rival(headgate: &Headgate) -> bool {
    says(headgate, "SELECT what FROM events WHERE kind = 'rival'", "another Headgate watches").await
}

async fn stands_still(headgate: &Headgate) -> bool {
    says(headgate, "SELECT phase, why FROM failover", "Blocked: another Headgate").await
}

/// What nobody does is seen only by looking for a while: no failover takes longer than this.
async fn nobody_is_promoted(stage: &Stage, old: &str) {
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        for replica in stage.cluster.nodes().iter().filter(|node| node.name() != old) {
            assert!(read_only(replica).await, "{} was promoted\n{}", replica.name(), stage.headgate.log());
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn writable(stage: &Stage, old: &str) -> usize {
    let mut count = 0;
    for node in stage.cluster.nodes().iter().filter(|node| node.name() != old) {
        count += usize::from(!read_only(node).await);
    }
    count
}

async fn round(stage: &Stage, end: End) -> bool {
    let other = stage.another();
    stage
        .wait_for("both know of each other", async |stage| {
            knows_of_a_rival(&stage.headgate).await && knows_of_a_rival(&other).await
        })
        .await;
    let Account { user, password } = stage.cluster.accounts().app;
    let with_other = Options::new(other.address(), user, password).schema(DATABASE).tls(false);
    let (bank, second) = (Bank::open(stage, 2), Bank::open_at(with_other, 2));
    bank.go_on(stage, 10).await;
    second.go_on(stage, 10).await;
    let old = stage.primary().await.unwrap();
    old.kill();
    stage
        .wait_for("both say why", async |stage| {
            stands_still(&stage.headgate).await && stands_still(&other).await
        })
        .await;
    nobody_is_promoted(stage, old.name()).await;
    match end {
        End::Operator => {
            let told = texts(&stage.console("FAILOVER").await.unwrap());
            assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}");
            bank.go_on(stage, 10).await;
            // Clients of the other one go on as well.
            let before = second.acknowledged().await;
            stage
                .wait_for("the other Headgate goes along", async |_| {
                    let on = second.acknowledged().await >= before + 10;
                    if !on && std::env::var_os("HEADGATE_LOG").is_some() {
                        eprintln!("{}", other.log());
                    }
                    on
                })
                .await;
            second.close().await.audit(stage).await;
            drop(other);
        }
        End::Alone => {
            drop(other);
            stage
                .wait_for("the one that is left promotes", async |stage| {
                    stage.primary().await.is_some_and(|primary| primary.name() != old.name())
                })
                .await;
            bank.go_on(stage, 10).await;
            second.close().await.audit(stage).await;
        }
    }
    assert_eq!(writable(stage, old.name()).await, 1);
    bank.close().await.audit(stage).await;
    old.start().await.unwrap();
    comes_back(stage, old).await
}

async fn two(flavor: Flavor) {
    let mut stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    for number in 0..=rounds() {
        let end = if number % 2 == 0 { End::Operator } else { End::Alone };
        if round(&stage, end).await {
            // What the old primary alone has is for an operator to decide about.
            drop(stage);
            stage = Stage::start(flavor, &[]).await;
            bank::found(&stage).await;
        }
        eprintln!("{flavor:?}: round {number} with two Headgates, {end:?}");
    }
}

#[tokio::test]
async fn mysql_two_headgates() {
    two(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_two_headgates() {
    two(Flavor::MariaDb).await;
}
