//! Several statements in one text.

use super::class::{known, one, other};
use super::lexer::{Kind, Lexer};
use super::{Class, LexMode, Statement, Unclear, charset_is_safe};

/// More than anybody sends; each is remembered.
const MOST: usize = 1024;

/// A text with a semicolon somewhere, perhaps in a literal only.
///
/// It is [`Class::Several`] where every part is understood. Stored programs have semicolons of their own.
pub(super) fn several(text: &[u8], mode: LexMode) -> Statement {
    let mut lexer = Lexer::new(text, mode);
    let (mut rest, mut parts, mut looks_back) = (text, Vec::new(), false);
    // Nothing is known of how the server reads what follows.
    let mut unsure = false;
    loop {
        let end = lexer.by_ref().find(|token| token.is_symbol(b';'));
        let inside = lexer.is_inside_comment();
        let (part, after) = match end {
            None if parts.is_empty() => return one(text, mode),
            Some(end) => around(rest, end.text),
            None => (rest, &[][..]),
        };
        let found = one(part, mode);
        let program = is_program(part, mode);
        let understood =
            !matches!(found.class, Class::Other(_) | Class::Bond(_) | Class::Kill(_) | Class::Several(_));
        if unsure || inside || program || !understood || parts.len() == MOST {
            return other(if inside { Unclear::VersionComment } else { Unclear::Several });
        }
        unsure |= changes_reading(&found.class);
        looks_back |= found.looks_back;
        parts.push(found.class);
        rest = after;
        if end.is_none() {
            break;
        }
    }
    Statement { looks_back, ..known(Class::Several(parts.into())) }
}

/// What stands before and after `middle`, which is a part of `text`.
fn around<'a>(text: &'a [u8], middle: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let at = (middle.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let before = text.get(..at).unwrap_or(text);
    (before, text.get(at + middle.len()..).unwrap_or(&[]))
}

/// CREATE or ALTER of something that has a body.
fn is_program(part: &[u8], mode: LexMode) -> bool {
    const PROGRAMS: [&[u8]; 5] = [b"PROCEDURE", b"FUNCTION", b"TRIGGER", b"EVENT", b"PACKAGE"];
    let mut lexer = Lexer::new(part, mode);
    lexer.next().is_some_and(|verb| verb.is_word(b"CREATE") || verb.is_word(b"ALTER"))
        && lexer.any(|token| token.kind == Kind::Word && PROGRAMS.iter().any(|word| token.is_word(word)))
}

/// Whether statements after it may be read in another way.
fn changes_reading(class: &Class) -> bool {
    match class {
        Class::SetCharset | Class::SetGlobal => true,
        Class::SetNames { charset, .. } => {
            !std::str::from_utf8(charset.as_bytes()).is_ok_and(charset_is_safe)
        }
        Class::SetVariables(names) => names.iter().any(|name| name.as_bytes() == b"sql_mode"),
        _ => false,
    }
}
