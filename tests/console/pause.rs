//! PAUSE and RESUME under clients of every kind.

use std::time::{Duration, Instant};

use headgate::lab::Flavor;
use headgate::lab::headgate::Options;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::task::JoinHandle;

use super::place::Place;

/// What a client is told, a moment after it has begun to wait.
type Answer = JoinHandle<(Conn, Result<Option<i64>, Error>)>;

fn begin(place: &Place, mut client: Conn, statement: &'static str) -> Answer {
    place.runtime.spawn(async move {
        let answer = client.query_first(statement).await;
        (client, answer)
    })
}

fn begin_prepared(place: &Place, mut client: Conn, statement: &'static str) -> Answer {
    place.runtime.spawn(async move {
        let answer = client.exec_first(statement, (1,)).await;
        (client, answer)
    })
}

fn traffic(place: &Place) -> String {
    place.ask("SELECT state, under_way, waiting FROM traffic")
}

/// What is under way ends, what begins waits, and afterwards everybody has what they asked for.
fn everybody_waits(flavor: Flavor, mode: &str) {
    // Longer than anything here takes.
    let options = Options::default().argument(mode).argument("--set=failover.hold=60s");
    let place = Place::start(flavor, options);
    let mut writer = place.client();
    place.number(&mut writer, "CREATE TABLE paused (id INT PRIMARY KEY)").unwrap();
    place.number(&mut writer, "BEGIN").unwrap();
    place.number(&mut writer, "INSERT INTO paused VALUES (1)").unwrap();
    let mut reader = place.client();
    place.number(&mut reader, "START TRANSACTION READ ONLY").unwrap();
    place.number(&mut reader, "SELECT COUNT(*) FROM paused").unwrap();
    let others = [(); 4].map(|()| place.client());
    let victim = place.client();
    assert_eq!(traffic(&place), "flowing\t2\t0\n");

    let paused = std::thread::scope(|scope| {
        let pausing = scope.spawn(|| place.ask("PAUSE FOR '60s'"));
        place.becomes("traffic is paused", || traffic(&place) == "paused\t2\t0\n");
        let [write, read, execute, transaction] = others;
        let mut waiting = vec![
            begin(&place, write, "INSERT INTO paused VALUES (2)"),
            begin(&place, read, "SELECT COUNT(*) FROM paused"),
            begin_prepared(&place, execute, "SELECT ? + 1"),
            begin(&place, transaction, "START TRANSACTION READ ONLY"),
        ];
        let id = victim.id();
        let killed = begin(&place, victim, "SELECT 1");
        place.becomes("five wait", || traffic(&place) == "paused\t2\t5\n");
        // What is under way goes on and ends, and KILL passes.
        assert_eq!(place.number(&mut reader, "SELECT 7").unwrap(), Some(7));
        place.number(&mut writer, &format!("KILL {id}")).unwrap();
        place.becomes("one is killed", || traffic(&place) == "paused\t2\t4\n");
        assert!(place.runtime.block_on(killed).unwrap().1.is_err());
        place.number(&mut reader, "COMMIT").unwrap();
        assert!(!pausing.is_finished(), "a transaction is open");
        place.number(&mut writer, "COMMIT").unwrap();
        let answer = pausing.join().unwrap();
        assert!(answer.starts_with("paused\tadmin") && answer.ends_with("\t0\t4\n"), "{answer}");
        // Whoever was under way begins no more than others do, but is there.
        place.runtime.block_on(writer.ping()).unwrap();
        waiting.push(begin(&place, writer, "INSERT INTO paused VALUES (3)"));
        place.becomes("five wait again", || traffic(&place) == "paused\t0\t5\n");
        waiting
    });
    let route = place.ask("EXPLAIN ROUTE FOR SELECT 1");
    assert!(route.contains("Traffic\tpaused\twhat begins now waits: admin"), "{route}");
    let gauge = |name: &str| {
        let samples = place.headgate.metrics().unwrap();
        samples.iter().find(|sample| sample.name == name).unwrap().value
    };
    assert_eq!((gauge("headgate_traffic_paused"), gauge("headgate_traffic_waiting")), (1.0, 5.0));
    assert!(paused.iter().all(|answer| !answer.is_finished()));
    assert!(place.ask("RESUME").starts_with("flowing\t"));
    let mut clients = Vec::new();
    for answer in paused {
        let (client, answer) = place.runtime.block_on(answer).unwrap();
        answer.unwrap();
        clients.push(client);
    }
    assert_eq!(
        place.number(&mut clients[0], "/* headgate: primary */ SELECT COUNT(*) FROM paused").unwrap(),
        Some(3)
    );
    assert!(place.refusal("RESUME").contains("not paused"));
    let events = place.ask("SELECT what FROM events WHERE kind = 'traffic' ORDER BY number");
    let lines: Vec<&str> = events.lines().collect();
    assert!(lines[0].contains("pauses the traffic") && lines[1].contains("flow again"), "{events}");
}

#[test]
fn clients_of_mysql_wait_while_traffic_is_paused() {
    everybody_waits(Flavor::MySql, "--pool-mode=session");
}

#[test]
fn clients_of_mariadb_wait_while_traffic_is_paused() {
    everybody_waits(Flavor::MariaDb, "--pool-mode=transaction");
}

#[test]
fn clients_of_many_workers_wait_while_traffic_is_paused() {
    everybody_waits(Flavor::MySql, "--set=runtime.model=per-core");
}

/// Nobody needs to remember a pause, and nobody waits for longer than the hold.
#[test]
fn a_pause_ends_by_itself_and_a_wait_with_the_hold() {
    let place = Place::start(Flavor::MySql, Options::default().argument("--set=failover.hold=1s"));
    let client = place.client();
    // Without a time it lasts for as long as sessions wait.
    place.ask("PAUSE");
    let begun = Instant::now();
    let (client, answer) = place.runtime.block_on(begin(&place, client, "SELECT 1")).unwrap();
    assert_eq!(answer.unwrap(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(traffic(&place).starts_with("flowing"));
    let told = place.ask("SELECT what FROM events WHERE kind = 'traffic' ORDER BY number DESC LIMIT 1");
    assert!(told.contains("the end of its time lets the traffic flow again"), "{told}");

    place.ask("PAUSE FOR '5m'");
    let (mut client, answer) = place.runtime.block_on(begin(&place, client, "SELECT 1")).unwrap();
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("paused by an operator") && error.contains("3168"), "{error}");
    assert!(place.headgate.log().contains("pauses the traffic of all clients"), "{}", place.headgate.log());
    place.ask("RESUME");
    assert_eq!(place.number(&mut client, "SELECT 1").unwrap(), Some(1));

    for wrong in ["PAUSE FOR 'ever'", "PAUSE FOR", "PAUSE 30", "PAUSE FOR '0s'", "PAUSE FOR '10s' 2"] {
        assert!(place.refusal(wrong).contains("write PAUSE [FOR '30s'] | RESUME"), "{wrong}");
    }
    assert!(place.refusal("PAUSE FOR '61m'").contains("an hour"));
    assert!(traffic(&place).starts_with("flowing"));
}
