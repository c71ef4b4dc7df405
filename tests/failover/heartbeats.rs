//! How often replicas hear from a primary without writes is Headgate's to set, and to give back.

use headgate::lab::{Cluster, Flavor, Node};

use crate::company::Company;

/// What a replica has, in seconds.
async fn period(node: &Node) -> f64 {
    let (question, column) = match node.flavor() {
        Flavor::MySql => (
            "SELECT HEARTBEAT_INTERVAL AS period FROM performance_schema.replication_connection_configuration",
            "period",
        ),
        Flavor::MariaDb => ("SHOW ALL SLAVES STATUS", "Slave_heartbeat_period"),
    };
    let rows = node.sql(question).await.unwrap();
    rows[0].get(column).unwrap().parse().unwrap()
}

/// Whether Headgate has put on record that both have it.
async fn follows(company: &Company) -> bool {
    let set = company.ask("SELECT what FROM events WHERE kind = 'heartbeat'").await;
    set.iter().filter(|what| what.contains("hears every 500ms")).count() == 2
}

async fn replicas_get_back_what_they_had(flavor: Flavor) {
    let all = |cluster: &Cluster| cluster.nodes().iter().map(Node::address).collect();
    let mut company = Company::start(flavor, all, &[]).await;
    let is = async |company: &Company, wanted: f64| {
        let [one, two] = company.cluster.replicas() else { panic!("two replicas") };
        (period(one).await - wanted).abs() < 0.01 && (period(two).await - wanted).abs() < 0.01
    };
    company.wait_for("replicas hear every half second", async || is(&company, 0.5).await).await;
    // Its receiver is stopped while that is changed.
    company.wait_for("both follow", async || follows(&company).await).await;
    company.start_again(&["--set=failover.heartbeat=leave"]);
    company.wait_for("replicas hear as often as before", async || is(&company, 30.0).await).await;
    let file = company.cluster.folder().join("headgate-state/heartbeats.toml");
    company
        .wait_for("nothing is left to give back", async || {
            !std::fs::read_to_string(&file).unwrap().contains("127.0.0.1")
        })
        .await;
}

#[tokio::test]
async fn mysql_heartbeats() {
    replicas_get_back_what_they_had(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_heartbeats() {
    replicas_get_back_what_they_had(Flavor::MariaDb).await;
}
