//! Starts the probers, keeps the picture, publishes it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::picture::{Picture, Seen};
use super::prober::Prober;
use crate::auth::Secret;
use crate::backend::Target;
use crate::runtime::{clock, tasks};
use crate::topology::{NotServing, ServerId, ServerState, Topology};

/// How the servers are watched.
#[derive(Debug)]
pub struct Settings {
    /// The control account.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
    /// For each question.
    pub deadline: Duration,
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
            retry: Duration::from_secs(1),
            positions_every: Duration::from_millis(250),
            positions_pause: Duration::from_millis(3),
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
}

/// Starts watching, and returns when every server has been asked once.
pub async fn start(targets: Vec<Target>, settings: Settings) -> Handles {
    let known: Vec<_> = targets.iter().map(|target| (target.server, target.address.clone())).collect();
    let mut picture = Picture::new(&known);
    let (publish, mut topology) = watch::channel(picture.snapshot());
    let (hurry, _) = watch::channel(0);
    let changed = Arc::new(watch::Sender::new(0));
    let (send, seen) = mpsc::channel(64);
    let settings = Arc::new(settings);
    for target in targets {
        let prober = Prober {
            target,
            settings: Arc::clone(&settings),
            seen: send.clone(),
            hurry: hurry.subscribe(),
            changed: changed.subscribe(),
            topology: topology.clone(),
        };
        tasks::spawn("prober", prober.run());
    }
    let freshness_wanted = Arc::new(Notify::new());
    tasks::spawn("pacer", pace(Arc::clone(&freshness_wanted), hurry, settings.positions_pause));
    let (complete, completed) = tokio::sync::oneshot::channel();
    tasks::spawn("monitor", keep(picture, seen, publish, complete));
    // The monitor ends only with the process.
    let _ = completed.await;
    topology.mark_unchanged();
    Handles { topology, freshness_wanted, changed }
}

/// Turns any number of waiting sessions into questions at a bounded rate.
async fn pace(wanted: Arc<Notify>, hurry: watch::Sender<u64>, pause: Duration) {
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
    complete: tokio::sync::oneshot::Sender<()>,
) {
    let mut complete = Some(complete);
    let mut reported = picture.snapshot();
    while let Some((server, what)) = seen.recv().await {
        picture.see(server, what);
        while let Ok((server, what)) = seen.try_recv() {
            picture.see(server, what);
        }
        let snapshot = picture.snapshot();
        publish.send_replace(Arc::clone(&snapshot));
        // Before every server has been asked, what is missing is no news.
        if picture.is_complete() {
            report(&reported, &snapshot);
            reported = Arc::clone(&snapshot);
        }
        // Greetings need the facts, which come right after the primary is known.
        let settled = picture.is_complete() && (snapshot.primary.is_err() || snapshot.facts.is_some());
        if settled && let Some(complete) = complete.take() {
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
        let old = before.server(server.id).map(|server| &server.state);
        if old == Some(&server.state) {
            continue;
        }
        let address = &server.address;
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
