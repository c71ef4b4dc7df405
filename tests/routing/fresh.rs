//! A session never reads less than it has written or seen, with replicas that are late by half a second and
//! by three; and without that promise the same reads show less, so the tests can fail.
//!
//! `HEADGATE_PAIRS=50000` makes each flavor write and read as many pairs; less unless told, for time's sake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headgate::lab::Flavor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options};
use crate::stage::{Stage, counted, run, stage, through};

const DELAYS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// Clients that write and read as fast as they can, clients that read what they wrote for longer than the
/// nearer replica is late, pairs of clients that want the same row, and clients that only read.
const HASTY: u64 = 16;
const PATIENT: u64 = 8;
const RIVALS: u64 = 4;
const READERS: u64 = 4;

const PAIRS: u64 = 10_000;
/// With replicas this late a handful would do.
const PAIRS_EVENTUAL: u64 = 2_000;
/// How long a patient client reads what it has written: the nearer replica has it well before the end.
const PATIENCE: Duration = Duration::from_millis(1500);
const PATIENT_ROUNDS: u64 = 4;
const RIVAL_ROUNDS: u64 = 100;

/// What was done and what was wrong, in one run.
#[derive(Debug, Default)]
struct Tally {
    pairs: AtomicU64,
    stale_pairs: AtomicU64,
    patient_reads: AtomicU64,
    stale_patient_reads: AtomicU64,
    created: AtomicU64,
    missing_rows: AtomicU64,
    counter_reads: AtomicU64,
    steps_back: AtomicU64,
    /// Writers have ended; readers may.
    done: AtomicBool,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn count_if(counter: &AtomicU64, wrong: bool) {
    counter.fetch_add(u64::from(wrong), Ordering::Relaxed);
}

async fn number(connection: &mut Connection, question: &str) -> Result<Option<u64>> {
    let reply = run(connection, question).await?;
    reply.value().map(|value| value.parse().context("a number")).transpose()
}

/// Writes and at once reads what was written.
async fn hasty(client: Options, id: u64, pairs: u64, tally: Arc<Tally>) -> Result<()> {
    let mut connection = client.connect().await?;
    for round in 1..=pairs {
        run(&mut connection, &format!("UPDATE pairs SET n = {round} WHERE id = {id}")).await?;
        let read = number(&mut connection, &format!("SELECT n FROM pairs WHERE id = {id}")).await?;
        count(&tally.pairs);
        count_if(&tally.stale_pairs, read != Some(round));
    }
    connection.quit().await
}

/// Writes and reads for so long that the reads move from the primary to a replica.
async fn patient(client: Options, id: u64, tally: Arc<Tally>) -> Result<()> {
    let mut connection = client.connect().await?;
    for round in 1..=PATIENT_ROUNDS {
        run(&mut connection, &format!("UPDATE pairs SET n = {round} WHERE id = {id}")).await?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let read = number(&mut connection, &format!("SELECT n FROM pairs WHERE id = {id}")).await?;
            count(&tally.patient_reads);
            count_if(&tally.stale_patient_reads, read != Some(round));
            sleep(Duration::from_millis(10)).await;
        }
    }
    connection.quit().await
}

/// Two sessions create the same row; who comes second is told so, and must then find it.
async fn rivals(client: Options, id: u64, tally: Arc<Tally>) -> Result<()> {
    let mut first = client.connect().await?;
    let mut second = client.connect().await?;
    for round in 0..RIVAL_ROUNDS {
        let create = format!("INSERT INTO names (name, owner) VALUES ('{id}-{round}', {round})");
        run(&mut first, &create).await?;
        let refused = second.query(&create).await?.error.context("the row was there already")?;
        ensure!(refused.code == 1062, "{refused}");
        let find = format!("SELECT owner FROM names WHERE name = '{id}-{round}'");
        count(&tally.created);
        count_if(&tally.missing_rows, number(&mut second, &find).await? != Some(round));
        // What an error may have hidden keeps reads on the primary until it is reported; that must not be all.
        run(&mut second, "SET NAMES utf8mb4").await?;
        count_if(&tally.missing_rows, number(&mut second, &find).await? != Some(round));
    }
    first.quit().await?;
    second.quit().await
}

/// Only counts, so that nobody who reads may see it go back.
async fn counter(client: Options, tally: Arc<Tally>) -> Result<()> {
    let mut connection = client.connect().await?;
    while !tally.done.load(Ordering::Relaxed) {
        run(&mut connection, "UPDATE pairs SET n = n + 1 WHERE id = 0").await?;
        sleep(Duration::from_millis(2)).await;
    }
    connection.quit().await
}

/// Two sessions in turn: what one has seen binds that one, and each goes forward only.
async fn reader(client: Options, tally: Arc<Tally>) -> Result<()> {
    let mut sessions = [(client.connect().await?, 0), (client.connect().await?, 0)];
    while !tally.done.load(Ordering::Relaxed) {
        for (connection, seen) in &mut sessions {
            let read = number(connection, "SELECT n FROM pairs WHERE id = 0").await?.context("a counter")?;
            count(&tally.counter_reads);
            count_if(&tally.steps_back, read < *seen);
            *seen = read;
            sleep(Duration::from_millis(3)).await;
        }
    }
    for (connection, _) in sessions {
        connection.quit().await?;
    }
    Ok(())
}

