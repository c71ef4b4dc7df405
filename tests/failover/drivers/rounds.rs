//! Rounds of every kind of failure, at random moments, under 32 customers.
//!
//! `HEADGATE_ROUNDS=50` runs so many of each kind, `HEADGATE_FAULTS=SwitchedOver` that kind alone, and `HEADGATE_SHOW=1`
//! prints what Headgate says of a switchover.

use std::time::Duration;

use headgate::lab::Flavor;
use tokio::time::{Instant, sleep};

use super::fault::{ALL, Fault};
use super::report::Report;
use super::team::{Book, DRIVERS, Habit, Team};
use crate::bank;
use crate::crash::{BY_NAME, comes_back};
use crate::stage::{Stage, rounds};

/// For so long clients wait for a primary (`failover.hold`).
const HOLD: Duration = Duration::from_secs(10);

/// Customers of each driver, 32 in all.
const CUSTOMERS: [u64; 5] = [7, 7, 6, 6, 6];

/// A cluster with customers of all drivers.
struct Scene {
    stage: Stage,
    teams: Vec<Team>,
    book: Book,
}

impl Scene {
    async fn open(flavor: Flavor) -> Self {
        let stage = Stage::start(flavor, &[]).await;
        bank::found(&stage).await;
        let book = Book::default();
        let staffed = DRIVERS.into_iter().zip(CUSTOMERS);
        let teams =
            staffed.map(|(driver, count)| Team::open(&stage, driver, Habit::Busy(count), &book)).collect();
        Self { stage, teams, book }
    }

    /// Waits until so many more transfers are acknowledged.
    async fn go_on(&self, more: usize) {
        let wanted = self.book.lock().ledger.acknowledged.len() + more;
        let enough = async |_: &Stage| self.book.lock().ledger.acknowledged.len() >= wanted;
        self.stage.wait_for("transfers go on", enough).await;
    }

    /// One round; whether the old primary is kept out afterwards.
    async fn round(&self, fault: Fault, moment: Duration, report: &mut Report) -> bool {
        let stage = &self.stage;
        self.go_on(300).await;
        sleep(moment).await;
        report.add_errors(None, std::mem::take(&mut self.book.lock().errors));
        let old = stage.primary().await.unwrap();
        let begun = Instant::now();
        fault.happen(stage, old).await;
        stage
            .wait_for("another server is the primary", async |stage| {
                stage.primary().await.is_some_and(|primary| primary.name() != old.name())
            })
            .await;
        self.go_on(200).await;
        fault.end(stage, old).await;
        let kept_out = comes_back(stage, old).await;
        stage
            .wait_until_whole(if kept_out { &BY_NAME[old.server_id() as usize - 1..][..1] } else { &[] })
            .await;
        self.go_on(100).await;
        let told = std::mem::take(&mut *self.book.lock());
        told.ledger.audit(stage).await;
        report.add_round(fault, told.ledger.longest_gap(begun), kept_out);
        report.add_errors(Some(fault), told.errors);
        // What was acknowledged must outlive the rounds to come as well.
        let mut book = self.book.lock();
        let later = std::mem::replace(&mut book.ledger.acknowledged, told.ledger.acknowledged);
        book.ledger.acknowledged.extend(later);
        kept_out
    }

    async fn close(self) {
        for team in self.teams {
            team.close().await;
        }
        let told = std::mem::take(&mut *self.book.lock());
        told.ledger.audit(&self.stage).await;
    }
}

async fn check(flavor: Flavor) {
    let short = std::env::var_os("HEADGATE_ROUNDS").is_none();
    let faults = if short { &ALL[..2] } else { &ALL[..] };
    let wanted = std::env::var("HEADGATE_FAULTS").unwrap_or_default();
    let faults = faults.iter().filter(|fault| format!("{fault:?}").contains(&wanted));
    let mut moments = Moments::seeded();
    let mut report = Report::default();
    let mut scene = Scene::open(flavor).await;
    for round in 0..rounds() {
        for fault in faults.clone() {
            let kept_out = scene.round(*fault, moments.next(), &mut report).await;
            eprintln!("{flavor:?} {fault:?}: round {} done", round + 1);
            if kept_out {
                // What it alone has is for an operator to decide about; the next round begins with servers that are equal.
                scene.close().await;
                scene = Scene::open(flavor).await;
            }
        }
    }
    scene.close().await;
    eprintln!("{}", report.table(flavor));
    // How long it takes is measured by many rounds with nothing beside them; here, that nobody had to give up waiting.
    for (fault, worst) in report.worst() {
        assert!(worst < (fault.worst() * 2).max(HOLD), "{fault:?}: {worst:?} without writes");
    }
    let before = report.errors(None);
    let promised = |error: &str| error.contains(" | 1213 | ") && error.contains("begin it again");
    for error in report.errors(Some(Fault::SwitchedOver)).keys() {
        assert!(before.contains_key(error) || promised(error), "in a switchover: {error}");
    }
}

/// Moments of less than a second.
struct Moments(u64);

impl Moments {
    fn seeded() -> Self {
        let seed = std::env::var("HEADGATE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("HEADGATE_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> Duration {
        // A linear congruential generator (Knuth's MMIX); its upper bits are chance enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % 1_000)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_drivers() {
    check(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_drivers() {
    check(Flavor::MariaDb).await;
}
