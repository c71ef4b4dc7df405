//! Whether writes get through on the primary, as Headgate's own write sees it.

use std::time::{Duration, Instant};

use headgate::lab::{Cluster, Flavor, Headgate};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::stage::{PATIENCE, ask, headgate, start, turn};

/// Polls until the console says of the primary's writes what `so` wants.
fn writes_become(headgate: &Headgate, what: &str, so: impl Fn(&str) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let rows = ask(headgate, "SELECT writes FROM servers WHERE role = 'primary'").unwrap();
        let writes = rows.first().map_or("", |row| row[0].as_str());
        if so(writes) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "never {what}: {writes}\n{}", headgate.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn stuck_seconds(headgate: &Headgate) -> f64 {
    let samples = headgate.metrics().unwrap();
    samples.iter().find(|sample| sample.name == "headgate_writes_stuck_seconds").unwrap().value
}

async fn root(cluster: &Cluster) -> Conn {
    let (address, root) = (cluster.primary().direct_address(), cluster.accounts().root);
    let options = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(root.user))
        .pass(Some(root.password))
        .prefer_socket(false);
    Conn::new(options).await.unwrap()
}

async fn what_is_wrong_with_writes_is_told(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = start(flavor, |builder| builder.replicas(1).performance_schema(false)).await;
    let addresses = [cluster.primary().address(), cluster.replicas()[0].address()];
    let headgate = headgate(
        &addresses,
        &[
            "--set=health.write_probe_table=app.write_probe",
            "--set=health.write_probe_every=100ms",
            "--set=health.write_probe_late=300ms",
        ],
    );
    // What is missing is named, and found once it is there.
    writes_become(&headgate, "no grant", |writes| {
        writes.contains("GRANT INSERT, DELETE ON `app`.`write_probe`")
    });
    let primary = cluster.primary();
    primary.sql("CREATE TABLE app.other (id INT PRIMARY KEY)").await.unwrap();
    primary.sql("GRANT INSERT, DELETE ON app.* TO headgate@'%'").await.unwrap();
    writes_become(&headgate, "no table", |writes| {
        writes.contains("CREATE TABLE `app`.`write_probe` (id INT")
    });
    primary.sql("CREATE TABLE app.write_probe (id INT PRIMARY KEY, written BIGINT NOT NULL)").await.unwrap();
    writes_become(&headgate, "well", |writes| writes == "ok");
    assert!(stuck_seconds(&headgate) < f64::EPSILON);
    let written = primary.sql("SELECT UNIX_TIMESTAMP() - written FROM app.write_probe").await.unwrap();
    assert!(written[0].at(0).unwrap().parse::<u64>().unwrap() < 5, "{written:?}");

    // One that does not end.
    let mut backup = root(&cluster).await;
    backup.query_drop("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let noticed = writes_become(&headgate, "stuck", |writes| writes.contains("does not end"));
    println!("{flavor:?}: noticed after {noticed:?}");
    assert!(noticed < Duration::from_secs(2));
    assert!(stuck_seconds(&headgate) > 0.2);
    backup.query_drop("UNLOCK TABLES").await.unwrap();
    let well = writes_become(&headgate, "well again", |writes| writes == "ok");
    assert!(well < Duration::from_secs(2), "{well:?}");

    // A server that is read only is not written to, not even by who may.
    primary.sql("SET GLOBAL read_only = 1").await.unwrap();
    let position = async || cluster.wait_caught_up(PATIENCE).await.unwrap();
    position().await;
    let rows = |rows: Vec<headgate::lab::Row>| rows[0].at(0).map(str::to_owned);
    let before = rows(primary.sql("SELECT written FROM app.write_probe").await.unwrap());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(rows(primary.sql("SELECT written FROM app.write_probe").await.unwrap()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_writes_is_told_of_mysql() {
    what_is_wrong_with_writes_is_told(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_writes_is_told_of_mariadb() {
    what_is_wrong_with_writes_is_told(Flavor::MariaDb).await;
}
