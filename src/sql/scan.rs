//! One walk over a statement's tokens: what keeps it from being a plain read, and what keeps its effects
//! from being known.

use super::found::Scan;
use super::lexer::{Kind, Lexer, Token};
use super::optimizer;
use super::words::Word;
use super::{LexMode, NotPlain, Unclear};

/// What the next name would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A keyword, a column, a table, a function.
    Any,
    /// After a dot: part of a qualified name. `table` where the whole name stands at a table's place.
    Qualified { table: bool },
    /// After AS, INTO, TABLE: an alias, a type or a table, even before a parenthesis.
    Table,
    /// After `@` or `@@`.
    Variable,
}

/// Hears of calls of functions that are not built in. `()` hears nothing and costs nothing.
pub(super) trait Calls<'a> {
    /// The name that stands before the parenthesis.
    fn call(&mut self, name: Token<'a>);
}

impl Calls<'_> for () {
    #[inline]
    fn call(&mut self, _: Token<'_>) {}
}

impl<'a> Calls<'a> for Vec<Token<'a>> {
    fn call(&mut self, name: Token<'a>) {
        self.push(name);
    }
}

/// Where the rest of a statement begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Any,
    /// After INSERT or REPLACE, where the table may stand directly and before a parenthesis.
    Head,
    /// After TABLE.
    Table,
    /// After WITH, inside so many parentheses.
    With(u32),
}

/// Walks over the rest of the statement.
pub(super) fn scan<'a>(lexer: Lexer<'a>, mode: LexMode, begin: Begin, calls: &mut impl Calls<'a>) -> Scan {
    let mut walk = Walk {
        tokens: lexer,
        mode,
        head: begin == Begin::Head,
        after_verb: true,
        before: Before::Other,
        place: if begin == Begin::Any { Place::Any } else { Place::Table },
        depth: 0,
        with: 0,
        limit: false,
        found: Scan::default(),
        calls,
    };
    if let Begin::With(depth) = begin {
        walk.depth = depth;
        walk.begin_with();
    }
    let mut next = walk.tokens.next();
    while let Some(token) = next {
        next = walk.tokens.next();
        walk.step(token, next);
        if walk.found.unclear.is_some() {
            break;
        }
        if matches!(token.kind, Kind::Symbol(b'@')) && next.is_some_and(|next| next.is_symbol(b'@')) {
            // The second sign of `@@name` is part of the first.
            next = walk.tokens.next();
        }
    }
    if walk.tokens.depends_on_version() {
        walk.found.not_plain(NotPlain::VersionComment);
    }
    walk.found
}

/// What stands before a token, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// A closing parenthesis, after which nothing can be called.
    Closing,
    /// A string, after which nothing can be called either.
    Text,
    /// The word VALUE: a sequence may follow.
    Value,
    Other,
}

struct Walk<'a, 'c, C> {
    tokens: Lexer<'a>,
    mode: LexMode,
    head: bool,
    /// The last token was a verb that may be followed by a hint.
    after_verb: bool,
    before: Before,
    place: Place,
    /// Open parentheses.
    depth: u32,
    /// The depths at which a WITH names its tables, as bits: after a comma there another name follows.
    with: u64,
    /// The number behind LIMIT stands here: an offset, where a comma follows.
    limit: bool,
    found: Scan,
    calls: &'c mut C,
}

impl<'a, C: Calls<'a>> Walk<'a, '_, C> {
    fn step(&mut self, token: Token<'a>, next: Option<Token<'a>>) {
        let place = std::mem::replace(&mut self.place, Place::Any);
        let after_verb = std::mem::take(&mut self.after_verb);
        let before = std::mem::replace(&mut self.before, Before::Other);
        match token.kind {
            Kind::Word => self.word(token, next, place, before),
            Kind::ForeignWord => {
                self.found.not_plain(NotPlain::ForeignWord);
                self.name(token, next, place);
            }
            Kind::QuotedName => self.name(token, next, place),
            Kind::Text if place == Place::Variable => {}
            Kind::Text => {
                self.before = Before::Text;
                // In the other quoting mode this would be a name: `"f"(1)`, `"sys"."t"`.
                if next.is_some_and(|next| next.is_symbol(b'(') || next.is_symbol(b'.')) {
                    self.found.unclear(Unclear::Unreadable);
                }
            }
            Kind::Number => {}
            Kind::Symbol(symbol) => self.symbol(symbol, next, place),
            // Anywhere but after its verb it is a comment: what stands on its two sides belongs together.
            Kind::Hint if !after_verb => self.found.unclear(Unclear::Unreadable),
            Kind::Hint if optimizer::only_steers(token.text) => {}
            Kind::Hint => self.found.not_plain(NotPlain::Hint),
            Kind::VersionComment => self.found.unclear(Unclear::VersionComment),
            Kind::Broken => self.found.unclear(Unclear::Unreadable),
        }
    }

