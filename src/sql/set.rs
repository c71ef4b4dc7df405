//! USE and SET.

use super::class::{ends, known, one_readable, other};
use super::lexer::{Kind, Lexer, Token};
use super::{Class, Name, Statement, Unclear};

pub(super) fn use_schema(mut lexer: Lexer<'_>) -> Statement {
    let schema = lexer.next().filter(|token| token.kind != Kind::Text).and_then(|token| token.content());
    match schema.and_then(Name::new) {
        Some(schema) if ends(lexer) => known(Class::Use(schema)),
        _ => other(Unclear::Effects),
    }
}

pub(super) fn set(mut lexer: Lexer<'_>) -> Statement {
    if let Err(why) = one_readable(lexer.clone()) {
        return other(why);
    }
    let global = |token: Token<'_>| {
        [&b"GLOBAL"[..], b"PERSIST", b"PERSIST_ONLY"].iter().any(|word| token.is_word(word))
    };
    if lexer.clone().any(global) {
        return known(Class::SetGlobal);
    }
    let Some(first) = lexer.next() else { return other(Unclear::Set) };
    if first.is_word(b"PASSWORD") || (first.is_word(b"DEFAULT") && next_is_role(&lexer)) {
        // MariaDB takes further assignments after it.
        let alone = !lexer.any(|token| token.is_symbol(b','));
        return known(if alone { Class::Account } else { Class::SetGlobal });
    }
    if first.is_word(b"NAMES") {
        return names(lexer).map_or(other(Unclear::Set), known);
    }
    match autocommit(first, lexer) {
        Some(()) => known(Class::SetAutocommit),
        None => other(Unclear::Set),
    }
}

fn next_is_role(lexer: &Lexer<'_>) -> bool {
    lexer.clone().next().is_some_and(|token| token.is_word(b"ROLE"))
}

/// `NAMES charset [COLLATE collation]`
fn names(mut lexer: Lexer<'_>) -> Option<Class> {
    let charset = plain_name(lexer.next()?)?;
    if ends(lexer.clone()) {
        return Some(Class::SetNames { charset, collation: None });
    }
    if !lexer.next()?.is_word(b"COLLATE") {
        return None;
    }
    let collation = plain_name(lexer.next()?)?;
    ends(lexer).then_some(Class::SetNames { charset, collation: Some(collation) })
}

/// The name of a character set or collation, bare or quoted, in lower case. Letters, digits and `_` only,
/// so that it may be put into a statement of our own.
fn plain_name(token: Token<'_>) -> Option<Name> {
    let name = token.content()?;
    let usual = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !usual || (token.kind == Kind::Word && token.is_word(b"DEFAULT")) {
        return None;
    }
    Name::new(&name.to_ascii_lowercase())
}

/// `autocommit = 0`, with or without SESSION, LOCAL, `@@` and `@@session.`.
fn autocommit(first: Token<'_>, mut lexer: Lexer<'_>) -> Option<()> {
    let mut token = first;
    if token.is_symbol(b'@') {
        lexer.next().filter(|second| second.is_symbol(b'@'))?;
        token = lexer.next()?;
        if token.is_word(b"SESSION") || token.is_word(b"LOCAL") {
            lexer.next().filter(|dot| dot.is_symbol(b'.'))?;
            token = lexer.next()?;
        }
    } else if token.is_word(b"SESSION") || token.is_word(b"LOCAL") {
        token = lexer.next()?;
    }
    if !token.is_word(b"AUTOCOMMIT") {
        return None;
    }
    let mut sign = lexer.next()?;
    if sign.is_symbol(b':') {
        sign = lexer.next()?;
    }
    if !sign.is_symbol(b'=') {
        return None;
    }
    let value = lexer.next()?;
    let known = [&b"0"[..], b"1", b"ON", b"OFF", b"TRUE", b"FALSE"];
    (known.iter().any(|word| value.text.eq_ignore_ascii_case(word)) && ends(lexer)).then_some(())
}
