//! Any bytes at all as a server's reply.

use bytes::BytesMut;
use headgate::wire::reply::{ClientForm, Progress, Shape, Tracker};
use headgate::wire::session_track::{Change, Wish};
use headgate::wire::status::StatusFlags;

use super::source::Source;

pub const SHAPES: [Shape; 5] = [Shape::Executed, Shape::Prepare, Shape::Rows, Shape::Fields, Shape::Text];
const WISHES: [Wish; 3] = [Wish::Nothing, Wish::Defaults, Wish::Everything];

/// Shape, client, chunk size, then the server's bytes.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let (shape, form, status) = (source.choose(&SHAPES), form(&mut source), status(&mut source));
    let size = usize::from(source.byte()) + 1;
    chunks_change_nothing(&Tracker::new(shape, form, status), source.rest(), &[size, 3]);
}

pub fn form(source: &mut Source<'_>) -> ClientForm {
    ClientForm { deprecate_eof: source.flag(), wish: source.choose(&WISHES) }
}

pub fn status(source: &mut Source<'_>) -> StatusFlags {
    StatusFlags(u16::from_le_bytes([source.byte(), source.byte()]))
}

/// What became of a reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Relayed {
    /// What the client got.
    pub out: Vec<u8>,
    /// How it stood at the end; nothing where the bytes were no reply.
    pub progress: Option<Progress>,
    /// The session-state changes.
    pub changes: Vec<Vec<u8>>,
    /// Requests for a file.
    pub files: usize,
    /// Bytes behind the end of the reply.
    pub left: usize,
}

/// Relays the same bytes whole, in chunks and byte by byte, and returns what came of them.
pub fn chunks_change_nothing(tracker: &Tracker, bytes: &[u8], chunks: &[usize]) -> Relayed {
    let whole = relay(tracker.clone(), bytes, &[usize::MAX]);
    for chunks in [chunks, &[1]] {
        let parts = relay(tracker.clone(), bytes, chunks);
        if whole.progress.is_some() {
            assert_eq!(parts, whole);
        } else {
            // What went out before the bad packet depends on when it came.
            assert!(parts.progress.is_none() && parts.out.starts_with(&whole.out));
        }
    }
    whole
}

fn relay(mut tracker: Tracker, bytes: &[u8], chunks: &[usize]) -> Relayed {
    let mut relayed = Relayed { out: Vec::new(), progress: None, changes: Vec::new(), files: 0, left: 0 };
    let mut buf = BytesMut::new();
    let mut rest = bytes;
    let mut sizes = chunks.iter().cycle();
    loop {
        let changes = &mut relayed.changes;
        let Ok(step) = tracker.advance(&mut buf, &mut |change| changes.push(note(change))) else {
            relayed.progress = None;
            return relayed;
        };
        assert!(step.ready <= buf.len(), "no more is ready than there is");
        relayed.out.extend_from_slice(&buf.split_to(step.ready));
        assert!(relayed.out.is_empty() || !tracker.untouched());
        relayed.progress = Some(step.progress);
        match step.progress {
            Progress::Complete(end) => {
                assert!(tracker.between_packets());
                assert!(!end.at_once || end.error.is_some());
                relayed.left = buf.len() + rest.len();
                return relayed;
            }
            Progress::FileWanted => relayed.files += 1,
            Progress::NextResult => unreachable!("it was not told to pause"),
            Progress::More => {
                // A head waits until it is whole; everything else goes out at once.
                if rest.is_empty() {
                    return relayed;
                }
                let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
                let (chunk, tail) = rest.split_at(size);
                buf.extend_from_slice(chunk);
                rest = tail;
            }
        }
    }
}

/// A change as bytes, to be compared.
fn note(change: Change<'_>) -> Vec<u8> {
    match change {
        Change::Variable { name, value } => [b"0", name, b"=", value].concat(),
        Change::Schema(name) => [b"1", name].concat(),
        Change::StateChanged => b"2".to_vec(),
        Change::Gtids(text) => [b"3", text].concat(),
        Change::TransactionCharacteristics(text) => [b"4", text].concat(),
        Change::TransactionState(text) => [b"5", text].concat(),
        Change::Unnamed(kind) => vec![b'?', kind],
    }
}
