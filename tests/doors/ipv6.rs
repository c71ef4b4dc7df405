//! IPv6 on every side: clients, console, metrics, servers.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use headgate::lab::headgate::Options;

use crate::client::{Client, refusal_before_greeting};
use crate::place::{PASSWORD, Place, server, succeed};

/// A port that is free on both loopback addresses, as good as certainly for as long as it takes to listen there.
fn free() -> SocketAddr {
    loop {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        if TcpListener::bind(("127.0.0.1", address.port())).is_ok() {
            return address;
        }
    }
}

#[test]
fn everything_works_over_ipv6() {
    let server = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), server().port());
    let [listen, console, http] = [free(), free(), free()];
    let options = Options { listen: Some(listen), console: Some(console), ..Options::default() };
    let options = options.argument(format!("--set=listen.http={http}"));
    let place = Place::start("[clients]\nusers = [\"USER from ::1\"]", server, options);

    let mut client = Client::login("::1", listen, &place.user, PASSWORD).unwrap();
    assert_eq!(client.query("SELECT 1"), Ok("1".to_owned()));
    for tls in ["--ssl-mode=REQUIRED", "--ssl-mode=DISABLED"] {
        // The server sees an address of its own family.
        let mut mysql = place.mysql(listen);
        mysql.args([tls, "--get-server-public-key", "-e", "SELECT SUBSTRING_INDEX(USER(), '@', 1)"]);
        assert_eq!(succeed(&mut mysql).trim(), place.user);
    }
    assert_eq!(place.clients(), ["[::1]"]);
    assert_eq!(place.ask("SELECT address FROM servers"), [server.to_string()]);

    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// `[::]` is for IPv6 alone; `0.0.0.0` may stand beside it on the same port.
#[test]
fn both_families_are_listened_on_side_by_side() {
    let six = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), free().port());
    let rules = "[clients]\ndeny = [\"127.0.0.5\"]";
    let place = Place::start(rules, server(), Options { listen: Some(six), ..Options::default() });
    let at = |text: &str| SocketAddr::new(text.parse().unwrap(), six.port());
    assert!(Client::login("::1", at("::1"), &place.user, PASSWORD).is_ok());
    assert!(TcpStream::connect(at("127.0.0.1")).is_err(), "IPv4 is not served by the way");
    drop(place);

    let options = Options { listen: Some(six), ..Options::default() };
    let options = options.argument(format!("--listen=0.0.0.0:{}", six.port()));
    let place = Place::start(rules, server(), options);
    let _six = Client::login("::1", at("::1"), &place.user, PASSWORD).unwrap();
    let _four = Client::login("127.0.0.6", at("127.0.0.1"), &place.user, PASSWORD).unwrap();
    assert_eq!(place.clients(), ["[::1]", "127.0.0.6"]);
    assert_eq!(refusal_before_greeting("127.0.0.5", at("127.0.0.1")).unwrap().code, 1130);
}
