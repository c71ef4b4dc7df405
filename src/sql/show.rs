//! SHOW, DESCRIBE, EXPLAIN and their like.

use super::lexer::{Kind, Lexer};
use super::scan::{Begin, scan};
use super::words::Word;
use super::{Class, LexMode, Statement};

/// SHOW and EXPLAIN take expressions, and EXPLAIN ANALYZE runs them.
pub(super) fn inspect(verb: &[u8], lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let diagnostics = verb == b"SHOW" && shows_diagnostics(lexer.clone());
    let describes = match verb {
        b"SHOW" => shows_definitions(lexer.clone()),
        b"EXPLAIN" | b"DESCRIBE" | b"DESC" => describes_table(lexer.clone()),
        _ => false,
    };
    let found = scan(lexer, mode, Begin::Any, &mut ());
    let class = match found.unclear_or_function() {
        Some(why) => Class::Other(why),
        None if describes => Class::Describe,
        None => Class::Inspect,
    };
    let only_looks_back = diagnostics && class == Class::Inspect;
    Statement { looks_back: diagnostics || found.looks_back, only_looks_back, ..Statement::of(class) }
}

/// SHOW WARNINGS, SHOW ERRORS, SHOW COUNT(*) WARNINGS or ERRORS.
fn shows_diagnostics(mut lexer: Lexer<'_>) -> bool {
    lexer
        .next()
        .is_some_and(|token| [&b"WARNINGS"[..], b"ERRORS", b"COUNT"].iter().any(|word| token.is_word(word)))
}

/// SHOW of what is defined in schemas, and not of what the server does.
fn shows_definitions(mut lexer: Lexer<'_>) -> bool {
    const DEFINITIONS: [&[u8]; 12] = [
        b"DATABASES",
        b"SCHEMAS",
        b"TABLES",
        b"COLUMNS",
        b"FIELDS",
        b"INDEX",
        b"INDEXES",
        b"KEYS",
        b"CREATE",
        b"TRIGGERS",
        b"EVENTS",
        b"TABLE",
    ];
    let mut what = lexer.next();
    while what.is_some_and(|token| token.is_word(b"EXTENDED") || token.is_word(b"FULL")) {
        what = lexer.next();
    }
    let Some(what) = what else { return false };
    let routine = what.is_word(b"PROCEDURE") || what.is_word(b"FUNCTION");
    if routine {
        return lexer.next().is_some_and(|token| token.is_word(b"STATUS"));
    }
    DEFINITIONS.iter().any(|word| what.is_word(word))
}

/// `DESCRIBE [schema.]table [column]`, and not a statement to be explained.
fn describes_table(mut lexer: Lexer<'_>) -> bool {
    let Some(first) = lexer.next() else { return false };
    let named = match first.kind {
        Kind::QuotedName => true,
        Kind::Word => {
            let word = Word::of(first.text);
            word.may_stand_in_plain_read() && !word.is_grammar()
        }
        _ => false,
    };
    let mut next = lexer.next();
    if next.is_some_and(|token| token.is_symbol(b'.')) {
        lexer.next();
        next = lexer.next();
    }
    if next.is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName | Kind::Text)) {
        next = lexer.next();
    }
    named && next.is_none()
}