    fn symbol(&mut self, symbol: u8, next: Option<Token<'a>>, place: Place) {
        match symbol {
            b'(' => self.depth += 1,
            b')' => self.closing(next),
            b',' => {
                self.found.finds_others |= self.limit;
                if self.with & bit(self.depth) != 0 {
                    self.place = Place::Table;
                }
            }
            b'?' if !self.mode.parameters => self.found.not_plain(NotPlain::Parameter),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'!' | b'&' | b'|' | b'^' | b'~'
            | b'?' => {}
            b'.' if place == Place::Variable => self.place = Place::Variable,
            b'.' => self.place = Place::Qualified { table: place == Place::Table },
            b'@' => {
                self.place = Place::Variable;
                if next.is_some_and(|next| next.is_symbol(b'@')) {
                    self.found.system_variables += 1;
                    self.found.not_plain(NotPlain::SystemVariable);
                } else {
                    self.found.not_plain(NotPlain::UserVariable);
                    self.found.user_variable = true;
                }
            }
            b':' => {
                self.found.not_plain(NotPlain::Symbol);
                self.found.assigns = true;
            }
            b';' => self.found.unclear(Unclear::Several),
            b'{' | b'}' => self.found.not_plain(NotPlain::Symbol),
            _ => self.found.unclear(Unclear::Unreadable),
        }
    }

    /// A parenthesis closes. Where WITH names its tables, `AS` or another name may follow; else the list is
    /// over.
    fn closing(&mut self, next: Option<Token<'a>>) {
        self.before = Before::Closing;
        self.limit = false;
        if self.depth == 0 {
            self.with = 0;
            return;
        }
        self.depth -= 1;
        let bit = bit(self.depth);
        if self.with != 0 {
            // What was named inside is over.
            self.with &= bit.wrapping_shl(1).wrapping_sub(1);
        }
        if !next.is_some_and(|next| next.is_symbol(b',') || next.is_word(b"AS")) {
            self.with &= !bit;
        }
    }

    /// WITH was read: names of tables follow, with lists of columns that look like calls.
    fn begin_with(&mut self) {
        self.with |= bit(self.depth);
        self.place = Place::Table;
    }

    fn word(&mut self, token: Token<'a>, next: Option<Token<'a>>, place: Place, before: Before) {
        let word = Word::of(token.text);
        self.after_verb = word.takes_hint();
        if word.looks_back() {
            // A table may be called so, with its columns behind.
            let named = matches!(place, Place::Table | Place::Qualified { .. });
            let called = !named && next.is_some_and(|next| next.is_symbol(b'('));
            self.found.looks_back |= place == Place::Variable || called;
            self.found.back_variables += u32::from(place == Place::Variable);
        }
        if word.counts() {
            self.limit = token.is_word(b"LIMIT");
            self.found.finds_others |= !self.limit;
        }
        if place == Place::Table && token.is_word(b"RECURSIVE") {
            self.place = Place::Table;
            return;
        }
        let keyword = place == Place::Table && (token.is_word(b"TABLE") || (self.head && word.is_head()));
        if place != Place::Any && !keyword {
            // A reserved word is no name to the server. What it takes it for is for the primary to say.
            if place == Place::Table && !word.may_stand_in_plain_read() {
                self.found.not_plain(NotPlain::Keyword);
            }
            return self.name(token, next, place);
        }
        match next {
            Some(next) if next.is_symbol(b'(') => self.opening(token, word, !next.spaced, before),
            // Only a dot that touches it makes a reserved word a name.
            Some(next) if next.is_symbol(b'.') && !next.spaced => return self.name(token, Some(next), place),
            Some(next) if next.kind == Kind::Text && token.text.starts_with(b"_") => self.introducer(token),
            _ if word.is_local_schema() => self.found.not_plain(NotPlain::LocalSchema),
            _ if word.may_stand_in_plain_read() || harmless_pair(token, next, before) => {}
            _ => self.found.not_plain(NotPlain::Keyword),
        }
        self.after_keyword(token, word, next);
    }

