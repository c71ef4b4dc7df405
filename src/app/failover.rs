//! Starts failover where there is all that it needs.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;

use super::settings::{PasswordSource, Settings};
use crate::auth::Secret;
use crate::backend::Target;
use crate::config::BackendTls;
use crate::election::Policy;
use crate::failover::{self, Account, Gate, Handle};
use crate::gtid::{GtidSet, MariaDbState, Transactions};
use crate::monitor;
use crate::topology::{Origin, Topology};

/// Starts failover, or says why there is none.
pub(super) fn start(
    settings: &Settings,
    password: &Secret,
    targets: Vec<Target>,
    gate: &Arc<Gate>,
    monitor: &monitor::Handles,
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
        targets,
        control: Account { user: settings.control.user.clone(), secret: password.duplicate() },
        replication: Some(Account { user: user.clone(), secret }),
        encrypted,
        rules: own.rules.clone(),
        vetoes: own.vetoes.clone(),
        heartbeat: own.heartbeat,
        hooks: own.hooks.clone(),
        state_dir: settings.state_dir.clone(),
        publish: Box::new(move |server| Box::pin(settle.clone().settle(server))),
        relayed: Box::new(move || relayed(&relays, &topology.borrow())),
        instance: format!("{}-{}", settings.front.instance, std::process::id()),
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
