//! Servers that stand still, and servers that are gone.

use std::time::Duration;

use headgate::lab::{Flavor, Node};

use crate::stage::{headgate, node_becomes, start, turn};

async fn troubles_are_told_apart(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = start(flavor, |builder| builder.performance_schema(false)).await;
    let addresses: Vec<_> = cluster.nodes().iter().map(Node::address).collect();
    let headgate = headgate(&addresses, &[]);
    let [one, two] = cluster.replicas() else { panic!("two replicas") };
    for replica in [one, two] {
        node_becomes(&headgate, replica, "serves", |shown| shown.serves_as("replica"));
    }
    one.pause().await.unwrap();
    let suspect = node_becomes(&headgate, one, "is suspect", |shown| shown.health != "up");
    let down = node_becomes(&headgate, one, "is down", |shown| {
        shown.health == "down" && shown.trouble.contains("does not answer in time")
    });
    println!("{flavor:?}: SIGSTOP: not up after {suspect:?}, down {down:?} later");
    assert!(suspect + down < Duration::from_secs(4));
    one.resume().unwrap();
    let back =
        node_becomes(&headgate, one, "serves", |shown| shown.health == "up" && shown.serves_as("replica"));
    println!("{flavor:?}: SIGCONT: serves after {back:?}");
    two.kill();
    let refused = node_becomes(&headgate, two, "is down", |shown| {
        shown.health == "down" && shown.trouble.contains("refuses connections")
    });
    println!("{flavor:?}: kill -9: down after {refused:?}");
    assert!(refused < Duration::from_secs(2));
    two.start().await.unwrap();
    let back =
        node_becomes(&headgate, two, "serves", |shown| shown.health == "up" && shown.serves_as("replica"));
    println!("{flavor:?}: started again: serves after {back:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn troubles_of_mysql_are_told_apart() {
    troubles_are_told_apart(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn troubles_of_mariadb_are_told_apart() {
    troubles_are_told_apart(Flavor::MariaDb).await;
}
