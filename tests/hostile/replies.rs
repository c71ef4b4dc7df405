//! Clients that do not take what they asked for.

use std::io::Read;
use std::time::Instant;

use crate::client::Client;
use crate::stage::{GRACE, MOST_IDLE, Stage, WRITE_TIMEOUT, ask, becomes};

/// Some 130 MB, made while it is sent; more than all socket buffers on the way.
const LARGE: &[u8] =
    b"\x03WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900) SELECT REPEAT('x', 150000), n FROM r";

fn ask_for_much(client: &mut Client) {
    client.command(LARGE);
    let mut some = vec![0; 100_000];
    client.stream.read_exact(&mut some).unwrap();
}

#[test]
fn a_client_that_does_not_read_is_cut_and_its_server_connection_is_closed() {
    let stage = Stage::impatient();
    let before = (stage.descriptors(), stage.memory());
    let mut client = stage.logged_in();
    let since = Instant::now();
    ask_for_much(&mut client);
    becomes("the statement runs", || !stage.running().is_empty());
    becomes("the client is cut", || stage.sessions() == 0.0);
    assert!(since.elapsed() >= WRITE_TIMEOUT, "not before the time: {:?}", since.elapsed());
    assert!(since.elapsed() < WRITE_TIMEOUT + GRACE, "{:?}", since.elapsed());
    becomes("the server has stopped", || stage.running().is_empty());
    assert!(stage.memory() < before.1 + 16 * 1024, "{} KiB before, {} after", before.1, stage.memory());
    drop(client);
    stage.is_unharmed();
    becomes("descriptors are closed", || stage.descriptors() <= before.0 + MOST_IDLE);
}

/// A client that reads slowly but does read is left alone.
#[test]
fn a_slow_reader_is_served_to_the_end() {
    let stage = Stage::impatient();
    let mut client = stage.logged_in();
    client.command(LARGE);
    let mut chunk = vec![0; 4 << 20];
    let mut total = 0;
    let mut slept = 0;
    while total < 130_000_000 {
        let n = client.stream.read(&mut chunk).unwrap();
        assert!(n > 0, "cut after {total} bytes");
        total += n;
        if total / 20_000_000 > slept {
            slept += 1;
            std::thread::sleep(WRITE_TIMEOUT / 3);
        }
    }
    drop(client);
    stage.is_unharmed();
}

#[test]
fn clients_that_vanish_in_the_middle_of_a_result_leave_nothing() {
    let stage = Stage::new();
    for _ in 0..20 {
        let mut client = stage.logged_in();
        ask_for_much(&mut client);
    }
    stage.is_unharmed();
}

/// An open transaction ends with its client, and its locks with it.
#[test]
fn a_vanished_client_holds_no_locks() {
    let stage = Stage::new();
    ask("CREATE TABLE app.locked (a INT PRIMARY KEY)");
    ask("INSERT INTO app.locked VALUES (1)");
    let mut client = stage.logged_in();
    assert_eq!(client.query("BEGIN"), Ok(None));
    assert_eq!(client.query("UPDATE app.locked SET a = 2"), Ok(None));
    drop(client);
    let mut next = stage.logged_in();
    assert_eq!(next.query("UPDATE app.locked SET a = 3 WHERE a = 1"), Ok(None));
    assert_eq!(ask("SELECT a FROM app.locked"), ["3"]);
    drop(next);
    stage.is_unharmed();
}

#[test]
fn a_file_that_is_cut_loads_nothing_and_leaves_nothing() {
    let stage = Stage::new();
    ask("CREATE TABLE app.loaded (a INT)");
    for cut in [0, 3, 4, 200, 70_000] {
        let mut client = stage.logged_in();
        client.command(b"\x03LOAD DATA LOCAL INFILE 'numbers' INTO TABLE app.loaded");
        assert_eq!(client.receive().unwrap(), b"\xfbnumbers");
        let mut packet = vec![0x00, 0x00, 0x02, client.seq];
        packet.extend(b"1\n".repeat(40_000));
        client.send_raw(&packet[..cut]);
    }
    stage.is_unharmed();
    assert_eq!(ask("SELECT COUNT(*) FROM app.loaded"), ["0"]);
}
