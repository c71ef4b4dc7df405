//! What the primary says of itself and of its defaults.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::catalog::Catalog;
use super::traps::Traps;
use crate::gtid::{BadGtid, Position};
use crate::sql::{self, Dialect, LexMode};
use crate::wire::capabilities::Capabilities;

/// MySQL or MariaDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL, Percona Server, and what follows them.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
    /// The flavor of a server by the version it greets with.
    #[must_use]
    pub fn of_greeting(version: &[u8]) -> Self {
        let named = version.windows(7).any(|part| part.eq_ignore_ascii_case(b"mariadb"));
        if named { Self::MariaDb } else { Self::MySql }
    }

    /// The version that a server greets with, as version comments number it: 90704 for "9.7.4", 101119 for
    /// "10.11.19-MariaDB" and "5.5.5-10.11.19-MariaDB". 0 where it cannot be read.
    #[must_use]
    pub fn version_of_greeting(version: &[u8]) -> u32 {
        let maria = Self::of_greeting(version) == Self::MariaDb;
        // MariaDB put this before its version for clients that knew MySQL's numbers only.
        let version = version.strip_prefix(b"5.5.5-").filter(|_| maria).unwrap_or(version);
        let mut rest = version;
        let mut parts = [0_u32; 3];
        for (at, part) in parts.iter_mut().enumerate() {
            let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let parsed = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok());
            let Some(parsed) = parsed.filter(|number| *number < 100) else { return 0 };
            *part = parsed;
            match after.split_first() {
                Some((b'.', next)) => rest = next,
                _ if at == 2 => {}
                _ => return 0,
            }
        }
        let [major, minor, patch] = parts;
        major * 10_000 + minor * 100 + patch
    }

    /// The SQL dialect.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::MySql => Dialect::MySql,
            Self::MariaDb => Dialect::MariaDb,
        }
    }
}

/// Reads a position in the form of a flavor.
///
/// # Errors
/// Where the text is none.
pub fn position(flavor: Flavor, text: &[u8]) -> Result<Position, BadGtid> {
    let text = String::from_utf8_lossy(text);
    Ok(match flavor {
        Flavor::MySql => Position::MySql(text.parse()?),
        Flavor::MariaDb => Position::MariaDb(text.parse()?),
    })
}

/// Character sets and collations by the ids that login requests use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collations(HashMap<u16, (String, String)>);

impl Collations {
    /// Takes in rows of id, character set and collation.
    pub fn new(rows: impl IntoIterator<Item = (u16, String, String)>) -> Self {
        Self(rows.into_iter().map(|(id, charset, collation)| (id, (charset, collation))).collect())
    }

    /// The character set and collation of an id.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<(&str, &str)> {
        self.0.get(&id).map(|(charset, collation)| (charset.as_str(), collation.as_str()))
    }

    /// The default collation of a character set cannot be told from ids; only whether a pair exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A setting of the primary that keeps every read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// Not every transaction has a GTID, so positions say nothing: without GTIDs `gtid_executed` is empty,
    /// and every replica would seem to have all of it.
    NoGtids,
    /// `IS NULL` may ask for the session's last insert.
    AutoIsNull,
    /// `sql_mode` names another grammar, in which words mean other things.
    Grammar,
    /// The primary's binary log leaves schemas out, so replicas lack them however far they have come.
    LogFiltered,
    /// The server ignores the character set of the handshake (`skip_character_set_client_handshake`).
    HandshakeIgnored,
}

impl Hindrance {
    /// Looks for one among the defaults of new sessions.
    #[must_use]
    pub fn among(flavor: Flavor, defaults: &BTreeMap<String, String>) -> Option<Self> {
        let is = |name: &str, value: &str| {
            defaults.get(name).is_some_and(|known| known.eq_ignore_ascii_case(value))
        };
        if flavor == Flavor::MySql && !is("gtid_mode", "ON") {
            return Some(Self::NoGtids);
        }
        if is("sql_auto_is_null", "ON") || is("sql_auto_is_null", "1") {
            return Some(Self::AutoIsNull);
        }
        defaults.get("sql_mode").is_some_and(|mode| sql::is_other_grammar(mode)).then_some(Self::Grammar)
    }
}

