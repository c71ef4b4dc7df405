//! Changes to packets inside a buffer of server bytes.

use std::ops::Range;

use bytes::BytesMut;

use crate::wire::frame::{HEADER, Header};

/// Adds `shift` to the sequence number of the packet at `at`.
#[inline]
pub(super) fn shift_sequence(buf: &mut BytesMut, at: usize, header: Header, shift: u8) {
    if shift != 0
        && let Some(seq) = buf.get_mut(at + HEADER - 1)
    {
        *seq = header.seq.wrapping_add(shift);
    }
}

/// Overwrites the beginning of the payload of the packet at `at`.
pub(super) fn overwrite(buf: &mut BytesMut, at: usize, payload: &[u8]) {
    if let Some(place) = buf.get_mut(at + HEADER..at + HEADER + payload.len()) {
        place.copy_from_slice(payload);
    }
}

/// Overwrites a part of the payload of the packet at `at`.
pub(super) fn overwrite_at(buf: &mut BytesMut, at: usize, part: Range<usize>, bytes: &[u8]) {
    if let Some(place) = buf.get_mut(at + HEADER + part.start..at + HEADER + part.end)
        && place.len() == bytes.len()
    {
        place.copy_from_slice(bytes);
    }
}

/// Shortens the packet at `at`, which has arrived whole, to `len` bytes of payload.
pub(super) fn shorten(buf: &mut BytesMut, at: usize, header: Header, len: usize) {
    if len >= header.len {
        return;
    }
    if let Some(place) = buf.get_mut(at..at + HEADER) {
        place.copy_from_slice(&Header { len, seq: header.seq }.bytes());
    }
    let old_end = at + HEADER + header.len;
    let new_end = at + HEADER + len;
    buf.copy_within(old_end.., new_end);
    buf.truncate(buf.len() - (old_end - new_end));
}

/// Gives the packet at `at`, which has arrived whole, another payload; returns its length.
pub(super) fn replace(buf: &mut BytesMut, at: usize, header: Header, payload: &[u8]) -> usize {
    let behind = buf.split_off((at + HEADER + header.len).min(buf.len()));
    buf.truncate(at);
    buf.extend_from_slice(&Header { len: payload.len(), seq: header.seq }.bytes());
    buf.extend_from_slice(payload);
    buf.unsplit(behind);
    payload.len()
}

/// Puts a packet of its own in at `at`; returns where the next one begins.
pub(super) fn insert(buf: &mut BytesMut, at: usize, seq: u8, payload: &[u8]) -> usize {
    let added = HEADER + payload.len();
    let old_len = buf.len();
    buf.resize(old_len + added, 0);
    buf.copy_within(at..old_len, at + added);
    if let Some(place) = buf.get_mut(at..at + HEADER) {
        place.copy_from_slice(&Header { len: payload.len(), seq }.bytes());
    }
    overwrite(buf, at, payload);
    at + added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_shrink_and_appear_without_touching_their_neighbours() {
        let mut buf = BytesMut::from(&b"\x01\0\0\x05a\x03\0\0\x06bcd\x01\0\0\x07e"[..]);
        shorten(&mut buf, 5, Header { len: 3, seq: 6 }, 1);
        assert_eq!(&buf[..], b"\x01\0\0\x05a\x01\0\0\x06b\x01\0\0\x07e");
        let next = insert(&mut buf, 5, 9, b"xy");
        assert_eq!(next, 11);
        assert_eq!(&buf[..], b"\x01\0\0\x05a\x02\0\0\x09xy\x01\0\0\x06b\x01\0\0\x07e");
        shift_sequence(&mut buf, 5, Header { len: 2, seq: 9 }, 250);
        assert_eq!(buf.get(8), Some(&3));
        let mut buf = BytesMut::from(&b"\x01\0\0\x05a\x03\0\0\x06bcd\x01\0\0\x07e"[..]);
        assert_eq!(replace(&mut buf, 5, Header { len: 3, seq: 6 }, b"wxyz"), 4);
        assert_eq!(&buf[..], b"\x01\0\0\x05a\x04\0\0\x06wxyz\x01\0\0\x07e");
        assert_eq!(replace(&mut buf, 5, Header { len: 4, seq: 6 }, b""), 0);
        assert_eq!(&buf[..], b"\x01\0\0\x05a\0\0\0\x06\x01\0\0\x07e");
    }
}
