//! From the text of a file and the flags of the command line to a [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::Key;
use super::keys::{Config, KEYS, SECTIONS};
use super::problem::{Place, Problem};
use super::setting::Complaint;
use super::suggest::nearest;
use super::value::{Override, Value};

/// Longest file that is read, in bytes. A longer one is not a configuration.
pub const FILE_LIMIT: u64 = 1 << 20;

/// A configuration as far as it could be read, where each of its values was written, and what was wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// A key whose value could not be read has its default here.
    pub config: Config,
    pub problems: Vec<Problem>,
    places: BTreeMap<&'static str, Place>,
    broken: BTreeSet<&'static str>,
}

impl Reading {
    /// Where the value of `key` comes from: a line, a flag, or nowhere (the default).
    pub fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Unwritten)
    }

    /// Whether `key` was written but could not be read: nothing can be concluded from its value.
    pub fn is_broken(&self, key: &str) -> bool {
        self.broken.contains(key)
    }
}

/// Reads `text` (the contents of the file called `file`) and puts the command line over it.
///
/// All keys that can be read are read, whatever is wrong with the others; every problem of the file
/// and of the command line is in the answer.
pub fn read(file: &str, text: &str, overrides: &[Override]) -> Reading {
    let mut reader = Reader { file, text, reading: Reading::default() };
    reader.file();
    for one in overrides {
        reader.flag(one);
    }
    reader.reading
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    reading: Reading,
}

impl<'a> Reader<'a> {
    fn file(&mut self) {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let what = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            let span = error.span().unwrap_or(0..0);
            self.problem(&span, what, "correct the line; docs/configuration.md shows the form".to_owned());
        }
        for (name, value) in document.get_ref() {
            match (SECTIONS.iter().find(|(section, _)| *section == name.get_ref()), value.get_ref()) {
                (Some((section, _)), DeValue::Table(keys)) => self.section(section, keys),
                (Some((section, _)), _) => {
                    let what = format!("{section} is a table");
                    self.problem(&name.span(), what, format!("write [{section}] and the keys below it"));
                }
                (None, DeValue::Table(_)) => self.unknown_section(name),
                (None, _) => {
                    let what = format!("{} stands outside any table", name.get_ref());
                    let remedy = suggest_key("", name.get_ref());
                    self.problem(&name.span(), what, remedy);
                }
            }
        }
    }

    fn section(&mut self, section: &str, keys: &DeTable<'a>) {
        for (leaf, value) in keys {
            let name = format!("{section}.{}", leaf.get_ref());
            match KEYS.iter().find(|key| key.name == name) {
                Some(key) => {
                    let place = self.line(&value.span());
                    self.set(key, &Value::from_toml(value), place);
                }
                None => {
                    let remedy = suggest_key(section, leaf.get_ref());
                    self.problem(&leaf.span(), format!("{name} is not a key"), remedy);
                }
            }
        }
    }

    fn unknown_section(&mut self, name: &Spanned<std::borrow::Cow<'a, str>>) {
        let sections = || SECTIONS.iter().map(|(section, _)| *section);
        let remedy = match nearest(name.get_ref(), sections()) {
            Some(section) => format!("did you mean [{section}]?"),
            None => format!("the tables are {}", sections().collect::<Vec<_>>().join(", ")),
        };
        self.problem(&name.span(), format!("[{}] is not a table Headgate knows", name.get_ref()), remedy);
    }

    fn flag(&mut self, one: &Override) {
        let place = Place::Flag(one.flag.clone());
        match KEYS.iter().find(|key| key.name == one.key) {
            Some(key) => self.set(key, &Value::from_flag(key.form, &one.values), place),
            None => {
                let (section, leaf) = one.key.split_once('.').unwrap_or(("", &one.key));
                let what = format!("{} is not a key", one.key);
                self.reading.problems.push(Problem { place, what, remedy: suggest_key(section, leaf) });
            }
        }
    }

    fn set(&mut self, key: &'static Key, value: &Value<'_>, place: Place) {
        // A flag replaces the line of the file, and with it whatever is wrong there; the line is
        // reported all the same.
        self.reading.broken.remove(key.name);
        if let Err(complaints) = (key.set)(&mut self.reading.config, value) {
            self.reading.broken.insert(key.name);
            for Complaint { what, remedy, span } in complaints {
                let place = match (&place, span) {
                    (Place::Line { .. }, Some(span)) => self.line(&span),
                    _ => place.clone(),
                };
                self.reading.problems.push(Problem { place, what: format!("{}: {what}", key.name), remedy });
            }
        }
        self.reading.places.insert(key.name, place);
    }

    fn problem(&mut self, span: &Range<usize>, what: String, remedy: String) {
        let place = self.line(span);
        self.reading.problems.push(Problem { place, what, remedy });
    }

    fn line(&self, span: &Range<usize>) -> Place {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place::Line { file: self.file.to_owned(), line }
    }
}

/// What somebody who wrote `leaf` under `section` may have meant.
fn suggest_key(section: &str, leaf: &str) -> String {
    if leaf.to_lowercase().contains("password") {
        return "put the password into a file that only Headgate's user can read, and name the file with \
                control.password_file"
            .to_owned();
    }
    let here = || KEYS.iter().filter(|key| key.section() == section);
    if let Some(meant) = nearest(leaf, here().map(Key::leaf)) {
        return format!("did you mean {section}.{meant}?");
    }
    if let Some(elsewhere) = KEYS.iter().find(|key| key.leaf() == leaf) {
        return format!("did you mean {}, in the table [{}]?", elsewhere.name, elsewhere.section());
    }
    if let Some(meant) = nearest(leaf, KEYS.iter().map(Key::leaf))
        && let Some(key) = KEYS.iter().find(|key| key.leaf() == meant)
    {
        return format!("did you mean {}, in the table [{}]?", key.name, key.section());
    }
    match here().map(Key::leaf).collect::<Vec<_>>().as_slice() {
        [] => {
            let sections: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
            format!("keys stand under a table; the tables are {}", sections.join(", "))
        }
        leaves => format!("the keys of [{section}] are {}", leaves.join(", ")),
    }
}
