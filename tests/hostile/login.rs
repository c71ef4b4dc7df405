//! Attacks before the login is over.

use std::time::{Duration, Instant};

use headgate::wire::encode::put_lenenc;
use headgate::wire::frame::{Header, put_packet};

use crate::client::{Client, Ended};
use crate::stage::{GRACE, LOGIN_TIMEOUT, Stage};

/// A login request as one packet.
fn login_packet(client: &Client) -> Vec<u8> {
    let mut out = Vec::new();
    put_packet(&mut out, &mut 1, &client.login_request().payload());
    out
}

#[test]
fn a_login_cut_at_any_byte_is_over_at_once() {
    let stage = Stage::new();
    let len = login_packet(&stage.greeted()).len();
    for cut in 0..len {
        let mut client = stage.greeted();
        let packet = login_packet(&client);
        client.send_raw(&packet[..cut]);
        client.half_close();
        let since = Instant::now();
        client.ended_within(GRACE);
        assert!(since.elapsed() < GRACE, "cut at {cut}: it is over when the client has gone");
    }
    stage.is_unharmed();
}

/// The packet is whole, its payload is not.
#[test]
fn a_short_login_request_is_told_or_closed() {
    let stage = Stage::new();
    let payload = stage.greeted().login_request().payload();
    for cut in 0..payload.len() {
        let mut client = stage.greeted();
        client.send(&payload[..cut]);
        client.half_close();
        let ended = client.ended_within(GRACE);
        // Whole without its attributes, and with any first bytes of its method's name.
        let whole = cut > 32 && matches!(ended, Ended::Closed);
        assert!(whole || ended == Ended::Told(1043), "cut at {cut}: {ended:?}");
    }
    stage.is_unharmed();
}

#[test]
fn a_login_under_a_wrong_sequence_number_is_not_looked_at() {
    let stage = Stage::new();
    for seq in [0, 2, 3, 77, 255] {
        let mut client = stage.greeted();
        let mut packet = login_packet(&client);
        packet[3] = seq;
        client.send_raw(&packet);
        let ended = client.ended_within(GRACE);
        assert!(matches!(ended, Ended::Closed | Ended::Told(1156)), "{seq}: {ended:?}");
    }
    // In the middle of the exchange as well.
    let mut client = stage.greeted();
    let payload = client.login_request().payload();
    client.send(&payload);
    assert_eq!(client.receive().unwrap(), [1, 4], "the password is asked for");
    client.seq = 9;
    client.send(&[2]);
    assert!(matches!(client.ended_within(GRACE), Ended::Closed | Ended::Told(1156)));
    stage.is_unharmed();
}

/// Nobody reserves memory for what a stranger announces.
#[test]
fn a_huge_packet_announced_before_the_login_is_refused_at_once() {
    let stage = Stage::new();
    let before = stage.memory();
    for len in [0xFF_FFFF, 0xFF_FFFE, 0x20_0000] {
        for _ in 0..20 {
            let mut client = stage.greeted();
            client.send_raw(&Header { len, seq: 1 }.bytes());
            client.send_raw(&[b'x'; 1000]);
            let since = Instant::now();
            assert_eq!(client.ended_within(GRACE), Ended::Closed);
            assert!(since.elapsed() < GRACE, "it is refused, not waited for");
        }
    }
    let grown = stage.memory().saturating_sub(before);
    assert!(grown < 16 * 1024, "memory has grown by {grown} KiB");
    stage.is_unharmed();
}

#[test]
fn a_silent_client_is_cut_after_the_login_timeout() {
    let stage = Stage::impatient();
    let since = Instant::now();
    // In the middle of the exchange: the password is asked for, and never comes.
    let mut asked = stage.greeted();
    let payload = asked.login_request().payload();
    asked.send(&payload);
    let mut half = stage.greeted();
    let packet = login_packet(&half);
    half.send_raw(&packet[..packet.len() / 2]);
    let mute = stage.greeted();
    for client in [mute, half, asked] {
        client.ended_within(LOGIN_TIMEOUT + GRACE);
    }
    assert!(since.elapsed() >= LOGIN_TIMEOUT, "nobody is cut before the time: {:?}", since.elapsed());
    stage.is_unharmed();
}

/// One byte at a time keeps nobody in for longer.
#[test]
fn a_client_that_dribbles_is_cut_after_the_login_timeout() {
    let stage = Stage::impatient();
    let mut client = stage.greeted();
    let since = Instant::now();
    for byte in login_packet(&client) {
        client.send_raw(&[byte]);
        std::thread::sleep(Duration::from_millis(40));
        if since.elapsed() > LOGIN_TIMEOUT + Duration::from_millis(500) {
            break;
        }
    }
    client.ended_within(GRACE);
    stage.is_unharmed();
}

