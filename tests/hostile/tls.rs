//! Attacks around the TLS handshake.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use headgate::wire::frame::put_packet;

use crate::client::{Client, Ended};
use crate::stage::{GRACE, LOGIN_TIMEOUT, Stage};

/// The beginning of a TLS 1.2 ClientHello: a handshake record of 512 bytes, 100 of which follow.
fn half_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3];
    hello.resize(100, 7);
    hello
}

fn tls_request(client: &Client) -> Vec<u8> {
    let mut out = Vec::new();
    put_packet(&mut out, &mut 1, &client.login_request().tls_request_payload());
    out
}

#[test]
fn half_a_handshake_is_cut() {
    let stage = Stage::impatient();
    let mut waiting = stage.greeted();
    let request = tls_request(&waiting);
    waiting.send_raw(&request);
    waiting.send_raw(&half_hello());
    let mut mute = stage.greeted();
    mute.send_raw(&request);
    let mut gone = stage.greeted();
    gone.send_raw(&request);
    gone.send_raw(&half_hello());
    gone.half_close();
    assert_eq!(gone.ended_within(GRACE), Ended::Closed);
    for client in [waiting, mute] {
        assert_eq!(client.ended_within(LOGIN_TIMEOUT + GRACE), Ended::Closed);
    }
    stage.is_unharmed();
}

#[test]
fn garbage_in_place_of_a_handshake_is_refused() {
    let stage = Stage::new();
    for garbage in [&[0; 64][..], &[0xFF; 64], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 0xFF, 0xFF, 1, 2, 3]]
    {
        let mut client = stage.greeted();
        let request = tls_request(&client);
        client.send_raw(&request);
        client.send_raw(garbage);
        client.half_close();
        assert_eq!(client.ended_within(GRACE), Ended::Closed, "{garbage:?}");
    }
    stage.is_unharmed();
}

/// Plain bytes that come with the SSLRequest are not taken for something the encrypted client has said.
#[test]
fn nothing_can_be_slipped_in_before_the_handshake() {
    let stage = Stage::new();
    let mut client = stage.greeted();
    let mut bytes = tls_request(&client);
    put_packet(&mut bytes, &mut 2, &client.login_request().payload());
    client.send_raw(&bytes);
    assert_eq!(client.ended_within(GRACE), Ended::Closed);
    stage.is_unharmed();
}

#[test]
fn a_second_tls_request_in_place_of_the_login_is_no_login() {
    let stage = Stage::new();
    // The fixed part with the flag but a byte too much is a login request without a name.
    let mut client = stage.greeted();
    let mut payload = client.login_request().tls_request_payload();
    payload.push(0);
    client.send(&payload);
    assert_eq!(client.ended_within(GRACE), Ended::Told(1043));
    stage.is_unharmed();
}

/// TLS 1.2 lets a client ask for new keys again and again, each time at the server's cost; it gets none.
#[test]
fn renegotiation_is_not_served() {
    let stage = Stage::impatient();
    for _ in 0..3 {
        let since = Instant::now();
        let mut client = Command::new("openssl")
            .args(["s_client", "-starttls", "mysql", "-tls1_2", "-connect", &stage.address().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        let mut asks = client.stdin.take().unwrap();
        // It may be closed before all of them are sent.
        let _ = asks.write_all("R\n".repeat(50).as_bytes());
        let _ = asks.flush();
        drop(asks);
        let output = client.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("TLSv1.2"), "it has been encrypted: {shown}{told}");
        // The log-in is waited for as long as ever, and not longer for it.
        assert!(since.elapsed() < LOGIN_TIMEOUT + GRACE, "{:?}: {told}", since.elapsed());
    }
    stage.is_unharmed();
}
