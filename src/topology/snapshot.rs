use std::fmt;
use std::sync::Arc;

use super::{Collations, Defaults, Flavor, Hindrance, Names, NoPrimary, Server, ServerId};

/// Counts the primaries: it grows each time another server becomes the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}", self.0)
    }
}

/// The cluster at one moment. Immutable: the monitor publishes a new one, and a decision reads one.
#[derive(Clone, Debug)]
pub struct Topology {
    pub epoch: Epoch,
    pub primary: Result<ServerId, NoPrimary>,
    /// In the order of the configuration: `servers[id.0]` has that id.
    pub servers: Vec<Server>,
    pub defaults: Arc<Defaults>,
    /// Views on the primary. `None` where they could not all be read: then any name may be a view.
    pub views: Option<Arc<Names>>,
    pub collations: Arc<Collations>,
    /// What the primary says of itself to a client; kept while there is none.
    pub greeting: Option<Arc<Greeting>>,
}

/// What a greeting shows of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    pub flavor: Flavor,
    /// As the primary writes it, suffixes included.
    pub server_version: String,
    pub collation: u8,
    /// Capability bits, MariaDB's extended ones in the upper half.
    pub capabilities: u64,
    /// Default authentication method.
    pub auth_method: String,
}

impl Topology {
    /// Before any server has been asked.
    pub fn unknown(servers: Vec<Server>) -> Self {
        Self {
            epoch: Epoch::default(),
            primary: Err(NoPrimary::NotAsked),
            servers,
            defaults: Arc::new(Defaults { hindrance: Some(Hindrance::Unread), ..Defaults::default() }),
            views: None,
            collations: Arc::default(),
            greeting: None,
        }
    }

    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(usize::from(id.0)).filter(|server| server.id == id)
    }
}
