//! The packets before a login: one at a time, bounded, and over TLS where the client asks for it.

use std::io;
use std::time::Duration;

use super::context::Shared;
use crate::auth::NONCE_LEN;
use crate::net::link::{Link, Stream};
use crate::net::socket::Socket;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet, split_packet};
use crate::wire::login_request::{self, LoginRequest};

/// The longest packet before a login. Connection attributes alone may have 64 KiB.
const MAX_PACKET: usize = 128 * 1024;

/// For a write to a client that is not logged in yet.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How a login that came to nothing ended.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The client went away or broke the protocol.
    #[error("the client's connection failed: {0}")]
    Io(#[from] io::Error),
    /// The client was told no.
    #[error("refused: {0}")]
    Refused(ErrPacket),
}

/// A client that is not logged in yet.
#[derive(Debug)]
pub struct Caller {
    /// Its stream.
    pub link: Link,
    /// The next sequence number.
    seq: u8,
    /// Its proxy has said that it is elsewhere, so that a Unix socket is only the end of its way.
    pub(super) elsewhere: bool,
}

impl Caller {
    /// Whoever has just connected.
    #[must_use]
    pub fn new(socket: Socket) -> Self {
        Self { link: Link::new(Stream::Plain(socket)), seq: 0, elsewhere: false }
    }

    /// True where nobody on the network can listen: TLS, or a Unix socket and a client at this machine.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.link.is_encrypted() || self.link.is_secure() && !self.elsewhere
    }

    /// Somebody who has sent COM_CHANGE_USER.
    #[must_use]
    pub const fn resume(link: Link) -> Self {
        Self { link, seq: 1, elsewhere: false }
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// The stream fails, or the client does not read.
    pub async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(HEADER + payload.len());
        put_packet(&mut out, &mut self.seq, payload);
        self.link.send(&out, WRITE_LIMIT).await
    }

    /// Receives one packet.
    ///
    /// # Errors
    /// The stream fails or ends, or the packet is out of order or too long.
    pub async fn receive(&mut self) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
        loop {
            let split = split_packet(&self.link.inbox, MAX_PACKET);
            let split = split.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some((header, payload)) = split {
                // Of compressed packets the numbers outside count, and have been looked at.
                if header.seq != self.seq && !self.link.is_compressed() {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "packets out of order"));
                }
                let payload = zeroize::Zeroizing::new(payload.to_vec());
                // The bytes may be a password.
                if let Some(used) = self.link.inbox.get_mut(..HEADER + header.len) {
                    zeroize::Zeroize::zeroize(used);
                }
                self.link.consume(HEADER + header.len);
                self.seq = self.seq.wrapping_add(1);
                return Ok(payload);
            }
            if self.link.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Receives the client's first packet and not a byte more. It may be a request for TLS, and clients
    /// send the beginning of the TLS handshake behind it without waiting.
    async fn receive_first(&mut self) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
        let mut whole = self.link.fill_exactly(HEADER).await?;
        let len = Header::read(&self.link.inbox).map_or(0, |header| header.len);
        if len <= MAX_PACKET {
            whole = whole && self.link.fill_exactly(HEADER + len).await?;
        }
        if whole { self.receive().await } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Tells the client no.
    pub async fn refuse(&mut self, error: ErrPacket) -> LoginError {
        let payload = if self.seq == 0 { error.payload_before_greeting() } else { error.payload() };
        // Whether the client still hears it does not matter.
        let _ = self.send(&payload).await;
        LoginError::Refused(error)
    }
}

/// Reads the login request, going over to TLS first where the client asks for it.
///
/// # Errors
/// The stream fails, or the client was told no.
pub async fn read_request(mut caller: Caller, shared: &Shared) -> Result<(Caller, LoginRequest), LoginError> {
    let mut payload = caller.receive_first().await?;
    if login_request::is_tls_request(&payload) {
        let seq = caller.seq;
        let accepted = shared.server_tls.accept(caller.link.into_plain()?).await;
        let stream = accepted.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        caller = Caller {
            link: Link::new(Stream::Tls(Box::new(stream.into()))),
            seq,
            elsewhere: caller.elsewhere,
        };
        payload = caller.receive().await?;
    } else if shared.limits().require_tls && !caller.is_secure() {
        // ER_SECURE_TRANSPORT_REQUIRED.
        let error = ErrPacket::own(3159, b"HY000", "connect with TLS (listen.require_tls is on)");
        return Err(caller.refuse(error).await);
    }
    match LoginRequest::parse(&payload) {
        Ok(request) => Ok((caller, request)),
        // ER_HANDSHAKE_ERROR.
        Err(error) => {
            let error = ErrPacket::own(1043, b"08S01", &format!("bad handshake: {error}"));
            Err(caller.refuse(error).await)
        }
    }
}

/// Bytes for a nonce.
///
/// # Errors
/// The system gives none.
pub fn random() -> io::Result<[u8; NONCE_LEN]> {
    let mut bytes = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes)
}
