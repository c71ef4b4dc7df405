//! What all sessions of a worker share.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use crate::admission::Rules;
use crate::auth::{Throttle, rsa};
use crate::backend::{Purpose, Target};
use crate::failover::{Gate, Pause};
use crate::monitor::{Operator, Troubles};
use crate::net::tls::{ClientTls, ServerTls};
use crate::pool::{Key, Pool, Shelf};
use crate::pooling::Users;
use crate::routing::{Policy, Preferences};
use crate::telemetry::Counters;
use crate::topology::{ServerId, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::proxy_protocol::Announced;

use super::accounts::AccountReader;
use super::freshness::Written;
use super::ids::ClientIds;
use super::known::KnownSecrets;
use super::loads::Loads;
use super::memory::{Learned, Parsed};
use super::roster::Roster;
use super::tally::Tally;

/// Bounds towards clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Clients at once.
    pub clients: usize,
    /// From the first byte to the verdict.
    pub login_timeout: Duration,
    /// How long a client may leave its reply unread.
    pub client_write_timeout: Duration,
    /// How long a statement may take; nothing: as long as the servers let it.
    pub statement_timeout: Option<Duration>,
    /// How long a client may say nothing; nothing: as long as the primary lets it.
    pub client_idle_timeout: Option<Duration>,
    /// For connecting to a server and logging in.
    pub connect_timeout: Duration,
    /// How long a command waits for a primary.
    pub hold: Duration,
    /// Refuse clients without TLS.
    pub require_tls: bool,
    /// The flags of the algorithms that clients may compress with.
    pub compression: Capabilities,
}

/// Settings that a running Headgate takes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Bounds towards clients.
    pub limits: Limits,
    /// Routing settings.
    pub policy: Policy,
    /// Those of single users.
    pub preferences: Arc<BTreeMap<Box<[u8]>, Preferences>>,
    /// Who may come in.
    pub rules: Arc<Rules>,
    /// What holds for the connections of users.
    pub users: Arc<Users>,
}

/// What is shared by the sessions of all workers.
#[derive(Debug)]
pub struct Shared {
    /// What a reload may change.
    pub live: ArcSwap<Live>,
    /// The newest snapshot of the servers.
    pub topology: watch::Receiver<Arc<Topology>>,
    /// Wakes the monitor: a session waits for fresher replicas.
    pub freshness_wanted: Arc<Notify>,
    /// Tells the monitor that defaults, views or accounts may have changed.
    pub changed: Arc<watch::Sender<u64>>,
    /// Tells the monitor what goes wrong with servers.
    pub troubles: Troubles,
    /// Takes servers in and out.
    pub operator: Operator,
    /// TLS towards clients.
    pub server_tls: Arc<ServerTls>,
    /// TLS towards servers.
    pub client_tls: Arc<ArcSwap<ClientTls>>,
    /// For passwords of clients without TLS.
    pub rsa: Arc<rsa::KeyPair>,
    /// Passwords of users with sessions.
    pub known: KnownSecrets,
    /// How accounts log in, read at the primary.
    pub accounts: AccountReader,
    /// Statements that look like reads and write.
    pub learned: Learned,
    /// The tables that statements read, where names alone do not tell.
    pub parsed: Parsed,
    /// Slows repeated failures down.
    pub throttle: Mutex<Throttle>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Clients connected now.
    pub clients: AtomicUsize,
    /// Those of them at one address.
    pub addresses: Tally<IpAddr>,
    /// Those of them that are logged in as one user.
    pub users: Tally<Box<[u8]>>,
    /// The log says already that triggers may not be seen.
    pub told_of_triggers: AtomicBool,
    /// The monitor reads stored code once this is set.
    pub stored_code_wanted: Arc<AtomicBool>,
    /// Whether the servers are told the clients' addresses.
    pub proxy_protocol: bool,
    /// Ids for clients. They say nothing of the servers' own.
    pub ids: ClientIds,
    /// For the connections over which statements are ended.
    pub strikes: Semaphore,
    /// Counts choices between replicas.
    pub rotation: AtomicU64,
    /// What the servers have to do.
    pub loads: Loads,
    /// What all sessions have written.
    pub written: Written,
    /// The gate towards the primary.
    pub gate: Arc<Gate>,
    /// Whether an operator holds the traffic.
    pub pause: Arc<Pause>,
    /// Sessions, for the console.
    pub roster: Roster,
}

/// What the sessions of one worker share.
#[derive(Debug)]
pub struct Context {
    /// What is shared by all workers.
    pub shared: Arc<Shared>,
    /// This worker's idle connections.
    pub pool: Pool,
}

impl Shared {
    /// An id for a client that has just connected.
    pub fn next_id(&self) -> u32 {
        self.ids.next(|id| self.roster.has(id))
    }

    /// Bounds towards clients.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.live.load().limits
    }

    /// Who may come in.
    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.live.load().rules)
    }

    /// What holds for the connections of users.
    pub(super) fn pool_users(&self) -> Arc<Users> {
        Arc::clone(&self.live.load().users)
    }

    /// What the servers are told of a client, where they are told anything; `None` is Headgate itself, or a
    /// client of a Unix socket.
    fn announced(&self, client: Option<SocketAddr>) -> Option<Announced> {
        self.proxy_protocol.then(|| client.map_or(Announced::Itself, Announced::Client))
    }

    /// The address that the servers are told of a client.
    fn announced_address(&self, client: Option<SocketAddr>) -> Option<IpAddr> {
        client.filter(|_| self.proxy_protocol).map(|client| client.ip())
    }
}

/// Whose connections may serve one another.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) user: &'a [u8],
    pub(super) capabilities: Capabilities,
    pub(super) client: Option<SocketAddr>,
}

impl Context {
    /// Where connections wait that may serve this user.
    pub(super) fn shelf(&self, server: ServerId, purpose: Purpose, whose: Whose<'_>) -> Arc<Shelf> {
        self.pool.shelf(Key {
            server,
            purpose,
            user: whose.user.into(),
            capabilities: whose.capabilities & Capabilities::MEANINGFUL,
            client: self.shared.announced_address(whose.client),
        })
    }

    /// The servers as last seen.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.shared.topology.borrow())
    }

    /// How to reach a server, for a client or for Headgate itself.
    #[must_use]
    pub fn target(
        &self,
        topology: &Topology,
        server: ServerId,
        client: Option<SocketAddr>,
    ) -> Option<Target> {
        let known = topology.server(server)?;
        Some(Target {
            server,
            address: known.address.clone(),
            only: known.only.clone(),
            tls: Arc::clone(&self.shared.client_tls),
            timeout: self.shared.limits().connect_timeout,
            announced: self.shared.announced(client),
        })
    }
}

/// Counts a client for as long as it lives.
#[derive(Debug)]
pub(super) struct Admission(Arc<Shared>);

impl Admission {
    /// Takes a place, unless all are taken.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.clients.fetch_add(1, Ordering::Relaxed);
        let admission = Self(Arc::clone(shared));
        (before < shared.limits().clients).then_some(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
