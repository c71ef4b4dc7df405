//! Proxies in front that say who their clients are.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use headgate::lab::headgate::Options;
use headgate::lab::tools;
use headgate::wire::err::ErrPacket;
use headgate::wire::frame::{HEADER, Header};
use headgate::wire::proxy_protocol::{Announced, header};

use crate::client::{Client, connect};
use crate::place::{PASSWORD, Place, server, succeed};

const TRUSTED: &str = "[listen]\nproxy_protocol_from = [\"127.0.0.2\"]\n";
const PROXY: &str = "127.0.0.2";

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 40001 3306\r\n").into_bytes()
}

fn v2(client: &str) -> Vec<u8> {
    header(Announced::Client(SocketAddr::new(client.parse().unwrap(), 40_002)))
}

#[test]
fn a_client_is_where_its_proxy_says() {
    let place = Place::new(TRUSTED);
    let _text = place.login_announced(PROXY, &v1("127.0.0.5"), PASSWORD).unwrap();
    let _binary = place.login_announced(PROXY, &v2("2001:db8::7"), PASSWORD).unwrap();
    let mapped = "PROXY TCP6 ::ffff:127.0.0.8 ::1 1 2\r\n";
    let _mapped = place.login_announced(PROXY, mapped.as_bytes(), PASSWORD).unwrap();
    // A health check, somebody whose address the proxy does not know, and no header at all.
    let _local = place.login_announced(PROXY, &header(Announced::Itself), PASSWORD).unwrap();
    let _unknown = place.login_announced(PROXY, b"PROXY UNKNOWN\r\n", PASSWORD).unwrap();
    let _silent = place.login(PROXY).unwrap();
    let _direct = place.login("127.0.0.3").unwrap();
    assert_eq!(
        place.clients(),
        ["127.0.0.5", "[2001:db8::7]", "127.0.0.8", PROXY, PROXY, PROXY, "127.0.0.3"]
    );
}

