//! A storm of connections: clients that log in over TLS, ask once and leave, many a second, while others work.
//!
//! `cargo bench --features lab --bench storm -- --seconds 600 --rate 2000`
//!
//! Workers send a point select each, at a steady pace, first alone and then in the storm. What they wait for is
//! compared; what the storm leaves behind in Headgate (memory, descriptors, sessions) is shown, and a leak fails
//! the run. Everything shares the machine: clients and servers take processor time as well, so the storm may be
//! weaker than asked for, and the figure that counts is the one reached.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run ends with what went wrong")]

#[path = "../../tests/mysql/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/mysql, which uses all of it")]
mod client;
#[path = "../relay/meter.rs"]
#[allow(dead_code, reason = "shared with benches/relay, which uses all of it")]
mod meter;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use headgate::lab::headgate::Options as HeadgateOptions;
use headgate::lab::{Cluster, DATABASE, Flavor, Headgate, Node};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use client::{Connection, Options};
use meter::Meter;

#[derive(Debug, Parser)]
#[command(name = "storm")]
struct Asked {
    /// How long the storm lasts.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Connections a second.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// Clients that work all the time.
    #[arg(long, default_value_t = 64)]
    workers: usize,
    /// Milliseconds between two statements of a worker.
    #[arg(long, default_value_t = 50)]
    pace: u64,
    /// Go to the primary itself: what the machine makes of such a storm without Headgate.
    #[arg(long)]
    directly: bool,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Connections on their way at a time. More would only stand in line.
const AT_ONCE: usize = 128;

/// How much memory may have grown from a first, short storm to the end of the last.
const GROWTH: u64 = 16 * 1024 * 1024;

/// The phases, as places of what was waited in them.
const WARMING_UP: usize = 0;
const ALONE: usize = 1;
const IN_STORM: usize = 2;

/// What workers have waited, in microseconds.
type Waits = Vec<u32>;

struct Stage {
    options: Options,
    working: AtomicBool,
    /// Which of the phases it is: what is waited for in the first does not count.
    phase: AtomicUsize,
}

impl Stage {
    async fn worker(&self, pace: Duration) -> [Waits; 3] {
        let mut connection = self.options.connect().await.unwrap();
        let mut waits = [Waits::new(), Waits::new(), Waits::new()];
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.working.load(Ordering::Relaxed) {
            ticks.tick().await;
            let phase = self.phase.load(Ordering::Relaxed);
            let begun = Instant::now();
            ask(&mut connection).await;
            waits[phase].push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        waits
    }
}

async fn ask(connection: &mut Connection) {
    let reply = connection.query("SELECT text FROM storm WHERE id = 7").await.unwrap();
    assert_eq!(reply.value().as_deref(), Some("seven"), "{:?}", reply.error);
}

/// Connects again and again; says how many came through and how many did not.
async fn storm(stage: &Arc<Stage>, rate: u64, lasts: Duration) -> (u64, u64) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let (done, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let end = Instant::now() + lasts;
    let mut ticks = interval(Duration::from_micros(1_000_000 / rate.max(1)));
    let mut visitors = JoinSet::new();
    while Instant::now() < end {
        ticks.tick().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (stage, done, failed) = (Arc::clone(stage), Arc::clone(&done), Arc::clone(&failed));
        visitors.spawn(async move {
            let visit = async {
                let mut connection = stage.options.connect().await?;
                connection.query("SELECT text FROM storm WHERE id = 7").await?;
                connection.quit().await
            };
            let counter = if visit.await.is_ok() { done } else { failed };
            counter.fetch_add(1, Ordering::Relaxed);
            drop(place);
        });
        while visitors.try_join_next().is_some() {}
    }
    visitors.join_all().await;
    (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
}

/// The value below which so many of a hundred are.
fn percentile(waits: &mut [u32], percent: usize) -> f64 {
    waits.sort_unstable();
    let at = (waits.len() * percent / 100).min(waits.len().saturating_sub(1));
    f64::from(waits.get(at).copied().unwrap_or(0)) / 1000.0
}

/// Descriptors that a process has open.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn sessions(headgate: &Headgate) -> f64 {
    let samples = headgate.metrics().unwrap();
    samples.iter().find(|sample| sample.name == "headgate_sessions_open").map_or(0.0, |sample| sample.value)
}

/// What Headgate holds, once nothing of the storm is on its way any more.
async fn held(headgate: &Headgate, workers: usize) -> (u64, usize, f64) {
    let end = Instant::now() + Duration::from_secs(30);
    #[allow(clippy::cast_precision_loss, reason = "a few dozen")]
    while sessions(headgate) > workers as f64 && Instant::now() < end {
        sleep(Duration::from_millis(100)).await;
    }
    let memory = Meter::of(headgate.pid()).memory().unwrap();
    (memory.resident, descriptors(headgate.pid()), sessions(headgate))
}

async fn run(asked: Asked) -> bool {
    let builder =
        Cluster::builder(Flavor::MySql).relays(false).performance_schema(false).max_connections(2_000);
    let cluster = builder.start().await.unwrap();
    for statement in [
        format!("CREATE TABLE {DATABASE}.storm (id INT PRIMARY KEY, text VARCHAR(20))"),
        format!("INSERT INTO {DATABASE}.storm VALUES (7, 'seven')"),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(Duration::from_secs(30)).await.unwrap();
    let servers: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
    let binary = Path::new(env!("CARGO_BIN_EXE_headgate"));
    let headgate = Headgate::start(binary, &servers, &HeadgateOptions::default()).unwrap();
    let app = cluster.accounts().app;
    let address = if asked.directly { servers[0] } else { headgate.address() };
    let options = Options::new(address, app.user, app.password).schema(DATABASE).tls(true);
    while options.login().await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    let stage =
        Arc::new(Stage { options, working: AtomicBool::new(true), phase: AtomicUsize::new(WARMING_UP) });
    let mut workers = JoinSet::new();
    for _ in 0..asked.workers {
        let stage = Arc::clone(&stage);
        workers.spawn(async move { stage.worker(Duration::from_millis(asked.pace)).await });
    }
    // A first one, after which everything has the size it needs.
    storm(&stage, asked.rate, Duration::from_secs(5)).await;
    let before = held(&headgate, asked.workers).await;
    stage.phase.store(ALONE, Ordering::Relaxed);
    sleep(Duration::from_secs(10)).await;
    let cpu = Meter::of(headgate.pid()).cpu_micros().unwrap();
    stage.phase.store(IN_STORM, Ordering::Relaxed);
    let lasts = Duration::from_secs(asked.seconds);
    let begun = Instant::now();
    let (done, failed) = storm(&stage, asked.rate, lasts).await;
    let took = begun.elapsed().as_secs_f64();
    let cpu = Meter::of(headgate.pid()).cpu_micros().unwrap() - cpu;
    let after = held(&headgate, asked.workers).await;
    stage.working.store(false, Ordering::Relaxed);
    let mut waits = [Waits::new(), Waits::new()];
    for [_, quiet, stormy] in workers.join_all().await {
        waits[0].extend(quiet);
        waits[1].extend(stormy);
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (each_second, each) = (done as f64 / took, cpu / done.max(1) as f64);
    println!(
        "{done} connections in {took:.0} s: {each_second:.0} a second of {} asked for, {failed} failed",
        asked.rate
    );
    println!("Headgate's processor time, workers included: {each:.0} µs a connection");
    let [quiet, stormy] = &mut waits;
    println!("{} workers, ms:       median    p99", asked.workers);
    println!("  alone              {:>7.2} {:>7.2}", percentile(quiet, 50), percentile(quiet, 99));
    println!("  in the storm       {:>7.2} {:>7.2}", percentile(stormy, 50), percentile(stormy, 99));
    println!("Headgate              before    after");
    println!("  resident, MiB      {:>7} {:>8}", before.0 >> 20, after.0 >> 20);
    println!("  descriptors        {:>7} {:>8}", before.1, after.1);
    println!("  sessions           {:>7} {:>8}", before.2, after.2);
    let leaks = after.0 > before.0 + GROWTH || after.1 > before.1 + 100 || after.2 > before.2;
    let slower = percentile(stormy, 99) / percentile(quiet, 99);
    println!("{} nothing leaks", if leaks { "FAIL" } else { "PASS" });
    println!(
        "{} the workers' p99 is {slower:.1} times that of the quiet, at most 2",
        if slower > 2.0 { "FAIL" } else { "PASS" }
    );
    !leaks && slower <= 2.0 && failed == 0
}

fn main() -> ExitCode {
    meter::raise_open_files_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if runtime.block_on(run(Asked::parse())) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
