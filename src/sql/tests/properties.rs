//! What holds for all texts.

use proptest::prelude::*;

use super::statements::PLAIN_READS;
use super::*;

/// Pieces that any statement could be cut into, words and quotes above all.
fn garbage() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("`".to_owned()),
        Just("\\".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just("-- ".to_owned()),
        Just("#".to_owned()),
        Just("\n".to_owned()),
        Just("@".to_owned()),
        Just(";".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just(".".to_owned()),
        Just(" AS ".to_owned()),
        Just("SELECT ".to_owned()),
        Just(" FROM t ".to_owned()),
        Just("1".to_owned()),
        Just(" x ".to_owned()),
        Just("/*!50000 ".to_owned()),
        Just("/*!99999 ".to_owned()),
        "[ -~]{0,6}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn mode() -> impl Strategy<Value = LexMode> {
    any::<[bool; 5]>().prop_map(|[quotes, escapes, safe, mysql, parameters]| LexMode {
        ansi_quotes: quotes,
        no_backslash_escapes: escapes,
        charset_safe: safe,
        dialect: if mysql { Dialect::MySql } else { Dialect::MariaDb },
        parameters,
        version: if mysql { 90704 } else { 101119 },
    })
}

proptest! {
    #[test]
    fn total_over_any_bytes(text in proptest::collection::vec(any::<u8>(), 0..200), mode in mode()) {
        classify(&text, mode);
        mentions(&text, mode, |_| false);
        calls(&text, mode, |_, _| true);
    }

    #[test]
    fn tokens_stand_in_the_text_in_order(text in garbage(), mode in mode()) {
        let mut left = text.as_bytes();
        let mut count = 0;
        for token in Lexer::new(text.as_bytes(), mode) {
            if token.text.is_empty() {
                prop_assert_eq!(token.kind, Kind::Broken);
                continue;
            }
            let at = left.windows(token.text.len().max(1)).position(|window| window == token.text);
            prop_assert!(at.is_some());
            left = &left[at.unwrap() + token.text.len()..];
            count += 1;
        }
        prop_assert!(count <= text.len());
    }

    /// A locking clause that the lexer sees as words makes the text no plain read, whatever is around it.
    #[test]
    fn a_locking_clause_is_never_plain(before in garbage(), after in garbage(), mode in mode()) {
        let text = format!("SELECT {before} FOR UPDATE {after}");
        let tokens: Vec<_> = Lexer::new(text.as_bytes(), mode).collect();
        let locks = tokens.windows(2).any(|pair| pair[0].is_word(b"FOR") && pair[1].is_word(b"UPDATE"));
        if locks {
            prop_assert_ne!(classify(text.as_bytes(), mode).class, Class::PlainRead);
        }
    }

    /// Comments and white space between tokens change nothing, but before a parenthesis, where they decide
    /// what a name is.
    #[test]
    fn space_between_tokens_keeps_the_class(
        at in 0..PLAIN_READS.len(),
        space in proptest::collection::vec(
            prop_oneof![Just(" "), Just("\n"), Just("/* ' */"), Just("-- \"\n"), Just("# `\n"), Just("\t")], 40),
    ) {
        let text = PLAIN_READS[at];
        let mut spaced = String::new();
        let mut before: Option<Token<'_>> = None;
        for (token, space) in Lexer::new(text.as_bytes(), MODE).zip(space.iter().cycle()) {
            let glued = token.is_symbol(b'(') || token.is_symbol(b'>') || token.is_symbol(b'=')
                || before.is_some_and(|before| before.kind == Kind::Word && token.kind == Kind::Text);
            if token.spaced || !glued {
                spaced.push_str(space);
            }
            spaced.push_str(std::str::from_utf8(token.text).unwrap());
            before = Some(token);
        }
        prop_assert_eq!(class(&spaced), Class::PlainRead, "{}", spaced);
    }
}
