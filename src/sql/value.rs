//! The right side of an assignment in a SET.

use super::LexMode;
use super::lexer::{Kind, Lexer, Token};
use super::words::Word;

/// Takes one expression, up to a comma or the end; `None` unless everything in it is known to have no
/// effect: literals, operators, names, system variables, user variables that are read, and the functions
/// of plain reads.
pub(super) fn value(lexer: &mut Lexer<'_>, mode: LexMode) -> Option<()> {
    let (mut depth, mut empty) = (0u32, true);
    loop {
        let mut ahead = lexer.clone();
        let Some(token) = ahead.next().filter(|token| depth > 0 || !token.is_symbol(b',')) else {
            return (!empty && depth == 0).then_some(());
        };
        *lexer = ahead;
        empty = false;
        let next = lexer.clone().next();
        let opens = next.is_some_and(|next| next.is_symbol(b'('));
        match token.kind {
            Kind::Number => {}
            Kind::Symbol(b'?') if mode.parameters => {}
            Kind::Text | Kind::QuotedName if opens || is_dot(next) => return None,
            Kind::Text | Kind::QuotedName => {}
            Kind::Word => known_word(token, next, mode)?,
            Kind::Symbol(b'@') => variable(lexer)?,
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') => depth = depth.checked_sub(1)?,
            Kind::Symbol(
                b',' | b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'!' | b'&' | b'|' | b'^'
                | b'~',
            ) => {}
            _ => return None,
        }
    }
}

fn is_dot(token: Option<Token<'_>>) -> bool {
    token.is_some_and(|token| token.is_symbol(b'.'))
}

fn known_word(token: Token<'_>, next: Option<Token<'_>>, mode: LexMode) -> Option<()> {
    let word = Word::of(token.text);
    // A subquery could do anything that a SELECT does.
    let query = [&b"SELECT"[..], b"FROM", b"WITH"].iter().any(|word| token.is_word(word));
    let known = match next {
        Some(next) if next.is_symbol(b'(') => {
            word.is_plain_call(mode.dialect, !next.spaced) || word.is_grammar()
        }
        // A character set before a string could change where that ends.
        Some(next) if next.kind == Kind::Text && token.text.starts_with(b"_") => false,
        Some(next) if next.is_symbol(b'.') => false,
        _ => word.may_stand_in_plain_read() || token.is_word(b"DEFAULT") || token.is_word(b"READ"),
    };
    (known && !query).then_some(())
}

/// After `@`: a user variable, or `@` and a system variable.
pub(super) fn variable(lexer: &mut Lexer<'_>) -> Option<()> {
    let mut token = lexer.next()?;
    if token.is_symbol(b'@') {
        token = lexer.next()?;
    }
    loop {
        if !matches!(token.kind, Kind::Word | Kind::QuotedName | Kind::Text)
            || (token.kind == Kind::Word && Word::of(token.text).looks_back())
        {
            return None;
        }
        let mut ahead = lexer.clone();
        if !is_dot(ahead.next()) {
            return Some(());
        }
        token = ahead.next()?;
        *lexer = ahead;
    }
}