    /// A word before a parenthesis: a call, or grammar.
    fn opening(&mut self, token: Token<'a>, word: Word, touching: bool, before: Before) {
        let dialect = self.mode.dialect;
        let part = (before == Before::Closing && token.is_word(b"AGAINST"))
            || (before == Before::Text && token.is_word(b"COLUMNS"))
            || (token.is_word(b"JSON_TABLE") && has_columns(self.tokens.clone()));
        if part || word.is_plain_call(dialect, touching) {
        } else if word.opens_parenthesis() {
            if !word.may_stand_in_plain_read() {
                self.found.not_plain(NotPlain::Keyword);
            }
        } else if word.is_known_call(dialect, touching) {
            let beside = self.found.beside || !word.looks_back();
            self.found.not_plain(NotPlain::Function);
            self.found.beside = beside;
        } else {
            self.found.function = true;
            self.calls.call(token);
        }
    }

    /// INSERT [LOW_PRIORITY | …] [IGNORE] [INTO] stand where a table could.
    fn after_keyword(&mut self, token: Token<'a>, word: Word, next: Option<Token<'a>>) {
        self.found.beside |= word.names_tables();
        if token.is_word(b"VALUE") {
            self.before = Before::Value;
        }
        if word.is_before_name() {
            self.found.into |= token.is_word(b"INTO");
            self.place = Place::Table;
        } else if token.is_word(b"WITH") && names_a_table(next) {
            self.begin_with();
        } else if self.head {
            if word.ends_head() {
                self.head = false;
            } else if !token.is_word(b"PARTITION") {
                self.place = Place::Table;
            }
        }
    }

    /// A name that is no keyword here.
    fn name(&mut self, token: Token<'a>, next: Option<Token<'a>>, place: Place) {
        if place == Place::Table {
            self.head = false;
        }
        let table = matches!(place, Place::Table | Place::Qualified { table: true });
        if place != Place::Variable && token.content().is_none_or(|name| Word::of(name).is_local_schema()) {
            self.found.not_plain(NotPlain::LocalSchema);
        }
        match next {
            Some(next) if next.is_symbol(b'(') && !table => {
                self.found.function = true;
                self.calls.call(token);
            }
            // The dot asks for its predecessor's place.
            Some(next) if next.is_symbol(b'.') && table => self.place = Place::Table,
            Some(next) if next.is_symbol(b'.') && place == Place::Variable => self.place = Place::Variable,
            _ => {}
        }
    }

    /// `_utf8mb4'…'`: the introducer must not change how the literal is read.
    fn introducer(&mut self, token: Token<'a>) {
        let charset = token.text.get(1..).and_then(|name| std::str::from_utf8(name).ok());
        if !charset.is_some_and(super::charset_is_safe) {
            self.found.unclear(Unclear::Charset);
        }
    }
}

/// The bit of a depth; none for depths that nobody reaches.
fn bit(depth: u32) -> u64 {
    1u64.checked_shl(depth).unwrap_or(0)
}

/// After WITH. GROUP BY has WITH ROLLUP, MATCH has WITH QUERY EXPANSION.
fn names_a_table(next: Option<Token<'_>>) -> bool {
    next.is_some_and(|next| match next.kind {
        Kind::Word => {
            ![&b"ROLLUP"[..], b"CUBE", b"QUERY", b"TIES", b"PARSER"].iter().any(|word| next.is_word(word))
        }
        Kind::QuotedName => true,
        _ => false,
    })
}

/// Whether a reserved word does no harm before this one: FOR of USE INDEX FOR JOIN, of SUBSTRING(… FOR 3)
/// and of JSON_TABLE's FOR ORDINALITY, and JSON_TABLE's DEFAULT. Not that of NEXT VALUE FOR.
fn harmless_pair(token: Token<'_>, next: Option<Token<'_>>, before: Before) -> bool {
    let Some(next) = next else { return false };
    if token.is_word(b"FOR") {
        let index = [&b"JOIN"[..], b"ORDER", b"GROUP"].iter().any(|word| next.is_word(word));
        let column = next.is_word(b"ORDINALITY") && before != Before::Value;
        return index || column || next.kind == Kind::Number;
    }
    token.is_word(b"DEFAULT") && matches!(next.kind, Kind::Text | Kind::Number)
}

/// Whether the parentheses that were just opened have `'…' COLUMNS (`, as JSON_TABLE of FROM does. Elsewhere
/// MariaDB lets a stored function have the name.
fn has_columns(inside: Lexer<'_>) -> bool {
    const FAR: usize = 256;
    let (mut depth, mut path) = (0u32, false);
    for token in inside.take(FAR) {
        match token.kind {
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') if depth == 0 => return false,
            Kind::Symbol(b')') => depth -= 1,
            Kind::Word if path && depth == 0 && token.is_word(b"COLUMNS") => return true,
            _ => {}
        }
        path = token.kind == Kind::Text;
    }
    false
}
