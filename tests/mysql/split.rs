//! The first split: writes on the primary, most plain reads on replicas, none of them stale.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use headgate::lab::{Cluster, Flavor};
use tokio::task::JoinSet;

use crate::client::{Connection, Options, Reply};
use crate::headgate::Headgate;
use crate::servers::cluster;

const CLIENTS: u64 = 20;
/// Rounds of each client; a round is one write and [`READS`] reads: 10,000 statements in all.
const ROUNDS: u64 = 50;
const READS: u64 = 9;

async fn run(connection: &mut Connection, statement: &str) -> Result<Reply> {
    let reply = connection.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => bail!("{statement}: {error}"),
    }
}

async fn number(connection: &mut Connection, question: &str) -> Result<u64> {
    let reply = run(connection, question).await?;
    reply.value().with_context(|| format!("{question}: no row"))?.parse().context("a number")
}

/// One client: every read shows its own last write, and the shared counter never goes back.
async fn client(options: Options, id: u64) -> Result<()> {
    let mut connection = options.connect().await?;
    let mut shared_seen = 0;
    for round in 1..=ROUNDS {
        if round % 10 == id % 10 {
            // A row that everyone writes: what it holds only grows.
            run(&mut connection, "UPDATE counters SET n = n + 1 WHERE id = 0").await?;
        } else {
            run(&mut connection, &format!("UPDATE counters SET n = {round} WHERE id = {id}")).await?;
        }
        for read in 0..READS {
            if read % 2 == 0 && round % 10 != id % 10 {
                let question = format!("SELECT n FROM counters WHERE id = {id}");
                let own = number(&mut connection, &question).await?;
                ensure!(own == round, "client {id} wrote {round} and read {own}");
            } else {
                let shared = number(&mut connection, "SELECT n FROM counters WHERE id = 0").await?;
                ensure!(shared >= shared_seen, "client {id} saw {shared} after {shared_seen}");
                shared_seen = shared;
            }
        }
    }
    connection.quit().await
}

async fn general_logs(cluster: &Cluster, on: bool) {
    for replica in cluster.replicas() {
        let value = if on { "ON" } else { "OFF" };
        replica.sql(format!("SET GLOBAL general_log = {value}")).await.unwrap();
    }
}

/// Statements on the counters table in the replicas' general logs: reads and others. MariaDB logs what
/// replication applies as well, on connections that nobody opened.
fn logged(cluster: &Cluster) -> (u64, Vec<String>) {
    let mut reads = 0;
    let mut others = Vec::new();
    for replica in cluster.replicas() {
        let entries = replica.general_log().unwrap();
        let opened: HashSet<u64> =
            entries.iter().filter(|entry| entry.command == "Connect").map(|entry| entry.connection).collect();
        for entry in entries.iter().filter(|entry| opened.contains(&entry.connection)) {
            let statement = entry.argument.trim().to_ascii_lowercase();
            if !statement.contains("counters") {
                continue;
            }
            if statement.starts_with("select") {
                reads += 1;
            } else {
                others.push(format!("{}: {} {}", replica.name(), entry.command, entry.argument));
            }
        }
    }
    (reads, others)
}

async fn splits(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    // From before Headgate connects, so that its connections can be told from replication's.
    general_logs(cluster, true).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let app = cluster.accounts().app;
    let options = Options::new(headgate.address(), app.user, app.password).schema("app");
    let mut setup = options.connect().await.unwrap();
    run(&mut setup, "DROP TABLE IF EXISTS counters").await.unwrap();
    run(&mut setup, "CREATE TABLE counters (id INT PRIMARY KEY, n BIGINT NOT NULL)").await.unwrap();
    let rows: Vec<String> = (0..=CLIENTS).map(|id| format!("({id}, 0)")).collect();
    run(&mut setup, &format!("INSERT INTO counters VALUES {}", rows.join(", "))).await.unwrap();
    cluster.wait_caught_up(std::time::Duration::from_secs(30)).await.unwrap();

    let mut clients = JoinSet::new();
    let options = Arc::new(options);
    for id in 1..=CLIENTS {
        let options = Arc::clone(&options);
        clients.spawn(async move { client((*options).clone(), id).await });
    }
    for outcome in clients.join_all().await {
        outcome.unwrap();
    }
    general_logs(cluster, false).await;

    let (reads, others) = logged(cluster);
    assert!(others.is_empty(), "{others:#?}");
    let asked = CLIENTS * ROUNDS * READS;
    assert!(2 * reads > asked, "only {reads} of {asked} reads ran on replicas");
    // What Headgate says it did is what the replicas saw.
    assert_eq!(headgate.on_replicas().await, reads);
    assert!(headgate.metric("headgate_statements_total{target=\"primary\"").await >= CLIENTS * ROUNDS);
    let written = number(&mut setup, "SELECT n FROM counters WHERE id = 0").await.unwrap();
    assert_eq!(written, CLIENTS * ROUNDS / 10);
    setup.quit().await.unwrap();
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_split_off_on_mysql() {
    splits(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_split_off_on_mariadb() {
    splits(Flavor::MariaDb).await;
}
