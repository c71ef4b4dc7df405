//! What servers serve, by the evidence.

use std::time::{Duration, Instant};

use headgate::lab::{Cluster, Flavor, Headgate, Node};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::stage::{
    PATIENCE, ask, client, follow, headgate, node_becomes, serves_nothing, shown, start, turn,
};

fn addresses(cluster: &Cluster) -> Vec<std::net::SocketAddr> {
    cluster.nodes().iter().map(Node::address).collect()
}

fn is_replica(headgate: &Headgate, node: &Node) {
    node_becomes(headgate, node, "serves as replica", |shown| shown.serves_as("replica"));
}

/// Filters that leave a schema out, or none again.
async fn filter(node: &Node, on: bool) {
    let statements = match (node.flavor(), on) {
        (Flavor::MySql, true) => ["STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(nobodys)"],
        (Flavor::MySql, false) => ["STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=()"],
        (Flavor::MariaDb, true) => ["STOP REPLICA", "SET GLOBAL replicate_ignore_db='nobodys'"],
        (Flavor::MariaDb, false) => ["STOP REPLICA", "SET GLOBAL replicate_ignore_db=''"],
    };
    for statement in statements.into_iter().chain(["START REPLICA"]) {
        node.sql(statement).await.unwrap();
    }
}

async fn writable(node: &Node, on: bool) {
    let value = if on { "OFF" } else { "ON" };
    node.sql(format!("SET GLOBAL read_only = {value}")).await.unwrap();
}

/// Writes until the write is answered as `expected` says; how long that took.
async fn until(client: &mut Conn, what: &str, expected: impl Fn(Result<(), String>) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let said =
            client.query_drop("REPLACE INTO evidence VALUES (1)").await.map_err(|error| error.to_string());
        let text = format!("{said:?}");
        if expected(said) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn evidence(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = start(flavor, |builder| builder.performance_schema(false)).await;
    // Server ids are all that tells clusters of MariaDB apart.
    let other = |builder: headgate::lab::Builder| {
        builder.replicas(0).performance_schema(false).server_option("server-id=77")
    };
    let foreign = start(flavor, other).await;
    foreign.primary().sql("CREATE DATABASE of_somebody_else").await.unwrap();
    let primary = cluster.primary();
    let [one, two] = cluster.replicas() else { panic!("two replicas") };
    primary.sql("CREATE TABLE app.evidence (n INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let headgate = headgate(&addresses(&cluster), &[]);
    let mut client = client(&cluster, &headgate).await;
    is_replica(&headgate, one);
    is_replica(&headgate, two);

    one.sql("STOP REPLICA").await.unwrap();
    println!(
        "{flavor:?}: STOP REPLICA shows after {:?}",
        serves_nothing(&headgate, one, "replication is stopped")
    );
    one.sql("START REPLICA").await.unwrap();
    is_replica(&headgate, one);
    filter(one, true).await;
    serves_nothing(&headgate, one, "replication filters");
    filter(one, false).await;
    is_replica(&headgate, one);

    // Another cluster's primary, found on the same network, must not be taken for this one's.
    follow(two, foreign.primary().address()).await;
    serves_nothing(&headgate, two, "which is not the primary");
    serves_nothing(&headgate, foreign.primary(), "taken for another cluster's");
    client.query_drop("REPLACE INTO evidence VALUES (2)").await.unwrap();
    assert!(shown(&headgate, primary).unwrap().serves_as("primary"));
    let rows = foreign.primary().sql("SHOW TABLES IN app").await.unwrap();
    assert!(rows.is_empty(), "nothing was written there");

    for statement in ["STOP REPLICA", "RESET REPLICA ALL"] {
        two.sql(statement).await.unwrap();
    }
    serves_nothing(&headgate, two, "replicates from nobody");
    writable(two, true).await;
    serves_nothing(&headgate, two, "writable but is not the primary");
    assert!(shown(&headgate, primary).unwrap().serves_as("primary"), "one of the others follows it");
    // Of two that nobody follows, nobody can say.
    for statement in ["STOP REPLICA", "RESET REPLICA ALL"] {
        one.sql(statement).await.unwrap();
    }
    node_becomes(&headgate, primary, "is no primary any more", |shown| shown.role == "none");
    until(&mut client, "two writable", |said| {
        said.is_err_and(|why| why.contains("more than one server takes writes"))
    })
    .await;
    writable(two, false).await;
    until(&mut client, "writes again", |said| said.is_ok()).await;
    follow(one, primary.address()).await;
    is_replica(&headgate, one);

    writable(primary, false).await;
    let took = node_becomes(&headgate, primary, "is no primary", |shown| shown.role != "primary");
    println!("{flavor:?}: a primary that turned read only is none after {took:?}");
    assert!(took < Duration::from_secs(1));
    until(&mut client, "a refusal", |said| said.is_err()).await;
    writable(primary, true).await;
    until(&mut client, "writes again", |said| said.is_ok()).await;
    assert!(ask(&headgate, "SHOW DISCOVERY").is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_mysql_serve_what_the_evidence_says() {
    evidence(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_mariadb_serve_what_the_evidence_says() {
    evidence(Flavor::MariaDb).await;
}

/// Nobody asks the servers of his own accord for a long time: the client's statement alone tells.
async fn a_refused_write_is_evidence(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = start(flavor, |builder| builder.replicas(1).performance_schema(false)).await;
    let primary = cluster.primary();
    primary.sql("CREATE TABLE app.evidence (n INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let headgate = headgate(&addresses(&cluster), &["--set=health.probe_every=50s"]);
    let mut client = client(&cluster, &headgate).await;
    until(&mut client, "writes again", |said| said.is_ok()).await;
    writable(primary, false).await;
    let begun = Instant::now();
    let refused = client.query_drop("REPLACE INTO evidence VALUES (3)").await.unwrap_err().to_string();
    node_becomes(&headgate, primary, "is no primary", |shown| shown.role != "primary");
    println!("{flavor:?}: after `{refused}` it is no primary after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_mysql_refuses_is_evidence() {
    a_refused_write_is_evidence(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_mariadb_refuses_is_evidence() {
    a_refused_write_is_evidence(Flavor::MariaDb).await;
}
