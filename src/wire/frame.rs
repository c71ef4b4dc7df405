//! Packet boundaries: a 3-byte length, a sequence number, a payload.
//!
//! A payload of 16 MiB − 1 is continued by the next packet; an exact multiple ends with an empty
//! one. Source: MySQL Internals, "MySQL Packets".

use super::cursor::Malformed;

/// Length of a packet header.
pub const HEADER: usize = 4;

/// The length that says "and the next packet goes on".
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// A packet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload length, at most [`MAX_PAYLOAD`].
    pub len: usize,
    /// Sequence number, counted from 0 at each command and wrapping at 256.
    pub seq: u8,
}

impl Header {
    /// Reads the header at the front of `bytes`, or nothing if it has not arrived whole.
    #[must_use]
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, seq] = *bytes.first_chunk::<HEADER>()?;
        Some(Self { len: u32::from_le_bytes([a, b, c, 0]) as usize, seq })
    }

    /// The four bytes of this header. Lengths over [`MAX_PAYLOAD`] are the caller's mistake and cut.
    #[must_use]
    pub fn bytes(self) -> [u8; HEADER] {
        let [a, b, c, ..] = self.len.min(MAX_PAYLOAD).to_le_bytes();
        [a, b, c, self.seq]
    }

    /// True when the payload goes on in the next packet.
    #[must_use]
    pub const fn continues(self) -> bool {
        self.len == MAX_PAYLOAD
    }
}

/// Appends `payload` as one packet, or several where it is too long for one. Advances `seq`.
pub fn put_packet(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    let mut rest = payload;
    loop {
        let (head, tail) = rest.split_at_checked(MAX_PAYLOAD).unwrap_or((rest, &[]));
        out.extend_from_slice(&Header { len: head.len(), seq: *seq }.bytes());
        out.extend_from_slice(head);
        *seq = seq.wrapping_add(1);
        rest = tail;
        if head.len() < MAX_PAYLOAD {
            return;
        }
    }
}

/// Splits the payload of the packet at the front of `bytes` from what follows it.
///
/// Nothing where it has not arrived whole; an error where it would be longer than `limit` bytes.
/// For the connection phase and for replies to questions of our own, which are never continued.
pub fn split_packet(bytes: &[u8], limit: usize) -> Result<Option<(Header, &[u8])>, Malformed> {
    let Some(header) = Header::read(bytes) else { return Ok(None) };
    if header.len > limit || header.continues() {
        return Err(Malformed::new("packet longer than this place allows"));
    }
    Ok(bytes.get(HEADER..HEADER + header.len).map(|payload| (header, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let header = Header { len: 0x01_02_03, seq: 9 };
        assert_eq!(header.bytes(), [3, 2, 1, 9]);
        assert_eq!(Header::read(&header.bytes()), Some(header));
        assert_eq!(Header::read(&[1, 2, 3]), None);
    }

    #[test]
    fn an_exact_multiple_ends_with_an_empty_packet() {
        let mut out = Vec::new();
        let mut seq = 255;
        put_packet(&mut out, &mut seq, &vec![7; MAX_PAYLOAD]);
        assert_eq!(out.len(), HEADER + MAX_PAYLOAD + HEADER);
        assert_eq!(Header::read(&out), Some(Header { len: MAX_PAYLOAD, seq: 255 }));
        assert_eq!(out.get(HEADER + MAX_PAYLOAD..), Some(&[0, 0, 0, 0][..]));
        assert_eq!(seq, 1);
    }

    #[test]
    fn packets_split_only_when_whole_and_small_enough() {
        let bytes = [2, 0, 0, 1, b'o', b'k', b'!'];
        let whole = split_packet(&bytes, 10);
        assert_eq!(whole, Ok(Some((Header { len: 2, seq: 1 }, &b"ok"[..]))));
        assert_eq!(split_packet(&bytes[..5], 10), Ok(None));
        assert!(split_packet(&bytes, 1).is_err());
    }
}
