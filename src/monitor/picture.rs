//! The one picture of the servers, and what changes it.

use std::sync::Arc;
use std::time::Instant;

use crate::gtid::Position;
use crate::probing::{Identity, Known, Observation, Positions, judge};
use crate::topology::{Address, Epoch, Facts, History, Server, ServerId, ServerState, Topology};

/// What a prober has seen.
#[derive(Debug)]
pub(super) enum Seen {
    /// Who the server is and from whom it replicates; asked at this time.
    Observation(Instant, Box<Observation>),
    /// How far it has come; asked at this time.
    Positions(Instant, Positions),
    /// What the primary says of its defaults; without a generation yet.
    Facts(Box<Facts>),
    /// It could not be asked.
    Problem(String),
}

/// Everything known, from which snapshots are made.
#[derive(Debug)]
pub(super) struct Picture {
    servers: Vec<Entry>,
    history: History<Position>,
    topology: Topology,
    /// The last primary, which stays the one whose reign it is while nobody takes writes.
    reigning: Option<ServerId>,
}

#[derive(Debug)]
struct Entry {
    id: ServerId,
    address: Address,
    /// Who it was when it last answered.
    identity: Option<Identity>,
    now: Result<Box<Observation>, String>,
    applied: Option<Position>,
    /// Since when it has answered without a break.
    since: Option<Instant>,
}

impl Entry {
    fn was_asked(&self) -> bool {
        self.now.as_ref().err().is_none_or(|why| why != NOT_ASKED)
    }
}

impl Picture {
    pub(super) fn new(servers: &[(ServerId, Address)]) -> Self {
        let unknown = |(id, address): &(ServerId, Address)| Server {
            id: *id,
            address: address.clone(),
            state: ServerState::NotServing(crate::topology::NotServing::Unknown),
            as_of: None,
            since: None,
        };
        let entry = |(id, address): &(ServerId, Address)| Entry {
            id: *id,
            address: address.clone(),
            identity: None,
            now: Err(NOT_ASKED.to_owned()),
            applied: None,
            since: None,
        };
        Self {
            servers: servers.iter().map(entry).collect(),
            history: History::default(),
            topology: Topology::unknown(servers.iter().map(unknown).collect()),
            reigning: None,
        }
    }

    /// True once every server has answered or failed to.
    pub(super) fn is_complete(&self) -> bool {
        self.servers.iter().all(Entry::was_asked)
    }

    /// Takes in what a prober has seen.
    pub(super) fn see(&mut self, server: ServerId, seen: Seen) {
        let is_primary = self.topology.primary == Ok(server);
        let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == server) else { return };
        match seen {
            Seen::Observation(asked, observation) => {
                // Whoever comes back, or is somebody else now, may have less than before.
                if entry.now.is_err() || entry.identity.as_ref() != Some(&observation.identity) {
                    entry.applied = None;
                    entry.since = Some(asked);
                }
                entry.identity = Some(observation.identity.clone());
                entry.now = Ok(observation);
                self.judge();
            }
            Seen::Problem(problem) => {
                entry.applied = None;
                entry.now = Err(problem);
                self.judge();
            }
            Seen::Positions(asked, positions) if is_primary => self.history.note(asked, positions.committed),
            Seen::Positions(_, positions) => entry.applied = Some(positions.applied),
            Seen::Facts(facts) if is_primary => self.learn(*facts),
            Seen::Facts(_) => {}
        }
    }

    /// The picture as it is now.
    pub(super) fn snapshot(&mut self) -> Arc<Topology> {
        for server in &mut self.topology.servers {
            let entry = self.servers.iter().find(|entry| entry.id == server.id);
            server.since = entry.and_then(|entry| entry.since);
            let applied = entry.and_then(|entry| entry.applied.as_ref());
            server.as_of = match server.state {
                ServerState::Replica => {
                    applied.and_then(|applied| self.history.date(applied, Position::contains))
                }
                ServerState::Primary | ServerState::NotServing(_) => None,
            };
        }
        Arc::new(self.topology.clone())
    }

    fn judge(&mut self) {
        let known: Vec<_> = self
            .servers
            .iter()
            .map(|entry| Known {
                id: entry.id,
                address: &entry.address,
                identity: entry.identity.as_ref(),
                now: entry.now.as_deref().map_err(String::as_str),
            })
            .collect();
        let judgement = judge(&known, self.reigning);
        if let Ok(id) = judgement.primary
            && self.reigning != Some(id)
        {
            // Positions of another reign cannot be compared.
            self.history.clear();
            self.topology.epoch = Epoch(self.topology.epoch.0 + 1);
            self.reigning = Some(id);
        }
        self.topology.primary = judgement.primary;
        for server in &mut self.topology.servers {
            let asked = self.servers.iter().any(|entry| entry.id == server.id && entry.was_asked());
            if let Some(state) = judgement.states.get(&server.id).filter(|_| asked) {
                server.state = state.clone();
            }
        }
    }

    fn learn(&mut self, mut facts: Facts) {
        facts.generation = match self.topology.facts.as_deref() {
            Some(known) => known.generation + u64::from(known.defaults != facts.defaults),
            None => 1,
        };
        if self.topology.facts.as_deref() != Some(&facts) {
            self.topology.facts = Some(Arc::new(facts));
        }
    }
}

const NOT_ASKED: &str = "not asked yet";
