//! The tasks that ask servers: begun when one is known, ended when it is one no more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::picture::Seen;
use super::prober::Prober;
use super::pulse::Pulse;
use super::run::Settings;
use crate::backend::Way;
use crate::runtime::tasks::Owned;
use crate::topology::{Address, ServerId, Topology};

/// Those who ask.
pub(super) struct Watchers {
    pub(super) way: Way,
    pub(super) settings: Arc<Settings>,
    pub(super) seen: mpsc::Sender<(ServerId, Seen)>,
    pub(super) hurry: Arc<watch::Sender<u64>>,
    pub(super) doubt: watch::Sender<u64>,
    pub(super) changed: Arc<watch::Sender<u64>>,
    pub(super) topology: watch::Receiver<Arc<Topology>>,
    pub(super) running: HashMap<ServerId, Running>,
}

/// Who asks one server; they end when this is dropped.
pub(super) struct Running {
    only: Option<Arc<[IpAddr]>>,
    _tasks: [Owned; 2],
}

impl Watchers {
    /// Asks a server from now on, at these addresses where they are said.
    pub(super) fn begin(&mut self, server: ServerId, address: &Address, only: Option<Arc<[IpAddr]>>) {
        let target = self.way.target(server, address, only.clone());
        let pulse = Pulse {
            target: target.clone(),
            settings: Arc::clone(&self.settings),
            seen: self.seen.clone(),
            hurry: self.hurry.subscribe(),
        };
        let prober = Prober {
            target,
            settings: Arc::clone(&self.settings),
            seen: self.seen.clone(),
            doubted: self.doubt.subscribe(),
            changed: self.changed.subscribe(),
            topology: self.topology.clone(),
        };
        let tasks = [Owned::spawn("pulse", pulse.run()), Owned::spawn("prober", prober.run())];
        self.running.insert(server, Running { only, _tasks: tasks });
    }

    /// Asks it no more.
    pub(super) fn end(&mut self, server: ServerId) {
        self.running.remove(&server);
    }

    /// Where a server may be reached has changed: it is asked over new connections. True where it has.
    pub(super) fn keep_to(
        &mut self,
        server: ServerId,
        address: &Address,
        only: Option<&Arc<[IpAddr]>>,
    ) -> bool {
        let moved = self.running.get(&server).is_some_and(|running| running.only.as_ref() != only);
        if moved {
            self.begin(server, address, only.cloned());
        }
        moved
    }
}
