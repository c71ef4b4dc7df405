//! Puts a number that is known in place of ROW_COUNT() in a text.

use super::LexMode;
use super::class::is_readable;
use super::lexer::{Kind, Lexer, Token};

/// The text with `rows` in place of each `ROW_COUNT()`. The expression has the type and length of ROW_COUNT() on both
/// servers (measured), and a column keeps its name. Nothing where a column would be named otherwise: the call is part of
/// a longer expression of a SELECT.
pub fn with_row_count(text: &[u8], mode: LexMode, rows: u64) -> Option<Vec<u8>> {
    if !is_readable(text, mode) {
        return None;
    }
    let tokens: Vec<Token<'_>> = Lexer::new(text, mode).collect();
    let selects = tokens.first()?.is_word(b"SELECT");
    let (mut out, mut done, mut depth) = (Vec::with_capacity(text.len() + 64), 0, 0_u32);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::VersionComment | Kind::Broken => return None,
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let symbol = |place: usize, symbol| tokens.get(place).is_some_and(|token| token.is_symbol(symbol));
        if !token.is_word(b"ROW_COUNT") {
            at += 1;
            continue;
        }
        // GET DIAGNOSTICS asks without parentheses.
        if !symbol(at + 1, b'(') || !symbol(at + 2, b')') {
            return None;
        }
        let begin = offset(text, token);
        let end = offset(text, tokens.get(at + 2)?) + 1;
        out.extend_from_slice(text.get(done..begin)?);
        out.extend_from_slice(format!("CAST(({rows}|0) AS SIGNED)").as_bytes());
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let alone =
            depth == 0 && before.is_some_and(|before| before.is_word(b"SELECT") || before.is_symbol(b','));
        match tokens.get(at + 3) {
            _ if !selects => {}
            Some(next) if alone && next.is_word(b"AS") => {}
            next if alone && next.is_none_or(|next| next.is_symbol(b',') || next.is_word(b"FROM")) => {
                let name = text.get(begin..end).filter(|name| !name.contains(&b'`'))?;
                out.extend_from_slice(b" AS `");
                out.extend_from_slice(name);
                out.push(b'`');
            }
            _ => return None,
        }
        done = end;
        at += 3;
    }
    out.extend_from_slice(text.get(done..)?);
    (done > 0).then_some(out)
}

/// Where a token stands in its text.
fn offset(text: &[u8], token: &Token<'_>) -> usize {
    (token.text.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::*;

    #[test]
    fn a_known_number_takes_the_place_of_the_call() {
        let check = |text: &str, expected: Option<&str>| {
            let mode = LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MySql) };
            let spliced =
                with_row_count(text.as_bytes(), mode, 3).map(|text| String::from_utf8(text).unwrap());
            assert_eq!(spliced.as_deref(), expected, "{text}");
        };
        check("SELECT ROW_COUNT()", Some("SELECT CAST((3|0) AS SIGNED) AS `ROW_COUNT()`"));
        check("select row_count ( ) AS n, 1", Some("select CAST((3|0) AS SIGNED) AS n, 1"));
        check(
            "SELECT 1, Row_Count() FROM t",
            Some("SELECT 1, CAST((3|0) AS SIGNED) AS `Row_Count()` FROM t"),
        );
        check("SELECT ROW_COUNT() + 1", None);
        check("SELECT f(1, ROW_COUNT())", None);
        check("INSERT INTO t VALUES (ROW_COUNT())", Some("INSERT INTO t VALUES (CAST((3|0) AS SIGNED))"));
        check(
            "SET @a = 'ROW_COUNT()', @b = ROW_COUNT()",
            Some("SET @a = 'ROW_COUNT()', @b = CAST((3|0) AS SIGNED)"),
        );
        check("SELECT 1", None);
        check("GET DIAGNOSTICS @r = ROW_COUNT", None);
        check("SELECT 'a", None);
    }
}
