//! Packets over TCP or TLS.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::frame::{HEADER, Header, put_packet};
use headgate::wire::greeting::Greeting;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::compression::Packing;

/// How long any packet may take. Nothing in the tests runs longer on an idle server.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A payload put together from its packets.
pub(super) struct Packet {
    /// Sequence number of the first of them.
    pub(super) seq: u8,
    /// How many there were.
    pub(super) parts: usize,
    pub(super) payload: Vec<u8>,
}

/// A connection, logged in once [`Connection::login`] says so.
pub(crate) struct Connection {
    pub(super) stream: BufReader<Box<dyn Duplex>>,
    /// Sequence number of the next packet in either direction.
    pub(super) seq: u8,
    /// Where both sides agreed to compress, from the end of the login on.
    pub(super) packing: Option<Packing>,
    /// What both sides agreed on.
    pub(crate) capabilities: Capabilities,
    pub(crate) greeting: Greeting,
    /// The reply to the login request, as lines of a transcript.
    pub(crate) login_reply: Vec<String>,
    /// What happened between login request and verdict: `fast`, `clear`, `rsa`, `switch NAME`.
    pub(crate) exchange: Vec<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}

impl Connection {
    /// The next packet begins a command.
    pub(super) fn begin_command(&mut self) {
        self.seq = 0;
        if let Some(packing) = &mut self.packing {
            packing.seq = 0;
        }
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(payload.len() + HEADER);
        if let Some(packing) = &mut self.packing {
            // As libmysqlclient does: the inner packets follow the count of the outer ones.
            let first = packing.seq;
            let mut next = first;
            put_packet(&mut out, &mut next, payload);
            out = packing.pack(&out)?;
            packing.flushed();
            self.seq = self.seq.wrapping_add(next.wrapping_sub(first));
        } else {
            put_packet(&mut out, &mut self.seq, payload);
        }
        timeout(PATIENCE, async {
            self.stream.write_all(&out).await?;
            self.stream.flush().await
        })
        .await
        .context("the server does not take what it is sent")?
        .context("sending")
    }

    /// Sends some bytes of the packet of a COM_QUERY.
    pub(crate) async fn send_part(&mut self, sql: &str, part: std::ops::Range<usize>) -> Result<()> {
        self.begin_command();
        let mut out = Vec::new();
        put_packet(&mut out, &mut self.seq, &[&[3], sql.as_bytes()].concat());
        let end = part.end.min(out.len());
        self.stream.write_all(out.get(part.start..end).unwrap_or_default()).await?;
        Ok(self.stream.flush().await?)
    }

    pub(super) async fn receive(&mut self) -> Result<Packet> {
        let received = async {
            match &mut self.packing {
                None => receive(&mut self.stream).await,
                Some(packing) => receive(&mut &packing.receive(&mut self.stream).await?[..]).await,
            }
        };
        let mut packet = timeout(PATIENCE, received).await.context("no answer")??;
        let parts = u8::try_from(packet.parts % 256)?;
        if let Some(packing) = &mut self.packing {
            packing.check(packet.seq, parts)?;
            // In transcripts packets are counted as they are without compression.
            packet.seq = self.seq;
        }
        self.seq = packet.seq.wrapping_add(parts);
        Ok(packet)
    }

    /// A result has ended, and another follows.
    pub(super) fn next_result(&mut self) {
        if let Some(packing) = &mut self.packing {
            packing.flushed();
        }
    }

    /// True when the peer has closed the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(timeout(PATIENCE, self.stream.read_u8()).await, Ok(Err(_)))
    }
}

pub(super) async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Packet> {
    let mut packet = Packet { seq: 0, parts: 0, payload: Vec::new() };
    loop {
        let mut head = [0; HEADER];
        stream.read_exact(&mut head).await.context("the connection ended")?;
        let header = Header::read(&head).context("a header has four bytes")?;
        if packet.parts == 0 {
            packet.seq = header.seq;
        } else if header.seq != packet.seq.wrapping_add(u8::try_from(packet.parts % 256)?) {
            bail!("a long payload's packets are out of order");
        }
        let start = packet.payload.len();
        packet.payload.resize(start + header.len, 0);
        stream
            .read_exact(&mut packet.payload[start..])
            .await
            .context("the connection ended inside a packet")?;
        packet.parts += 1;
        if !header.continues() {
            return Ok(packet);
        }
    }
}
