//! KILL.

use std::time::{Duration, Instant};

use headgate::lab::Flavor;
use headgate::lab::headgate::Options;
use mysql_async::prelude::Queryable;

use super::place::{Place, place};

fn connections(place: &Place) -> usize {
    let statement = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'";
    place.runtime.block_on(place.cluster.primary().sql(statement)).unwrap().len()
}

fn ends_only_its_session(flavor: Flavor) {
    let place = place(flavor);
    let (mut killed, mut other) = (place.client(), place.client());
    place.number(&mut killed, "CREATE TABLE IF NOT EXISTS killed (id INT PRIMARY KEY)").unwrap();
    place.number(&mut killed, "DELETE FROM killed").unwrap();
    place.number(&mut killed, "BEGIN").unwrap();
    place.number(&mut killed, "INSERT INTO killed VALUES (1)").unwrap();
    let id = killed.id();
    place.ask(&format!("KILL {id}"));
    assert!(place.number(&mut killed, "SELECT 1").is_err(), "the client sees the end");
    assert_eq!(place.number(&mut other, "SELECT 1 + 1").unwrap(), Some(2), "others go on");
    place.becomes("it is off the roster", || {
        place.ask(&format!("SELECT count(*) FROM sessions WHERE id = {id}")) == "0\n"
    });
    place.becomes("its transaction is rolled back", || {
        let statement = "SELECT COUNT(*) FROM killed FOR UPDATE";
        place.number(&mut other, statement).unwrap() == Some(0)
    });
    assert!(place.refusal(&format!("KILL {id}")).contains("ERROR 1094"));
    assert!(place.headgate.log().contains("session ended by KILL"));
}

#[test]
fn ends_only_its_session_on_mysql() {
    ends_only_its_session(Flavor::MySql);
}

#[test]
fn ends_only_its_session_on_mariadb() {
    ends_only_its_session(Flavor::MariaDb);
}

/// A session in the middle of a statement, and one whose primary connection would go to the pool at its end.
#[test]
fn ends_a_session_that_waits_for_its_server() {
    let place = Place::start(Flavor::MySql, Options::default().argument("--pool-mode=session"));
    let mut client = place.client();
    let id = client.id();
    let (since, ended) = (Instant::now(), std::sync::mpsc::channel());
    std::thread::scope(|scope| {
        let sender = ended.0;
        scope.spawn(move || {
            let result = place_block(&mut client);
            sender.send(result).unwrap();
        });
        place.becomes("the statement runs", || {
            let statement = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(60)'";
            !place.runtime.block_on(place.cluster.primary().sql(statement)).unwrap().is_empty()
        });
        place.ask(&format!("KILL CONNECTION {id}"));
        let result = ended.1.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(result.is_err(), "the client sees the end");
    });
    assert!(since.elapsed() < Duration::from_secs(40), "{:?}", since.elapsed());
    let idle = place.client();
    place.ask(&format!("KILL {}", idle.id()));
    place.becomes("no connection of a killed session is kept", || connections(&place) == 0);
}

/// What a killed session does ends with it, and its transaction: a server does not notice that a client has gone.
fn ends_what_its_session_does(flavor: Flavor) {
    let place = place(flavor);
    let mut client = place.client();
    place.number(&mut client, "CREATE TABLE IF NOT EXISTS busy (id INT PRIMARY KEY)").unwrap();
    place
        .number(&mut client, "REPLACE INTO busy VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)")
        .unwrap();
    place.number(&mut client, "BEGIN").unwrap();
    place.number(&mut client, "UPDATE busy SET id = 10 WHERE id = 1").unwrap();
    let id = client.id();
    let tables =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|alias| format!("busy {alias}")).join(", ");
    let long = format!("SELECT COUNT(*) FROM {tables} WHERE a.id < b.id");
    let asked = std::thread::spawn({
        let long = long.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result: mysql_async::Result<Option<i64>> = runtime.block_on(client.query_first(long));
            result.is_err()
        }
    });
    let runs = || {
        let statement = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = '{long}'");
        !place.runtime.block_on(place.cluster.primary().sql(statement)).unwrap().is_empty()
    };
    place.becomes("the statement runs", runs);
    place.ask(&format!("KILL {id}"));
    assert!(asked.join().unwrap(), "the client sees the end");
    place.becomes("its statement has ended", || !runs());
    let mut other = place.client();
    place.becomes("its transaction is rolled back", || {
        place.number(&mut other, "SELECT id FROM busy WHERE id = 1 FOR UPDATE").unwrap() == Some(1)
    });
}

#[test]
fn ends_what_its_session_does_on_mysql() {
    ends_what_its_session_does(Flavor::MySql);
}

#[test]
fn ends_what_its_session_does_on_mariadb() {
    ends_what_its_session_does(Flavor::MariaDb);
}

/// KILL QUERY ends what a session does, and the session goes on.
#[test]
fn ends_a_statement_and_not_its_session() {
    let place = place(Flavor::MySql);
    let mut client = place.client();
    let id = client.id();
    std::thread::scope(|scope| {
        let long = "SELECT SLEEP(60) FROM information_schema.ENGINES";
        let asked = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result: mysql_async::Result<Option<i64>> = runtime.block_on(client.query_first(long));
            (result, client)
        });
        place.becomes("the statement runs", || {
            let statement = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = '{long}'");
            !place.runtime.block_on(place.cluster.primary().sql(statement)).unwrap().is_empty()
        });
        place.ask(&format!("KILL QUERY {id}"));
        let (result, mut client) = asked.join().unwrap();
        assert!(result.unwrap_err().to_string().contains("interrupted"));
        assert_eq!(place.number(&mut client, "SELECT 1 + 1").unwrap(), Some(2));
    });
}

fn place_block(client: &mut mysql_async::Conn) -> mysql_async::Result<Option<i64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.query_first("SELECT SLEEP(60)"))
}
