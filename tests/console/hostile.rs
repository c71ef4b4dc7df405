//! Who breaks the protocol, on the console's port, does not hurt the data path.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, Setup, Step};
use headgate::lab::Flavor;
use headgate::lab::headgate::Options;
use headgate::wire::capabilities::Capabilities;
use headgate::wire::err::{ERR, ErrPacket};
use headgate::wire::frame::{HEADER, Header, put_packet};
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::LoginRequest;

use super::place::{PATIENCE, Place};

/// A client of the console that sends what it likes.
struct Raw {
    stream: TcpStream,
}

impl Raw {
    fn connect(place: &Place) -> Self {
        let stream = TcpStream::connect(place.headgate.console_address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    fn log_in(place: &Place) -> Self {
        let mut raw = Self::connect(place);
        let greeting = Greeting::parse(&raw.packet().unwrap()).unwrap();
        let password = place.headgate.console_password().unwrap();
        let setup = Setup {
            secret: Secret::from_password(password.as_bytes()).unwrap(),
            channel: Channel::Plain,
            may_ask_key: true,
            may_send_clear: false,
        };
        let (mut exchange, first) = Exchange::start(setup, &greeting.plugin, &greeting.nonce).unwrap();
        let request = LoginRequest {
            capabilities: Capabilities::BACKEND,
            max_packet: 1 << 24,
            collation: 45,
            user: b"admin".to_vec(),
            auth_response: first.response.to_vec(),
            schema: None,
            plugin: Some(first.plugin),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        let mut seq = 1;
        let mut payload = request.payload();
        loop {
            let mut out = Vec::new();
            put_packet(&mut out, &mut seq, &payload);
            raw.stream.write_all(&out).unwrap();
            loop {
                let packet = raw.packet().unwrap();
                seq = seq.wrapping_add(1);
                match exchange.on_packet(&packet) {
                    Step::Send(answer) => {
                        payload = answer.to_vec();
                        break;
                    }
                    Step::Wait => {}
                    Step::Accepted => return raw,
                    Step::Refused(error) => panic!("{error}"),
                    Step::Failed(failure) => panic!("{failure}"),
                }
            }
        }
    }

    /// The next packet; nothing where the peer has hung up.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; HEADER];
        self.stream.read_exact(&mut head).ok()?;
        let mut payload = vec![0; Header::read(&head)?.len];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    /// Sends a command and reads the first packet of the answer.
    fn command(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        put_packet(&mut out, &mut 0, payload);
        // Who has hung up has nothing to answer.
        let _ = self.stream.write_all(&out);
        self.packet()
    }

    #[track_caller]
    fn is_refused(&mut self, payload: &[u8], code: u16) {
        let answer = self.command(payload).unwrap_or_else(|| panic!("hung up on {payload:?}"));
        let error = ErrPacket::parse(&answer).unwrap_or_else(|_| panic!("{payload:?}: {answer:?}"));
        assert_eq!(error.code, code, "{payload:?}: {error}");
    }

    #[track_caller]
    fn is_fine(&mut self) {
        assert_eq!(self.command(&[0x0E]).and_then(|ok| ok.first().copied()), Some(0), "COM_PING");
    }
}

fn place(arguments: &[&str]) -> Place {
    let options = arguments.iter().fold(Options::default(), |options, argument| options.argument(*argument));
    Place::start(Flavor::MySql, options)
}

/// Clients are served, at once, and nothing has panicked.
#[track_caller]
fn is_unharmed(place: &Place) {
    let since = Instant::now();
    let mut client = place.client();
    assert_eq!(place.number(&mut client, "SELECT 1 + 1").unwrap(), Some(2));
    assert!(since.elapsed() < Duration::from_secs(3), "a client waited {:?}", since.elapsed());
    let log = place.headgate.log();
    assert!(!log.contains("panicked") && !log.contains("bug"), "{log}");
}

#[test]
fn commands_are_filtered() {
    let place = place(&[]);
    let mut raw = Raw::log_in(&place);
    // opensrv-mysql would answer OK to all of these.
    raw.is_refused(b"\x11nobody\0\x05wrong\0", 1235);
    for byte in [0x00, 0x05, 0x06, 0x07, 0x08, 0x0A, 0x0B, 0x0D, 0x12, 0x15, 0x1E, 0x42, 0xFF] {
        raw.is_refused(&[byte], 1047);
    }
    raw.is_refused(&[], 1047);
    raw.is_refused(b"\x16SELECT ?", 1295);
    raw.is_refused(b"\x17\x01\0\0\0\0\x01\0\0\0", 1295);
    raw.is_refused(b"\x0C\x01\0\0\0", 1235);
    raw.is_refused(b"\x03SELECT '\xff\xfe'", 1300);
    raw.is_refused(b"\x02\xff", 1300);
    raw.is_refused(b"\x02mysql", 1049);
    raw.is_refused(b"\x03", 1064);
    raw.is_refused(b"\x03select $$", 1064);
    raw.is_fine();
    for answered in [&b"\x02headgate"[..], b"\x1F", b"\x03SET NAMES utf8mb4", b"\x03USE headgate"] {
        assert_eq!(raw.command(answered).unwrap().first(), Some(&0), "{answered:?}");
    }
    assert!(raw.command(b"\x09").unwrap().starts_with(b"Uptime"));
    // COM_SET_OPTION and COM_FIELD_LIST end with an EOF.
    assert_eq!(raw.command(b"\x1B\x01\0").unwrap().first(), Some(&0xFE));
    assert_eq!(raw.command(b"\x04servers\0").unwrap().first(), Some(&0xFE));
    // No reply to these.
    raw.stream.write_all(&[5, 0, 0, 0, 0x19, 1, 0, 0, 0]).unwrap();
    raw.is_fine();
    is_unharmed(&place);
}

#[test]
fn who_breaks_the_protocol_is_told_and_cut_off() {
    let place = place(&[]);
    let mut raw = Raw::log_in(&place);
    raw.stream.write_all(&[1, 0, 0, 7, 0x0E]).unwrap();
    assert_eq!(ErrPacket::parse(&raw.packet().unwrap()).unwrap().code, 1156);
    assert_eq!(raw.packet(), None);

    let mut raw = Raw::log_in(&place);
    raw.is_refused(&[b"\x03SELECT '", &vec![b'x'; 70_000][..], b"'"].concat(), 1153);
    assert_eq!(raw.packet(), None);

    // A command that says it is 16 MiB long, and its beginning.
    let mut raw = Raw::log_in(&place);
    raw.stream.write_all(&[0xFF, 0xFF, 0xFF, 0, 0x03]).unwrap();
    assert_eq!(raw.packet().and_then(|packet| packet.first().copied()), Some(ERR));

    for garbage in
        [&[0_u8; 64][..], &[0xFF; 64], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[0x16, 3, 1, 2, 0, 1, 0]]
    {
        let mut raw = Raw::connect(&place);
        raw.packet().unwrap();
        // It may have hung up in the middle.
        let _ = raw.stream.write_all(garbage);
        let _ = raw.stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = raw.stream.read_to_end(&mut rest);
        assert!(rest.len() < 300, "{rest:?}");
    }
    // In the middle of a command.
    let mut raw = Raw::log_in(&place);
    raw.stream.write_all(&[200, 0, 0, 0, 0x03, b'S']).unwrap();
    drop(raw);
    is_unharmed(&place);
}

#[test]
fn a_thousand_connections_keep_no_client_out() {
    let place = place(&["--set=limits.login_timeout=2s"]);
    let mut client = place.client();
    let silent: Vec<Raw> = (0..1000).map(|_| Raw::connect(&place)).collect();
    assert_eq!(place.number(&mut client, "SELECT 1 + 1").unwrap(), Some(2));
    is_unharmed(&place);
    // Those that were not greeted were told why.
    let told = silent
        .into_iter()
        .filter_map(|mut raw| raw.packet())
        .filter(|packet| ErrPacket::parse(packet).is_ok_and(|error| error.code == 1040))
        .count();
    assert!((900..1000).contains(&told), "{told} of 1000 were turned away");
    place.becomes("the console can be entered again", || {
        super::place::run(place.mysql().args(["-e", "SHOW SERVERS"]), "").status.success()
    });
    is_unharmed(&place);
}

#[test]
fn sessions_are_bounded_in_number_and_in_idleness() {
    let place = place(&["--set=admin.max_sessions=2", "--set=admin.idle_timeout=2s"]);
    let mut sessions = [Raw::log_in(&place), Raw::log_in(&place)];
    let refused = super::place::run(place.mysql().args(["-e", "SHOW SERVERS"]), "");
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("1040") && errors.contains("admin.max_sessions"), "{errors}");
    for session in &mut sessions {
        assert_eq!(ErrPacket::parse(&session.packet().unwrap()).unwrap().code, 4031);
        assert_eq!(session.packet(), None);
    }
    place.becomes("there is room again", || {
        super::place::run(place.mysql().args(["-e", "SHOW SERVERS"]), "").status.success()
    });
}

/// Statements that take all the time and memory they can get, while clients are served.
#[test]
fn heavy_statements_do_not_hurt_clients() {
    let place = place(&[]);
    let mut client = place.client();
    std::thread::scope(|scope| {
        for statement in [
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT randomblob(60000) x FROM n ORDER BY x",
        ] {
            let place = &place;
            scope.spawn(move || place.refusal(statement));
        }
        let end = Instant::now() + Duration::from_secs(3);
        let mut slowest = Duration::ZERO;
        while Instant::now() < end {
            let since = Instant::now();
            assert_eq!(place.number(&mut client, "SELECT 1 + 1").unwrap(), Some(2));
            slowest = slowest.max(since.elapsed());
        }
        assert!(slowest < Duration::from_secs(1), "a client waited {slowest:?}");
    });
    is_unharmed(&place);
}
