//! What a statement names, told from its bytes.

use super::class::{First, is_readable, read, without_end};
use super::lexer::{Kind, Lexer, Token};
use super::scan::{Begin, scan};
use super::{Class, LexMode};

/// Whether a plain read names something for which `known` answers true, such as a view.
///
/// `known` is given each name in turn, without its quotes. A name that cannot be told from its bytes counts
/// as known.
pub fn mentions(text: &[u8], mode: LexMode, mut known: impl FnMut(&[u8]) -> bool) -> bool {
    Lexer::new(text, mode).any(|token| match token.kind {
        Kind::Word | Kind::ForeignWord | Kind::QuotedName => token.content().is_none_or(&mut known),
        _ => false,
    })
}

/// Whether every function that a [`Class::Calls`] calls and that is not built in is one for which `pure`
/// answers true. It is given the schema, if one is written, and the name, both without quotes.
///
/// False for everything that is no [`Class::Calls`], and for names that cannot be told from their bytes.
pub fn calls(text: &[u8], mode: LexMode, mut pure: impl FnMut(Option<&[u8]>, &[u8]) -> bool) -> bool {
    let text = without_end(text);
    let Some(first) = First::read(text, mode).filter(|_| is_readable(text, mode)) else { return false };
    let begin = match first.verb {
        verb if verb.is_word(b"SELECT") || verb.is_word(b"VALUES") => Begin::Any,
        verb if verb.is_word(b"TABLE") => Begin::Table,
        verb if verb.is_word(b"WITH") => Begin::With(first.depth),
        _ => return false,
    };
    let mut called: Vec<Token<'_>> = Vec::new();
    let found = scan(first.rest, mode, begin, &mut called);
    if read(found).class != Class::Calls {
        return false;
    }
    // The three tokens before, and how many of the calls have been met again.
    let (mut before, mut met) = ([None; 3], 0);
    for token in Lexer::new(text, mode) {
        let Some(call) = called.get(met) else { return true };
        if std::ptr::eq(call.text, token.text) {
            let Some(name) = token.content() else { return false };
            let answer = match schema(before) {
                Ok(None) => pure(None, name),
                Ok(Some(schema)) => pure(Some(schema), name),
                Err(()) => false,
            };
            if !answer {
                return false;
            }
            met += 1;
        }
        before = [before[1], before[2], Some(token)];
    }
    met == called.len()
}

/// The schema written before a name, of the three tokens before it. `Err` for anything but `schema.`
fn schema(before: [Option<Token<'_>>; 3]) -> Result<Option<&[u8]>, ()> {
    let [further, schema, dot] = before;
    let is_dot = |token: Option<Token<'_>>| token.is_some_and(|token| token.is_symbol(b'.'));
    if !is_dot(dot) {
        return Ok(None);
    }
    if is_dot(further) {
        return Err(());
    }
    let named = |token: &Token<'_>| matches!(token.kind, Kind::Word | Kind::QuotedName);
    schema.filter(named).and_then(|token| token.content()).map(Some).ok_or(())
}
