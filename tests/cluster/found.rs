//! A cluster is found from one address.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headgate::lab::{Flavor, Node};

use crate::stage::{
    PATIENCE, ask, becomes, follow, headgate, node_becomes, servers, serves_nothing, shown, start, turn,
};

async fn listed_replicas(primary: &Node) -> usize {
    primary.sql("SHOW REPLICAS").await.or(primary.sql("SHOW SLAVE HOSTS").await).unwrap().len()
}

/// Waits until the primary has forgotten a replica that was stopped; it notices when it next has something to send.
async fn forgotten(primary: &Node) {
    let end = Instant::now() + PATIENCE;
    let mut count = 0;
    while listed_replicas(primary).await > 1 {
        assert!(Instant::now() < end, "the primary still lists a replica that is gone");
        count += 1;
        primary.sql(format!("CREATE DATABASE passing_{count}")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn from_one_address(flavor: Flavor) {
    let _turn = turn().await;
    let cluster = start(flavor, |builder| builder.performance_schema(false)).await;
    let primary = cluster.primary();
    let [near, late] = cluster.replicas() else { panic!("two replicas") };
    late.stop().await.unwrap();
    forgotten(primary).await;
    let begun = Instant::now();
    let headgate = headgate(&[near.address()], &[]);
    println!("{flavor:?}: ready after {:?}, one replica named", begun.elapsed());
    becomes(&headgate, "the primary is found", |servers| servers.len() == 2);
    node_becomes(&headgate, primary, "is the primary", |shown| shown.serves_as("primary"));
    node_becomes(&headgate, near, "serves", |shown| shown.serves_as("replica") && shown.known_by == "listed");
    assert_eq!(shown(&headgate, primary).unwrap().known_by, "discovered");

    late.start().await.unwrap();
    let took = node_becomes(&headgate, late, "is found and serves", |shown| shown.serves_as("replica"));
    println!("{flavor:?}: a replica that was started later serves after {took:?}");
    let evidence = ask(&headgate, "SELECT evidence FROM servers WHERE known_by = 'discovered'").unwrap();
    assert!(evidence.iter().any(|row| row[0].contains("it follows")), "{evidence:?}");

    follow(late, near.address()).await;
    let middle = near.address().to_string();
    node_becomes(&headgate, late, "serves through a chain", |shown| {
        shown.serves_as("replica") && shown.through == middle
    });
    near.sql("STOP REPLICA SQL_THREAD").await.unwrap();
    serves_nothing(&headgate, near, "replication is stopped");
    serves_nothing(&headgate, late, "passes nothing on");
    near.sql("START REPLICA").await.unwrap();
    node_becomes(&headgate, late, "serves again", |shown| shown.serves_as("replica"));
    near.pause().await.unwrap();
    serves_nothing(&headgate, late, "cannot be asked");
    near.resume().unwrap();
    node_becomes(&headgate, late, "serves once more", |shown| shown.serves_as("replica"));

    if flavor == Flavor::MySql {
        late.sql("SET GLOBAL super_read_only = OFF").await.unwrap();
    }
    late.sql("CREATE DATABASE of_its_own").await.unwrap();
    node_becomes(&headgate, late, "shows what it wrote itself", |shown| {
        shown.errant != "NULL" && shown.serves_as("replica")
    });
    assert_eq!(shown(&headgate, near).unwrap().errant, "NULL");
    assert_eq!(servers(&headgate).len(), 3, "each once");
    assert!(ask(&headgate, "SELECT * FROM discovery").unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_mysql_is_found_from_one_address() {
    from_one_address(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_mariadb_is_found_from_one_address() {
    from_one_address(Flavor::MariaDb).await;
}

/// A port that counts who comes, and lets everybody go.
fn counting() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_outside_the_networks() {
    let _turn = turn().await;
    let (elsewhere, count) = counting();
    let cluster = start(Flavor::MySql, |builder| {
        builder
            .replicas(1)
            .performance_schema(false)
            .server_option(format!("report-host={}", elsewhere.ip()))
            .server_option(format!("report-port={}", elsewhere.port()))
    })
    .await;
    let primary = cluster.primary().address();
    let strict = headgate(&[primary], &["--set=servers.networks=127.0.0.1"]);
    let end = Instant::now() + PATIENCE;
    let rejected = loop {
        let rejected = ask(&strict, "SELECT address, evidence, why FROM discovery").unwrap();
        if !rejected.is_empty() {
            break rejected;
        }
        assert!(Instant::now() < end, "the replica is not told of:\n{}", strict.log());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(rejected[0][0], elsewhere.to_string());
    assert!(
        rejected[0][1].contains("it follows") && rejected[0][2].contains("servers.networks"),
        "{rejected:?}"
    );
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(count.load(Ordering::SeqCst), 0, "somebody came");
    assert_eq!(servers(&strict).len(), 1);
    drop(strict);
    let off = headgate(&[primary], &["--set=servers.discover=false"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(count.load(Ordering::SeqCst), 0, "somebody came");
    assert!(ask(&off, "SELECT * FROM discovery").unwrap().is_empty());
    drop(off);
    // The same port is asked where it may be.
    let _open = headgate(&[primary], &["--set=servers.networks=127.0.0.0/8"]);
    let end = Instant::now() + PATIENCE;
    while count.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < end, "nobody came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
