//! A replication group of two is followed.

use std::net::TcpListener;

use headgate::lab::{Flavor, Node};
use mysql_async::prelude::Queryable;

use crate::stage::{PATIENCE, client, headgate, node_becomes, serves_nothing, shown, start, turn};

async fn run(node: &Node, statements: &[String]) {
    for statement in statements {
        node.sql(statement.clone()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replication_group_is_followed() {
    let _turn = turn().await;
    let plugin = |builder: headgate::lab::Builder| {
        builder.replicas(1).server_option("plugin-load-add=group_replication.so")
    };
    let cluster = start(Flavor::MySql, plugin).await;
    let first = cluster.primary();
    let [second] = cluster.replicas() else { panic!("one replica") };
    first.sql("GRANT SELECT ON performance_schema.replication_group_members TO headgate@'%'").await.unwrap();
    first.sql("CREATE TABLE app.grouped (n INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    run(second, &["STOP REPLICA".to_owned(), "RESET REPLICA ALL".to_owned()]).await;
    // The system gives none of these to anybody else soon.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let places = [free(), free()];
    for (node, place) in [first, second].into_iter().zip(places) {
        run(
            node,
            &[
                "SET GLOBAL group_replication_group_name='aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaab'".to_owned(),
                format!("SET GLOBAL group_replication_local_address='{place}'"),
                format!("SET GLOBAL group_replication_group_seeds='{},{}'", places[0], places[1]),
                "SET GLOBAL group_replication_recovery_get_public_key=ON".to_owned(),
                "SET GLOBAL group_replication_exit_state_action='READ_ONLY'".to_owned(),
            ],
        )
        .await;
    }
    run(
        first,
        &[
            "SET GLOBAL group_replication_bootstrap_group=ON".to_owned(),
            "START GROUP_REPLICATION".to_owned(),
            "SET GLOBAL group_replication_bootstrap_group=OFF".to_owned(),
        ],
    )
    .await;
    // One address, of the first member; the second is told of once it joins.
    let headgate = headgate(&[first.address()], &[]);
    node_becomes(&headgate, first, "is the primary", |shown| shown.serves_as("primary"));
    run(
        second,
        &[
            "CHANGE REPLICATION SOURCE TO SOURCE_USER='replication', SOURCE_PASSWORD='lab-replication' \
         FOR CHANNEL 'group_replication_recovery'"
                .to_owned(),
            "START GROUP_REPLICATION".to_owned(),
        ],
    )
    .await;
    let took = node_becomes(&headgate, second, "serves as a member", |shown| shown.serves_as("replica"));
    println!("a second member serves {took:?} after START GROUP_REPLICATION");
    let mut client = client(&cluster, &headgate).await;
    client.query_drop("INSERT INTO grouped VALUES (7)").await.unwrap();
    let read: Option<i64> = client.query_first("SELECT n FROM grouped").await.unwrap();
    assert_eq!(read, Some(7));
    // The group chooses another primary, and Headgate goes with it.
    let rows = second.sql("SELECT @@GLOBAL.server_uuid").await.unwrap();
    let uuid = rows[0].at(0).unwrap().to_owned();
    second.sql(format!("SELECT group_replication_set_as_primary('{uuid}')")).await.unwrap();
    let took = node_becomes(&headgate, second, "is the primary", |shown| shown.serves_as("primary"));
    println!("the group's choice is followed {took:?} after it was made");
    node_becomes(&headgate, first, "serves as a member", |shown| shown.serves_as("replica"));
    first.sql("STOP GROUP_REPLICATION").await.unwrap();
    serves_nothing(&headgate, first, "OFFLINE in its replication group");
    assert!(shown(&headgate, second).unwrap().serves_as("primary"));
    second.sql("STOP GROUP_REPLICATION").await.unwrap();
}
