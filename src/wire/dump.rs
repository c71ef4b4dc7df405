//! Follows the stream of events that answers COM_BINLOG_DUMP.
//!
//! Every packet is `00` and an event. An ERR ends the stream, or an EOF where the client wanted what there is and
//! no more. Nothing is edited: the EOF has its old form whatever was negotiated (both servers, measured). Event
//! and semi-synchronous marks are the business of the replica.
//!
//! Source: MySQL `sql/rpl_binlog_sender.cc`, MariaDB `sql/sql_repl.cc`; sequence numbers around
//! acknowledgements: `plugin/semisync/semisync_source.cc`, `sql/semisync_slave.cc`.

use super::cursor::Malformed;
use super::err::ERR;
use super::frame::{HEADER, Header};
use super::ok::EOF;

/// First byte of a packet with an event.
const EVENT: u8 = 0;

/// First byte of a replica's acknowledgement.
const ACKNOWLEDGEMENT: u8 = 0xEF;

/// The longest acknowledgement: its mark, a position, the name of a file.
const LONGEST_ACKNOWLEDGEMENT: usize = 1 + 8 + 512;

/// How far a call got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// So many bytes at the front are ready for the client.
    pub ready: usize,
    /// The stream has ended with them.
    pub over: bool,
}

/// Where a stream of events stands.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    /// A header of which not all has come.
    head: Vec<u8>,
    /// Payload bytes to come of the packet that has begun.
    left: usize,
    /// The packet continues the one before.
    continues: bool,
    /// Its first byte is to come.
    unread: bool,
    /// It ends the stream.
    last: bool,
    over: bool,
    next_seq: u8,
}

/// What a replica has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upward {
    /// Nothing that is whole.
    Incomplete,
    /// An acknowledgement of so many bytes, its header included.
    Acknowledgement(usize),
    /// A command, which is for after the dump.
    Command(u8),
}

impl Dump {
    /// Takes in `bytes`, which come behind those that were ready before.
    ///
    /// # Errors
    /// Where they are no stream of events.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<Followed, Malformed> {
        let mut at = 0;
        while !self.over {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.left == 0 && !self.unread {
                let Some(taken) = self.take_header(rest)? else {
                    at = bytes.len();
                    break;
                };
                at += taken;
            } else if self.unread {
                let Some(&first) = rest.first() else { break };
                self.take_first(first)?;
            } else {
                let n = self.left.min(rest.len());
                if n == 0 {
                    break;
                }
                at += n;
                self.left -= n;
            }
            self.over = self.last && self.left == 0;
        }
        Ok(Followed { ready: at, over: self.over })
    }

    /// Completes the header of the next packet; nothing where it has not come whole.
    fn take_header(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let taken = (HEADER - self.head.len()).min(rest.len());
        self.head.extend_from_slice(rest.get(..taken).unwrap_or_default());
        let Some(header) = Header::read(&self.head) else { return Ok(None) };
        self.head.clear();
        if header.len == 0 && !self.continues {
            return Err(Malformed::new("event (an empty packet)"));
        }
        self.left = header.len;
        self.unread = !self.continues;
        self.continues = header.continues();
        self.next_seq = header.seq.wrapping_add(1);
        Ok(Some(taken))
    }

    fn take_first(&mut self, first: u8) -> Result<(), Malformed> {
        self.unread = false;
        self.last = match first {
            EVENT => false,
            ERR | EOF if !self.continues => true,
            _ => return Err(Malformed::new("event")),
        };
        Ok(())
    }

    /// Nothing of an event is under way: an ERR of Headgate's own may be put here.
    #[must_use]
    pub const fn between_packets(&self) -> bool {
        self.left == 0 && !self.continues && self.head.is_empty()
    }

    /// The sequence number of an ERR of Headgate's own that would end the stream.
    #[must_use]
    pub const fn next_seq(&self) -> u8 {
        self.next_seq
    }

    /// A replica has acknowledged under this sequence number; the server counts on from there.
    pub const fn acknowledged(&mut self, seq: u8) {
        self.next_seq = seq.wrapping_add(1);
    }
}

