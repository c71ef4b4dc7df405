use super::LexMode;
use super::version::{VersionComment, version_comment};

/// What a stretch of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bare name or keyword of ASCII letters, digits, `_` and `$`.
    Word,
    /// A bare name with bytes outside ASCII. Some of them are white space to the server (0xA0 in
    /// latin1), so its words can't be told from here.
    ForeignWord,
    /// A name in backticks, or in double quotes under ANSI_QUOTES.
    QuotedName,
    /// A string literal.
    Text,
    Number,
    /// One byte of punctuation.
    Symbol(u8),
    /// `/*+ … */`
    Hint,
    /// A `/*! … */` or `/*M! … */` of which it is not certain what the server makes of it. Nothing after it
    /// is read.
    VersionComment,
    /// The text can't be read on from here: an unterminated literal or comment, a NUL byte.
    /// Nothing after it is read.
    Broken,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    /// The bytes as sent, quotes included.
    pub text: &'a [u8],
    /// White space or a comment stands before it.
    pub spaced: bool,
}

impl<'a> Token<'a> {
    /// Whether it is this bare word, in any case. `word` is given in upper case.
    pub fn is_word(&self, word: &[u8]) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_symbol(&self, symbol: u8) -> bool {
        self.kind == Kind::Symbol(symbol)
    }

    /// The content of a name or string, without its quotes. `None` where it holds a doubled quote or a
    /// backslash, so that the content is not the bytes as sent.
    pub fn content(&self) -> Option<&'a [u8]> {
        match self.kind {
            Kind::Word | Kind::ForeignWord => Some(self.text),
            Kind::QuotedName | Kind::Text => {
                let (quote, rest) = self.text.split_first()?;
                let (_, content) = rest.split_last()?;
                let name = self.kind == Kind::QuotedName;
                let literal = content.iter().all(|byte| byte != quote && (name || *byte != b'\\'));
                literal.then_some(content)
            }
            _ => None,
        }
    }
}

