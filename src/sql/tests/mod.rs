//! Statements and what they are, the tricky ones among them.

#![allow(clippy::indexing_slicing, reason = "a test that is out of bounds has failed")]
#![allow(clippy::too_many_lines, reason = "tables of cases")]

mod digest;
mod hints;
mod properties;
mod relations;
mod set;
mod several;
mod statements;
mod versions;

use super::*;

const MODE: LexMode = LexMode::usual(Dialect::MySql, 90704);
const MARIADB: LexMode = LexMode { dialect: Dialect::MariaDb, version: 101119, ..MODE };
const PREPARED: LexMode = LexMode { parameters: true, ..MODE };
const ANSI: LexMode = LexMode { ansi_quotes: true, ..MODE };
const NO_ESCAPES: LexMode = LexMode { no_backslash_escapes: true, ..MODE };
const GBK: LexMode = LexMode { charset_safe: false, ..MODE };

fn class(text: &str) -> Class {
    classify(text.as_bytes(), MODE).class
}

#[track_caller]
fn check(expected: &Class, texts: &[&str]) {
    check_in(MODE, expected, texts);
}

/// Names every text that is something else.
#[track_caller]
fn check_in(mode: LexMode, expected: &Class, texts: &[&str]) {
    let wrong: Vec<_> = texts
        .iter()
        .map(|text| (text, classify(text.as_bytes(), mode).class))
        .filter(|(_, class)| class != expected)
        .collect();
    assert!(wrong.is_empty(), "not {expected:?}: {wrong:#?}");
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn names(texts: &[&str]) -> Class {
    Class::SetVariables(texts.iter().map(|text| name(text)).collect())
}
