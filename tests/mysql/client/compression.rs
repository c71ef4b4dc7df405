//! Compressed packets, with libraries that Headgate does not use where there are others.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::frame::{HEADER, Header};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How a client compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Zlib,
    Zstd,
}

/// The level of zstd, at the end of the login request.
pub(super) const ZSTD_LEVEL: u8 = 5;

/// Clients send less than this as it is.
const SHORTEST: usize = 50;

impl Compression {
    /// The flag that asks for it.
    pub(super) fn flag(self) -> Capabilities {
        match self {
            Self::Zlib => Capabilities::COMPRESS,
            Self::Zstd => Capabilities::ZSTD,
        }
    }

    fn pack(self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Self::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::new(6));
                encoder.write_all(bytes)?;
                encoder.finish()?;
            }
            Self::Zstd => {
                out.reserve(zstd_safe::compress_bound(bytes.len()));
                zstd_safe::compress(&mut out, bytes, i32::from(ZSTD_LEVEL))
                    .map_err(|code| anyhow::anyhow!("{}", zstd_safe::get_error_name(code)))?;
            }
        }
        Ok(out)
    }

    fn unpack(self, packed: &[u8], len: usize) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(len);
        match self {
            Self::Zlib => {
                flate2::read::ZlibDecoder::new(packed).read_to_end(&mut out)?;
            }
            Self::Zstd => {
                zstd_safe::decompress(&mut out, packed)
                    .map_err(|code| anyhow::anyhow!("{}", zstd_safe::get_error_name(code)))?;
            }
        }
        ensure!(out.len() == len, "{} bytes where {len} are announced", out.len());
        Ok(out)
    }
}

/// A compressed conversation.
pub(super) struct Packing {
    compression: Compression,
    /// Number of the next compressed packet in either direction.
    pub(super) seq: u8,
    /// Number of the next packet inside them.
    inside: u8,
    /// What has been unpacked and not used.
    inbox: Vec<u8>,
}

impl Packing {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, seq: 0, inside: 0, inbox: Vec::new() }
    }

    /// Servers number the packets inside by those outside whenever they flush (`net_flush`): when they have
    /// read, and at the end of each result.
    pub(super) fn flushed(&mut self) {
        if self.inbox.is_empty() {
            self.inside = self.seq;
        }
    }

    /// Checks the number of a packet inside as mysql_async does, the strictest of the clients we know. It cannot
    /// tell which packets a server flushed, so the number of the last packet outside is right as well.
    pub(super) fn check(&mut self, seq: u8, parts: u8) -> Result<()> {
        let (due, outside) = (self.inside, self.seq.wrapping_sub(1));
        ensure!(seq == due || seq == outside, "packet {seq} inside of {outside}, where {due} was due");
        self.inside = seq.wrapping_add(parts);
        Ok(())
    }

    /// Puts packets into compressed ones, of which a long payload gets two.
    pub(super) fn pack(&mut self, packets: &[u8]) -> Result<Vec<u8>> {
        let cut = if packets.len() < 2 * SHORTEST { 0 } else { packets.len() / 3 };
        let (first, rest) = packets.split_at(cut);
        let mut out = Vec::new();
        // The length of a piece has three bytes.
        for piece in std::iter::once(first).filter(|first| !first.is_empty()).chain(rest.chunks(1 << 20)) {
            let packed = if piece.len() < SHORTEST { Vec::new() } else { self.compression.pack(piece)? };
            let shorter = !packed.is_empty() && packed.len() < piece.len();
            let (payload, unpacked) = if shorter { (&packed[..], piece.len()) } else { (piece, 0) };
            out.extend_from_slice(&Header { len: payload.len(), seq: self.seq }.bytes());
            out.extend_from_slice(&unpacked.to_le_bytes()[..3]);
            out.extend_from_slice(payload);
            self.seq = self.seq.wrapping_add(1);
        }
        Ok(out)
    }

    /// Reads on until a whole payload is there, and gives its packets.
    pub(super) async fn receive(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
        loop {
            if let Some(len) = whole(&self.inbox) {
                let rest = self.inbox.split_off(len);
                return Ok(std::mem::replace(&mut self.inbox, rest));
            }
            let mut head = [0; 7];
            stream.read_exact(&mut head).await.context("the connection ended")?;
            let header = Header::read(&head).context("a header has four bytes")?;
            ensure!(header.seq == self.seq, "compressed packet {} in place of {}", header.seq, self.seq);
            self.seq = header.seq.wrapping_add(1);
            let unpacked = u32::from_le_bytes([head[4], head[5], head[6], 0]) as usize;
            let mut payload = vec![0; header.len];
            stream.read_exact(&mut payload).await.context("the connection ended inside a packet")?;
            match unpacked {
                0 => self.inbox.extend_from_slice(&payload),
                len => self.inbox.extend_from_slice(&self.compression.unpack(&payload, len)?),
            }
        }
    }
}

/// The length of the packets of the payload at the front, once they are all there.
fn whole(inbox: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let header = Header::read(inbox.get(at..)?)?;
        at += HEADER + header.len;
        if at > inbox.len() {
            return None;
        }
        if !header.continues() {
            return Some(at);
        }
    }
}
