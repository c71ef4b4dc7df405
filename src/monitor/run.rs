//! Starts the watch, publishes what it sees.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::keeper::{Keeper, LookedUp};
use super::orders::{Operator, Order};
use super::picture::Seen;
use super::watchers::Watchers;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose, Target, Way};
use crate::probing::discovery::Networks;
use crate::runtime::{clock, tasks};
use crate::topology::{Address, Health, NotServing, Patience, ServerId, ServerState, Topology, Trouble};
use crate::wire::capabilities::Capabilities;

/// How the servers are watched.
#[derive(Debug)]
pub struct Settings {
    /// The control account.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
    /// For each question.
    pub deadline: Duration,
    /// A server that has not said within this how far it has come is suspect.
    pub late: Duration,
    /// How soon servers are given up and believed again.
    pub patience: Patience,
    /// Pause after a failure.
    pub retry: Duration,
    /// How often positions are asked for while nobody waits for them.
    pub positions_every: Duration,
    /// The least time between two questions for positions, however many wait.
    pub positions_pause: Duration,
    /// How often roles are asked for.
    pub status_every: Duration,
    /// How often defaults, views and grants are asked for.
    pub defaults_every: Duration,
    /// Somebody wants to know what stored code does to a session. It is not asked before: on a server with many tables
    /// the answer takes its time.
    pub stored_code_wanted: Arc<AtomicBool>,
    /// Whether and where further servers are looked for.
    pub discovery: Option<Discovery>,
}

/// How further servers are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Where they may be.
    pub networks: Networks,
    /// One is forgotten when for so long it has not answered and nobody has named it.
    pub forget_after: Duration,
}

/// The servers to begin with.
#[derive(Debug)]
pub struct Start {
    /// Their addresses; they are numbered in this order.
    pub servers: Vec<Address>,
    /// Weights of servers that have one, by address.
    pub weights: BTreeMap<Address, u16>,
    /// How they are reached.
    pub way: Way,
}

impl Settings {
    /// Settings for a control account.
    #[must_use]
    pub fn new(user: String, secret: Secret) -> Self {
        Self {
            user,
            secret,
            deadline: Duration::from_secs(3),
            late: Duration::from_millis(500),
            patience: Patience::default(),
            retry: Duration::from_millis(500),
            positions_every: Duration::from_millis(250),
            positions_pause: Duration::from_millis(2),
            status_every: Duration::from_secs(1),
            defaults_every: Duration::from_secs(10),
            stored_code_wanted: Arc::default(),
            discovery: None,
        }
    }
}

/// What others hold of the monitor.
#[derive(Debug, Clone)]
pub struct Handles {
    /// The newest snapshot.
    pub topology: watch::Receiver<Arc<Topology>>,
    /// Wakes the monitor: somebody waits for fresher replicas.
    pub freshness_wanted: Arc<Notify>,
    /// Counts up when defaults, views or accounts may have changed.
    pub changed: Arc<watch::Sender<u64>>,
    /// Hears what goes wrong with servers while they serve clients.
    pub troubles: Troubles,
    /// Takes servers in and out.
    pub operator: Operator,
}

impl Handles {
    /// Tells the monitor who the primary is.
    #[must_use]
    pub fn settler(&self) -> Settler {
        Settler { seen: self.troubles.seen.clone(), topology: self.topology.clone() }
    }
}

/// Tells the monitor who the primary is, whatever else is writable.
#[derive(Debug, Clone)]
pub struct Settler {
    seen: mpsc::Sender<(ServerId, Seen)>,
    topology: watch::Receiver<Arc<Topology>>,
}

impl Settler {
    /// This server is the primary from now on. Waits until the newest snapshot says so.
    pub async fn settle(mut self, server: ServerId) {
        // Nobody listens when Headgate ends.
        let _ = self.seen.send((server, Seen::Settled)).await;
        let _ = self.topology.wait_for(|topology| topology.primary == Ok(server)).await;
    }
}

