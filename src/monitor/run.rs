//! Starts the probers, keeps the picture, publishes it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::picture::{Picture, Seen};
use super::prober::Prober;
use super::pulse::Pulse;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose, Target};
use crate::runtime::{clock, tasks};
use crate::topology::{Health, NotServing, Patience, ServerId, ServerState, Topology, Trouble};
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

/// Starts watching, and returns when every server has been asked once.
pub async fn start(targets: Vec<(Target, u16)>, settings: Settings) -> Handles {
    let known: Vec<_> =
        targets.iter().map(|(target, weight)| (target.server, target.address.clone(), *weight)).collect();
    let mut picture = Picture::new(&known, settings.patience);
    let (publish, mut topology) = watch::channel(picture.snapshot());
    let hurry = Arc::new(watch::channel(0).0);
    let (doubt, _) = watch::channel(0);
    let changed = Arc::new(watch::Sender::new(0));
    let (send, seen) = mpsc::channel(64);
    let settings = Arc::new(settings);
    for (target, _) in targets {
        let pulse = Pulse {
            target: target.clone(),
            settings: Arc::clone(&settings),
            seen: send.clone(),
            hurry: hurry.subscribe(),
        };
        let prober = Prober {
            target,
            settings: Arc::clone(&settings),
            seen: send.clone(),
            doubted: doubt.subscribe(),
            changed: changed.subscribe(),
            topology: topology.clone(),
        };
        tasks::spawn("pulse", pulse.run());
        tasks::spawn("prober", prober.run());
    }
    let freshness_wanted = Arc::new(Notify::new());
    tasks::spawn("pacer", pace(Arc::clone(&freshness_wanted), Arc::clone(&hurry), settings.positions_pause));
    let (complete, completed) = tokio::sync::oneshot::channel();
    tasks::spawn("monitor", keep(picture, seen, publish, doubt, Arc::clone(&hurry), complete));
    // The monitor ends only with the process.
    let _ = completed.await;
    topology.mark_unchanged();
    let troubles = Troubles { seen: send, wanted: Arc::clone(&freshness_wanted) };
    Handles { topology, freshness_wanted, changed, troubles }
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

async fn keep(
    mut picture: Picture,
    mut seen: mpsc::Receiver<(ServerId, Seen)>,
    publish: watch::Sender<Arc<Topology>>,
    doubt: watch::Sender<u64>,
    hurry: Arc<watch::Sender<u64>>,
    complete: tokio::sync::oneshot::Sender<()>,
) {
    let mut complete = Some(complete);
    let mut known_since = None;
    let mut reported = picture.snapshot();
    while let Some((server, what)) = seen.recv().await {
        picture.see(server, what);
        while let Ok((server, what)) = seen.try_recv() {
            picture.see(server, what);
        }
        if picture.takes_doubt() {
            doubt.send_modify(|count| *count += 1);
        }
        if picture.takes_haste() {
            hurry.send_modify(|count| *count += 1);
        }
        let snapshot = picture.snapshot();
        publish.send_replace(Arc::clone(&snapshot));
        // Before every server has been asked, what is missing is no news.
        if picture.is_complete() {
            report(&reported, &snapshot);
            reported = Arc::clone(&snapshot);
        }
        // Greetings need the facts, which come right after the primary is known.
        let known = picture.is_complete() && (snapshot.primary.is_err() || snapshot.facts.is_some());
        let since = *known_since.get_or_insert_with(clock::now);
        if !known {
            known_since = None;
        }
        // Who would read on the primary first might stay there.
        let dated = picture.is_dated() || clock::now().saturating_duration_since(since) > DATED_WITHIN;
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
            ServerState::NotServing(NotServing::Unknown) => {}
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