/// What Headgate has learned from the primary, for greetings and for reads on replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The version string of its greeting.
    pub version: Vec<u8>,
    /// The same as version comments number it, see [`Flavor::version_of_greeting`].
    pub version_number: u32,
    /// MySQL or MariaDB.
    pub flavor: Flavor,
    /// Its capability flags.
    pub capabilities: Capabilities,
    /// The low byte of its default collation.
    pub collation: u8,
    /// The login method it proposes.
    pub plugin: Vec<u8>,
    /// `@@global.sql_mode` has ANSI_QUOTES.
    pub ansi_quotes: bool,
    /// `@@global.sql_mode` has NO_BACKSLASH_ESCAPES.
    pub no_backslash_escapes: bool,
    /// `@@global.init_connect` is set: sessions begin with changes that Headgate does not see.
    pub init_connect: bool,
    /// How long the primary lets a connection idle.
    pub wait_timeout: Duration,
    /// The same, of clients that are interactive.
    pub interactive_timeout: Duration,
    /// A setting under which a plain read may show something else elsewhere, if there is one.
    pub hindrance: Option<Hindrance>,
    /// When it was asked: what was defined later is not in it.
    pub asked: Instant,
    /// Counts up whenever the defaults of new sessions change on the primary.
    pub generation: u64,
    /// Ids of character sets.
    pub collations: Collations,
    /// Defaults of new sessions that decide what a statement means or shows.
    pub defaults: BTreeMap<String, String>,
    /// What is known of views and stored functions. Nothing where the control account may not see all views.
    pub catalog: Option<Arc<Catalog>>,
    /// Stored code that leaves something behind on its connection. Nothing where the control account may not see all.
    pub traps: Option<Arc<Traps>>,
}

impl Facts {
    /// How statements of a session with default `sql_mode` are read.
    #[must_use]
    pub const fn lex_mode(&self, charset_safe: bool) -> LexMode {
        LexMode {
            ansi_quotes: self.ansi_quotes,
            no_backslash_escapes: self.no_backslash_escapes,
            charset_safe,
            dialect: self.flavor.dialect(),
            parameters: false,
            version: self.version_number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn greetings_say_the_version_as_version_comments_number_it() {
        for (greeting, version) in [
            ("9.7.4", 90704),
            ("8.0.36-0ubuntu0.22.04.1", 80036),
            ("8.4.10-log", 80410),
            ("5.5.5-10.11.19-MariaDB", 101_119),
            ("5.5.5-10.11.19-MariaDB-1:10.11.19+maria~ubu2204-log", 101_119),
            ("10.11.19-MariaDB-log", 101_119),
            ("11.4.2-MariaDB", 110_402),
            ("5.5.5-m3", 50505),
            ("8.0", 0),
            ("8.0.x", 0),
            ("8..1", 0),
            ("9.100.1", 0),
            ("99999999999.1.1", 0),
            ("ProxySQL", 0),
            ("", 0),
        ] {
            assert_eq!(Flavor::version_of_greeting(greeting.as_bytes()), version, "{greeting}");
        }
    }

    #[test]
    fn settings_of_the_primary_that_keep_reads_there() {
        for (flavor, pairs, hindrance) in [
            (Flavor::MySql, &[("gtid_mode", "ON"), ("sql_mode", "STRICT_TRANS_TABLES")][..], None),
            (Flavor::MySql, &[("gtid_mode", "OFF")], Some(Hindrance::NoGtids)),
            (Flavor::MySql, &[("gtid_mode", "ON_PERMISSIVE")], Some(Hindrance::NoGtids)),
            (Flavor::MySql, &[], Some(Hindrance::NoGtids)),
            (Flavor::MariaDb, &[("sql_auto_is_null", "OFF")], None),
            (Flavor::MariaDb, &[("sql_auto_is_null", "ON")], Some(Hindrance::AutoIsNull)),
            (Flavor::MariaDb, &[("sql_mode", "PIPES_AS_CONCAT,oracle")], Some(Hindrance::Grammar)),
        ] {
            assert_eq!(Hindrance::among(flavor, &defaults(pairs)), hindrance, "{pairs:?}");
        }
    }
}
