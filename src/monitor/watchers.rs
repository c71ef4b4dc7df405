//! The tasks that ask servers: begun when one is known, ended when it is one no more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use super::picture::Seen;
use super::prober::Prober;
use super::pulse::Pulse;
use super::run::Settings;
use crate::backend::Target;
use crate::net::tls::ClientTls;
use crate::runtime::tasks::Owned;
use crate::topology::{Address, ServerId, Topology};
use crate::wire::proxy_protocol::Announced;

/// How servers are reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// TLS towards them.
    pub tls: Arc<ArcSwap<ClientTls>>,
    /// For the socket, and again for handshake and login together.
    pub timeout: Duration,
    /// What they are told, where they take a PROXY header.
    pub announced: Option<Announced>,
}

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
        let target = Target {
            server,
            address: address.clone(),
            only: only.clone(),
            tls: Arc::clone(&self.way.tls),
            timeout: self.way.timeout,
            announced: self.way.announced,
        };
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