/// Tells the monitor what goes wrong with servers while they serve clients.
#[derive(Debug, Clone)]
pub struct Troubles {
    seen: mpsc::Sender<(ServerId, Seen)>,
    wanted: Arc<Notify>,
}

impl Troubles {
    /// A connection to a server could not be opened, broke, or answered what shows that the server has changed. The
    /// server is asked at once.
    pub fn report(&self, server: ServerId, trouble: Trouble) {
        // Where so much has been seen that this finds no room, the monitor knows already.
        let _ = self.seen.try_send((server, Seen::Client(clock::now(), trouble)));
        self.wanted.notify_one();
    }
}

/// Starts watching, and returns when every server has been asked once, those among them that were found on the way.
pub async fn start(start: Start, settings: Settings) -> Handles {
    let (publish, mut topology) = watch::channel(Arc::new(Topology::unknown(Vec::new())));
    let hurry = Arc::new(watch::channel(0).0);
    let changed = Arc::new(watch::Sender::new(0));
    let (send, seen) = mpsc::channel(64);
    let (order, orders) = mpsc::channel(4);
    let (find, found) = mpsc::channel(64);
    let settings = Arc::new(settings);
    let watchers = Watchers {
        way: start.way,
        settings: Arc::clone(&settings),
        seen: send.clone(),
        hurry: Arc::clone(&hurry),
        doubt: watch::Sender::new(0),
        changed: Arc::clone(&changed),
        topology: topology.clone(),
        running: HashMap::new(),
    };
    let keeper = Keeper::new(&start.servers, start.weights, watchers, find);
    let freshness_wanted = Arc::new(Notify::new());
    tasks::spawn("pacer", pace(Arc::clone(&freshness_wanted), Arc::clone(&hurry), settings.positions_pause));
    let (complete, completed) = tokio::sync::oneshot::channel();
    tasks::spawn("monitor", keep(keeper, Inbox { seen, orders, found }, publish, complete));
    // The monitor ends only with the process.
    let _ = completed.await;
    topology.mark_unchanged();
    let troubles = Troubles { seen: send, wanted: Arc::clone(&freshness_wanted) };
    Handles { topology, freshness_wanted, changed, troubles, operator: Operator(order) }
}

/// A connection in the name of the control account.
pub(super) async fn open(target: &Target, settings: &Settings) -> Result<Connection, BackendError> {
    let credentials = Credentials {
        user: settings.user.as_bytes(),
        secret: &settings.secret,
        schema: None,
        collation: COLLATION,
        capabilities: Capabilities::default(),
        attributes: &[(b"program_name".to_vec(), b"headgate".to_vec())],
    };
    Connection::open(target, credentials, Purpose::Control).await
}

/// utf8mb4_general_ci, known to every server.
const COLLATION: u16 = 45;
pub(super) const COLLATION_NAME: &str = "utf8mb4_general_ci";

/// For so long the first clients wait for replicas whose data has no date yet.
const DATED_WITHIN: Duration = Duration::from_millis(500);

/// Turns any number of waiting sessions into questions at a bounded rate.
async fn pace(wanted: Arc<Notify>, hurry: Arc<watch::Sender<u64>>, pause: Duration) {
    loop {
        wanted.notified().await;
        if hurry.is_closed() {
            return;
        }
        hurry.send_modify(|count| *count += 1);
        clock::sleep(pause).await;
    }
}

/// What the monitor hears.
struct Inbox {
    seen: mpsc::Receiver<(ServerId, Seen)>,
    orders: mpsc::Receiver<Order>,
    found: mpsc::Receiver<LookedUp>,
}

