//! Hints for Headgate in comments: `/* headgate: primary */`.

use std::time::Duration;

use super::lexer::{Kind, Lexer, is_space};
use super::version::{VersionComment, version_comment};
use super::{ConsistencyHint, Hints, LexMode, RouteHint, Span};

/// What the comments of a text ask for. A text without a comment that begins like one costs a search for
/// three bytes.
pub(super) fn hints(text: &[u8], mode: LexMode) -> Hints {
    if !memchr::memchr3_iter(b'/', b'-', b'#', text).any(|at| text.get(at..).and_then(opened).is_some()) {
        return Hints::NONE;
    }
    let mut hints = Hints::NONE;
    let mut rest = text;
    for token in Lexer::new(text, mode) {
        let at = (token.text.as_ptr() as usize).saturating_sub(rest.as_ptr() as usize);
        if let Some((gap, after)) = rest.split_at_checked(at) {
            between(gap, text, mode, &mut hints);
            rest = after.get(token.text.len()..).unwrap_or(&[]);
        }
        if matches!(token.kind, Kind::Broken | Kind::VersionComment) {
            return hints;
        }
    }
    between(rest, text, mode, &mut hints);
    hints
}

/// The text after `headgate:`, if it begins with a comment that says so.
fn opened(text: &[u8]) -> Option<&[u8]> {
    let inside = match text {
        [b'/', b'*', inside @ ..] | [b'-', b'-', inside @ ..] | [b'#', inside @ ..] => inside,
        _ => return None,
    };
    let (word, rest) = inside.trim_ascii_start().split_at_checked(WORD.len())?;
    let rest = word.eq_ignore_ascii_case(WORD).then_some(rest)?;
    rest.trim_ascii_start().strip_prefix(b":")
}

const WORD: &[u8] = b"headgate";

/// Reads white space and comments of `whole`, and passes over the marks of version comments.
fn between(mut gap: &[u8], whole: &[u8], mode: LexMode, hints: &mut Hints) {
    loop {
        let blank = gap.iter().take_while(|byte| is_space(**byte)).count();
        gap = gap.get(blank..).unwrap_or(&[]);
        let body = gap.get(2..).unwrap_or(&[]);
        let end: &[u8] = match gap {
            [b'*', b'/', ..] => {
                gap = body;
                continue;
            }
            [b'/', b'*', ..] => match version_comment(body, mode) {
                Some(VersionComment::Unclear) => return,
                Some(VersionComment::Code { skip, .. }) => {
                    gap = body.get(skip..).unwrap_or(&[]);
                    continue;
                }
                Some(VersionComment::Skipped) | None => b"*/",
            },
            [b'#', ..] | [b'-', b'-', ..] => b"\n",
            _ => return,
        };
        // The second byte of `#…` is already inside.
        let from = if gap.starts_with(b"#") { 1 } else { 2 };
        let inside = gap.get(from..).unwrap_or(&[]);
        let len = memchr::memmem::find(inside, end).unwrap_or(inside.len());
        if let Some(asked) = gap.get(..from + len).and_then(opened) {
            read(asked, whole, hints);
        }
        gap = inside.get(len + end.len()..).unwrap_or(&[]);
    }
}

/// Words separated by commas or white space.
fn read(asked: &[u8], whole: &[u8], hints: &mut Hints) {
    let mut empty = true;
    for word in words(asked) {
        empty = false;
        let understood = if word.eq_ignore_ascii_case(b"primary") {
            set(&mut hints.route, RouteHint::Primary)
        } else if word.eq_ignore_ascii_case(b"replica") {
            set(&mut hints.route, RouteHint::Replica)
        } else if let Some(lag) = value(word, b"max_lag=") {
            duration(lag).is_some_and(|lag| set(&mut hints.max_lag, lag))
        } else if let Some(name) = value(word, b"consistency=") {
            ConsistencyHint::of_word(name).is_some_and(|named| set(&mut hints.consistency, named))
        } else if let Some(position) = value(word, b"after=") {
            Span::within(unquoted(position), whole).is_some_and(|span| set(&mut hints.after, span))
        } else {
            false
        };
        hints.unreadable |= !understood;
    }
    hints.unreadable |= empty;
}

/// Splits at commas and white space that stand outside of quotes.
fn words(asked: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quote = None;
    let ends = move |byte: &u8| {
        match quote {
            Some(open) if open == *byte => quote = None,
            None if matches!(byte, b'\'' | b'"') => quote = Some(*byte),
            _ => {}
        }
        quote.is_none() && (*byte == b',' || byte.is_ascii_whitespace())
    };
    asked.split(ends).filter(|word| !word.is_empty())
}

/// What stands behind `name=`.
fn value<'a>(word: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = word.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then_some(value)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'\'', inside @ .., b'\''] | [b'"', inside @ .., b'"'] => inside,
        _ => value,
    }
}

/// Whether it does not contradict what was asked before.
fn set<T: PartialEq>(asked: &mut Option<T>, now: T) -> bool {
    let agrees = asked.as_ref().is_none_or(|before| *before == now);
    asked.get_or_insert(now);
    agrees
}

/// A time as people write it: `500ms`, `10s`, `5m`.
#[must_use]
pub fn duration(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(digits)?;
    let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let is = |name: &[u8]| unit.eq_ignore_ascii_case(name);
    match () {
        () if is(b"ms") => Some(Duration::from_millis(number)),
        () if is(b"s") => Some(Duration::from_secs(number)),
        () if is(b"m") => number.checked_mul(60).map(Duration::from_secs),
        () if unit.is_empty() && number == 0 => Some(Duration::ZERO),
        () => None,
    }
}
