//! The types a key can have: how each is read from a [`Value`], and written back as TOML.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::{num::IntErrorKind, ops::Range};

use super::value::{Shape, Value};

/// What a key's value looks like in TOML, which is how the command line must understand a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text in quotes.
    Text,
    /// One of a few words, which [`Key::kind`](super::Key::kind) lists.
    Word,
    /// A whole number.
    Whole,
    /// true or false.
    Switch,
    /// A list in brackets.
    List,
}

/// Something wrong with one value, before it is known where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// What is wrong, continuing "`key`: ".
    pub(super) what: String,
    /// What to write instead.
    pub(super) remedy: String,
    /// The bytes it stands in, when that is less than the whole value.
    pub(super) span: Option<Range<usize>>,
}

impl Complaint {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), span: None }
    }

    pub(super) fn expected(kind: &str, found: &Value<'_>, remedy: impl Into<String>) -> Self {
        Self::new(format!("expected {kind}, found {}", found.shape.in_words()), remedy)
    }
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    const FORM: Form;

    /// The type in words, for the reference and for complaints.
    fn kind() -> String;

    /// Reads a value. Everything that is wrong with it is returned, not only the first thing.
    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>>;

    /// The value as one would write it in the file; `None` for a key left out.
    fn show(&self) -> Option<String>;
}

/// Holds a value against the range its key allows.
pub(super) fn within<T: Setting + PartialOrd>(
    value: T,
    range: &RangeInclusive<T>,
) -> Result<T, Vec<Complaint>> {
    if range.contains(&value) {
        return Ok(value);
    }
    let bounds = format!("between {} and {}", shown(range.start()), shown(range.end()));
    Err(vec![Complaint::new(format!("{} is not allowed", shown(&value)), format!("choose a value {bounds}"))])
}

/// A value in words for messages; a key left out is "not set".
pub(super) fn shown<T: Setting>(value: &T) -> String {
    value.show().unwrap_or_else(|| "not set".to_owned())
}

impl Setting for bool {
    const FORM: Form = Form::Switch;

    fn kind() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        match value.shape {
            Shape::Switch(switch) => Ok(switch),
            _ => Err(vec![Complaint::expected(&Self::kind(), value, "write true or false, without quotes")]),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for u32 {
    const FORM: Form = Form::Whole;

    fn kind() -> String {
        "whole number".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let complaint = |remedy: String| vec![Complaint::expected("a whole number", value, remedy)];
        match &value.shape {
            Shape::Whole(number) => Self::try_from(*number)
                .map_err(|_| complaint(format!("write a number between 0 and {}", Self::MAX))),
            Shape::Text(text) => Err(complaint(match text.trim().parse::<Self>() {
                Ok(number) => format!("write {number} without quotes"),
                Err(why) if *why.kind() == IntErrorKind::PosOverflow => "write a smaller number".to_owned(),
                Err(_) => "write digits only, such as 100".to_owned(),
            })),
            _ => Err(complaint("write digits only, such as 100".to_owned())),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for String {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "text".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        match &value.shape {
            Shape::Text(text) if text.trim().is_empty() => {
                Err(vec![Complaint::new("is empty", "write a value, or leave the key out")])
            }
            Shape::Text(text) => Ok(text.clone().into_owned()),
            _ => Err(vec![Complaint::expected("text", value, "put the value in quotes")]),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for PathBuf {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "path".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        String::read(value).map(Self::from)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

/// A key that may be left out. There is no way to write "none" in the file: leave the line out.
impl<T: Setting> Setting for Option<T> {
    const FORM: Form = T::FORM;

    fn kind() -> String {
        T::kind()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        T::read(value).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Setting::show)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const FORM: Form = Form::List;

    fn kind() -> String {
        format!("list: {}", T::kind())
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let items = match &value.shape {
            Shape::List(items) => items,
            Shape::Text(text) => {
                let remedy = format!("write it in brackets: [{}]", quoted(text));
                return Err(vec![Complaint::expected("a list", value, remedy)]);
            }
            _ => return Err(vec![Complaint::expected("a list", value, "write [\"…\", \"…\"]")]),
        };
        let mut read = Self::with_capacity(items.len());
        let mut complaints = Vec::new();
        for item in items {
            match T::read(item) {
                Ok(one) => read.push(one),
                Err(wrong) => complaints.extend(wrong.into_iter().map(|complaint| Complaint {
                    span: complaint.span.or_else(|| Some(item.span.clone())),
                    ..complaint
                })),
            }
        }
        if complaints.is_empty() { Ok(read) } else { Err(complaints) }
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(Setting::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Text as TOML writes it: in quotes, with the escapes it needs.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
