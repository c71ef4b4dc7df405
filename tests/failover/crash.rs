//! The primary ends without asking.

use std::time::Duration;

use headgate::lab::{Flavor, Node};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::stage::{Stage, rounds};

/// How a primary ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Frozen,
    Stopped,
}

impl End {
    async fn come_to(self, node: &Node) {
        match self {
            Self::Killed => node.kill(),
            Self::Frozen => node.pause().await.unwrap(),
            Self::Stopped => node.stop().await.unwrap(),
        }
    }

    async fn undo(self, node: &Node) {
        match self {
            Self::Killed | Self::Stopped => node.start().await.unwrap(),
            Self::Frozen => node.resume().unwrap(),
        }
    }

    /// The longest time without writes that is promised on a machine that is not overloaded.
    const fn worst(self) -> Duration {
        match self {
            Self::Killed | Self::Stopped => Duration::from_secs(5),
            Self::Frozen => Duration::from_secs(8),
        }
    }
}

/// Ends the primary under load, waits until another serves, and lets the old one come back; again and again.
async fn check(flavor: Flavor, end: End) {
    let stage = Stage::start(flavor, &[]).await;
    bank::found(&stage).await;
    let mut gaps = Vec::new();
    for _ in 0..rounds() {
        let bank = Bank::open(&stage, 8);
        bank.go_on(&stage, 100).await;
        let old = stage.primary().await.unwrap();
        let ended = Instant::now();
        end.come_to(old).await;
        stage
            .wait_for("another server is the primary", async |stage| {
                stage.primary().await.is_some_and(|primary| primary.name() != old.name())
            })
            .await;
        bank.go_on(&stage, 100).await;
        end.undo(old).await;
        stage.wait_until_whole(&[]).await;
        bank.go_on(&stage, 20).await;
        let ledger = bank.close().await;
        ledger.audit(&stage).await;
        gaps.push(ledger.longest_gap(ended));
        eprintln!("{flavor:?} {end:?}: {:?} without writes; errors {:?}", gaps.last(), ledger.errors);
        sleep(Duration::from_millis(500)).await;
    }
    gaps.sort_unstable();
    let (median, worst) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    eprintln!("{flavor:?} {end:?}: {} rounds, time without writes: median {median:?}, worst {worst:?}", gaps.len());
    assert!(worst < end.worst() * 2, "{worst:?}\n{}", stage.headgate.log());
}

#[tokio::test]
async fn mysql_killed() {
    check(Flavor::MySql, End::Killed).await;
}

#[tokio::test]
async fn mysql_frozen() {
    check(Flavor::MySql, End::Frozen).await;
}

#[tokio::test]
async fn mysql_stopped() {
    check(Flavor::MySql, End::Stopped).await;
}

#[tokio::test]
async fn mariadb_killed() {
    check(Flavor::MariaDb, End::Killed).await;
}

#[tokio::test]
async fn mariadb_frozen() {
    check(Flavor::MariaDb, End::Frozen).await;
}

#[tokio::test]
async fn mariadb_stopped() {
    check(Flavor::MariaDb, End::Stopped).await;
}
