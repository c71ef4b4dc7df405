//! Makes the parts from the settings.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};

use super::settings::{BackendLink, CertificateFiles, Front, Settings, Watch};
use crate::admission::Refusal;
use crate::auth::{MAX_ENCODED_SECRET, Secret, Throttle, rsa, throttle};
use crate::backend::{BackendError, Way};
use crate::config::{BackendTls, RuntimeModel};
use crate::failover::{self, Gate, Pause};
use crate::frontend::{
    AccountReader, ClientIds, KnownSecrets, Learned, Limits, Live, Loads, Parsed, Roster, Shared, Tally,
    Written,
};
use crate::monitor::{self, Operator};
use crate::net::tls::{self, CertificateSource, ClientSettings, ClientTls, Mode, ServerTls};
use crate::pool;
use crate::pooling::{self, Readiness};
use crate::probing::write_probe::Writes;
use crate::routing::Reason;
use crate::runtime::locked::LockedMemory;
use crate::runtime::tasks;
use crate::telemetry::{self, Counters, Labels, Registry};
use crate::topology::{Server, Topology};
use crate::wire::proxy_protocol::Announced;

/// Most different secrets of connected users held at a time.
const MAX_SECRETS: usize = 100_000;

/// Most connections at a time over which statements are ended. They come on top of the pools' bounds: what is
/// to make room must not wait for it.
const MAX_STRIKES: usize = 16;

/// What the workers share, and what only the main task needs.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) limits: Arc<pool::ServerLimits>,
    pub(super) registry: Arc<Registry>,
    /// Where failover stands.
    pub(super) failover: failover::Handle,
    /// Whether writes get through on the primary.
    pub(super) writes: watch::Receiver<Writes>,
    /// What was chosen at the start, whatever a reload says.
    pub(super) model: RuntimeModel,
}

/// Builds what is shared and starts watching the servers.
pub(super) async fn parts(settings: &Settings, password: &Secret) -> anyhow::Result<Parts> {
    fs::create_dir_all(&settings.state_dir)
        .with_context(|| format!("the state directory {} cannot be made", settings.state_dir.display()))?;
    let registry = Arc::new(Registry::new());
    let reasons = Reason::ALL.map(Reason::label);
    let labels = Labels {
        primary_reasons: &reasons,
        replica_reasons: &Reason::ON_REPLICAS.map(Reason::label),
        errors: &BackendError::KINDS,
        refusals: &Refusal::LABELS,
    };
    let counters = Arc::new(Counters::new(&registry, labels));
    let client_tls = Arc::new(ArcSwap::from_pointee(ClientTls::load(&backend_tls(&settings.backend))?));
    let server_tls = Arc::new(ServerTls::load(&certificate(&settings.front, &settings.state_dir))?);
    let rsa = Arc::new(rsa_key(&settings.state_dir)?);
    let watch = watching(settings, password);
    let stored_code_wanted = Arc::clone(&watch.stored_code_wanted);
    // Where sessions share connections it matters what any of it leaves on them, else only what a CALL does.
    let moves = settings.pool.users.mode == pooling::Mode::Transaction || settings.failover.active;
    stored_code_wanted.store(moves, Ordering::Relaxed);
    let handles = monitor::start(known_servers(settings, &client_tls), watch).await;
    let gate = Gate::new(settings.failover.active);
    let writes = super::failover::watch_writes(
        settings,
        password,
        way(settings, &client_tls),
        &gate,
        handles.topology.clone(),
        counters.writes_stuck.clone(),
    );
    let way = way(settings, &client_tls);
    let failover = super::failover::start(settings, password, way, &gate, &handles, writes.clone())?;
    let (memory, unlocked) = LockedMemory::new(MAX_ENCODED_SECRET, MAX_SECRETS);
    if let Some(error) = unlocked {
        tracing::warn!(
            %error,
            "passwords of connected users may be swapped out; raise the limit of locked memory (ulimit -l)"
        );
    }
    let shared = Arc::new(Shared {
        live: ArcSwap::from_pointee(live(settings, settings.runtime.model)?),
        topology: handles.topology,
        freshness_wanted: handles.freshness_wanted,
        changed: handles.changed,
        troubles: handles.troubles,
        operator: handles.operator,
        stored_code_wanted,
        server_tls,
        client_tls,
        rsa,
        known: KnownSecrets::new(memory),
        accounts: AccountReader::new(settings.control.user.clone(), password.duplicate()),
        learned: Learned::default(),
        parsed: Parsed::start(),
        throttle: parking_lot::Mutex::new(Throttle::new(throttle::Settings::default())),
        counters,
        clients: AtomicUsize::new(0),
        addresses: Tally::default(),
        users: Tally::default(),
        told_of_triggers: AtomicBool::new(false),
        proxy_protocol: settings.backend.proxy_protocol,
        ids: ClientIds::new(settings.front.instance),
        strikes: Semaphore::new(MAX_STRIKES),
        rotation: AtomicU64::new(0),
        loads: Loads::default(),
        written: Written::default(),
        gate,
        pause: Pause::new(Arc::clone(failover.journal())),
        roster: Roster::default(),
    });
    let limits = pool::ServerLimits::new(pool_limits(settings)?);
    follow(&limits, &registry, &shared.topology.borrow());
    let operator = shared.operator.clone();
    let topology = shared.topology.clone();
    tasks::spawn("places", keep_places(Arc::clone(&limits), Arc::clone(&registry), operator, topology));
    Ok(Parts { shared, limits, registry, failover, writes, model: settings.runtime.model })
}

