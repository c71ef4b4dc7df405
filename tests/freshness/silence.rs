//! A replica that freezes, vanishes or dies while it is read from: what its clients notice.

use std::time::Duration;

use headgate::lab::{Fault, Flavor, Node};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::stage::{Stage, counted, on_replicas, run, stage};

/// The slowest read that a client may see.
const WORST: Duration = Duration::from_millis(1500);

/// Sessions that read all the time.
const READERS: u64 = 12;

/// How a replica goes.
#[derive(Debug, Clone, Copy)]
enum End {
    Frozen,
    Vanished,
    Killed,
}

async fn goes(replica: &Node, end: End) {
    match end {
        End::Frozen => replica.pause().await.unwrap(),
        End::Vanished => replica.link().unwrap().set(Fault::Swallow).await,
        End::Killed => replica.kill(),
    }
}

/// How long the slowest read took, of those that began while a replica was away.
async fn slowest(stage: &Stage, end: End) {
    let headgate = stage.headgate(&[]).await;
    let client = stage.through(&headgate);
    let replica = &stage.cluster.replicas()[0];
    let until = Instant::now() + Duration::from_secs(6);
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let client = client.clone();
        readers.spawn(async move {
            let mut connection = client.connect().await.unwrap();
            let (mut slowest, mut reads) = (Duration::ZERO, 0_u64);
            while Instant::now() < until {
                let begun = Instant::now();
                run(&mut connection, "SELECT COUNT(*) FROM quiet").await.unwrap();
                slowest = slowest.max(begun.elapsed());
                reads += 1;
                sleep(Duration::from_millis(2)).await;
            }
            (slowest, reads)
        });
    }
    sleep(Duration::from_secs(1)).await;
    let retries = || counted(&headgate, "headgate_read_retries_total", &[]);
    let (before, served) = (retries(), on_replicas(&headgate));
    goes(replica, end).await;
    let outcomes = readers.join_all().await;
    let (tried, served) = (retries() - before, on_replicas(&headgate) - served);
    stage.heal().await;
    let slowest = outcomes.iter().map(|(slowest, _)| *slowest).max().unwrap();
    let reads: u64 = outcomes.iter().map(|(_, reads)| reads).sum();
    println!(
        "{} {end:?}: slowest read {} ms, {tried} reads ran again, {served} of {reads} on replicas",
        stage.cluster.flavor(),
        slowest.as_millis()
    );
    let log = headgate.log();
    assert!(slowest < WORST, "{end:?}: {slowest:?}\n{log}");
    // Each session is in one read at a time, and one may have begun just before the replica was found out.
    assert!(tried <= (READERS * 2) as f64, "{end:?}: {tried} reads ran again\n{log}");
    assert!(served > reads as f64 / 2.0, "the other replicas go on: {served} of {reads}\n{log}");
}

async fn silence(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["CREATE TABLE IF NOT EXISTS app.quiet (n INT)"]).await;
    for end in [End::Frozen, End::Vanished, End::Killed] {
        slowest(&stage, end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_goes_costs_a_read_one_retry_on_mysql() {
    silence(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_goes_costs_a_read_one_retry_on_mariadb() {
    silence(Flavor::MariaDb).await;
}
