//! Headgate was killed while it had a replica promoted, and comes back together with the primary that was frozen. No write
//! goes there any more, though that one takes writes and the other does not yet.

use headgate::lab::Flavor;
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank};
use crate::plan::Plan;
use crate::stage::{PATIENCE, Stage};

async fn wakes(flavor: Flavor) {
    let mut stage = Stage::of(&Plan::new(flavor).asynchronous()).await;
    bank::found(&stage).await;
    stage.die_at("after save Promoting");
    stage.cluster.primary().pause().await.unwrap();
    let end = Instant::now() + PATIENCE;
    while !stage.headgate.has_ended() {
        assert!(Instant::now() < end, "it never came to that\n{}", stage.headgate.log());
        sleep(std::time::Duration::from_millis(10)).await;
    }
    stage.cluster.primary().resume().unwrap();
    stage.start_headgate();
    let bank = Bank::open(&stage, 8);
    stage
        .wait_for("the promotion is finished", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != stage.cluster.primary().name())
        })
        .await;
    bank.go_on(&stage, 20).await;
    stage.wait_until_whole(&[]).await;
    bank.close().await.audit(&stage).await;
}

#[tokio::test]
async fn mysql_wakes() {
    wakes(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_wakes() {
    wakes(Flavor::MariaDb).await;
}
