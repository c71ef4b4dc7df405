//! The primary is killed while clients write: what Headgate did, and what the clients noticed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::console::Console;
use crate::say::say;
use crate::stage::Stage;
use crate::summary::Verdict;

/// Clients, each with a connection and a row of its own.
const CLIENTS: u32 = 12;
/// Between two steps of a client.
const PAUSE: Duration = Duration::from_millis(10);
/// Of quiet work before the primary is killed, and after writes go on.
const WORK: Duration = Duration::from_secs(4);
/// For anything that takes part in it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients have noticed.
#[derive(Debug, Default)]
struct Noticed {
    stopping: AtomicBool,
    writes: AtomicU64,
    reads: AtomicU64,
    /// The longest that one has waited, in microseconds.
    longest_write: AtomicU64,
    longest_read: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    /// By client: how often it was told that its write was done, and how often that nobody knows.
    told: Mutex<BTreeMap<u32, (u64, u64)>>,
}

impl Noticed {
    /// A client was told that its write was done, or that nobody knows.
    fn hears(&self, number: u32, done: bool) {
        let mut told = self.told.lock();
        let (acknowledged, unknown) = told.entry(number).or_default();
        *(if done { acknowledged } else { unknown }) += 1;
    }
}

/// Kills the primary under load and tells what happened.
pub(crate) async fn perform(stage: &Stage) -> Result<Verdict> {
    let mut console = Console::open(stage.headgate()).await?;
    wait_until(&mut console, "SELECT COUNT(*) FROM failover WHERE phase = 'Healthy'").await?;
    let noticed = Arc::new(Noticed::default());
    let mut clients = JoinSet::new();
    for number in 1..=CLIENTS {
        clients.spawn(live(number, stage.driver_options(), Arc::clone(&noticed)));
    }
    say(&format!("\n{CLIENTS} clients write and read. In {} seconds the primary is killed.", WORK.as_secs()));
    sleep(WORK).await;
    let before: i64 = console.number("SELECT COALESCE(MAX(number), 0) FROM failovers").await?;
    let old = stage.cluster().primary();
    let killed = Instant::now();
    old.kill();
    say(&format!("\nThe primary, {}, is killed (kill -9).", old.address()));
    let written = noticed.writes.load(Ordering::Relaxed);
    // What was on its way is counted before long.
    sleep(Duration::from_millis(100)).await;
    let settled = noticed.writes.load(Ordering::Relaxed).max(written);
    while noticed.writes.load(Ordering::Relaxed) == settled {
        if killed.elapsed() > PATIENCE {
            bail!("writes did not go on within {} s; SHOW FAILOVERS says why", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(5)).await;
    }
    let away = killed.elapsed();
    let new = console.text("SELECT address FROM servers WHERE role = 'primary'").await?;
    say(&format!("Writes go on, on {new}, after {:.2} s.", away.as_secs_f64()));
    sleep(WORK).await;
    say("\nThe old primary is started again.");
    old.start().await?;
    let dealt_with = format!(
        "SELECT (SELECT COUNT(*) FROM servers WHERE address = '{0}' AND role = 'replica') + (SELECT COUNT(*) FROM \
         quarantine WHERE address = '{0}')",
        old.address()
    );
    wait_until(&mut console, &dealt_with).await?;
    let why = format!("SELECT why FROM quarantine WHERE address = '{}'", old.address());
    match console.maybe_text(&why).await? {
        None => say("It follows the new one."),
        Some(why) => say(&format!("It is kept out: {why}. REJOIN lets it in.")),
    }
    noticed.stopping.store(true, Ordering::Relaxed);
    while clients.join_next().await.is_some() {}
    say("\nWhat Headgate did (SHOW FAILOVERS):");
    for (at, phase, what) in console.timeline(before).await? {
        let time = at.split([' ', 'T']).next_back().unwrap_or(&at);
        say(&format!("  {time:<13} {phase:<12} {what}"));
    }
    sum_up(stage, &noticed).await
}

async fn sum_up(stage: &Stage, noticed: &Noticed) -> Result<Verdict> {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    #[allow(clippy::cast_precision_loss, reason = "some seconds")]
    let seconds = |micros: u64| micros as f64 / 1e6;
    say("\nWhat the clients noticed:");
    say(&format!(
        "  {} writes and {} reads; the longest write took {:.2} s, the longest read {:.2} s",
        of(&noticed.writes),
        of(&noticed.reads),
        seconds(of(&noticed.longest_write)),
        seconds(of(&noticed.longest_read)),
    ));
    let errors = noticed.errors.lock().clone();
    if errors.is_empty() {
        say("  no error");
    }
    for (error, count) in &errors {
        say(&format!("  {count} × {error}"));
    }
    let mut conn = Conn::new(stage.driver_options()).await?;
    let found: Vec<(u32, u64)> =
        conn.query("/* headgate: primary */ SELECT id, visits FROM customers").await?;
    conn.disconnect().await?;
    let told = noticed.told.lock().clone();
    let right = |(id, visits): &&(u32, u64)| {
        let (done, unknown) = told.get(id).copied().unwrap_or_default();
        (done..=done + unknown).contains(visits)
    };
    let wrong = found.len() - found.iter().filter(right).count();
    match wrong {
        0 => {
            say("  Every write that was acknowledged is there, and none was done twice.");
            Ok(Verdict::Right)
        }
        wrong => {
            say(&format!("  {wrong} clients do not find what they were told."));
            Ok(Verdict::Wrong)
        }
    }
}

/// Polls the console until a count is not 0.
async fn wait_until(console: &mut Console, question: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while console.number(question).await? == 0 {
        if Instant::now() > end {
            bail!("{question} stayed 0 for {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Writes to its own row and reads, and connects again where it must.
async fn live(number: u32, opts: Opts, noticed: Arc<Noticed>) {
    while !noticed.stopping.load(Ordering::Relaxed) {
        if let Err(error) = visit(number, opts.clone(), &noticed).await {
            *noticed.errors.lock().entry(format!("connection lost: {error}")).or_default() += 1;
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn visit(number: u32, opts: Opts, noticed: &Noticed) -> Result<()> {
    let mut conn = Conn::new(opts).await?;
    while !noticed.stopping.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let sql = format!("UPDATE customers SET visits = visits + 1 WHERE id = {number}");
        let written = conn.query_drop(sql).await;
        took(&noticed.longest_write, begun);
        noticed.hears(number, written.is_ok());
        match written {
            Ok(()) => _ = noticed.writes.fetch_add(1, Ordering::Relaxed),
            Err(mysql_async::Error::Server(error)) => {
                *noticed.errors.lock().entry(error.to_string()).or_default() += 1;
            }
            Err(error) => return Err(error).context("a write"),
        }
        let begun = Instant::now();
        let read = conn.query_drop(format!("SELECT name FROM customers WHERE id = {number}")).await;
        took(&noticed.longest_read, begun);
        match read {
            Ok(()) => _ = noticed.reads.fetch_add(1, Ordering::Relaxed),
            Err(mysql_async::Error::Server(error)) => {
                *noticed.errors.lock().entry(error.to_string()).or_default() += 1;
            }
            Err(error) => return Err(error).context("a read"),
        }
        sleep(PAUSE).await;
    }
    conn.disconnect().await?;
    Ok(())
}

fn took(longest: &AtomicU64, begun: Instant) {
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    longest.fetch_max(micros, Ordering::Relaxed);
}
