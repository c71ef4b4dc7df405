//! One key of the configuration, as the table in `keys` describes it.

use std::fmt;

use super::keys::Config;
use super::setting::{Complaint, Form};
use super::value::Value;

/// Whether a changed value is taken up by a running Headgate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// Taken up on SIGHUP.
    Live,
    /// Taken up at the next start.
    Restart,
}

/// A key: everything that is known about it, and how to reach its value in a [`Config`].
pub struct Key {
    /// Section and name: `pool.max_idle`.
    pub name: &'static str,
    /// The command-line flag with two dashes, and the name of its value in the help.
    pub flag: Option<(&'static str, &'static str)>,
    pub form: Form,
    pub reload: Reload,
    pub(super) doc: &'static [&'static str],
    pub(super) type_in_words: fn() -> String,
    pub(super) range: Option<fn() -> String>,
    pub(super) default_shown: fn() -> Option<String>,
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), Vec<Complaint>>,
    pub(super) show: fn(&Config) -> Option<String>,
    pub(super) same: fn(&Config, &Config) -> bool,
}

impl Key {
    /// The table it stands in: `pool`.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name inside the table: `max_idle`.
    pub fn leaf(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, leaf)| leaf)
    }

    /// What it means, as one paragraph.
    pub fn meaning(&self) -> String {
        let lines: Vec<&str> = self.doc.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// Its type in words, or the words it takes.
    pub fn kind(&self) -> String {
        (self.type_in_words)()
    }

    /// Its default as one would write it; `None` where it is left out by default.
    pub fn default(&self) -> Option<String> {
        (self.default_shown)()
    }

    /// Its value in `config` as one would write it; `None` where it is left out.
    pub fn show(&self, config: &Config) -> Option<String> {
        (self.show)(config)
    }
}

/// Keys are entries of one table: the name is the identity.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// Declares the sections and keys once: the typed structs, their defaults, and the table [`KEYS`].
///
/// [`KEYS`]: super::keys::KEYS
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $Type:ty {
                    default: $default:expr,
                    $(range: $range:expr,)?
                    $(flag: $flag:literal $value_name:literal,)?
                    reload: $reload:ident
                }
            )+
        }
    )+) => {
        /// The whole configuration, typed: defaults, then the file, then the command line.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $key: $Type,)+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($key: $default,)+ }
                }
            }
        )+

        /// Every key there is, in the order of the reference.
        pub static KEYS: &[Key] = &[$($(
            Key {
                name: concat!(stringify!($section), ".", stringify!($key)),
                flag: settings!(@optional $(($flag, $value_name))?),
                form: <$Type as Setting>::FORM,
                reload: Reload::$reload,
                doc: &[$($doc),+],
                type_in_words: <$Type as Setting>::kind,
                range: settings!(@optional $(|| {
                    let range = $range;
                    format!("{} to {}", shown(range.start()), shown(range.end()))
                })?),
                default_shown: || {
                    let default: $Type = $default;
                    default.show()
                },
                set: |config, value| {
                    let read = <$Type as Setting>::read(value)?;
                    $(let read = within(read, &$range)?;)?
                    config.$section.$key = read;
                    Ok(())
                },
                show: |config| config.$section.$key.show(),
                same: |a, b| a.$section.$key == b.$section.$key,
            },
        )+)+];

        /// Every section and what it is about.
        pub(super) static SECTIONS: &[(&str, &[&str])] = &[$(
            (stringify!($section), &[$($section_doc),+]),
        )+];
    };
    (@optional) => { None };
    (@optional $value:expr) => { Some($value) };
}

pub(super) use settings;
