//! What failover is told at the start.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::auth::Secret;
use crate::backend::Way;
use crate::election::{Rules, Sight, Trouble};
use crate::gtid::Transactions;
use crate::probing::write_probe::Writes;
use crate::topology::{Address, ServerId, Topology};

/// An account on the servers.
#[derive(Debug)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
}

/// The operator's programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Run before anything is changed.
    pub before: Option<PathBuf>,
    /// Run after a new primary was published.
    pub after: Option<PathBuf>,
}

/// Tells whoever sends writes which server is the primary from now on. Over once they send them there: writes that begin
/// before would go to the one that was.
pub type Publish = Box<dyn Fn(ServerId) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Says which transaction of this reign a client was told last is committed.
pub type Relayed = Box<dyn Fn() -> Option<Transactions> + Send + Sync>;

/// How failover is done.
pub struct Settings {
    /// The servers, as they come and go.
    pub topology: watch::Receiver<Arc<Topology>>,
    /// How they are reached.
    pub way: Way,
    /// Who asks and orders.
    pub control: Account,
    /// As whom replicas log in to their source. Without it nothing is promoted, since nobody could follow.
    pub replication: Option<Account>,
    /// Replicas speak TLS with their source.
    pub encrypted: bool,
    /// The rules of elections. Whom operators veto is in `vetoes`, since servers have no numbers yet there.
    pub rules: Rules,
    /// Servers that are never promoted.
    pub vetoes: Vec<Address>,
    /// How often a source without writes is to say that it is there; nothing where Headgate may not set it.
    pub heartbeat: Option<Duration>,
    /// Programs of the operator.
    pub hooks: Hooks,
    /// Where the state is kept.
    pub state_dir: PathBuf,
    /// Told the primary.
    pub publish: Publish,
    /// Says what clients have been told is committed, as far as it is known.
    pub relayed: Relayed,
    /// Whether writes get through on the primary.
    pub writes: watch::Receiver<Writes>,
    /// A primary on which they have not for so long is replaced; nothing where it stays.
    pub stuck_writes_after: Option<Duration>,
    /// The name of this run of Headgate among others.
    pub instance: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Settings {
    /// What a primary that answers is to be taken for, where its writes may be stuck.
    pub(super) fn consider(&self, server: ServerId, sight: Sight, now: Instant) -> Sight {
        let stuck = self.writes.borrow().stuck_for(server, now);
        let too_long = stuck.zip(self.stuck_writes_after).is_some_and(|(stuck, limit)| stuck >= limit);
        match sight {
            Sight::Answered(_) if too_long => Sight::Trouble(Trouble::WritesStuck),
            sight => sight,
        }
    }
}

/// What the parts of this module share.
pub(super) type Common = Arc<Settings>;
