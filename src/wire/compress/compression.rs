//! Packs and unpacks the packets of one connection.

use bytes::BytesMut;

use super::algorithm::Algorithm;
use super::packet::{Broken, HEADER, Header, MAX_PAYLOAD, Numbers};
use super::workspace::Workspace;

/// One connection's compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    algorithm: Algorithm,
    numbers: Numbers,
}

impl Compression {
    /// Before the first command.
    #[must_use]
    pub const fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, numbers: Numbers::NEW }
    }

    /// The next packet of the peer begins a command, and with it the count.
    pub const fn next_command(&mut self) {
        self.numbers.next_command();
    }

    /// The number of the next packet inside of those to the peer. Servers let it follow the count of the packets
    /// outside whenever they flush (`net_flush` in MySQL's net_serv.cc): at the beginning of a reply, between
    /// results, after a client's file. In between it counts by itself. Nothing for a command that has come in one
    /// packet with the one before, which no packet outside begins.
    #[must_use]
    pub fn number_inside(&self) -> Option<u8> {
        self.numbers.inside()
    }

    /// Appends `bytes` to `out` in one packet, or several where they are too many for one.
    pub fn pack(&mut self, bytes: &[u8], workspace: &mut Workspace, out: &mut BytesMut) {
        for piece in bytes.chunks(MAX_PAYLOAD) {
            let start = out.len();
            out.resize(start + HEADER, 0);
            let seq = self.numbers.take();
            let header = match workspace.compress(self.algorithm, piece, out) {
                Some(len) => Header { len, seq, unpacked: piece.len() },
                None => {
                    out.extend_from_slice(piece);
                    Header { len: piece.len(), seq, unpacked: 0 }
                }
            };
            if let Some(place) = out.get_mut(start..start + HEADER) {
                place.copy_from_slice(&header.bytes());
            }
        }
    }

    /// Unpacks the packet at the front of `packed`, once it has come whole: appends its bytes to `out` and
    /// returns its length. No room is made for what a header promises before the rest is there, and a header
    /// that cannot be true is not waited for.
    ///
    /// # Errors
    /// Where it is no packet, as soon as that shows; the connection is then of no further use.
    pub fn unpack(
        &mut self,
        packed: &[u8],
        workspace: &mut Workspace,
        out: &mut BytesMut,
    ) -> Result<Option<usize>, Broken> {
        let Some(header) = Header::read(packed) else { return Ok(None) };
        self.numbers.check(header.seq)?;
        self.algorithm.check_promise(header)?;
        let Some(payload) = packed.get(HEADER..HEADER + header.len) else { return Ok(None) };
        match header.unpacked {
            0 => out.extend_from_slice(payload),
            len => workspace.decompress(self.algorithm, payload, len, out)?,
        }
        self.numbers.received();
        Ok(Some(HEADER + header.len))
    }
}
