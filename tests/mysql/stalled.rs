//! Clients that ask for rows and do not read them, or send half of a statement, hold at most half of a pool
//! (HAZARDS 27).

use std::time::Duration;

use headgate::lab::{Cluster, DATABASE, Flavor};
use tokio::time::{Instant, sleep};

use crate::client::Options;
use crate::headgate::Headgate;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_clients_hold_half_a_pool() {
    let builder = Cluster::builder(Flavor::MariaDb).replicas(1).relays(false);
    let cluster = builder.server_option("max_allowed_packet=64M").start().await.unwrap();
    for statement in [
        format!("CREATE TABLE {DATABASE}.wide AS SELECT REPEAT('x', 4000000) AS text"),
        format!("INSERT INTO {DATABASE}.wide SELECT a.text FROM {DATABASE}.wide a"),
        format!("INSERT INTO {DATABASE}.wide SELECT a.text FROM {DATABASE}.wide a"),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let headgate = Headgate::start(&cluster, &["--set", "pool.max_connections_per_server=8"]).await.unwrap();
    let app = cluster.accounts().app;
    let options = Options::new(headgate.address(), app.user, app.password).schema(DATABASE);
    let mut reader = options.connect().await.unwrap();
    let read = "SELECT COUNT(*) FROM wide";
    let served = async || headgate.metric("headgate_statements_total{target=\"replica\"").await;
    let end = Instant::now() + PATIENCE;
    while served().await == 0 {
        assert!(Instant::now() < end, "nothing is read on the replica");
        reader.query(read).await.unwrap();
    }
    let mut stalled = Vec::new();
    for _ in 0..7 {
        let mut client = options.connect().await.unwrap();
        client.send_query("SELECT text FROM wide").await.unwrap();
        stalled.push(client);
    }
    // Half of eight may wait; three have to go.
    while headgate.metric("headgate_sessions_open").await != 5 {
        assert!(Instant::now() < end, "{}", headgate.log());
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(headgate.metric("headgate_sessions_open").await, 5, "the others may take their time");
    assert!(headgate.log().contains("too many clients leave their replies unread"), "{}", headgate.log());
    let before = served().await;
    // A replica that is slow for a moment has a read run on the primary.
    let end = Instant::now() + PATIENCE;
    while served().await == before {
        assert!(Instant::now() < end, "the replica serves who reads");
        assert_eq!(reader.query(read).await.unwrap().value().as_deref(), Some("4"));
    }
    drop(stalled);
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_senders_hold_half_a_pool() {
    let cluster = Cluster::builder(Flavor::MariaDb).replicas(1).relays(false).start().await.unwrap();
    let flags = ["--pool-mode", "transaction", "--set", "pool.max_connections_per_server=8"];
    let headgate = Headgate::start(&cluster, &flags).await.unwrap();
    let app = cluster.accounts().app;
    let options = Options::new(headgate.address(), app.user, app.password).schema(DATABASE);
    let statement = format!("DO '{}'", "x".repeat(1_000_000));
    // What has not come as far as it is kept takes no connection at all.
    let mut early = Vec::new();
    for _ in 0..20 {
        let mut client = options.connect().await.unwrap();
        client.send_half(&statement, 100_000).await.unwrap();
        early.push(client);
    }
    let mut late = Vec::new();
    for _ in 0..7 {
        let mut client = options.connect().await.unwrap();
        client.send_half(&statement, 400_000).await.unwrap();
        late.push(client);
    }
    // Half of eight may wait; three have to go.
    let end = Instant::now() + PATIENCE;
    while headgate.metric("headgate_sessions_open").await != 24 {
        assert!(Instant::now() < end, "{}", headgate.log());
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(headgate.metric("headgate_sessions_open").await, 24, "the others may take their time");
    assert!(
        headgate.log().contains("too many clients leave their statements half sent"),
        "{}",
        headgate.log()
    );
    let mut writer = options.connect().await.unwrap();
    for _ in 0..20 {
        assert!(writer.query("CREATE TEMPORARY TABLE t (a INT)").await.unwrap().error.is_none());
        assert!(writer.query("DROP TEMPORARY TABLE t").await.unwrap().error.is_none());
    }
    drop((early, late));
    headgate.stop().await.unwrap();
}
