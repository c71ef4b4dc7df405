use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What a new session on the primary starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Grows whenever the values change, so that a session and a connection know whether they began alike.
    pub generation: u64,
    /// Variables that change results or what statements are accepted, by lower-case name.
    pub variables: BTreeMap<String, String>,
    pub sql_mode: String,
    /// `wait_timeout`, after which the server closes an idle session.
    pub wait_timeout: Option<Duration>,
    /// Why these defaults keep every read on the primary, if they do.
    pub hindrance: Option<Hindrance>,
}

/// A setting under which a plain read may depend on more than its text and the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Hindrance {
    #[error("init_connect is set on the primary, so sessions begin in a state Headgate cannot see")]
    InitConnect,
    #[error("sql_auto_is_null is on, so IS NULL may ask for the session's last insert")]
    AutoIsNull,
    #[error("the primary's default sql_mode changes the grammar (ORACLE, MSSQL, …)")]
    Grammar,
    #[error("the primary's defaults have not been read")]
    Unread,
}

/// Character sets and collations by the id of the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collations {
    by_id: HashMap<u16, Collation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation {
    pub charset: String,
    pub collation: String,
}

impl Collations {
    pub fn get(&self, id: u16) -> Option<&Collation> {
        self.by_id.get(&id)
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl FromIterator<(u16, Collation)> for Collations {
    fn from_iter<I: IntoIterator<Item = (u16, Collation)>>(collations: I) -> Self {
        Self { by_id: collations.into_iter().collect() }
    }
}
