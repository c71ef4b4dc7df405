//! The lexer, over bytes of any kind, in every mode.

use headgate::sql::{Class, Dialect, Kind, LexMode, Lexer, classify, mentions};

/// One byte of mode, then a text.
pub fn check(bytes: &[u8]) {
    let Some((&mode, text)) = bytes.split_first() else { return };
    let mode = mode_of(mode);
    let words = tokens_lie_in_order(text, mode);
    for word in &words {
        assert!(mentions(text, mode, |name| name == *word));
    }
    let statement = classify(text, mode);
    assert_eq!(statement, classify(text, mode));
    if statement.class == Class::PlainRead {
        a_plain_read_is_plain(text, mode, &words);
    }
}

/// Bit by bit: quoting, backslashes, character set, dialect, and the sixth: parameters.
pub fn mode_of(byte: u8) -> LexMode {
    LexMode {
        ansi_quotes: byte & 1 != 0,
        no_backslash_escapes: byte & 2 != 0,
        charset_safe: byte & 4 == 0,
        dialect: if byte & 8 == 0 { Dialect::MySql } else { Dialect::MariaDb },
        parameters: byte & 32 != 0,
        version: if byte & 8 == 0 { 90704 } else { 101119 },
    }
}

/// Walks the tokens; returns the bare words.
fn tokens_lie_in_order(text: &[u8], mode: LexMode) -> Vec<&[u8]> {
    let place = |part: &[u8]| (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize).unwrap();
    let (mut end, mut words, mut over) = (0, Vec::new(), false);
    for token in Lexer::new(text, mode) {
        assert!(!over, "a token behind the last");
        let at = place(token.text);
        assert!(at >= end && at + token.text.len() <= text.len(), "{token:?}");
        over = matches!(token.kind, Kind::Broken | Kind::VersionComment);
        assert!(over || !token.text.is_empty(), "every token has a byte, so the walk ends");
        assert!(token.spaced || at == end, "what is skipped is white space or a comment");
        end = at + token.text.len();
        if token.kind == Kind::Word {
            words.push(token.text);
        }
    }
    words
}

/// A plain read may run on a replica. These words, bare, are in none.
fn a_plain_read_is_plain(text: &[u8], mode: LexMode, words: &[&[u8]]) {
    const FORBIDDEN: [&str; 16] = [
        "INTO",
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "CREATE",
        "DROP",
        "ALTER",
        "CALL",
        "LOCK",
        "GRANT",
        "SLEEP",
        "GET_LOCK",
        "LAST_INSERT_ID",
        "NEXTVAL",
        "LOAD_FILE",
    ];
    // The server cuts these off before it reads the text.
    let end =
        text.iter().rposition(|byte| !matches!(byte, b';' | b' ' | b'\t'..=b'\r')).map_or(0, |at| at + 1);
    let text = &text[..end];
    // Behind a dot they are names, and before one that touches them: `t.update` is a column, `update.a` one of
    // a table of that name. What a server takes for the word all the same is no statement to it.
    let mut after_dot = false;
    let mut tokens = Lexer::new(text, mode).peekable();
    while let Some(token) = tokens.next() {
        let before_dot = tokens.peek().is_some_and(|next| next.is_symbol(b'.') && !next.spaced);
        assert!(!matches!(token.kind, Kind::Broken | Kind::VersionComment | Kind::ForeignWord));
        assert!(!token.is_symbol(b';'), "one statement");
        let forbidden = FORBIDDEN.iter().any(|word| token.is_word(word.as_bytes()));
        assert!(after_dot || before_dot || !forbidden, "{}", String::from_utf8_lossy(token.text));
        after_dot = token.is_symbol(b'.');
    }
    let first = words.first().copied().unwrap_or_default();
    assert!(
        ["SELECT", "WITH", "TABLE", "VALUES"].iter().any(|verb| first.eq_ignore_ascii_case(verb.as_bytes()))
    );
    assert!(mode.charset_safe || text.is_ascii());
}