#[test]
fn only_proxies_are_believed() {
    let place = Place::new(TRUSTED);
    for header in [v1("127.0.0.5"), v2("127.0.0.5")] {
        assert_eq!(
            last_word("127.0.0.3", &place, &header),
            None,
            "a login packet of that length is no login"
        );
    }
    // A second header is not the proxy's, but its client's.
    assert_eq!(last_word(PROXY, &place, &[v1("127.0.0.5"), v1("127.0.0.6")].concat()), None);
    assert_eq!(last_word(PROXY, &place, b"PROXY TCP4 127.0.0.5 nowhere 1 2\r\n"), Some(1043));
    assert_eq!(last_word(PROXY, &place, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"), Some(1043));
    assert_eq!(place.refused("proxy_header"), 2.0);
    assert!(place.clients().is_empty());
}

#[test]
fn a_header_may_come_in_any_pieces() {
    let place = Place::new(TRUSTED);
    for header in [v1("127.0.0.5"), v2("127.0.0.5")] {
        let mut stream = connect(PROXY, place.headgate.address());
        for byte in header {
            stream.write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        let mut client = Client::new(stream).log_in_as(&place.user, PASSWORD).unwrap();
        assert_eq!(client.query("SELECT 1"), Ok("1".to_owned()));
        assert_eq!(place.clients(), ["127.0.0.5"]);
        drop(client);
        place.becomes("the session is over", || place.clients().is_empty());
    }
}

#[test]
fn rules_are_about_the_client_and_not_its_proxy() {
    let rules = "[clients]\nallow = [\"127.0.0.0/28\"]\ndeny = [\"127.0.0.2\", \"127.0.0.9\"]\n\
                 users = [\"USER from 127.0.0.5, 127.0.0.6\"]\n[limits]\nmax_clients_per_address = 1";
    let place = Place::new(&format!("{TRUSTED}{rules}"));
    let code = |client: &str| place.login_announced(PROXY, &v2(client), PASSWORD).err().map(|(code, _)| code);
    let inside = place.login_announced(PROXY, &v2("127.0.0.5"), PASSWORD).unwrap();
    assert_eq!(code("127.0.0.6"), None);
    assert_eq!(code("127.0.0.5"), Some(1040));
    assert_eq!(code("127.0.0.7"), Some(1045));
    assert_eq!(code("127.0.0.9"), Some(1130));
    assert_eq!(code("127.0.0.16"), Some(1130));
    // Where the proxy speaks for itself, it is a client like others.
    assert_eq!(place.login(PROXY).err().unwrap().0, 1130);
    drop(inside);
    place.becomes("the place comes back", || code("127.0.0.5").is_none());
}

/// A Unix socket is safe and local for who opens it, not for whom a proxy speaks through it.
#[test]
fn a_proxy_at_a_unix_socket_speaks_for_others() {
    let rules = "[listen]\nproxy_protocol_from = [\"unix\"]\nrequire_tls = true\n\
                 [clients]\ndeny = [\"127.0.0.9\"]\nusers = [\"USER from unix, 127.0.0.5\"]";
    let socket = std::env::temp_dir().join(format!("headgate-doors-{}.sock", std::process::id()));
    let options = Options::default().argument(format!("--listen=unix:{}", socket.display()));
    let place = Place::start(rules, server(), options);
    let login = |header: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(header).unwrap();
        Client::new(stream).log_in_as(&place.user, PASSWORD).map_err(|error| error.code)
    };
    let _local = login(&[]).unwrap();
    assert_eq!(place.ask("SELECT client FROM sessions"), ["NULL"]);
    assert!(login(&header(Announced::Itself)).is_ok());
    assert_eq!(login(&v2("127.0.0.5")).err(), Some(3159), "it must use TLS");
    place.reload(&rules.replace("require_tls = true", "require_tls = false"));
    assert!(login(&v2("127.0.0.5")).is_ok());
    assert_eq!(login(&v1("127.0.0.6")).err(), Some(1045));
    assert_eq!(login(&v1("127.0.0.9")).err(), Some(1130));
}

/// HAProxy as people run it: both versions, a checksum, health checks, TLS through it.
#[test]
fn haproxy_says_who_its_clients_are() {
    let rules = "[clients]\nusers = [\"USER from 127.0.0.7\"]";
    let place = Place::new(&format!("{TRUSTED}{rules}"));
    for options in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"] {
        let haproxy = Haproxy::start(&place, options);
        let login = |from: &str| Client::login(from, haproxy.address, &place.user, PASSWORD);
        let client = login("127.0.0.7").unwrap();
        assert_eq!(place.clients(), ["127.0.0.7"], "{options}");
        assert_eq!(login("127.0.0.8").err().unwrap().code, 1045, "{options}");
        let mut mysql = place.mysql(haproxy.address);
        mysql.args(["--bind-address=127.0.0.7", "--ssl-mode=REQUIRED", "-e", "SELECT 1 + 1"]);
        assert_eq!(succeed(&mut mysql), "2\n", "{options}");
        drop(client);
        place.becomes("the session is over", || place.clients().is_empty());
    }
}

/// What is said to somebody who sends these bytes, if it is an ERR, before the connection is closed.
fn last_word(from: &str, place: &Place, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(from, place.headgate.address());
    stream.write_all(bytes).unwrap();
    let mut said = Vec::new();
    // A reset has the same meaning as an end here.
    let _ = stream.read_to_end(&mut said);
    let greeting = Header::read(&said).unwrap();
    let behind = said.get(HEADER + greeting.len + HEADER..)?;
    ErrPacket::parse(behind).ok().map(|error| error.code)
}

struct Haproxy {
    process: Child,
    address: SocketAddr,
}

impl Haproxy {
    fn start(place: &Place, options: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let file = place.file.with_extension("haproxy");
        let settings = format!(
            "global\n    maxconn 100\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 1m\n    timeout server 1m\n\
             listen mysql\n    bind {address}\n    \
             server headgate {} source {PROXY} {options} check inter 200ms\n",
            place.headgate.address()
        );
        fs::write(&file, settings).unwrap();
        let mut command = tools::haproxy().unwrap();
        command.arg("-db").arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let haproxy = Self { process: command.spawn().unwrap(), address };
        place.becomes("haproxy serves", || TcpStream::connect(address).is_ok());
        haproxy
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