/// Keeps places at the servers that there are.
async fn keep_places(
    limits: Arc<pool::ServerLimits>,
    registry: Arc<Registry>,
    operator: Operator,
    mut topology: watch::Receiver<Arc<Topology>>,
) {
    while topology.changed().await.is_ok() {
        let now = Arc::clone(&topology.borrow_and_update());
        follow(&limits, &registry, &now);
        let gone = |server: &&Server| server.leaving && limits.open(server.id) == 0;
        if let Some(server) = now.servers.iter().find(gone) {
            operator.forget(server.id).await;
        }
    }
}

fn follow(limits: &pool::ServerLimits, registry: &Registry, topology: &Topology) {
    let member = |server: &Server| pool::Member {
        server: server.id,
        leaving: server.leaving,
        drained: server.drained.is_some(),
    };
    let members: Vec<_> = topology.servers.iter().map(member).collect();
    limits.follow(&members, |id| {
        let address = topology.server(id).map(|server| server.address.to_string());
        telemetry::Server::new(registry, &address.unwrap_or_default())
    });
}

/// What a reload may change, in a process with this model.
pub(super) fn live(settings: &Settings, model: RuntimeModel) -> anyhow::Result<Live> {
    let limits = Limits {
        clients: usize::try_from(settings.front.max_clients.get())?,
        login_timeout: settings.front.login_timeout,
        client_write_timeout: settings.front.write_timeout,
        statement_timeout: settings.front.statement_timeout,
        client_idle_timeout: settings.front.client_idle_timeout,
        connect_timeout: settings.backend.connect_timeout,
        hold: settings.failover.hold,
        require_tls: settings.front.require_tls,
        compression: settings.front.compression,
    };
    let users = settings.pool.users.clone();
    let users = match model {
        RuntimeModel::MultiThread => users,
        // Workers could not use each other's connections; another model waits for a restart.
        RuntimeModel::PerCore => users.unshared(),
    };
    let rules = Arc::new(settings.front.rules.clone());
    let preferences = Arc::new(settings.preferences.clone());
    Ok(Live { limits, policy: settings.routing, preferences, rules, users: Arc::new(users) })
}

