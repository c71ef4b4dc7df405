//! A client that chooses its own address, and may be announced by a PROXY header.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, FirstAnswer, Setup, Step};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::cursor::Cursor;
use headgate::wire::encode::put_nul_terminated;
use headgate::wire::err::{ERR, ErrPacket};
use headgate::wire::frame::{HEADER, Header, put_packet};
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::LoginRequest;

/// How long anything may take that should take no time at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// TCP or Unix.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    seq: u8,
    greeting: Option<Greeting>,
}

/// A connection from an address of this machine's.
pub(crate) fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let from: IpAddr = from.parse().unwrap();
    let domain = if from.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Client {
    /// Logs in from an address; the server's last word where that fails.
    pub(crate) fn login(from: &str, to: SocketAddr, user: &str, password: &str) -> Result<Self, ErrPacket> {
        Self::login_announced(from, to, &[], user, password)
    }

    /// The same behind a proxy, which sends `header` first.
    pub(crate) fn login_announced(
        from: &str,
        to: SocketAddr,
        header: &[u8],
        user: &str,
        password: &str,
    ) -> Result<Self, ErrPacket> {
        let mut stream = connect(from, to);
        stream.write_all(header).unwrap();
        Self::new(stream).log_in_as(user, password)
    }

    /// Nothing has been read yet.
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), seq: 0, greeting: None }
    }

    /// Reads the greeting and logs in.
    pub(crate) fn log_in_as(mut self, user: &str, password: &str) -> Result<Self, ErrPacket> {
        let head = self.receive().unwrap();
        if head.first() == Some(&ERR) {
            return Err(ErrPacket::parse(&head).unwrap());
        }
        let greeting = Greeting::parse(&head).unwrap();
        let (exchange, first) = start(&greeting, password);
        let request = LoginRequest {
            capabilities: Capabilities::BACKEND & greeting.capabilities,
            max_packet: 1 << 24,
            collation: 45,
            user: user.into(),
            auth_response: first.response.to_vec(),
            schema: None,
            plugin: Some(first.plugin),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        self.greeting = Some(greeting);
        self.send(&request.payload());
        self.finish(exchange)?;
        Ok(self)
    }

    /// The id that KILL takes.
    pub(crate) fn id(&self) -> u32 {
        self.greeting.as_ref().unwrap().thread_id
    }

    /// COM_CHANGE_USER.
    pub(crate) fn change_user(&mut self, user: &str, password: &str) -> Result<(), ErrPacket> {
        let (exchange, first) = start(self.greeting.as_ref().unwrap(), password);
        let mut payload = vec![0x11];
        put_nul_terminated(&mut payload, user.as_bytes());
        payload.push(u8::try_from(first.response.len()).unwrap());
        payload.extend_from_slice(&first.response);
        payload.extend_from_slice(&[0, 45, 0]);
        put_nul_terminated(&mut payload, &first.plugin);
        payload.push(0);
        self.seq = 0;
        self.send(&payload);
        self.finish(exchange)
    }

    fn finish(&mut self, mut exchange: Exchange) -> Result<(), ErrPacket> {
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

    /// The one value that a statement answers; empty for statements without rows.
    #[track_caller]
    pub(crate) fn query(&mut self, sql: &str) -> Result<String, ErrPacket> {
        self.seq = 0;
        self.send(&[&[3], sql.as_bytes()].concat());
        let head = self.receive().unwrap();
        match head[0] {
            0 => return Ok(String::new()),
            ERR => return Err(ErrPacket::parse(&head).unwrap()),
            _ => assert_eq!(head, [1], "one column: {sql}"),
        }
        self.receive().unwrap();
        let row = self.receive().unwrap();
        if row[0] == ERR {
            return Err(ErrPacket::parse(&row).unwrap());
        }
        assert_eq!(self.receive().unwrap()[0], 0xFE, "one row: {sql}");
        let value = Cursor::new(&row).nullable_bytes("value").unwrap();
        Ok(value.map_or_else(|| "NULL".to_owned(), |value| String::from_utf8(value.to_vec()).unwrap()))
    }

    fn send(&mut self, payload: &[u8]) {
        let mut out = Vec::new();
        put_packet(&mut out, &mut self.seq, payload);
        self.stream.write_all(&out).unwrap();
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; HEADER];
        self.stream.read_exact(&mut head)?;
        let header = Header::read(&head).unwrap();
        let mut payload = vec![0; header.len];
        self.stream.read_exact(&mut payload)?;
        assert_eq!(header.seq, self.seq, "packets out of order");
        self.seq = header.seq.wrapping_add(1);
        Ok(payload)
    }
}

fn start(greeting: &Greeting, password: &str) -> (Exchange, FirstAnswer) {
    let setup = Setup {
        secret: Secret::from_password(password.as_bytes()).unwrap(),
        channel: Channel::Plain,
        may_ask_key: true,
        may_send_clear: false,
    };
    Exchange::start(setup, &greeting.plugin, &greeting.nonce).unwrap()
}

/// What is said in place of a greeting, or nothing.
pub(crate) fn refusal_before_greeting(from: &str, to: SocketAddr) -> Option<ErrPacket> {
    let mut client = Client::new(connect(from, to));
    let head = client.receive().unwrap();
    (head[0] == ERR).then(|| ErrPacket::parse(&head).unwrap())
}
