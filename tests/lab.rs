//! The laboratory itself.
use headgate::lab::{Cluster, Flavor};
use std::time::Duration;

#[tokio::test]
async fn starts_mysql() {
    let t = tokio::time::Instant::now();
    let cluster = Cluster::builder(Flavor::MySql).start().await.unwrap();
    println!("{:?}", t.elapsed());
    cluster.primary().sql("CREATE TABLE app.t (a INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(Duration::from_secs(10)).await.unwrap();
    cluster.replicas()[1].sql("SELECT * FROM app.t").await.unwrap();
}
#[tokio::test]
async fn starts_mariadb() {
    let t = tokio::time::Instant::now();
    let cluster = Cluster::builder(Flavor::MariaDb).start().await.unwrap();
    println!("{:?}", t.elapsed());
    cluster.primary().sql("CREATE TABLE app.t (a INT PRIMARY KEY)").await.unwrap();
    cluster.wait_caught_up(Duration::from_secs(10)).await.unwrap();
    cluster.replicas()[1].sql("SELECT * FROM app.t").await.unwrap();
}