impl Upward {
    /// What stands at the front of `inbox`.
    #[must_use]
    pub fn read(inbox: &[u8]) -> Self {
        let Some(header) = Header::read(inbox) else { return Self::Incomplete };
        match inbox.get(HEADER) {
            // No command is empty; servers take it for one that they do not know.
            None if header.len == 0 => Self::Command(0),
            None => Self::Incomplete,
            Some(&ACKNOWLEDGEMENT) if header.len <= LONGEST_ACKNOWLEDGEMENT => {
                let whole = HEADER + header.len;
                if inbox.len() < whole { Self::Incomplete } else { Self::Acknowledgement(whole) }
            }
            Some(&byte) => Self::Command(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::{MAX_PAYLOAD, put_packet};

    const EVENTS: &[&[u8]] = &[b"\x00event", b"\x00\xef\x01other"];
    const END: &[u8] = b"\xfe\x00\x00\x02\x00";
    const FAILED: &[u8] = b"\xff\xd4\x04#HY000no such log";

    fn packets(payloads: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut seq = 1;
        for payload in payloads {
            put_packet(&mut out, &mut seq, payload);
        }
        out
    }

    #[track_caller]
    fn check(payloads: &[&[u8]], over: bool) {
        let bytes = packets(payloads);
        let mut dump = Dump::default();
        assert_eq!(dump.follow(&bytes), Ok(Followed { ready: bytes.len(), over }));
        assert!(dump.between_packets());
    }

    #[test]
    fn a_stream_ends_with_an_eof_or_an_err_and_never_by_itself() {
        check(EVENTS, false);
        check(&[EVENTS, &[END]].concat(), true);
        check(&[EVENTS, &[FAILED]].concat(), true);
        check(&[FAILED], true);
    }

    #[test]
    fn what_continues_a_long_event_may_begin_like_an_end() {
        for first in [EOF, ERR, 7] {
            let mut event = vec![0; MAX_PAYLOAD];
            event.extend([first, 1, 2]);
            check(&[&event, EVENTS[0]], false);
            event.truncate(MAX_PAYLOAD);
            check(&[&event, END], true);
        }
    }

    #[test]
    fn bytes_behind_the_end_are_left() {
        let bytes = packets(&[END, b"\x00more"]);
        let followed = Dump::default().follow(&bytes);
        assert_eq!(followed, Ok(Followed { ready: HEADER + END.len(), over: true }));
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for payload in [&b""[..], b"\x01", b"\xef"] {
            assert!(Dump::default().follow(&packets(&[payload])).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn sequence_numbers_follow_events_and_acknowledgements() {
        let mut dump = Dump::default();
        dump.follow(&packets(&[&b"\x00"[..]; 255])).unwrap();
        assert_eq!(dump.next_seq(), 0);
        dump.acknowledged(0);
        assert_eq!(dump.next_seq(), 1);
    }

    #[test]
    fn acknowledgements_are_told_from_commands() {
        let check = |bytes: &[u8], expected| assert_eq!(Upward::read(bytes), expected, "{bytes:?}");
        check(b"", Upward::Incomplete);
        check(b"\x04\0\0\0", Upward::Incomplete);
        check(b"\x04\0\0\0\xefab", Upward::Incomplete);
        check(b"\x04\0\0\0\xefabcnext", Upward::Acknowledgement(8));
        check(b"\x01\0\0\0\x01", Upward::Command(1));
        check(b"\0\0\0\0", Upward::Command(0));
        check(b"\xff\xff\0\0\xef", Upward::Command(0xEF));
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(chunks in proptest::collection::vec(1_usize..9, 1..8), ends: bool) {
            let payloads: Vec<&[u8]> = EVENTS.iter().copied().chain(ends.then_some(END)).collect();
            let bytes = packets(&payloads);
            let mut dump = Dump::default();
            let mut rest = &bytes[..];
            let mut sizes = chunks.iter().copied().cycle();
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                let followed = dump.follow(chunk).unwrap();
                prop_assert_eq!(followed, Followed { ready: chunk.len(), over: ends && tail.is_empty() });
                rest = tail;
            }
            prop_assert!(dump.between_packets());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(followed) = Dump::default().follow(&bytes) {
                prop_assert!(followed.ready <= bytes.len());
            }
            let _ = Upward::read(&bytes);
        }
    }
}