impl Inbox {
    /// Waits for something and takes it in. False where nobody is left to say anything.
    async fn take_in(&mut self, keeper: &mut Keeper) -> bool {
        tokio::select! {
            seen = self.seen.recv() => {
                let Some((server, what)) = seen else { return false };
                keeper.see(server, what);
                while let Ok((server, what)) = self.seen.try_recv() {
                    keeper.see(server, what);
                }
            }
            Some(Order { what, done }) = self.orders.recv() => {
                // Whoever has given it up has been told that it was not done in time.
                let _ = done.send(keeper.order(what));
            }
            Some(found) = self.found.recv() => keeper.looked_up(found),
            () = clock::sleep(keeper.next_look()) => {}
        }
        keeper.tick();
        true
    }
}

async fn keep(
    mut keeper: Keeper,
    mut inbox: Inbox,
    publish: watch::Sender<Arc<Topology>>,
    complete: tokio::sync::oneshot::Sender<()>,
) {
    let mut complete = Some(complete);
    let mut known_since = None;
    let mut reported = keeper.picture.snapshot();
    publish.send_replace(Arc::clone(&reported));
    while inbox.take_in(&mut keeper).await {
        if keeper.picture.takes_doubt() {
            keeper.watchers.doubt.send_modify(|count| *count += 1);
        }
        if keeper.picture.takes_haste() {
            keeper.watchers.hurry.send_modify(|count| *count += 1);
        }
        let snapshot = keeper.picture.snapshot();
        publish.send_replace(Arc::clone(&snapshot));
        // Before every server has been asked, what is missing is no news.
        if keeper.is_complete() {
            report(&reported, &snapshot);
            reported = Arc::clone(&snapshot);
        }
        // Greetings need the facts, which come right after the primary is known.
        let known = keeper.is_complete() && (snapshot.primary.is_err() || snapshot.facts.is_some());
        let since = *known_since.get_or_insert_with(clock::now);
        if !known {
            known_since = None;
        }
        // Who would read on the primary first might stay there.
        let dated = keeper.picture.is_dated() || clock::now().saturating_duration_since(since) > DATED_WITHIN;
        if known
            && dated
            && let Some(complete) = complete.take()
        {
            // Nobody waits any more: Headgate is ending.
            let _ = complete.send(());
        }
    }
}

/// Tells people what has changed.
fn report(before: &Topology, after: &Topology) {
    if before.primary != after.primary {
        match &after.primary {
            Ok(id) => {
                let address = after.server(*id).map(|server| server.address.to_string());
                tracing::info!(primary = address.as_deref(), epoch = after.epoch.0, "the primary is known");
            }
            Err(why) => tracing::error!(%why, "there is no primary"),
        }
    }
    for server in &after.servers {
        let known = before.server(server.id);
        let address = &server.address;
        let was_drained = known.is_some_and(|known| known.drained.is_some());
        if was_drained && server.drained.is_none() && server.state == ServerState::Primary {
            tracing::warn!(%address, "is the primary, so it is drained no more");
        }
        if let Some(old) = known.map(|server| server.health).filter(|old| *old != server.health) {
            match server.health {
                Health::Up => tracing::info!(%address, "answers steadily again"),
                Health::Suspect(why) if old == Health::Up => tracing::warn!(%address, %why, "is suspect"),
                Health::Suspect(_) => {}
                Health::Down(why) => tracing::warn!(%address, %why, "is down"),
            }
        }
        if known.map(|server| &server.state) == Some(&server.state) {
            continue;
        }
        match &server.state {
            ServerState::NotServing(NotServing::Unknown | NotServing::NoPrimary | NotServing::Leaving) => {}
            ServerState::Primary => tracing::info!(%address, "serves as primary"),
            ServerState::Replica => tracing::info!(%address, "serves as replica"),
            ServerState::NotServing(why) => tracing::warn!(%address, %why, "serves nothing"),
        }
    }
    let views_known =
        |topology: &Topology| topology.facts.as_ref().is_none_or(|facts| facts.catalog.is_some());
    if views_known(before) && !views_known(after) {
        tracing::warn!(
            "the control account cannot see all views, so no read goes to a replica; GRANT SHOW VIEW ON *.* to it"
        );
    }
}