/// Lengths inside the packet that are not true.
#[test]
fn a_login_request_that_lies_about_its_lengths_is_told() {
    let stage = Stage::new();
    let huge = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    let whole = stage.greeted().login_request();
    let front = |user: &[u8]| [&whole.payload()[..32], user].concat();
    let behind_plugin = {
        let payload = whole.payload();
        let body: usize = 1 + "_client_name".len() + 1 + "hostile".len();
        payload[..payload.len() - body - 1].to_vec()
    };
    let mut one_too_many = behind_plugin.clone();
    put_lenenc(&mut one_too_many, 4);
    one_too_many.extend_from_slice(b"\x01a\x01");
    let mut beyond = behind_plugin.clone();
    put_lenenc(&mut beyond, 3);
    beyond.extend_from_slice(b"\x01a\xfa");
    let lies: [(&str, Vec<u8>); 7] = [
        ("no end of the name", front(&[b'a'; 500])),
        ("an answer of 2^63 bytes", [front(b"me\0"), huge.to_vec()].concat()),
        ("an answer of 250 bytes in 3", [front(b"me\0"), b"\xfaabc".to_vec()].concat()),
        ("an answer that is NULL", [front(b"me\0"), b"\xfb".to_vec()].concat()),
        ("attributes of 2^63 bytes", [behind_plugin.clone(), huge.to_vec()].concat()),
        ("attributes longer than the packet", one_too_many),
        ("an attribute longer than its list", beyond),
    ];
    for (lie, payload) in lies {
        let mut client = stage.greeted();
        client.send(&payload);
        assert_eq!(client.ended_within(GRACE), Ended::Told(1043), "{lie}");
    }
    stage.is_unharmed();
}

/// Attributes by the thousand cost what their bytes cost.
#[test]
fn a_hundred_thousand_attributes_are_too_many() {
    let stage = Stage::new();
    let request = |count: usize| {
        let mut request = stage.greeted().login_request();
        request.attributes = vec![(b"a".to_vec(), Vec::new()); count];
        request.payload()
    };
    let before = stage.memory();
    for _ in 0..20 {
        // As many as fit are somebody's right.
        let mut client = stage.greeted();
        client.send(&request(21_000));
        assert_eq!(client.receive().unwrap(), [1, 4], "the password is asked for");
        let mut client = stage.greeted();
        client.send(&request(40_000));
        assert_eq!(client.ended_within(GRACE), Ended::Told(1043), "more than 64 KiB");
        // A packet that long is not read at all.
        let mut client = stage.greeted();
        client.send(&request(100_000));
        client.ended_within(GRACE);
    }
    // Nor later, when somebody else is to be logged in.
    let mut client = stage.logged_in();
    let mut payload = b"\x11app\0\0app\0\x2d\0caching_sha2_password\0".to_vec();
    put_lenenc(&mut payload, 300_000);
    payload.resize(payload.len() + 300_000, 1);
    client.command(&payload);
    assert_eq!(client.ended_within(GRACE), Ended::Told(1047));
    let grown = stage.memory().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
    stage.is_unharmed();
}

#[test]
fn empty_packets_and_old_clients_are_told() {
    let stage = Stage::new();
    let mut client = stage.greeted();
    client.send(&[]);
    assert_eq!(client.ended_within(GRACE), Ended::Told(1043));
    // HandshakeResponse320: flags without PROTOCOL_41.
    let mut client = stage.greeted();
    client.send(b"\x05\x00\xff\xff\xffapp\0scramble\0");
    assert_eq!(client.ended_within(GRACE), Ended::Told(1043));
    // Another protocol altogether.
    let mut client = stage.greeted();
    client.send_raw(b"GET / HTTP/1.1\r\nHost: db\r\n\r\n");
    assert_eq!(client.ended_within(GRACE), Ended::Closed);
    stage.is_unharmed();
}

/// A command before the login is over reaches no server.
#[test]
fn a_command_instead_of_a_password_is_refused() {
    let stage = Stage::new();
    let mut client = stage.greeted();
    let payload = client.login_request().payload();
    client.send(&payload);
    assert_eq!(client.receive().unwrap(), [1, 4], "the password is asked for");
    client.send(b"\x03DROP DATABASE app");
    assert_eq!(client.ended_within(GRACE), Ended::Told(1043));
    stage.is_unharmed();
}