/// Reads a statement from left to right, once, over bytes, without allocation.
///
/// It follows the server's own lexer (sql/sql_lex.cc) where the two could disagree about where a literal
/// or comment ends, and stops with [`Kind::Broken`] where it can't be sure.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a [u8],
    mode: LexMode,
    /// The last token was a name that touches what follows, so that `.` begins a qualified name.
    after_name: bool,
    /// Inside a version comment whose content is code.
    inside: bool,
    by_version: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], mode: LexMode) -> Self {
        Self { rest: text, mode, after_name: false, inside: false, by_version: false }
    }

    /// Whether a version comment has been read that is code to one supported server and a comment to
    /// another.
    pub fn depends_on_version(&self) -> bool {
        self.by_version
    }

    /// Whether what follows is inside a version comment.
    pub(super) fn is_inside_comment(&self) -> bool {
        self.inside
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, kind: Kind, len: usize, spaced: bool) -> Token<'a> {
        let (text, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        self.after_name = matches!(kind, Kind::Word | Kind::ForeignWord | Kind::QuotedName);
        if matches!(kind, Kind::VersionComment | Kind::Broken) {
            self.rest = &[];
            self.inside = false;
        }
        Token { kind, text, spaced }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.rest.get(at).copied()
    }

    fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or(&[]);
        self.after_name = false;
    }

    fn word(&mut self, spaced: bool) -> Token<'a> {
        let mut foreign = false;
        let len = self
            .rest
            .iter()
            .position(|&byte| {
                foreign |= byte >= 0x80;
                !is_name(byte)
            })
            .unwrap_or(self.rest.len());
        self.take(if foreign { Kind::ForeignWord } else { Kind::Word }, len, spaced)
    }

    /// A number, or a name that begins with a digit.
    fn number(&mut self, spaced: bool) -> Token<'a> {
        let digits = run(self.rest, |byte| byte.is_ascii_digit());
        let mut len = digits;
        match self.byte(len) {
            Some(b'.') => {
                len += 1;
                len += run(self.rest.get(len..).unwrap_or(&[]), |byte| byte.is_ascii_digit());
                len += self.exponent(len);
                // `1.x`: the server reads a number and then a word. Nobody writes it but to mislead.
                if self.byte(len).is_some_and(is_name) {
                    return self.take(Kind::Broken, len, spaced);
                }
                self.take(Kind::Number, len, spaced)
            }
            Some(byte) if is_name(byte) => {
                let exponent = self.exponent(len);
                if exponent > 0 {
                    // `1e1LOCK` is a number and then a word to the server, as `1.x` is.
                    let glued = self.byte(len + exponent).is_some_and(is_name);
                    let kind = if glued { Kind::Broken } else { Kind::Number };
                    return self.take(kind, len + exponent, spaced);
                }
                if is_radix_literal(self.rest) {
                    let len = run(self.rest, is_name);
                    return self.take(Kind::Number, len, spaced);
                }
                self.word(spaced)
            }
            _ => self.take(Kind::Number, len, spaced),
        }
    }

    /// The length of an exponent at `at`, 0 where there is none.
    fn exponent(&self, at: usize) -> usize {
        if !matches!(self.byte(at), Some(b'e' | b'E')) {
            return 0;
        }
        let sign = usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
        match run(self.rest.get(at + 1 + sign..).unwrap_or(&[]), |byte| byte.is_ascii_digit()) {
            0 => 0,
            digits => 1 + sign + digits,
        }
    }

    /// A literal from its opening quote, which is the first byte.
    fn quoted(&mut self, quote: u8, spaced: bool) -> Token<'a> {
        let name = quote == b'`' || (quote == b'"' && self.mode.ansi_quotes);
        let kind = if name { Kind::QuotedName } else { Kind::Text };
        let escapes = !name && !self.mode.no_backslash_escapes;
        let mut at = 1;
        loop {
            let found = self.rest.get(at..).and_then(|rest| {
                if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) }
            });
            let Some(offset) = found else { return self.take(Kind::Broken, self.rest.len(), spaced) };
            at += offset;
            match (self.byte(at), self.byte(at + 1)) {
                (Some(b'\\'), _) if escapes => at += 2,
                (_, Some(next)) if next == quote => at += 2,
                _ => return self.take(kind, at + 1, spaced),
            }
        }
    }

    /// Skips white space and comments. `Err` is a token in their place: a hint, a version comment, or
    /// something broken.
    fn space(&mut self) -> Result<bool, Token<'a>> {
        let mut spaced = false;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(byte), _) if is_space(byte) => self.skip(run(self.rest, is_space)),
                (Some(b'*'), Some(b'/')) if self.inside => {
                    self.skip(2);
                    self.inside = false;
                }
                // The server knows comments in a comment in ways of its own.
                (Some(b'#'), _) | (Some(b'-'), Some(b'-')) | (Some(b'/'), Some(b'*')) if self.inside => {
                    return Err(self.take(Kind::VersionComment, self.rest.len(), spaced));
                }
                (None, _) if self.inside => return Err(self.take(Kind::Broken, 0, spaced)),
                (Some(b'#'), _) => self.line_comment(),
                (Some(b'-'), Some(b'-')) => match self.byte(2) {
                    // Two minus signs start a comment only before white space, a control character or
                    // the end; whether a byte outside ASCII is white space, the charset decides.
                    Some(0x80..) => return Err(self.take(Kind::Broken, 2, spaced)),
                    Some(byte) if byte > b' ' && byte != 0x7f => return Ok(spaced),
                    _ => self.line_comment(),
                },
                (Some(b'/'), Some(b'*')) => self.block_comment(spaced)?,
                _ => return Ok(spaced),
            }
            spaced = true;
        }
    }

    fn line_comment(&mut self) {
        let len = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1);
        self.skip(len);
    }

    fn block_comment(&mut self, spaced: bool) -> Result<(), Token<'a>> {
        let body = self.rest.get(2..).unwrap_or(&[]);
        match version_comment(body, self.mode) {
            None => {}
            Some(VersionComment::Code { skip, everywhere }) => {
                self.skip(2 + skip);
                self.inside = true;
                self.by_version |= !everywhere;
                return Ok(());
            }
            Some(VersionComment::Skipped) => self.by_version = true,
            Some(VersionComment::Unclear) => {
                return Err(self.take(Kind::VersionComment, self.rest.len(), spaced));
            }
        }
        match memchr::memmem::find(body, b"*/") {
            None => Err(self.take(Kind::Broken, self.rest.len(), spaced)),
            Some(end) if body.starts_with(b"+") => Err(self.take(Kind::Hint, end + 4, spaced)),
            Some(end) => {
                self.skip(end + 4);
                Ok(())
            }
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let after_name = self.after_name;
        let spaced = match self.space() {
            Ok(spaced) => spaced,
            Err(token) => return Some(token),
        };
        let first = self.byte(0)?;
        Some(match first {
            b'0'..=b'9' => self.number(spaced),
            byte if is_name(byte) => self.word(spaced),
            b'\'' | b'"' | b'`' => self.quoted(first, spaced),
            b'.' if self.byte(1).is_some_and(|next| next.is_ascii_digit()) => {
                // `t.5` is a column, ` .5` a number; what `t .5` is depends on the server.
                if after_name {
                    return Some(self.take(Kind::Broken, 1, spaced));
                }
                let digits = run(self.rest.get(1..).unwrap_or(&[]), |byte| byte.is_ascii_digit());
                let len = 1 + digits + self.exponent(1 + digits);
                if self.byte(len).is_some_and(is_name) {
                    return Some(self.take(Kind::Broken, len, spaced));
                }
                self.take(Kind::Number, len, spaced)
            }
            0..=b' ' | 0x7f => self.take(Kind::Broken, 1, spaced),
            symbol => self.take(Kind::Symbol(symbol), 1, spaced),
        })
    }
}

fn run(bytes: &[u8], mut want: impl FnMut(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !want(byte)).unwrap_or(bytes.len())
}

/// `0x1F` or `0b01`, with nothing but such digits up to the end of the word.
fn is_radix_literal(bytes: &[u8]) -> bool {
    let word = bytes.get(..run(bytes, is_name)).unwrap_or(&[]);
    match word.split_at_checked(2) {
        Some((b"0x", digits)) => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        Some((b"0b", digits)) => !digits.is_empty() && digits.iter().all(|byte| matches!(byte, b'0' | b'1')),
        _ => false,
    }
}

/// What a byte may be, looked up: the lexer asks for each one.
static CLASS: [u8; 256] = classes();

const NAME: u8 = 1;
const SPACE: u8 = 2;

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, up to 255"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..) {
            classes[at] = NAME;
        } else if matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r') {
            classes[at] = SPACE;
        }
        at += 1;
    }
    classes
}

#[allow(clippy::indexing_slicing, reason = "the table has a place for every byte")]
fn is_name(byte: u8) -> bool {
    CLASS[usize::from(byte)] == NAME
}

#[allow(clippy::indexing_slicing, reason = "the table has a place for every byte")]
pub(super) fn is_space(byte: u8) -> bool {
    CLASS[usize::from(byte)] == SPACE
}
