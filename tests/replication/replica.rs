//! A real replica of the primary, which knows it by Headgate's address only.

use headgate::lab::Flavor;

use super::place::{Place, becomes};

/// Transactions that the primary waits for the follower to acknowledge.
const TRANSACTIONS: u64 = 2000;

#[test]
fn a_mysql_replica_follows() {
    let mut place = Place::start(Flavor::MySql, 2);
    follow(&mut place);
    another_primary(&place);
}

#[test]
fn a_mariadb_replica_follows() {
    follow(&mut Place::start(Flavor::MariaDb, 2));
}

fn follow(place: &mut Place) {
    let flavor = place.cluster.flavor();
    place.sql(
        place.primary(),
        &[
            "CREATE TABLE app.rows (id INT PRIMARY KEY AUTO_INCREMENT, c LONGTEXT)",
            "CREATE PROCEDURE app.write_rows(n INT) WHILE n > 0 DO INSERT INTO app.rows (c) VALUES (n); SET n = n - 1; END WHILE",
        ],
    );
    // Before the follower comes, so that it has something to catch up with.
    place.sql(place.primary(), &["CALL app.write_rows(500)"]);
    place.sql(place.follower(), &["STOP REPLICA", &source(place, false), "START REPLICA"]);
    place.catches_up();

    // The follower alone acknowledges.
    place.sql(&place.cluster.replicas()[0], &["STOP REPLICA"]);
    let before = acknowledged(place);
    place.sql(place.primary(), &[&format!("CALL app.write_rows({TRANSACTIONS})")]);
    let acknowledged = acknowledged(place) - before;
    assert!(acknowledged >= TRANSACTIONS, "{acknowledged} transactions were acknowledged");
    place.sql(&place.cluster.replicas()[0], &["START REPLICA"]);

    // An event in several packets, and one that ends exactly at a packet's end or near it.
    place.sql(
        place.primary(),
        &[
            "INSERT INTO app.rows (c) VALUES (REPEAT('x', 40 << 20))",
            "INSERT INTO app.rows (c) VALUES (REPEAT('y', (16 << 20) - 60))",
        ],
    );
    same_rows(place);

    // Away for a while, and back with TLS.
    place.sql(place.follower(), &["STOP REPLICA"]);
    place.sql(place.primary(), &["CALL app.write_rows(100)"]);
    place.sql(place.follower(), &[&source(place, true), "START REPLICA"]);
    same_rows(place);

    // A drain does not wait for a log that never ends, and the replica comes back by itself.
    place.restart_headgate();
    place.sql(place.primary(), &["CALL app.write_rows(100)"]);
    same_rows(place);
    let (source, receiver) = match flavor {
        Flavor::MySql => ("Source_Port", "Replica_IO_Running"),
        Flavor::MariaDb => ("Master_Port", "Slave_IO_Running"),
    };
    let status = &place.sql(place.follower(), &["SHOW REPLICA STATUS"])[0];
    assert_eq!(status.get(source), Some(&*place.headgate.address().port().to_string()));
    assert_eq!(status.get(receiver), Some("Yes"));
}

/// The follower's old primary gives way: its log is not read any longer through Headgate, but that of the next.
fn another_primary(place: &Place) {
    let [next, _] = place.cluster.replicas() else { panic!("two replicas") };
    place.catches_up();
    place.sql(place.primary(), &["SET GLOBAL super_read_only = ON"]);
    place.sql(next, &["STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL read_only = OFF"]);
    let follow = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_AUTO_POSITION = 1, \
         SOURCE_USER = 'replication', SOURCE_PASSWORD = 'lab-replication', GET_SOURCE_PUBLIC_KEY = 1",
        next.address().port()
    );
    place.sql(place.primary(), &[&follow, "START REPLICA"]);
    let expected = place.value(next, "SELECT @@server_uuid");
    becomes("the follower reads the new primary's log", || {
        let status = place.sql(place.follower(), &["SHOW REPLICA STATUS"]);
        status[0].get("Source_UUID") == Some(&*expected) && status[0].get("Replica_IO_Running") == Some("Yes")
    });
    // Semi-synchronous replication is off there: nobody is waited for.
    place.sql(next, &["INSERT INTO app.rows (c) VALUES ('after')"]);
    let last = "SELECT c FROM app.rows ORDER BY id DESC LIMIT 1";
    becomes("the follower has what the new primary has", || place.value(place.follower(), last) == "after");
}

/// The statement that makes the follower one of Headgate's.
fn source(place: &Place, tls: bool) -> String {
    let (port, tls) = (place.headgate.address().port(), u8::from(tls));
    match place.cluster.flavor() {
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, SOURCE_SSL = {tls}, \
             SOURCE_CONNECT_RETRY = 1, SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1"
        ),
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_SSL = {tls}, \
             MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos"
        ),
    }
}

/// Transactions that the primary knows a replica has received.
fn acknowledged(place: &Place) -> u64 {
    let counter = match place.cluster.flavor() {
        Flavor::MySql => "Rpl_semi_sync_source_yes_tx",
        Flavor::MariaDb => "Rpl_semi_sync_master_yes_tx",
    };
    place.value(place.primary(), &format!("SHOW GLOBAL STATUS LIKE '{counter}'")).parse().unwrap()
}

#[track_caller]
fn same_rows(place: &Place) {
    place.catches_up();
    let checksum = |node| place.value(node, "CHECKSUM TABLE app.rows");
    let expected = checksum(place.primary());
    assert!(expected.parse::<u64>().is_ok_and(|sum| sum > 0), "{expected:?}");
    assert_eq!(checksum(place.follower()), expected);
}
