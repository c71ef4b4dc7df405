//! The form that statements share which differ in literals, white space, comments and the case of words only.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};

use super::LexMode;
use super::class::without_end;
use super::lexer::{Kind, Lexer, Token};
use super::words::Word;

/// A part of the common form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A name or keyword, quotes included, to be folded to lower case.
    Word(&'a [u8]),
    /// Any literal or parameter.
    Literal,
    Symbol(u8),
    /// An optimizer hint.
    Hint(&'a [u8]),
    /// What cannot be read, up to the end.
    Unreadable,
}

/// Takes the pieces, and takes back those after a mark.
pub(super) trait Sink {
    type Mark: Clone;
    fn piece(&mut self, piece: Piece<'_>);
    fn mark(&self) -> Self::Mark;
    fn back(&mut self, mark: Self::Mark);
    /// Wants no more.
    fn is_full(&self) -> bool {
        false
    }
}

/// Adds a piece to a hash.
pub(super) fn hash(hasher: &mut FoldHasher<'static>, piece: Piece<'_>) {
    let (kind, text) = match piece {
        Piece::Word(text) => (1, text),
        Piece::Hint(text) => (2, text),
        Piece::Literal => return hasher.write_u8(b'?'),
        Piece::Symbol(symbol) => return hasher.write_u16(u16::from(symbol) << 8),
        Piece::Unreadable => return hasher.write_u8(3),
    };
    for part in text.chunks(32) {
        let mut folded = [0; 32];
        if let Some(folded) = folded.get_mut(..part.len()) {
            folded.copy_from_slice(part);
            folded.make_ascii_lowercase();
            hasher.write(folded);
        }
    }
    hasher.write_u8(kind);
}

/// A list whose elements count once where they follow each other and are alike: of IN, of VALUES.
struct List<M> {
    /// The depth at which its elements stand.
    depth: u32,
    /// Elements are rows in parentheses (VALUES), not separated by commas alone (IN).
    rows: bool,
    /// Where the comma before the current element stands.
    before: M,
    element: FoldHasher<'static>,
    last: Option<u64>,
}

/// Passes the common form of a text to the sink.
pub(super) fn normal<S: Sink>(text: &[u8], mode: LexMode, sink: &mut S) {
    let mut tokens = Lexer::new(without_end(text), mode);
    let mut walk = Walk { sink, depth: 0, list: None, before: None };
    let mut next = tokens.next();
    while let Some(token) = next {
        next = tokens.next();
        walk.token(token, next);
        if walk.sink.is_full() {
            break;
        }
    }
}

struct Walk<'s, 'a, S: Sink> {
    sink: &'s mut S,
    depth: u32,
    list: Option<List<S::Mark>>,
    before: Option<Token<'a>>,
}

impl<'a, S: Sink> Walk<'_, 'a, S> {
    fn token(&mut self, token: Token<'a>, next: Option<Token<'a>>) {
        let before = self.before.replace(token);
        match token.kind {
            // Strings that follow each other are one.
            Kind::Text if before.is_some_and(|before| before.kind == Kind::Text) => {}
            Kind::Text | Kind::Number | Kind::Symbol(b'?') => self.piece(Piece::Literal),
            Kind::Word if introduces(token, next) => {}
            Kind::Symbol(b'-' | b'+') if is_sign(before, next) => {}
            Kind::Word | Kind::ForeignWord | Kind::QuotedName => {
                self.piece(Piece::Word(token.text));
                let values = token.is_word(b"VALUES") || token.is_word(b"VALUE");
                if values && next.is_some_and(|next| next.is_symbol(b'(') || next.is_word(b"ROW")) {
                    self.begin(true);
                }
            }
            Kind::Symbol(b'(') => {
                self.piece(Piece::Symbol(b'('));
                self.depth += 1;
                let query = next.is_some_and(|next| next.is_word(b"SELECT") || next.is_word(b"WITH"));
                if before.is_some_and(|before| before.is_word(b"IN")) && !query {
                    self.begin(false);
                }
            }
            Kind::Symbol(b')') => self.closing(next),
            Kind::Symbol(b',') => self.comma(),
            Kind::Symbol(symbol) => self.piece(Piece::Symbol(symbol)),
            Kind::Hint => self.piece(Piece::Hint(token.text)),
            Kind::VersionComment | Kind::Broken => self.piece(Piece::Unreadable),
        }
    }

    fn piece(&mut self, piece: Piece<'_>) {
        self.sink.piece(piece);
        if let Some(list) = &mut self.list {
            hash(&mut list.element, piece);
        }
    }

    /// A list begins, unless it stands in an element of another.
    fn begin(&mut self, rows: bool) {
        if self.list.is_none() {
            let before = self.sink.mark();
            let element = FixedState::default().build_hasher();
            self.list = Some(List { depth: self.depth, rows, before, element, last: None });
        }
    }

    fn closing(&mut self, next: Option<Token<'a>>) {
        let ends = self.list.as_ref().is_some_and(|list| !list.rows && list.depth == self.depth);
        if ends {
            self.end_element();
            self.list = None;
        }
        self.piece(Piece::Symbol(b')'));
        self.depth = self.depth.saturating_sub(1);
        if self.list.as_ref().is_some_and(|list| list.rows && list.depth == self.depth) {
            self.end_element();
            if !next.is_some_and(|next| next.is_symbol(b',')) {
                self.list = None;
            }
        }
        // A list cannot outlive the parentheses around it.
        if self.list.as_ref().is_some_and(|list| list.depth > self.depth) {
            self.list = None;
        }
    }

    fn comma(&mut self) {
        match &self.list {
            Some(list) if list.depth == self.depth => {
                if !list.rows {
                    self.end_element();
                }
            }
            _ => return self.piece(Piece::Symbol(b',')),
        }
        if let Some(list) = &mut self.list {
            list.before = self.sink.mark();
            list.element = FixedState::default().build_hasher();
        }
        self.sink.piece(Piece::Symbol(b','));
    }

    /// Takes an element back that is like the one before it.
    fn end_element(&mut self) {
        let Some(list) = &mut self.list else { return };
        let now = list.element.finish();
        if list.last == Some(now) {
            self.sink.back(list.before.clone());
        }
        list.last = Some(now);
    }
}

/// `x'41'`, `N'a'`, `_utf8mb4 'a'`: part of the literal.
fn introduces(token: Token<'_>, next: Option<Token<'_>>) -> bool {
    let Some(next) = next.filter(|next| next.kind == Kind::Text) else { return false };
    let short = matches!(token.text, [b'x' | b'X' | b'b' | b'B' | b'n' | b'N']);
    (short && !next.spaced) || token.text.starts_with(b"_")
}

/// Whether a sign before a number is part of it, and not an operator.
fn is_sign(before: Option<Token<'_>>, next: Option<Token<'_>>) -> bool {
    let after_operator = before.is_none_or(|before| match before.kind {
        Kind::Symbol(symbol) => !matches!(symbol, b')' | b'?'),
        Kind::Word => Word::of(before.text).is_grammar(),
        _ => false,
    });
    after_operator && next.is_some_and(|next| next.kind == Kind::Number)
}
