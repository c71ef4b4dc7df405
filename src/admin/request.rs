//! A statement as it was typed, cut into words.

use super::answer::ConsoleError;
use crate::sql::{Dialect, Kind, LexMode, Lexer, Token};

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// The id of the console session.
    pub(super) id: u32,
    /// Its user and address.
    pub(super) name: String,
}

/// One statement.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) asker: &'a Asker,
    /// The statement, without white space and semicolons at its ends.
    pub(super) text: &'a str,
    /// Its tokens.
    pub(super) tokens: Vec<Token<'a>>,
}

/// Read as MySQL reads it: clients escape quotes with backslashes.
pub(super) const MODE: LexMode = LexMode::usual(Dialect::MySql, 0);

impl<'a> Request<'a> {
    /// Cuts a statement into words.
    pub(super) fn read(text: &'a str, asker: &'a Asker) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == ';');
        Self { asker, text, tokens: tokens(text, MODE) }
    }

    /// The bare word at a place, in upper case.
    pub(super) fn word(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at).filter(|token| token.kind == Kind::Word)?;
        Some(String::from_utf8_lossy(token.text).to_uppercase())
    }

    /// A bare or quoted name, or a string, at a place.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        token.content().map(|content| String::from_utf8_lossy(content).into_owned())
    }

    /// A whole number at a place.
    pub(super) fn number(&self, at: usize) -> Option<u64> {
        std::str::from_utf8(self.tokens.get(at)?.text).ok()?.parse().ok()
    }

    /// Whether it begins with these words, given in upper case.
    pub(super) fn begins_with(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(at, word)| self.word(at).as_deref() == Some(word))
    }

    /// The text behind the first `count` tokens.
    pub(super) fn behind(&self, count: usize) -> &'a str {
        let Some(last) = count.checked_sub(1).and_then(|at| self.tokens.get(at)) else { return self.text };
        let end = last.text.as_ptr().addr() + last.text.len() - self.text.as_ptr().addr();
        self.text.get(end..).unwrap_or_default().trim_start()
    }

    /// An error where more than one statement stands in the text.
    pub(super) fn must_be_one(&self) -> Result<(), ConsoleError> {
        match self.tokens.iter().any(|token| token.is_symbol(b';')) {
            true => Err(ConsoleError::Several),
            false => Ok(()),
        }
    }

    /// The content of the string that `text` is, its escapes undone; nothing where it is something else.
    pub(super) fn unquote(text: &str) -> Option<String> {
        let [Token { kind: Kind::Text, text, .. }] = tokens(text, MODE)[..] else { return None };
        let text = std::str::from_utf8(text).ok()?;
        let quote = text.chars().next()?;
        let mut inner = text.get(1..text.len().checked_sub(1)?)?.chars();
        let mut out = String::with_capacity(text.len());
        while let Some(c) = inner.next() {
            match c {
                '\\' => match inner.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    '0' => out.push('\0'),
                    // LIKE undoes these.
                    wild @ ('%' | '_') => out.extend(['\\', wild]),
                    other => out.push(other),
                },
                // A doubled quote; a single one would have ended the string.
                _ if c == quote => out.extend(inner.next()),
                _ => out.push(c),
            }
        }
        Some(out)
    }
}

fn tokens(text: &str, mode: LexMode) -> Vec<Token<'_>> {
    Lexer::new(text.as_bytes(), mode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> Asker {
        Asker { id: 1, name: "admin".to_owned() }
    }

    #[test]
    fn a_statement_is_cut_into_words() {
        let asker = asker();
        let request = Request::read("  explain /* x */ Route for  'it''s \\'so\\'' ; ", &asker);
        assert!(request.begins_with("EXPLAIN ROUTE FOR"));
        assert!(!request.begins_with("EXPLAIN ROUTE OF"));
        assert_eq!(Request::unquote(request.behind(3)).as_deref(), Some("it's 'so'"));
        assert_eq!(request.behind(0), request.text);
        assert_eq!(request.behind(99), request.text);
        assert_eq!(Request::unquote("SELECT 'a'"), None);
        let request = Request::read("KILL 12", &asker);
        assert_eq!((request.number(1), request.number(2)), (Some(12), None));
    }

    #[test]
    fn several_statements_are_found() {
        let asker = asker();
        let check = |text: &str, one: bool| {
            assert_eq!(Request::read(text, &asker).must_be_one().is_ok(), one, "{text}");
        };
        check("SELECT 1;", true);
        check("SELECT ';'", true);
        check("SELECT 1; SELECT 2", false);
        check(r"SELECT '\'; SELECT 2 --'", true);
    }
}
