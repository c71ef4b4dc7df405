//! One number, and one text, for all statements that differ in literals only.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};

use super::LexMode;
use super::normal::{Piece, Sink, hash, normal};
use super::words::Word;

/// Statements with the same tokens but other literals have the same digest, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

/// The digest of a statement.
///
/// Literals of all kinds are alike, and so are lists of them in IN and rows of them in VALUES, however many.
/// Words are compared in one case; white space and comments count for nothing, optimizer hints do.
pub fn digest(text: &[u8], mode: LexMode) -> Digest {
    let mut sink = Hash(FixedState::default().build_hasher());
    normal(text, mode, &mut sink);
    Digest(sink.0.finish())
}

/// The longest text of [`normalize`], in bytes.
pub const LONGEST_NORMALIZED: usize = 2048;

/// A statement as its digest sees it, for people: `select a from t where b in (?)`. Cut where it is too long.
///
/// Statements that are short enough have the same text where they have the same digest.
pub fn normalize(text: &[u8], mode: LexMode) -> String {
    let mut sink = Text { bytes: Vec::new(), last: Last::Nothing };
    normal(text, mode, &mut sink);
    let cut = sink.bytes.len() > LONGEST_NORMALIZED;
    sink.bytes.truncate(LONGEST_NORMALIZED);
    let mut text = String::from_utf8_lossy(&sink.bytes).into_owned();
    if cut {
        text.push('…');
    }
    text
}

struct Hash(FoldHasher<'static>);

impl Sink for Hash {
    type Mark = FoldHasher<'static>;

    fn piece(&mut self, piece: Piece<'_>) {
        hash(&mut self.0, piece);
    }

    fn mark(&self) -> Self::Mark {
        self.0.clone()
    }

    fn back(&mut self, mark: Self::Mark) {
        self.0 = mark;
    }
}

struct Text {
    bytes: Vec<u8>,
    last: Last,
}

/// The last piece, as far as the space after it depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    /// After it nothing is set apart: `(`, `.`, `@`.
    Tight,
    /// A name that may be a function's or a table's.
    Name,
    Operator,
    Other,
}

impl Sink for Text {
    type Mark = (usize, Last);

    fn piece(&mut self, piece: Piece<'_>) {
        let tight = match piece {
            Piece::Symbol(b')' | b',' | b'.') => true,
            Piece::Symbol(b'(') => self.last == Last::Name,
            Piece::Symbol(b'@') => false,
            Piece::Symbol(_) => self.last == Last::Operator,
            _ => false,
        };
        if !tight && !matches!(self.last, Last::Nothing | Last::Tight) {
            self.bytes.push(b' ');
        }
        match piece {
            Piece::Word(text) | Piece::Hint(text) => {
                let text = text.get(..LONGEST_NORMALIZED).unwrap_or(text);
                self.bytes.extend(text.iter().map(u8::to_ascii_lowercase));
            }
            Piece::Literal => self.bytes.push(b'?'),
            Piece::Symbol(symbol) => self.bytes.push(symbol),
            Piece::Unreadable => self.bytes.extend("…".as_bytes()),
        }
        self.last = match piece {
            Piece::Symbol(b'(' | b'.' | b'@') => Last::Tight,
            Piece::Symbol(b')' | b',') => Last::Other,
            Piece::Symbol(_) => Last::Operator,
            Piece::Word(text) if !Word::of(text).is_grammar() => Last::Name,
            _ => Last::Other,
        };
    }

    fn mark(&self) -> Self::Mark {
        (self.bytes.len(), self.last)
    }

    fn back(&mut self, (len, last): Self::Mark) {
        self.bytes.truncate(len);
        self.last = last;
    }

    /// An element of a list may still be taken back, so there is room for one more.
    fn is_full(&self) -> bool {
        self.bytes.len() > 2 * LONGEST_NORMALIZED
    }
}
