//! One walk over a statement's tokens: what keeps it from being a plain read, and what keeps its effects
//! from being known.

use super::lexer::{Kind, Lexer, Token};
use super::words::Word;
use super::{LexMode, NotPlain, Unclear};

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) not_plain: Option<NotPlain>,
    pub(super) unclear: Option<Unclear>,
    pub(super) looks_back: bool,
    /// It asks for something that is not about the statement before.
    beside: bool,
    /// System variables read, and those of them that are about the statement before.
    system_variables: u32,
    back_variables: u32,
    pub(super) user_variable: bool,
    pub(super) into: bool,
    assigns: bool,
}

impl Scan {
    /// Whether a user variable may have been assigned in the text.
    pub(super) fn assigns_user_variable(&self) -> bool {
        self.user_variable && self.assigns
    }

    /// Whether every value it asks for is about the statement before.
    pub(super) fn only_looks_back(&self) -> bool {
        self.looks_back && !self.beside && self.system_variables == self.back_variables
    }

    fn not_plain(&mut self, why: NotPlain) {
        self.beside |= why != NotPlain::SystemVariable;
        self.not_plain.get_or_insert(why);
    }

    fn unclear(&mut self, why: Unclear) {
        self.unclear.get_or_insert(why);
    }
}

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

/// Walks over the rest of the statement. `head` is true for INSERT and REPLACE, whose table may stand
/// directly after the verb and before a parenthesis.
pub(super) fn scan(lexer: Lexer<'_>, mode: LexMode, head: bool) -> Scan {
    let place = if head { Place::Table } else { Place::Any };
    let mut walk = Walk {
        tokens: lexer,
        mode,
        head,
        after_verb: true,
        after_closing: false,
        place,
        found: Scan::default(),
    };
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
    walk.found
}

struct Walk<'a> {
    tokens: Lexer<'a>,
    mode: LexMode,
    head: bool,
    /// The last token was a verb that may be followed by a hint.
    after_verb: bool,
    /// The last token was a closing parenthesis, after which nothing can be called.
    after_closing: bool,
    place: Place,
    found: Scan,
}

impl<'a> Walk<'a> {
    fn step(&mut self, token: Token<'a>, next: Option<Token<'a>>) {
        let place = std::mem::replace(&mut self.place, Place::Any);
        let after_verb = std::mem::take(&mut self.after_verb);
        let after_closing = std::mem::replace(&mut self.after_closing, token.is_symbol(b')'));
        match token.kind {
            Kind::Word => self.word(token, next, place, after_closing),
            Kind::ForeignWord => {
                self.found.not_plain(NotPlain::ForeignWord);
                self.name(token, next, place);
            }
            Kind::QuotedName => self.name(token, next, place),
            Kind::Text if place == Place::Variable => {}
            Kind::Text => {
                // In the other quoting mode this would be a name: `"f"(1)`, `"sys"."t"`.
                if next.is_some_and(|next| next.is_symbol(b'(') || next.is_symbol(b'.')) {
                    self.found.unclear(Unclear::Unreadable);
                }
            }
            Kind::Number => {}
            Kind::Symbol(symbol) => self.symbol(symbol, next, place),
            // Anywhere but after its verb it is a comment to the server, and what stands on its two
            // sides belongs together.
            Kind::Hint if !after_verb => self.found.unclear(Unclear::Unreadable),
            Kind::Hint => self.found.not_plain(NotPlain::Hint),
            Kind::VersionComment => self.found.unclear(Unclear::VersionComment),
            Kind::Broken => self.found.unclear(Unclear::Unreadable),
        }
    }

    fn symbol(&mut self, symbol: u8, next: Option<Token<'a>>, place: Place) {
        match symbol {
            b'(' | b')' | b',' | b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'!' | b'&'
            | b'|' | b'^' | b'~' => {}
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
            b'?' => self.found.not_plain(NotPlain::Parameter),
            b'{' | b'}' => self.found.not_plain(NotPlain::Symbol),
            _ => self.found.unclear(Unclear::Unreadable),
        }
    }

    fn word(&mut self, token: Token<'a>, next: Option<Token<'a>>, place: Place, after_closing: bool) {
        let word = Word::of(token.text);
        self.after_verb = word.takes_hint();
        if word.looks_back() {
            self.found.looks_back |=
                place == Place::Variable || next.is_some_and(|next| next.is_symbol(b'('));
            self.found.back_variables += u32::from(place == Place::Variable);
        }
        let keyword = place == Place::Table && (token.is_word(b"TABLE") || (self.head && word.is_head()));
        if place != Place::Any && !keyword {
            return self.name(token, next, place);
        }
        match next {
            Some(next) if next.is_symbol(b'(') => self.opening(token, word, !next.spaced, after_closing),
            // Only a dot that touches it makes a reserved word a name.
            Some(next) if next.is_symbol(b'.') && !next.spaced => return self.name(token, Some(next), place),
            Some(next) if next.kind == Kind::Text && token.text.starts_with(b"_") => self.introducer(token),
            _ if word.is_local_schema() => self.found.not_plain(NotPlain::LocalSchema),
            _ if !word.may_stand_in_plain_read() => self.found.not_plain(NotPlain::Keyword),
            _ => {}
        }
        self.after_keyword(token, word);
    }

    /// A word before a parenthesis: a call, or grammar.
    fn opening(&mut self, token: Token<'a>, word: Word, touching: bool, after_closing: bool) {
        if word.is_plain_call(touching) {
        } else if word.opens_parenthesis() {
            if !word.may_stand_in_plain_read() {
                self.found.not_plain(NotPlain::Keyword);
            }
        } else if word.is_known_call(self.mode.dialect, touching) {
            let beside = self.found.beside || !word.looks_back();
            self.found.not_plain(NotPlain::Function);
            self.found.beside = beside;
        } else if !(after_closing && token.is_word(b"AGAINST")) {
            self.found.unclear(Unclear::Function);
        }
    }

    /// INSERT [LOW_PRIORITY | …] [IGNORE] [INTO] stand where a table could.
    fn after_keyword(&mut self, token: Token<'a>, word: Word) {
        self.found.beside |= word.names_tables();
        if word.is_before_name() {
            self.found.into |= token.is_word(b"INTO");
            self.place = Place::Table;
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
            Some(next) if next.is_symbol(b'(') && !table => self.found.unclear(Unclear::Function),
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
