//! A value as somebody wrote it, before it has a type: from the file or from the command line.
//!
//! Both sources become the same [`Value`], so a flag and a key are read by the same code and
//! complained about in the same words.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::setting::Form;

/// A value and the bytes of the file it stands in (empty for the command line).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value<'a> {
    pub(super) shape: Shape<'a>,
    pub(super) span: Range<usize>,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape<'a> {
    Text(Cow<'a, str>),
    Whole(i64),
    Switch(bool),
    List(Vec<Value<'a>>),
    /// A shape no key takes, in words: "a date", "a table".
    Unusable(&'static str),
}

impl Shape<'_> {
    /// The shape in words, for "expected …, found …".
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Text(text) => format!("the text {text:?}"),
            Self::Whole(number) => format!("the number {number}"),
            Self::Switch(switch) => format!("{switch}"),
            Self::List(_) => "a list".to_owned(),
            Self::Unusable(words) => (*words).to_owned(),
        }
    }
}

impl<'a> Value<'a> {
    /// The value a parsed TOML document holds.
    pub(super) fn from_toml(value: &Spanned<DeValue<'a>>) -> Self {
        let shape = match value.get_ref() {
            DeValue::String(text) => Shape::Text(text.clone()),
            DeValue::Integer(number) => whole(number),
            DeValue::Boolean(switch) => Shape::Switch(*switch),
            DeValue::Array(items) => Shape::List(items.iter().map(Self::from_toml).collect()),
            DeValue::Float(_) => Shape::Unusable("a number with a fraction"),
            DeValue::Datetime(_) => Shape::Unusable("a date or time"),
            DeValue::Table(_) => Shape::Unusable("a table"),
        };
        Self { shape, span: value.span() }
    }

    /// The value given on the command line for a key that takes `form`. Text that does not look like
    /// the form stays text, and the key then says what it expected.
    pub(super) fn from_flag(form: Form, texts: &'a [String]) -> Self {
        let shape = match (form, texts) {
            (Form::List, texts) => Shape::List(texts.iter().map(|text| Self::text(text)).collect()),
            (form, [.., last]) => match (form, last.parse(), last.as_str()) {
                (Form::Whole, Ok(number), _) => Shape::Whole(number),
                (Form::Switch, _, "true") => Shape::Switch(true),
                (Form::Switch, _, "false") => Shape::Switch(false),
                _ => Shape::Text(Cow::Borrowed(last)),
            },
            (_, []) => Shape::Unusable("nothing"),
        };
        Self { shape, span: 0..0 }
    }

    fn text(text: &'a str) -> Self {
        Self { shape: Shape::Text(Cow::Borrowed(text)), span: 0..0 }
    }
}

fn whole<'a>(number: &DeInteger<'_>) -> Shape<'a> {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) => Shape::Whole(number),
        Err(_) => Shape::Unusable("a number too large to use"),
    }
}

/// What the command line says about one key: it wins over the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The key's full name, such as `listen.address`.
    pub key: String,
    /// The flag it was given by, as the user typed it: `--listen`.
    pub flag: String,
    /// The values, one for each time the flag was given. A key that is no list takes the last.
    pub values: Vec<String>,
}