/// Clients that read what they wrote until it is on the nearer replica. Nothing else is going on, so that this
/// replica is no later than it is made to be.
async fn wait_and_see(client: &Options, tally: &Arc<Tally>) {
    let mut clients = JoinSet::new();
    for id in HASTY + 1..=HASTY + PATIENT {
        clients.spawn(patient(client.clone(), id, Arc::clone(tally)));
    }
    for outcome in clients.join_all().await {
        outcome.unwrap();
    }
}

/// Everybody else at once, until the writers have ended. Says how long the pairs took.
async fn traffic(client: &Options, pairs: u64, tally: &Arc<Tally>) -> Duration {
    let begun = Instant::now();
    let mut writers = JoinSet::new();
    for id in 1..=HASTY {
        writers.spawn(hasty(client.clone(), id, pairs / HASTY, Arc::clone(tally)));
    }
    let mut others = JoinSet::new();
    for id in 0..RIVALS {
        others.spawn(rivals(client.clone(), id, Arc::clone(tally)));
    }
    let mut lasting = JoinSet::new();
    lasting.spawn(counter(client.clone(), Arc::clone(tally)));
    for _ in 0..READERS {
        lasting.spawn(reader(client.clone(), Arc::clone(tally)));
    }
    let all = |set: JoinSet<Result<()>>| async {
        for outcome in set.join_all().await {
            outcome.unwrap();
        }
    };
    all(writers).await;
    let took = begun.elapsed();
    all(others).await;
    tally.done.store(true, Ordering::Relaxed);
    all(lasting).await;
    took
}

async fn prepare(stage: &Stage) {
    let rows: Vec<String> = (0..=HASTY + PATIENT).map(|id| format!("({id}, 0)")).collect();
    stage
        .prepare([
            "CREATE TABLE IF NOT EXISTS app.pairs (id INT PRIMARY KEY, n BIGINT NOT NULL)".to_owned(),
            "CREATE TABLE IF NOT EXISTS app.names (name VARCHAR(40) PRIMARY KEY, owner INT NOT NULL)"
                .to_owned(),
            "TRUNCATE app.pairs".to_owned(),
            "TRUNCATE app.names".to_owned(),
            format!("INSERT INTO app.pairs VALUES {}", rows.join(", ")),
        ])
        .await;
}

/// One run under delay; what it did, and how many reads of readers and of patient clients ran on replicas.
async fn observe(stage: &Stage, name: &str, pairs: u64, arguments: &[&str]) -> (Arc<Tally>, [f64; 2]) {
    prepare(stage).await;
    let headgate = stage.headgate(arguments).await;
    stage.delay(DELAYS).await;
    let tally = Arc::new(Tally::default());
    let before = counted(&headgate);
    let client = through(&headgate, stage.cluster.accounts().app).tls(false);
    let took = traffic(&client, pairs, &tally).await;
    let between = counted(&headgate);
    // What has piled up behind the slower link passes first.
    sleep(DELAYS[1] * 2).await;
    wait_and_see(&client, &tally).await;
    let after = counted(&headgate);
    stage.delay([Duration::ZERO; 2]).await;
    let on_replicas = [between.1 - before.1, after.1 - between.1];
    #[allow(clippy::cast_precision_loss, reason = "some ten thousands")]
    let rate = tally.pairs.load(Ordering::Relaxed) as f64 / took.as_secs_f64();
    println!(
        "{} {name}: {rate:.0} pairs a second; {on_replicas:?} reads on replicas, {} statements on the primary; {tally:?}",
        stage.cluster.flavor(),
        after.0 - before.0,
    );
    (tally, on_replicas)
}

async fn never_goes_back(flavor: Flavor) {
    let stage = stage(flavor).await;
    let pairs = std::env::var("HEADGATE_PAIRS").map_or(PAIRS, |text| text.parse().unwrap());
    let (tally, on_replicas) = observe(&stage, "session", pairs, &[]).await;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(of(&tally.pairs), pairs / HASTY * HASTY);
    assert_eq!(of(&tally.created), RIVALS * RIVAL_ROUNDS);
    let wrong = [&tally.stale_pairs, &tally.stale_patient_reads, &tally.missing_rows, &tally.steps_back];
    assert_eq!(wrong.map(of), [0; 4], "{tally:?}");
    // Were all on the primary, nothing would be shown.
    assert!(on_replicas.iter().all(|reads| *reads >= 200.0), "only {on_replicas:?} reads on replicas");

    let eventual = ["--set=routing.consistency=eventual"];
    let (tally, _) = observe(&stage, "eventual", PAIRS_EVENTUAL, &eventual).await;
    let wrong = [&tally.stale_pairs, &tally.stale_patient_reads, &tally.missing_rows, &tally.steps_back];
    assert!(wrong.iter().all(|wrong| of(wrong) > 0), "these could not have failed: {tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_never_read_less_than_they_know_on_mysql() {
    never_goes_back(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_never_read_less_than_they_know_on_mariadb() {
    never_goes_back(Flavor::MariaDb).await;
}
