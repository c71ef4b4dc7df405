//! Packet boundaries.

use headgate::wire::frame::{HEADER, Header, MAX_PAYLOAD, put_packet, split_packet};

use super::source::Source;

/// Two bytes of limit, one of sequence number, then a stream.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let limit = usize::from(source.byte()) << 4 | usize::from(source.byte());
    let first_seq = source.byte();
    let stream = source.rest();
    headers_round_trip(stream);
    what_is_split_is_what_was_sent(stream, limit);
    what_is_put_is_split_again(stream, first_seq);
}

fn headers_round_trip(stream: &[u8]) {
    let Some(header) = Header::read(stream) else {
        assert!(stream.len() < HEADER);
        return;
    };
    assert_eq!(header.bytes(), stream[..HEADER]);
    assert_eq!(header.continues(), header.len == MAX_PAYLOAD);
}

fn what_is_split_is_what_was_sent(stream: &[u8], limit: usize) {
    let mut rest = stream;
    loop {
        match split_packet(rest, limit) {
            Ok(Some((header, payload))) => {
                assert!(header.len <= limit && payload.len() == header.len);
                assert_eq!(payload, &rest[HEADER..HEADER + header.len]);
                // Nothing is known of a packet until its last byte is there, and nothing behind it matters.
                let end = HEADER + header.len;
                assert_eq!(split_packet(&rest[..end], limit), Ok(Some((header, payload))));
                assert_eq!(split_packet(&rest[..end - 1], limit), Ok(None));
                rest = &rest[end..];
            }
            Ok(None) => {
                assert!(Header::read(rest).is_none_or(|header| rest.len() < HEADER + header.len));
                return;
            }
            Err(_) => {
                assert!(Header::read(rest).is_some_and(|header| header.len > limit || header.continues()));
                return;
            }
        }
    }
}

fn what_is_put_is_split_again(payload: &[u8], first_seq: u8) {
    let mut out = Vec::new();
    let mut seq = first_seq;
    put_packet(&mut out, &mut seq, payload);
    assert_eq!(seq, first_seq.wrapping_add(1), "a short payload is one packet");
    let header = Header { len: payload.len(), seq: first_seq };
    assert_eq!(split_packet(&out, payload.len()), Ok(Some((header, payload))));
}
