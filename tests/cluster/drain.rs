//! A replica is drained, stopped and started again under clients that never stop, and none of them notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headgate::lab::{Cluster, Flavor, Headgate, Node};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::removal::{connections, fill, read_on};
use crate::stage::{PATIENCE, ask, client, headgate, node_becomes, start, turn};

/// What `servers` says of a node in these columns.
fn of(headgate: &Headgate, node: &Node, columns: &str) -> Vec<String> {
    let question = format!("SELECT {columns} FROM servers WHERE address = '{}'", node.address());
    ask(headgate, &question).unwrap().remove(0)
}

/// Does something until that has so many connections in use at a node: what a session has not been shown to be fresh
/// there begins on the primary.
async fn holds(headgate: &Headgate, node: &Node, in_use: &str, mut begin: impl AsyncFnMut()) {
    let begun = Instant::now();
    loop {
        begin().await;
        let found = of(headgate, node, "in_use");
        if found == [in_use] {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:?} and not {in_use}\n{}", headgate.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until nothing is in use at a node, and its server has no connection of the application's any more.
async fn is_empty(headgate: &Headgate, node: &Node) {
    let begun = Instant::now();
    while of(headgate, node, "in_use") != ["0"] || connections(node).await > 0 {
        assert!(begun.elapsed() < PATIENCE, "{:?}\n{}", of(headgate, node, "state, open"), headgate.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn nobody_notices(flavor: Flavor, arguments: &[&str]) {
    let _turn = turn().await;
    let cluster = Arc::new(start(flavor, |builder| builder.performance_schema(false)).await);
    fill(&cluster).await;
    let [one, two] = cluster.replicas() else { panic!("two replicas") };
    let addresses: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
    let headgate = Arc::new(headgate(&addresses, &[&["--set=pool.min_idle=2"], arguments].concat()));
    for replica in [one, two] {
        node_becomes(&headgate, replica, "serves", |shown| shown.serves_as("replica"));
    }
    let drain = |node: &Node| ask(&headgate, &format!("DRAIN '{}'", node.address()));
    let undrain = |node: &Node| ask(&headgate, &format!("UNDRAIN '{}'", node.address())).unwrap();

    // While the other one is drained, what begins begins on the second.
    drain(one).unwrap();
    let mut reader = client(&cluster, &headgate).await;
    holds(&headgate, two, "1", async || {
        reader.query_drop("COMMIT").await.unwrap();
        reader.query_drop("START TRANSACTION READ ONLY").await.unwrap();
        let count: Option<u64> = reader.query_first("SELECT COUNT(*) FROM rows_of_all").await.unwrap();
        assert_eq!(count, Some(1000));
    })
    .await;
    // Its connection is kept, because it may ask for the warnings.
    let mut warned = client(&cluster, &headgate).await;
    holds(&headgate, two, "2", async || {
        warned.query_drop("SELECT CAST('a' AS SIGNED) FROM rows_of_all LIMIT 1").await.unwrap();
    })
    .await;
    undrain(one);

    let (done, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for id in 0..8 {
        let work =
            read_on(Arc::clone(&cluster), Arc::clone(&headgate), id, Arc::clone(&done), Arc::clone(&rounds));
        clients.spawn(work);
    }
    node_becomes(&headgate, two, "is read from", |shown| shown.serves_as("replica") && shown.open > 2);
    let told = drain(two).unwrap().remove(0);
    assert!(told[1].starts_with("drained; ") && told[2] != "0", "{told:?}");
    let route = ask(&headgate, "EXPLAIN ROUTE FOR SELECT n FROM rows_of_all").unwrap();
    let server = format!("{} (replica)", two.address());
    let verdict = route.iter().find(|row| row[1] == server).unwrap();
    assert!(verdict[2].contains("drained"), "{route:?}");
    // It is still looked after, and what is open there ends there.
    assert_eq!(
        of(&headgate, two, "role, health, lag_ms IS NULL, drained_ms IS NULL"),
        ["replica", "up", "0", "0"]
    );
    let count: Option<u64> = reader.query_first("SELECT COUNT(*) FROM rows_of_all").await.unwrap();
    assert_eq!(count, Some(1000));
    assert_ne!(of(&headgate, two, "in_use"), ["0"]);
    // The next one is not begun there, though it is of the same chain.
    reader.query_drop("COMMIT AND CHAIN").await.unwrap();
    is_empty(&headgate, two).await;
    let count: Option<u64> = reader.query_first("SELECT COUNT(*) FROM rows_of_all").await.unwrap();
    assert_eq!(count, Some(1000));
    reader.query_drop("INSERT INTO written VALUES (100, 1)").await.unwrap_err();
    reader.query_drop("COMMIT").await.unwrap();
    assert!(of(&headgate, two, "state")[0].contains("may be stopped"));

    two.stop().await.unwrap();
    node_becomes(&headgate, two, "is seen to be gone", |shown| shown.role == "none");
    assert!(of(&headgate, two, "state")[0].contains("drained"));
    two.start().await.unwrap();
    node_becomes(&headgate, two, "is back", |shown| shown.role == "replica" && shown.health == "up");
    // Connections are not made ready at a server that is drained either.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!((of(&headgate, two, "open"), connections(two).await), (vec!["0".to_owned()], 0));
    undrain(two);
    node_becomes(&headgate, two, "serves again", |shown| shown.serves_as("replica") && shown.open > 0);
    without_replicas(&cluster, &headgate, &rounds).await;
    done.store(true, Ordering::Relaxed);
    for outcome in clients.join_all().await {
        let () = outcome;
    }
    println!("{flavor:?}: {} rounds without an error", rounds.load(Ordering::Relaxed));
}

/// All replicas are drained: the primary has the reads, and cannot be drained itself.
async fn without_replicas(cluster: &Cluster, headgate: &Headgate, rounds: &AtomicU64) {
    for replica in cluster.replicas() {
        ask(headgate, &format!("DRAIN '{}'", replica.address())).unwrap();
        is_empty(headgate, replica).await;
    }
    let route = ask(headgate, "EXPLAIN ROUTE FOR SELECT n FROM rows_of_all").unwrap();
    assert!(route.contains(&vec!["Reason".to_owned(), "drained".to_owned(), String::new()]), "{route:?}");
    let before = rounds.load(Ordering::Relaxed);
    let begun = Instant::now();
    while rounds.load(Ordering::Relaxed) < before + 50 {
        assert!(begun.elapsed() < PATIENCE, "nobody reads any more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let why = ask(headgate, &format!("DRAIN '{}'", cluster.primary().address())).unwrap_err();
    assert!(why.contains("is the primary; SWITCHOVER TO another"), "{why}");
    let why = ask(headgate, "DRAIN '127.0.0.1:1'").unwrap_err();
    let known = cluster.primary().address().to_string();
    assert!(why.contains("none of the servers") && why.contains(&known), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_server_of_mysql_may_be_stopped() {
    nobody_notices(Flavor::MySql, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_server_of_mariadb_may_be_stopped() {
    nobody_notices(Flavor::MariaDb, &["--pool-mode=transaction"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_server_of_many_workers_may_be_stopped() {
    nobody_notices(Flavor::MySql, &["--set=runtime.model=per-core"]).await;
}
