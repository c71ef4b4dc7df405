//! Servers are added and removed under clients that never stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headgate::lab::{Cluster, Flavor, Headgate, Node};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, ask, client, headgate, node_becomes, servers, start, turn};

/// Reads, long and short, in transactions and outside, and a write now and then. No error is expected.
pub(crate) async fn read_on(
    cluster: Arc<Cluster>,
    headgate: Arc<Headgate>,
    id: u64,
    done: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) {
    let mut client = client(&cluster, &headgate).await;
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round += 1;
        let read: Option<i64> = client.query_first("SELECT SUM(n) FROM rows_of_all").await.unwrap();
        assert_eq!(read, Some(500_500));
        if round % 7 == id % 7 {
            client.query_drop("START TRANSACTION READ ONLY").await.unwrap();
            for _ in 0..3 {
                let read: Option<i64> = client.query_first("SELECT COUNT(*) FROM rows_of_all").await.unwrap();
                assert_eq!(read, Some(1000));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            client.query_drop("COMMIT").await.unwrap();
        }
        if round % 11 == id % 11 {
            let rows: Vec<i64> =
                client.query("SELECT a.n FROM rows_of_all a, rows_of_all b LIMIT 20000").await.unwrap();
            assert_eq!(rows.len(), 20_000);
        }
        if round % 50 == 0 {
            client.query_drop(format!("REPLACE INTO written VALUES ({id}, {round})")).await.unwrap();
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Connections of the application to a node.
pub(crate) async fn connections(node: &Node) -> usize {
    let rows = node.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'").await.unwrap();
    rows.len()
}

/// What [`read_on`] reads and writes.
pub(crate) async fn fill(cluster: &Cluster) {
    let rows: Vec<String> = (1..=1000).map(|n| format!("({n})")).collect();
    for statement in [
        "CREATE TABLE app.rows_of_all (n INT PRIMARY KEY)".to_owned(),
        "CREATE TABLE app.written (id INT PRIMARY KEY, n INT)".to_owned(),
        format!("INSERT INTO app.rows_of_all VALUES {}", rows.join(", ")),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(PATIENCE).await.unwrap();
}

async fn servers_leave_and_return(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = Arc::new(start(flavor, |builder| builder.performance_schema(false)).await);
    let primary = cluster.primary();
    let [one, two] = cluster.replicas() else { panic!("two replicas") };
    fill(&cluster).await;
    let addresses: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
    let headgate = Arc::new(headgate(&addresses, &["--set=pool.min_idle=2"]));
    for replica in [one, two] {
        node_becomes(&headgate, replica, "serves", |shown| shown.serves_as("replica"));
    }
    let (done, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for id in 0..8 {
        let work =
            read_on(Arc::clone(&cluster), Arc::clone(&headgate), id, Arc::clone(&done), Arc::clone(&count));
        clients.spawn(work);
    }
    let removed = two.address().to_string();
    for _ in 0..3 {
        node_becomes(&headgate, two, "is read from", |shown| shown.serves_as("replica") && shown.open > 0);
        tokio::time::sleep(Duration::from_millis(500)).await;
        ask(&headgate, &format!("REMOVE SERVER '{removed}'")).unwrap();
        let leaving = servers(&headgate).remove(&removed);
        assert!(leaving.is_none_or(|shown| shown.state.contains("REMOVE SERVER")));
        let begun = Instant::now();
        while connections(two).await > 0 {
            assert!(begun.elapsed() < PATIENCE, "connections to a server that was removed stay open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{flavor:?}: no connection left {:?} after REMOVE SERVER", begun.elapsed());
        // It is still told of, and stays away.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!servers(&headgate).contains_key(&removed));
        assert_eq!(connections(two).await, 0);
        let why = ask(&headgate, "SELECT address, why FROM discovery").unwrap();
        assert!(why.iter().any(|row| row[0] == removed && row[1].contains("ADD SERVER")), "{why:?}");
        ask(&headgate, &format!("ADD SERVER '{removed}'")).unwrap();
    }
    node_becomes(&headgate, two, "serves again", |shown| {
        shown.serves_as("replica") && shown.known_by == "added"
    });
    done.store(true, Ordering::Relaxed);
    for outcome in clients.join_all().await {
        let () = outcome;
    }
    println!("{flavor:?}: {} rounds without an error", count.load(Ordering::Relaxed));
    let refused = |statement: String| ask(&headgate, &statement).unwrap_err();
    assert!(refused(format!("REMOVE SERVER '{}'", primary.address())).contains("is the primary"));
    assert!(refused("REMOVE SERVER '127.0.0.1:1'".to_owned()).contains("none of the servers"));
    assert!(refused(format!("ADD SERVER '{removed}'")).contains("already"));
    assert!(refused("ADD SERVER 'nonsense'".to_owned()).contains("no address"));
    // Numbers are never given to another.
    let numbers = ask(&headgate, "SELECT number FROM servers ORDER BY number").unwrap();
    assert_eq!(numbers.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["0", "1", "5"]);
    let gone = headgate.metrics().unwrap();
    let health = |state: &str| {
        let mut of = gone.iter().filter(|sample| {
            sample.name == "headgate_server_health"
                && sample.label("server") == removed
                && sample.label("state") == state
        });
        of.next().unwrap().value
    };
    assert_eq!((health("up"), health("down")), (1.0, 0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_mysql_leave_and_return() {
    servers_leave_and_return(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_mariadb_leave_and_return() {
    servers_leave_and_return(Flavor::MariaDb).await;
}
