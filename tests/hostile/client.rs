//! A client that sends any bytes, and can log in properly when it wants to.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, Setup, Step};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::err::{ERR, ErrPacket};
use headgate::wire::frame::{HEADER, Header, put_packet};
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::LoginRequest;

/// How long anything may take that should take no time at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The password of every account of these tests.
pub(crate) const PASSWORD: &str = "hostile-pw";

/// What a client library of today asks for.
const CAPABILITIES: Capabilities = Capabilities(
    Capabilities::BACKEND.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0,
);

/// How a conversation ended for a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an ERR of this number, and a close.
    Told(u16),
    /// With a close.
    Closed,
}

pub(crate) struct Client {
    user: Vec<u8>,
    /// What it asks for at the login.
    pub(crate) wants: Capabilities,
    pub(crate) stream: TcpStream,
    pub(crate) greeting: Greeting,
    /// The next sequence number.
    pub(crate) seq: u8,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) fn greeted(address: SocketAddr, user: &str) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (user, wants) = (user.into(), CAPABILITIES);
        let mut client = Self { user, wants, stream, greeting: nobody(), seq: 0 };
        client.greeting = Greeting::parse(&client.receive().unwrap()).unwrap();
        client
    }

    /// Connects and logs in.
    pub(crate) fn logged_in(address: SocketAddr, user: &str) -> Self {
        let mut client = Self::greeted(address, user);
        client.log_in().unwrap();
        client
    }

    /// Goes through the whole login; an error is the server's last word.
    pub(crate) fn log_in(&mut self) -> Result<(), ErrPacket> {
        let setup = Setup {
            secret: Secret::from_password(PASSWORD.as_bytes()).unwrap(),
            channel: Channel::Plain,
            may_ask_key: true,
            may_send_clear: false,
        };
        let (mut exchange, first) =
            Exchange::start(setup, &self.greeting.plugin, &self.greeting.nonce).unwrap();
        let request = LoginRequest { auth_response: first.response.to_vec(), ..self.login_request() };
        self.send(&LoginRequest { plugin: Some(first.plugin), ..request }.payload());
        loop {
            match exchange.on_packet(&self.receive().unwrap()) {
                Step::Send(answer) => self.send(&answer),
                Step::Wait => {}
                Step::Accepted => return Ok(()),
                Step::Refused(error) => return Err(error),
                Step::Failed(failure) => panic!("{failure}"),
            }
        }
    }

    /// A login request of the right form, without an answer to the greeting's nonce.
    pub(crate) fn login_request(&self) -> LoginRequest {
        LoginRequest {
            capabilities: self.wants,
            max_packet: 1 << 24,
            collation: 45,
            user: self.user.clone(),
            auth_response: vec![0; 32],
            schema: Some(b"app".to_vec()),
            plugin: Some(b"caching_sha2_password".to_vec()),
            attributes: vec![(b"_client_name".to_vec(), b"hostile".to_vec())],
            zstd_level: 3,
        }
    }

    /// Sends a payload with the next sequence number.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        let mut out = Vec::new();
        put_packet(&mut out, &mut self.seq, payload);
        self.send_raw(&out);
    }

    /// Sends bytes as they are. A peer that has hung up is no error: what it said is read later.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !gone(&error) => panic!("{error}"),
            _ => {}
        }
    }

    /// Sends a command.
    pub(crate) fn command(&mut self, payload: &[u8]) {
        self.seq = 0;
        self.send(payload);
    }

    /// Receives a packet.
    pub(crate) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; HEADER];
        self.stream.read_exact(&mut head)?;
        let header = Header::read(&head).unwrap();
        let mut payload = vec![0; header.len];
        self.stream.read_exact(&mut payload)?;
        self.seq = header.seq.wrapping_add(1);
        Ok(payload)
    }

    /// Receives an ERR.
    #[track_caller]
    pub(crate) fn error(&mut self) -> ErrPacket {
        ErrPacket::parse(&self.receive().unwrap()).unwrap()
    }

    /// Runs a statement without rows, or with one row of one value, which is returned.
    #[track_caller]
    pub(crate) fn query(&mut self, sql: &str) -> Result<Option<String>, ErrPacket> {
        self.command(&[&[3], sql.as_bytes()].concat());
        let head = self.receive().unwrap();
        match head[0] {
            0 => return Ok(None),
            ERR => return Err(ErrPacket::parse(&head).unwrap()),
            _ => {}
        }
        assert_eq!(head, [1], "one column");
        self.receive().unwrap();
        let row = self.receive().unwrap();
        assert_eq!(self.receive().unwrap()[0], 0xFE, "one row");
        Ok(Some(String::from_utf8(row[1..].to_vec()).unwrap()))
    }

    /// Reads on until the peer hangs up, for at most `limit`; says what its last word was.
    #[track_caller]
    pub(crate) fn ended_within(self, limit: Duration) -> Ended {
        last_word(&self.rest_within(limit))
    }

    /// Reads on until the peer hangs up, for at most `limit`.
    #[track_caller]
    pub(crate) fn rest_within(mut self, limit: Duration) -> Vec<u8> {
        let end = Instant::now() + limit;
        let mut rest = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "still open after {limit:?}; said {} bytes", rest.len());
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => rest.extend_from_slice(&chunk[..n]),
                Err(error) if gone(&error) => break,
                Err(error) => assert!(waits(&error), "{error}"),
            }
        }
        rest
    }

    /// Says that nothing more will come, and listens on.
    pub(crate) fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// The last whole packet, if it is an ERR.
pub(crate) fn last_word(mut bytes: &[u8]) -> Ended {
    let mut last = Ended::Closed;
    while let Some(header) = Header::read(bytes) {
        let Some(payload) = bytes.get(HEADER..HEADER + header.len) else { break };
        last = match ErrPacket::parse(payload) {
            Ok(error) => Ended::Told(error.code),
            Err(_) => Ended::Closed,
        };
        bytes = &bytes[HEADER + header.len..];
    }
    last
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Before the greeting has come.
fn nobody() -> Greeting {
    Greeting {
        version: Vec::new(),
        thread_id: 0,
        nonce: Vec::new(),
        capabilities: Capabilities(0),
        collation: 0,
        status: 0,
        plugin: Vec::new(),
    }
}
