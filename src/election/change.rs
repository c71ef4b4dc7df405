//! A change of the primary that is under way.

use std::collections::BTreeMap;

use super::candidate::Rejection;
use super::sight::Report;
use super::state::Stage;
use crate::gtid::Transactions;
use crate::topology::ServerId;

/// How a change came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The primary died.
    Failover,
    /// An operator wants a failover, whether the primary is well or not.
    Forced,
    /// An operator wants this server. Nothing may be lost and no one hurt, else all is put back.
    Switchover(ServerId),
    /// Something else promoted this server.
    Adoption(ServerId),
    /// An earlier run of Headgate had begun to promote this one.
    Resumed(ServerId),
}

/// A change of the primary that is under way.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) kind: Kind,
    /// How servers stand whose receivers are stopped, or which are fenced.
    pub(super) frozen: BTreeMap<ServerId, Report>,
    /// What was acknowledged by this run of Headgate in the reign that ends; nothing where nothing was.
    pub(super) relayed: Option<Transactions>,
    pub(super) candidate: Option<ServerId>,
    /// How many servers were compared when the candidate was chosen.
    pub(super) compared: usize,
    /// How many candidates were given up.
    pub(super) given_up: u32,
    /// What was saved before a promotion was to be.
    pub(super) before: Option<Stage>,
    /// The run of the candidate that was promoted.
    pub(super) run: Option<u64>,
    /// How often the candidate was told to become the primary.
    pub(super) attempts: u32,
    /// Who was tried.
    pub(super) tried: BTreeMap<ServerId, Rejection>,
}

/// Who was given up gets another chance when it answers again, but not for ever.
const MOST_CHANCES: u32 = 4;

impl Change {
    /// So a server stands, and it gets no more.
    pub(super) fn freeze(&mut self, server: ServerId, report: Report) {
        if self.given_up < MOST_CHANCES {
            self.tried.remove(&server);
        }
        self.frozen.insert(server, report);
    }

    pub(super) fn new(kind: Kind) -> Self {
        let candidate = match kind {
            Kind::Failover | Kind::Forced => None,
            Kind::Switchover(to) | Kind::Adoption(to) | Kind::Resumed(to) => Some(to),
        };
        Self {
            kind,
            frozen: BTreeMap::new(),
            relayed: None,
            candidate,
            compared: 0,
            given_up: 0,
            before: None,
            run: None,
            attempts: 0,
            tried: BTreeMap::new(),
        }
    }
}
