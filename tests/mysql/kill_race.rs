//! KILL QUERY, time limits and clients that vanish, all at once over a few shared connections to replicas: only
//! who is meant sees it (HAZARDS 7).
//!
//! `HEADGATE_KILL_ROUNDS=100000 cargo test --features lab --test mysql kill_race` runs it for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use headgate::lab::{Cluster, Flavor};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options};
use crate::headgate::Headgate;
use crate::servers::quiet_cluster;

const USER: &str = "kill_race";

/// Sessions that are aimed at, and as many that are not.
const TARGETS: usize = 4;

/// Long enough for what bystanders read on a busy machine, short enough to be met.
const LIMIT: Duration = Duration::from_secs(2);

const INTERRUPTED: u16 = 1317;
const TOO_LONG: u16 = 3024;

/// About as long as a KILL is on its way.
const SHORT: &str = "SELECT COUNT(*) FROM numbers a, numbers b WHERE a.n < b.n";
/// Longer than the limit.
const LONG: &str = "SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d, numbers e, numbers f, \
                    numbers g WHERE a.n < b.n AND c.n < d.n";

/// A session that is aimed at.
#[derive(Debug, Default)]
struct Target {
    /// The id it has now.
    id: AtomicU32,
    /// KILLs that have begun.
    aimed: AtomicU64,
    /// KILLs that have been answered.
    answered: AtomicU64,
}

/// What has happened.
#[derive(Debug, Default)]
struct Counts {
    kills: AtomicU64,
    interrupted: AtomicU64,
    overtime: AtomicU64,
    vanished: AtomicU64,
    bystanders: AtomicU64,
}

struct Race {
    address: std::net::SocketAddr,
    targets: [Target; TARGETS],
    counts: Counts,
    over: AtomicBool,
}

impl Race {
    async fn login(&self) -> Connection {
        Options::new(self.address, USER, USER).schema(USER).connect().await.unwrap()
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// Reads, and may be interrupted only while a KILL is on its way to it.
    async fn target(&self, at: usize) {
        let target = &self.targets[at];
        let mut connection = self.login().await;
        target.id.store(connection.greeting.thread_id, Ordering::SeqCst);
        let mut round = at as u64;
        while self.goes_on() {
            round += 1;
            if round.is_multiple_of(97) {
                connection.send_query(LONG).await.unwrap();
                sleep(Duration::from_millis(round % 5)).await;
                drop(connection);
                connection = self.login().await;
                target.id.store(connection.greeting.thread_id, Ordering::SeqCst);
                self.counts.vanished.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let answered = target.answered.load(Ordering::SeqCst);
            let (statement, begun) = (if round.is_multiple_of(499) { LONG } else { SHORT }, Instant::now());
            let reply = connection.query(statement).await.unwrap();
            match reply.error.map(|error| error.code) {
                None => assert_eq!(statement, SHORT, "it cannot end by itself"),
                Some(INTERRUPTED) => {
                    let aimed = target.aimed.load(Ordering::SeqCst);
                    assert!(aimed > answered, "nobody has aimed at it since its statement began");
                    self.counts.interrupted.fetch_add(1, Ordering::Relaxed);
                }
                Some(TOO_LONG) => {
                    assert!(begun.elapsed() >= LIMIT, "after {:?}", begun.elapsed());
                    self.counts.overtime.fetch_add(1, Ordering::Relaxed);
                }
                Some(code) => panic!("{statement}: {code}"),
            }
        }
    }

    /// Reads over the same connections, and never sees anything of it.
    async fn bystander(&self) {
        let mut connection = self.login().await;
        while self.goes_on() {
            let begun = Instant::now();
            let reply = connection.query("SELECT COUNT(*) FROM numbers").await.unwrap();
            match &reply.error {
                None => assert_eq!(reply.value().as_deref(), Some("216")),
                Some(error) => assert!(
                    error.code == TOO_LONG && begun.elapsed() >= LIMIT,
                    "a bystander is told {error} after {:?}",
                    begun.elapsed()
                ),
            }
            self.counts.bystanders.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn killer(&self, seed: u64, rounds: u64) {
        let mut connection = self.login().await;
        let mut draw = seed;
        for _ in 0..rounds {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let target = &self.targets[usize::try_from(draw >> 33).unwrap() % TARGETS];
            target.aimed.fetch_add(1, Ordering::SeqCst);
            let id = target.id.load(Ordering::SeqCst);
            let reply = connection.query(format!("KILL QUERY {id}")).await.unwrap();
            target.answered.fetch_add(1, Ordering::SeqCst);
            // Its session may have ended meanwhile.
            assert!(reply.error.as_ref().is_none_or(|error| error.code == 1094), "{:?}", reply.error);
            self.counts.kills.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn prepare(cluster: &Cluster, flavor: Flavor) {
    let method = match flavor {
        Flavor::MySql => "IDENTIFIED BY",
        Flavor::MariaDb => "IDENTIFIED VIA mysql_native_password USING PASSWORD",
    };
    let password = if flavor == Flavor::MySql { format!("'{USER}'") } else { format!("('{USER}')") };
    let digits = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5)";
    for statement in [
        format!("DROP DATABASE IF EXISTS {USER}"),
        format!("CREATE DATABASE {USER}"),
        format!("CREATE USER IF NOT EXISTS {USER}@'%' {method}{password}"),
        format!("GRANT ALL ON {USER}.* TO {USER}@'%'"),
        format!("CREATE TABLE {USER}.numbers AS SELECT a.n FROM {digits} a, {digits} b, {digits} c"),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(Duration::from_secs(60)).await.unwrap();
}

async fn only_who_is_meant(flavor: Flavor) {
    let rounds =
        std::env::var("HEADGATE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let cluster = quiet_cluster(flavor).await;
    prepare(cluster, flavor).await;
    let flags = ["--statement-timeout", "2s", "--set", "pool.max_idle=2"];
    let headgate = Headgate::start(cluster, &flags).await.unwrap();
    let race = Arc::new(Race {
        address: headgate.address(),
        targets: Default::default(),
        counts: Counts::default(),
        over: AtomicBool::new(false),
    });
    let mut readers = JoinSet::new();
    for at in 0..TARGETS {
        let race = [Arc::clone(&race), Arc::clone(&race)];
        let [target, bystander] = race;
        readers.spawn(async move { target.target(at).await });
        readers.spawn(async move { bystander.bystander().await });
    }
    let mut killers = JoinSet::new();
    for seed in 1..=2 {
        let race = Arc::clone(&race);
        killers.spawn(async move { race.killer(seed, rounds / 2).await });
    }
    while let Some(ended) = tokio::select! {
        ended = killers.join_next() => ended,
        // None ends before it is told to.
        Some(ended) = readers.join_next() => Some(ended),
    } {
        ended.unwrap();
    }
    race.over.store(true, Ordering::SeqCst);
    readers.join_all().await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let Counts { kills, interrupted, overtime, vanished, bystanders } = &race.counts;
    println!(
        "{} kills, {} statements interrupted, {} over their time, {} clients vanished, {} reads of bystanders",
        count(kills),
        count(interrupted),
        count(overtime),
        count(vanished),
        count(bystanders)
    );
    // How many come at the right moment depends on the machine: 5 to 60 of 1,000.
    assert!(count(interrupted) > 0, "the kills come too early or too late to show anything");
    assert!(count(vanished) > 0 && count(bystanders) > rounds / 10);
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_meant_on_mysql() {
    only_who_is_meant(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_meant_on_mariadb() {
    only_who_is_meant(Flavor::MariaDb).await;
}
