//! The session's character sets, as the statement that makes them on any connection.

use std::sync::Arc;

use crate::sql::{Name, charset_is_safe};
use crate::topology::Collations;

/// Character sets of client, connection and results, and the collation of literals.
#[derive(Debug, Clone, Default)]
pub(super) struct Charsets {
    known: Option<Known>,
    /// A SET NAMES that the server has not answered yet.
    pending: Option<Known>,
    /// Something changed them that says not enough: they must be read back.
    stale: bool,
    /// The last SET NAMES, or what was as good as one: it decides the collations that result columns tell, which
    /// no variable shows.
    base: Option<Known>,
    /// Set one by one since then.
    client_set: bool,
    results_set: bool,
}

#[derive(Debug, Clone)]
struct Known {
    sql: Arc<str>,
    /// The client's character set.
    client: Box<str>,
    safe: bool,
}

/// What a server says its session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBack<'a> {
    /// `@@character_set_client`
    pub client: &'a str,
    /// `@@collation_connection`, which says `character_set_connection` too.
    pub collation: &'a str,
    /// `@@character_set_results`; none where results are not converted.
    pub results: Option<&'a str>,
}

impl Charsets {
    /// Those of a login with this collation id.
    pub(super) fn of_login(collation: u16, collations: &Collations) -> Self {
        let known = collations.get(collation).map(|(charset, collation)| Known {
            sql: format!("SET NAMES {charset} COLLATE {collation}").into(),
            client: charset.into(),
            safe: charset_is_safe(charset),
        });
        Self { base: known.clone(), known, ..Self::default() }
    }

    /// The statement, if it is known.
    pub(super) fn sql(&self) -> Option<&Arc<str>> {
        self.known.as_ref().filter(|_| !self.stale).map(|known| &known.sql)
    }

    /// No byte of a longer character of the client's looks like a quote or backslash.
    pub(super) fn is_safe(&self) -> bool {
        !self.stale && self.known.as_ref().is_some_and(|known| known.safe)
    }

    /// True where [`Self::read_back`] is wanted.
    pub(super) const fn is_stale(&self) -> bool {
        self.stale
    }

    /// A SET NAMES is about to be sent.
    pub(super) fn begin(&mut self, charset: &Name, collation: Option<&Name>) {
        let collation = collation.map(|name| format!(" COLLATE {name}"));
        let charset = charset.to_string();
        // Without COLLATE the server picks: variables that tell it what are compared.
        let sql = format!("SET NAMES {charset}{}", collation.unwrap_or_default());
        self.pending =
            Some(Known { sql: sql.into(), safe: charset_is_safe(&charset), client: charset.into() });
    }

    /// Whether a SET NAMES is on its way.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The statement in progress has been answered.
    pub(super) fn settle(&mut self, accepted: bool) {
        if let Some(known) = self.pending.take().filter(|_| accepted) {
            *self = Self { base: Some(known.clone()), known: Some(known), ..Self::default() };
        }
    }

    /// Something has changed them.
    pub(super) fn distrust(&mut self) {
        self.stale = true;
    }

    /// The server reports that one of them was set.
    pub(super) fn reported(&mut self, name: &[u8]) {
        self.stale = true;
        self.client_set |= name == b"character_set_client";
        self.results_set |= name == b"character_set_results";
    }

    /// Takes in what the server says. Names that are none are not believed.
    pub(super) fn read_back(&mut self, found: ReadBack<'_>) {
        let ReadBack { client, collation, results } = found;
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name(client) || !is_name(collation) || !results.is_none_or(is_name) {
            return;
        }
        let results = results.unwrap_or("NULL");
        // What was set one by one has the default collation of its character set, here as there.
        let was = self.base.as_ref().map(|base| &*base.client);
        let mut sql = match &self.base {
            Some(base) => format!("{}, ", base.sql),
            None => "SET ".to_owned(),
        };
        if self.client_set || was != Some(client) {
            sql.push_str(&format!("character_set_client={client}, "));
        }
        if self.results_set || was != Some(results) {
            sql.push_str(&format!("character_set_results={results}, "));
        }
        sql.push_str(&format!("collation_connection={collation}"));
        self.known = Some(Known { sql: sql.into(), client: client.into(), safe: charset_is_safe(client) });
        self.stale = false;
    }
}
