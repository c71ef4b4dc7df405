//! The answer to a COMMIT, or to an INSERT with autocommit, is lost with the primary.
//!
//! Semi-synchronous replication keeps the answer back while the primary is killed: once where nothing has reached a
//! replica, and once where it has, and only the acknowledgement is under way.

use std::collections::BTreeSet;
use std::time::Duration;

use headgate::lab::{Fault as Cut, Flavor, Node};

use super::team::{Book, DRIVERS, Driver, Habit, Team};
use crate::bank;
use crate::stage::{Stage, value};

/// What replicas have got when the primary is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replicas {
    /// At least the first of it.
    Have,
    HaveNot,
}

impl Replicas {
    /// What keeps acknowledgements back. They are late by twice the delay, transactions by once: there is time to see
    /// these come, and to kill.
    const fn cut(self) -> Cut {
        match self {
            Self::Have => Cut::Delay(Duration::from_millis(1_500)),
            Self::HaveNot => Cut::Swallow,
        }
    }
}

/// Two of each driver: one inserts, one commits.
const ASKED: usize = 2 * DRIVERS.len();

/// Customers who wait for orders.
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
        let teams =
            DRIVERS.into_iter().map(|driver| Team::open(&stage, driver, Habit::Asked, &book)).collect();
        Self { stage, teams, book }
    }

    fn order(&mut self, order: &str) {
        for team in &mut self.teams {
            team.order(order);
        }
    }

    /// What all customers said that begins with one of these words, once there are so many lines of it.
    async fn heard(&self, words: &[&str], count: usize) -> Vec<(Driver, Vec<String>)> {
        let said = || {
            let book = self.book.lock();
            let lines = book.lines.iter().filter(|(_, line)| words.contains(&line[0].as_str()));
            lines.cloned().collect::<Vec<_>>()
        };
        let what = format!("{count} customers say one of {words:?}");
        self.stage.wait_for(&what, async |_| said().len() >= count).await;
        said()
    }

    async fn cut(&self, how: Cut) {
        for replica in self.stage.cluster.replicas() {
            replica.replication_link().unwrap().set(how).await;
        }
    }

    /// How often each of the numbers is on a server.
    async fn counts(&self, node: &Node, numbers: &[String]) -> Vec<(String, String)> {
        let numbers = numbers.join(",");
        let question = format!("SELECT id, COUNT(*) FROM app.transfers WHERE id IN ({numbers}) GROUP BY id");
        let rows = node.sql(question).await.unwrap();
        rows.iter().map(|row| (row.at(0).unwrap().to_owned(), row.at(1).unwrap().to_owned())).collect()
    }
}

async fn answers_are_lost(flavor: Flavor, replicas: Replicas) {
    let mut scene = Scene::open(flavor).await;
    let ready = scene.heard(&["ready"], ASKED).await;
    let numbers: Vec<String> = ready.into_iter().map(|(_, line)| line[1].clone()).collect();
    scene.cut(replicas.cut()).await;
    scene.order("go");
    let (stage, old) = (&scene.stage, scene.stage.cluster.primary());
    let all = format!("{0} and {0}", DRIVERS.len());
    stage
        .wait_for("all are under way", async |_| value(old, UNDER_WAY).await.as_deref() == Some(all.as_str()))
        .await;
    let replica = &stage.cluster.replicas()[0];
    if replicas == Replicas::Have {
        stage
            .wait_for("a replica has some", async |_| !scene.counts(replica, &numbers).await.is_empty())
            .await;
    }
    old.kill();
    let arrived: BTreeSet<String> =
        scene.counts(replica, &numbers).await.into_iter().map(|(number, _)| number).collect();
    let told = scene.heard(&["ok", "error"], ASKED).await;
    scene.cut(Cut::None).await;
    for (driver, line) in &told {
        eprintln!("{flavor:?} {replicas:?}: {driver:?} {line:?}");
        assert_eq!((line[0].as_str(), line[2].as_str()), ("error", "1158"), "{driver:?}: {line:?}");
    }

    scene.order("again");
    let marks = scene.heard(&["mark", "lost"], ASKED).await;
    for (driver, line) in &marks {
        let kept = line[0] == "mark" && line[1].eq_ignore_ascii_case("true");
        assert!(kept, "a session of {driver:?} is not what it was: {line:?}");
    }
    scene.heard(&["ok"], ASKED).await;
    let primary = scene.stage.primary().await.unwrap();
    let counted = scene.counts(primary, &numbers).await;
    eprintln!("{flavor:?} {replicas:?}: {} of {ASKED} are there", counted.len());
    assert!(counted.iter().all(|(_, count)| count == "1"), "done twice: {counted:?}");
    let there: BTreeSet<String> = counted.into_iter().map(|(number, _)| number).collect();
    assert!(there.is_superset(&arrived), "a replica had {arrived:?}, and the primary has {there:?}");
    assert_eq!(arrived.is_empty(), replicas == Replicas::HaveNot);
    assert!(replicas == Replicas::Have || there.is_empty(), "from nowhere: {there:?}");
    for team in scene.teams {
        team.close().await;
    }
}

/// How many insert, and how many commit.
const UNDER_WAY: &str = "SELECT CONCAT(COALESCE(SUM(info LIKE 'INSERT%'), 0), ' and ', COALESCE(SUM(info LIKE 'COMMIT%'), 0)) \
                         FROM information_schema.processlist WHERE user = 'app'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_replicas_have_it() {
    answers_are_lost(Flavor::MySql, Replicas::Have).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_nobody_has_it() {
    answers_are_lost(Flavor::MySql, Replicas::HaveNot).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_replicas_have_it() {
    answers_are_lost(Flavor::MariaDb, Replicas::Have).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_nobody_has_it() {
    answers_are_lost(Flavor::MariaDb, Replicas::HaveNot).await;
}