fn pool_limits(settings: &Settings) -> anyhow::Result<pool::Limits> {
    Ok(pool::Limits {
        per_server: settings.pool.max_connections.map(|most| usize::try_from(most.get())).transpose()?,
        idle_per_shelf: usize::try_from(settings.pool.max_idle)?,
        idle_timeout: settings.pool.idle_timeout,
        wait: settings.pool.wait_timeout,
        waiting_room: usize::try_from(settings.pool.waiting_room)?,
        max_age: settings.pool.max_age,
        ready: Readiness {
            min_idle: usize::try_from(settings.pool.min_idle)?,
            lasts: settings.pool.min_idle_for,
        },
    })
}

pub(super) fn watching(settings: &Settings, password: &Secret) -> monitor::Settings {
    let Watch { probe_every, late_after, patience } = settings.watch;
    monitor::Settings {
        discovery: settings.discovery.clone(),
        positions_every: probe_every,
        late: late_after,
        patience,
        ..monitor::Settings::new(settings.control.user.clone(), password.duplicate())
    }
}

/// The servers to begin with, and how they are reached.
pub(super) fn servers(settings: &Settings, tls: &Arc<ArcSwap<ClientTls>>) -> monitor::Start {
    monitor::Start {
        servers: settings.servers.clone(),
        weights: settings.weights.clone(),
        way: way(settings, tls),
    }
}

/// The servers to begin with, and those that an earlier run has made the primary.
fn known_servers(settings: &Settings, tls: &Arc<ArcSwap<ClientTls>>) -> monitor::Start {
    let mut start = servers(settings, tls);
    if settings.failover.replication.is_some() {
        for address in failover::remembered(&settings.state_dir) {
            if !start.servers.contains(&address) {
                start.servers.push(address);
            }
        }
    }
    start
}

/// How servers are reached in Headgate's own name.
fn way(settings: &Settings, tls: &Arc<ArcSwap<ClientTls>>) -> Way {
    Way {
        tls: Arc::clone(tls),
        timeout: settings.backend.connect_timeout,
        announced: settings.backend.proxy_protocol.then_some(Announced::Itself),
    }
}

/// TLS towards servers, as configured.
pub(super) fn backend_tls(link: &BackendLink) -> ClientSettings {
    let mode = match link.tls {
        BackendTls::Disabled => Mode::Disabled,
        BackendTls::Preferred => Mode::Preferred,
        BackendTls::Required => Mode::Required,
        BackendTls::VerifyCa => Mode::VerifyCa,
        BackendTls::VerifyIdentity => Mode::VerifyIdentity,
    };
    ClientSettings { mode, ca: link.ca.clone(), certificate: link.certificate.as_ref().map(files) }
}

/// Headgate's certificate, as configured.
pub(super) fn certificate(front: &Front, state_dir: &Path) -> CertificateSource {
    match &front.certificate {
        Some(given) => CertificateSource::Given(files(given)),
        None => CertificateSource::Own { state_dir: state_dir.to_owned() },
    }
}

fn files(files: &CertificateFiles) -> tls::CertificateFiles {
    tls::CertificateFiles { certificate: files.chain.clone(), key: files.key.clone() }
}

/// The key for passwords of clients without TLS, made on the first start. Kept, because clients may keep
/// its public half.
fn rsa_key(state_dir: &Path) -> anyhow::Result<rsa::KeyPair> {
    let path = state_dir.join("headgate-rsa-key.pem");
    match fs::read(&path) {
        Ok(pem) => {
            let pem = zeroize::Zeroizing::new(pem);
            rsa::KeyPair::from_private_pem(&pem).with_context(|| format!("{} is no RSA key", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = rsa::KeyPair::generate()?;
            let cannot = || format!("{} cannot be written", path.display());
            let mut options = fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(&path);
            file.with_context(cannot)?.write_all(key.private_pem()?.as_bytes()).with_context(cannot)?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}
