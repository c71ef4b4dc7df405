//! A client that reads as fast as it can and looks at packet headers only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, Setup, Step};
use headgate::lab::Account;
use headgate::wire::capabilities::Capabilities;
use headgate::wire::err::ErrPacket;
use headgate::wire::frame::{HEADER, Header, put_packet};
use headgate::wire::greeting::Greeting;
use headgate::wire::login_request::LoginRequest;
use headgate::wire::prepared::Prepared;

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer is read but not yet looked at.
    unseen: std::ops::Range<usize>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, account: Account, schema: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        // Enough for a login and a small result; `query` takes more where it is needed.
        let mut client = Self { stream, buffer: vec![0; 1024], unseen: 0..0 };
        client.log_in(account, schema).with_context(|| format!("cannot log in at {address}"))?;
        Ok(client)
    }

    /// Sends a statement and reads its one result. Returns the bytes of the whole reply.
    pub(crate) fn query(&mut self, statement: &str) -> Result<u64> {
        self.send(0, &[b"\x03", statement.as_bytes()].concat())?;
        let mut total = 0;
        let mut columns = None;
        loop {
            let (header, first) = self.head()?;
            total += (HEADER + header.len) as u64;
            match (first, columns) {
                (0xFF, _) => bail!("{:?}", ErrPacket::parse(&self.payload(header)?)),
                (0x00, None) => {
                    self.skip(header.len)?;
                    return Ok(total);
                }
                (count, None) => columns = Some(usize::from(count)),
                // With DEPRECATE_EOF the rows follow the last column at once, and an OK ends them.
                (0xFE, Some(0)) if !header.continues() => {
                    self.skip(header.len)?;
                    return Ok(total);
                }
                (_, Some(0)) => {}
                (_, Some(more)) => columns = Some(more - 1),
            }
            self.skip(header.len)?;
        }
    }

    /// Prepares a statement, and returns its id.
    pub(crate) fn prepare(&mut self, statement: &str) -> Result<u32> {
        self.send(0, &[b"\x16", statement.as_bytes()].concat())?;
        let (_, payload) = self.packet()?;
        let Some(prepared) = Prepared::parse(&payload) else { bail!("{:?}", ErrPacket::parse(&payload)) };
        for _ in 0..prepared.parameters + prepared.columns {
            let (header, _) = self.head()?;
            self.skip(header.len)?;
        }
        Ok(prepared.id)
    }

    /// The stream, for somebody who does not wait in it.
    pub(crate) fn into_stream(self) -> Result<TcpStream> {
        ensure!(self.unseen.is_empty(), "bytes that nobody asked for");
        self.stream.set_nonblocking(true)?;
        Ok(self.stream)
    }

    /// Room for a large result.
    pub(crate) fn widen(&mut self) {
        self.buffer.resize(256 * 1024, 0);
    }

    fn log_in(&mut self, account: Account, schema: &str) -> Result<()> {
        let (header, payload) = self.packet()?;
        if payload.first() == Some(&0xFF) {
            bail!("{:?}", ErrPacket::parse(&payload));
        }
        let greeting = Greeting::parse(&payload)?;
        let secret = Secret::from_password(account.password.as_bytes()).context("password too long")?;
        let setup = Setup { secret, channel: Channel::Plain, may_ask_key: true, may_send_clear: false };
        let (mut exchange, first) = Exchange::start(setup, &greeting.plugin, &greeting.nonce)?;
        let request = LoginRequest {
            capabilities: (Capabilities::BACKEND | Capabilities::CONNECT_WITH_DB)
                .without(Capabilities::SESSION_TRACK),
            max_packet: 1 << 24,
            collation: 45,
            user: account.user.as_bytes().to_vec(),
            auth_response: first.response.to_vec(),
            schema: Some(schema.as_bytes().to_vec()),
            plugin: Some(first.plugin),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        self.send(header.seq.wrapping_add(1), &request.payload())?;
        loop {
            let (header, payload) = self.packet()?;
            match exchange.on_packet(&payload) {
                Step::Send(answer) => self.send(header.seq.wrapping_add(1), &answer)?,
                Step::Wait => {}
                Step::Accepted => return Ok(()),
                Step::Refused(refusal) => bail!("{refusal:?}"),
                Step::Failed(failure) => return Err(failure.into()),
            }
        }
    }

    fn send(&mut self, mut seq: u8, payload: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(HEADER + payload.len());
        put_packet(&mut out, &mut seq, payload);
        Ok(self.stream.write_all(&out)?)
    }

    /// The next packet's header, and its payload's first byte, which is left to be skipped.
    fn head(&mut self) -> Result<(Header, u8)> {
        while self.unseen.len() <= HEADER {
            self.fill()?;
        }
        let bytes = self.buffer.get(self.unseen.clone()).unwrap_or_default();
        let header = Header::read(bytes).context("no header")?;
        let first = bytes.get(HEADER).copied().context("an empty packet")?;
        self.unseen.start += HEADER;
        Ok((header, first))
    }

    fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > self.unseen.len() {
            count -= self.unseen.len();
            self.unseen = 0..0;
            self.fill()?;
        }
        self.unseen.start += count;
        Ok(())
    }

    /// A whole small packet.
    fn packet(&mut self) -> Result<(Header, Vec<u8>)> {
        let (header, _) = self.head()?;
        Ok((header, self.payload(header)?))
    }

    fn payload(&mut self, header: Header) -> Result<Vec<u8>> {
        let mut payload = Vec::with_capacity(header.len);
        while payload.len() < header.len {
            if self.unseen.is_empty() {
                self.fill()?;
            }
            let end = self.unseen.end.min(self.unseen.start + header.len - payload.len());
            payload.extend_from_slice(self.buffer.get(self.unseen.start..end).unwrap_or_default());
            self.unseen.start = end;
        }
        Ok(payload)
    }

    fn fill(&mut self) -> Result<()> {
        if self.unseen.start > 0 {
            self.buffer.copy_within(self.unseen.clone(), 0);
            self.unseen = 0..self.unseen.len();
        }
        let room = self.buffer.get_mut(self.unseen.end..).unwrap_or_default();
        let count = self.stream.read(room)?;
        if count == 0 {
            bail!("the connection was closed");
        }
        self.unseen.end += count;
        Ok(())
    }
}

const LIMIT: Duration = Duration::from_secs(60);
