//! Starts failover where there is all that it needs.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;

use metrics::Gauge;
use tokio::sync::watch;

use super::settings::{PasswordSource, Settings, WriteWatch};
use crate::auth::Secret;
use crate::backend::Way;
use crate::config::BackendTls;
use crate::election::Policy;
use crate::failover::{self, Account, Gate, Handle, WriteProbe};
use crate::gtid::{GtidSet, MariaDbState, Transactions};
use crate::monitor;
use crate::probing::write_probe::Writes;
use crate::topology::{Origin, Topology};

/// Has it seen whether writes get through, where that is wanted.
pub(super) fn watch_writes(
    settings: &Settings,
    password: &Secret,
    way: Way,
    gate: &Arc<Gate>,
    topology: watch::Receiver<Arc<Topology>>,
    stuck: Gauge,
) -> watch::Receiver<Writes> {
    let Some(WriteWatch { table, every, late }) = settings.write_watch.clone() else {
        stuck.set(f64::NAN);
        return watch::channel(Writes::Unknown).1;
    };
    let (control, instance) = (control(settings, password), instance(settings));
    let probe = WriteProbe { table, every, late, control, instance, way };
    failover::start_write_probe(probe, Arc::clone(gate), topology, stuck)
}

fn control(settings: &Settings, password: &Secret) -> Account {
    Account { user: settings.control.user.clone(), secret: password.duplicate() }
}

/// The name of this run of Headgate among others.
fn instance(settings: &Settings) -> String {
    format!("{}-{}", settings.front.instance, std::process::id())
}

/// Starts failover, or says why there is none.
pub(super) fn start(
    settings: &Settings,
    password: &Secret,
    way: Way,
    gate: &Arc<Gate>,
    monitor: &monitor::Handles,
    writes: watch::Receiver<Writes>,
) -> anyhow::Result<Handle> {
    let own = &settings.failover;
    let Some(replication) = &own.replication else {
        return Ok(Handle::off("no account for replicas is named (failover.replication_user)".to_owned()));
    };
    if own.rules.policy == Policy::External {
        tracing::info!("something else promotes (failover.mode = \"external\"); Headgate follows");
    }
    let (user, file) = replication;
    let secret = match file {
        Some(file) => {
            let unasked = || Err(io::ErrorKind::Unsupported.into());
            PasswordSource::File(file.clone())
                .fetch(unasked)
                .context("the replication account has no password")?
        }
        None => Secret::Empty,
    };
    let encrypted = matches!(
        settings.backend.tls,
        BackendTls::Required | BackendTls::VerifyCa | BackendTls::VerifyIdentity
    );
    let settle = monitor.settler();
    let (relays, topology) = (Arc::clone(gate), monitor.topology.clone());
    let settings = failover::Settings {
        topology: monitor.topology.clone(),
        way,
        control: control(settings, password),
        replication: Some(Account { user: user.clone(), secret }),
        encrypted,
        rules: own.rules.clone(),
        vetoes: own.vetoes.clone(),
        heartbeat: own.heartbeat,
        hooks: own.hooks.clone(),
        state_dir: settings.state_dir.clone(),
        publish: Box::new(move |server| Box::pin(settle.clone().settle(server))),
        relayed: Box::new(move || relayed(&relays, &topology.borrow())),
        writes,
        stuck_writes_after: own.stuck_writes_after,
        instance: instance(settings),
    };
    Ok(failover::start(settings, Arc::clone(gate)))
}

/// The last transaction that a client was told is committed in this reign.
fn relayed(gate: &Gate, topology: &Topology) -> Option<Transactions> {
    let mark = gate.relayed().filter(|mark| mark.epoch == topology.epoch)?;
    Some(match topology.origin.as_deref()? {
        Origin::MySql { uuid } => {
            let mut set = GtidSet::default();
            set.insert(uuid, mark.number);
            Transactions::MySql(set)
        }
        Origin::MariaDb { domain, server } => {
            let mut state = MariaDbState::default();
            state.insert(*domain, *server, mark.number);
            Transactions::MariaDb(state)
        }
    })
}
