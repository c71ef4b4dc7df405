//! While all is well: how many reads the replicas serve, by the way drivers begin transactions, and what a read right
//! after a write costs.

use std::time::Duration;

use headgate::lab::Flavor;
use tokio::time::Instant;

use crate::client::Connection;
use crate::stage::{Stage, counted, on_replicas, run, stage};

/// How a driver brings its reads to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// Each statement by itself.
    Autocommit,
    /// With `autocommit=0`, and COMMIT after each request: PyMySQL, SQLAlchemy, Hibernate.
    ImplicitTransactions,
}

const REQUESTS: u64 = 150;
const READS: u64 = 8;

/// Requests that write once and read several times.
async fn requests(connection: &mut Connection, driver: Driver, setup: &[&str]) {
    for statement in setup {
        run(connection, statement).await.unwrap();
    }
    for round in 0..REQUESTS {
        for read in 0..READS {
            run(connection, &format!("SELECT n FROM quiet WHERE n = {read}")).await.unwrap();
        }
        if round % 4 == 0 {
            run(connection, &format!("INSERT INTO quiet VALUES ({round})")).await.unwrap();
        }
        if driver == Driver::ImplicitTransactions {
            run(connection, "COMMIT").await.unwrap();
        }
    }
}

/// The share of reads that ran on replicas.
async fn share(stage: &Stage, name: &str, driver: Driver, arguments: &[&str], setup: &[&str]) -> f64 {
    let headgate = stage.headgate(arguments).await;
    let mut connection = stage.through(&headgate).connect().await.unwrap();
    requests(&mut connection, driver, setup).await;
    let share = on_replicas(&headgate) / (REQUESTS * READS) as f64;
    println!("{} {name}: {:.1} % of reads on replicas", stage.cluster.flavor(), share * 100.0);
    share
}

async fn shares(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.quiet", "CREATE TABLE app.quiet (n INT, INDEX (n))"]).await;
    let level = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    let zero = "SET autocommit = 0";
    let lazy = ["--set=routing.lazy_transactions=true"];
    let implicit = Driver::ImplicitTransactions;
    let autocommit = share(&stage, "autocommit", Driver::Autocommit, &[], &[]).await;
    let repeatable = share(&stage, "autocommit=0, REPEATABLE READ", implicit, &[], &[zero]).await;
    let committed = share(&stage, "autocommit=0, READ COMMITTED", implicit, &[], &[level, zero]).await;
    let lazy = share(&stage, "autocommit=0, lazy_transactions", implicit, &lazy, &[zero]).await;
    assert!(autocommit > 0.95, "{autocommit}");
    assert!(repeatable < 0.01, "a snapshot is one server's: {repeatable}");
    assert!(committed > 0.9 && lazy > 0.9, "{committed} {lazy}");
}

/// How long a read takes right after a write, in microseconds: median and 95th of a hundred.
async fn read_after_write(connection: &mut Connection, hint: &str) -> (u128, u128) {
    let mut took = Vec::new();
    for round in 0..100 {
        run(connection, &format!("UPDATE quiet SET n = {round} WHERE n = {}", round + 1000)).await.unwrap();
        run(connection, &format!("INSERT INTO quiet VALUES ({round})")).await.unwrap();
        let begun = Instant::now();
        run(connection, &format!("SELECT {hint} COUNT(*) FROM quiet WHERE n = {round}")).await.unwrap();
        took.push(begun.elapsed().as_micros());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 95 / 100])
}

async fn latencies(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.quiet", "CREATE TABLE app.quiet (n INT, INDEX (n))"]).await;
    let headgate = stage.headgate(&[]).await;
    let mut connection = stage.through(&headgate).connect().await.unwrap();
    for (name, hint) in [
        ("session", ""),
        ("process", "/* headgate: consistency=process */"),
        ("global", "/* headgate: consistency=global */"),
        ("eventual", "/* headgate: consistency=eventual */"),
        ("the primary", "/* headgate: primary */"),
    ] {
        let before = on_replicas(&headgate);
        let (median, late) = read_after_write(&mut connection, hint).await;
        let share = on_replicas(&headgate) - before;
        println!(
            "{flavor} a read right after a write, {name}: median {median} µs, 95th {late} µs, {share:.0} % on replicas"
        );
    }
    let waits = counted(&headgate, "headgate_freshness_waits_total", &[]);
    let waited = counted(&headgate, "headgate_freshness_waited_microseconds_total", &[]);
    println!("{flavor} {waits} waits, {:.0} µs each", waited / waits.max(1.0));
    assert!(waits > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_serve_the_reads_on_mysql() {
    shares(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_serve_the_reads_on_mariadb() {
    shares(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_write_waits_a_moment_on_mysql() {
    latencies(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_write_waits_a_moment_on_mariadb() {
    latencies(Flavor::MariaDb).await;
}
