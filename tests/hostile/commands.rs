//! Attacks of clients that have logged in.

use std::time::Instant;

use headgate::wire::frame::Header;

use crate::client::Ended;
use crate::stage::{GRACE, Stage, ask};

#[test]
fn a_command_under_a_wrong_sequence_number_does_nothing() {
    let stage = Stage::new();
    ask("CREATE TABLE app.numbered (a INT)");
    for seq in [1, 2, 200, 255] {
        let mut client = stage.logged_in();
        client.seq = seq;
        client.send(b"\x03INSERT INTO app.numbered VALUES (1)");
        assert_eq!(client.ended_within(GRACE), Ended::Told(1156), "{seq}");
    }
    assert_eq!(ask("SELECT COUNT(*) FROM app.numbered"), ["0"]);
    stage.is_unharmed();
}

/// An empty packet is answered as the server answers it, though no byte of a command ever comes.
#[test]
fn an_empty_packet_is_answered() {
    let stage = Stage::new();
    let mut direct = stage.at_the_primary();
    direct.command(&[]);
    let expected = direct.error();
    let mut client = stage.logged_in();
    client.command(&[]);
    assert_eq!(client.error(), expected);
    assert_eq!(client.query("SELECT 5"), direct.query("SELECT 5"));
    drop((client, direct));
    stage.is_unharmed();
}

/// What no server knows is refused, and the session goes on.
#[test]
fn unknown_commands_are_refused_and_the_session_goes_on() {
    let stage = Stage::new();
    let mut client = stage.logged_in();
    for byte in [0x00, 0x05, 0x0B, 0x0F, 0x10, 0x13, 0x14, 0x1D, 0x20, 0x42, 0x80, 0xF9, 0xFA, 0xFF] {
        client.command(&[byte, 1, 2, 3]);
        assert_eq!(client.error().code, 1047, "{byte:#x}");
    }
    assert_eq!(client.query("SELECT 7"), Ok(Some("7".to_owned())));
    drop(client);
    // A login that cannot be read ends the session, as on the server.
    for mut client in [stage.at_the_primary(), stage.logged_in()] {
        client.command(&[0x11, 1, 2, 3]);
        assert_eq!(client.error().code, 1047);
        assert!(client.receive().is_err(), "who cannot be understood has to go");
    }
    stage.is_unharmed();
}

/// Reading the binary log needs a privilege, and whoever has none stays who it was.
#[test]
fn the_binary_log_is_not_read_without_the_privilege() {
    let stage = Stage::new();
    let mut direct = stage.at_the_primary();
    let mut client = stage.logged_in();
    for byte in [0x12, 0x15, 0x1E] {
        for argument in [&b""[..], &[1, 2, 3], &[0; 40], &[0xFF; 40]] {
            for client in [&mut direct, &mut client] {
                client.command(&[&[byte], argument].concat());
            }
            assert_eq!(client.error(), direct.error(), "{byte:#x} {argument:?}");
        }
    }
    assert_eq!(client.query("SELECT 7"), Ok(Some("7".to_owned())));
    drop((direct, client));
    stage.is_unharmed();
}

/// Commands whose arguments are missing or lie are judged by the server, and no one else notices.
#[test]
fn commands_that_lie_are_answered() {
    let stage = Stage::new();
    for byte in [0x02, 0x03, 0x04, 0x07, 0x0A, 0x16, 0x17, 0x1A, 0x1B, 0x1C, 0x1F] {
        for argument in [&b""[..], b"\xff", &[0xFF; 40], &[0; 9]] {
            let mut client = stage.logged_in();
            client.command(&[&[byte], argument].concat());
            let answer = client.receive().unwrap();
            assert!(!answer.is_empty(), "{byte:#x} {argument:?}");
        }
    }
    stage.is_unharmed();
}

/// A statement that is announced and never comes leaves nothing behind.
#[test]
fn a_huge_statement_that_is_cut_leaves_nothing() {
    let stage = Stage::new();
    ask("CREATE TABLE app.huge (a LONGTEXT)");
    let before = stage.memory();
    for announced in [0xFF_FFFF, 0xFF_FFFF, 1 << 20, 100] {
        for sent in [1, 90, 20_000, 900_000] {
            let mut client = stage.logged_in();
            client.send_raw(&Header { len: announced, seq: 0 }.bytes());
            let mut bytes = b"\x03INSERT INTO app.huge VALUES ('".to_vec();
            bytes.resize(sent.min(announced - 1), b'x');
            client.send_raw(&bytes);
        }
    }
    let grown = stage.memory().saturating_sub(before);
    assert!(grown < 32 * 1024, "memory has grown by {grown} KiB");
    stage.is_unharmed();
    assert_eq!(ask("SELECT COUNT(*) FROM app.huge"), ["0"]);
}

/// A statement of 16 MiB and more, of which only the first packet comes.
#[test]
fn a_continued_statement_that_is_cut_leaves_nothing() {
    let stage = Stage::new();
    let mut client = stage.logged_in();
    client.send_raw(&Header { len: 0xFF_FFFF, seq: 0 }.bytes());
    let mut bytes = b"\x03SELECT '".to_vec();
    bytes.resize(0xFF_FFFF, b'x');
    client.send_raw(&bytes);
    drop(client);
    stage.is_unharmed();
}

/// Many commands at once are answered one after the other.
#[test]
fn commands_sent_all_at_once_are_all_answered() {
    let stage = Stage::new();
    let mut client = stage.logged_in();
    let ping = [1, 0, 0, 0, 0x0E];
    let since = Instant::now();
    client.send_raw(&ping.repeat(1000));
    for _ in 0..1000 {
        assert_eq!(client.receive().unwrap()[0], 0);
    }
    assert!(since.elapsed() < GRACE, "{:?}", since.elapsed());
    drop(client);
    stage.is_unharmed();
}
