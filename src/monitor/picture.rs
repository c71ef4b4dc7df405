//! The one picture of the servers, and what changes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gtid::Position;
use crate::probing::{Identity, Judgement, Known, Observation, Positions, judge};
use crate::topology::{Address, Epoch, Facts, History, NoPrimary, Server, ServerId, ServerState, Topology};

/// What a prober has seen.
#[derive(Debug)]
pub(super) enum Seen {
    /// Who the server is and from whom it replicates; asked at this time.
    Observation(Instant, Box<Observation>),
    /// How far it has come; asked at this time.
    Positions(Instant, Positions),
    /// What the primary says of its defaults; without a generation yet.
    Facts(Box<Facts>),
    /// It could not be asked, at this time.
    Problem(Instant, String),
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
    /// Since when it has not answered, and how long that was when it was last tried.
    silent_since: Option<Instant>,
    silent_for: Duration,
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
            max_connections: None,
        };
        let entry = |(id, address): &(ServerId, Address)| Entry {
            id: *id,
            address: address.clone(),
            identity: None,
            now: Err(NOT_ASKED.to_owned()),
            applied: None,
            since: None,
            silent_since: None,
            silent_for: Duration::ZERO,
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
                entry.silent_since = None;
                entry.identity = Some(observation.identity.clone());
                entry.now = Ok(observation);
                self.judge();
            }
            Seen::Problem(at, problem) => {
                entry.applied = None;
                entry.silent_for = at.saturating_duration_since(*entry.silent_since.get_or_insert(at));
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
            let told = entry.and_then(|entry| entry.now.as_ref().ok()?.max_connections);
            server.max_connections = told.or(server.max_connections);
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
        if self.is_missed_only(&judgement) {
            // Who serves cannot be judged without the primary; who does not answer serves nothing.
            let silent = |server: &&mut Server| {
                Some(server.id) != self.reigning
                    && self.servers.iter().any(|entry| entry.id == server.id && entry.now.is_err())
            };
            for server in self.topology.servers.iter_mut().filter(silent) {
                if let Some(state) = judgement.states.get(&server.id) {
                    server.state = state.clone();
                }
            }
            return;
        }
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

    /// Whether the primary has only missed a question or two, and nobody else claims to be it: a loaded
    /// server must not lock new clients out.
    fn is_missed_only(&self, judgement: &Judgement) -> bool {
        let nobody =
            matches!(judgement.primary, Err(NoPrimary::NoneWritable { .. } | NoPrimary::Unreachable { .. }));
        let reigning = self.servers.iter().find(|entry| Some(entry.id) == self.reigning);
        nobody
            && self.topology.primary.is_ok()
            && reigning.is_some_and(|entry| entry.now.is_err() && entry.silent_for < GRACE)
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

/// How long a primary that does not answer stays the primary. Its connections show soon enough whether it
/// is there.
const GRACE: Duration = Duration::from_secs(6);

const NOT_ASKED: &str = "not asked yet";

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::probing::Replication;

    fn observed(number: u64, source: Option<u64>) -> Box<Observation> {
        let channel = |source: u64| Replication {
            source_uuid: format!("u{source}"),
            source_server_id: source,
            ..Replication::default()
        };
        Box::new(Observation {
            identity: Identity { uuid: format!("u{number}"), server_id: number, read_only: source.is_some() },
            channels: source.map(channel).into_iter().collect(),
            defaults: BTreeMap::new(),
            max_connections: None,
        })
    }

    fn picture(start: Instant) -> Picture {
        let address = |port| Address::Tcp { host: "db".into(), port };
        let mut picture = Picture::new(&[(ServerId(0), address(1)), (ServerId(1), address(2))]);
        picture.see(ServerId(0), Seen::Observation(start, observed(1, None)));
        picture.see(ServerId(1), Seen::Observation(start, observed(2, Some(1))));
        picture
    }

    #[test]
    fn a_primary_that_misses_a_question_stays_the_primary_for_a_while() {
        let start = Instant::now();
        let mut picture = picture(start);
        assert_eq!(picture.snapshot().primary, Ok(ServerId(0)));
        for seconds in [1, 3, 6] {
            let at = start + Duration::from_secs(seconds);
            picture.see(ServerId(0), Seen::Problem(at, "late".into()));
            let snapshot = picture.snapshot();
            assert_eq!(snapshot.primary, Ok(ServerId(0)), "after {seconds} s");
            assert_eq!(snapshot.server(ServerId(1)).unwrap().state, ServerState::Replica);
        }
        picture.see(ServerId(0), Seen::Problem(start + Duration::from_secs(7), "late".into()));
        let silent = vec!["db:1".to_owned()];
        assert_eq!(picture.snapshot().primary, Err(NoPrimary::NoneWritable { silent }));
        picture.see(ServerId(0), Seen::Observation(start + Duration::from_secs(8), observed(1, None)));
        assert_eq!(picture.snapshot().primary, Ok(ServerId(0)));
        assert_eq!(picture.snapshot().epoch, Epoch(1));
    }

    #[test]
    fn who_comes_back_has_no_date_until_it_is_asked_again() {
        let start = Instant::now();
        let mut picture = picture(start);
        let positions = || {
            let set: crate::gtid::GtidSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap();
            Positions { committed: Position::MySql(set.clone()), applied: Position::MySql(set) }
        };
        picture.see(ServerId(0), Seen::Positions(start, positions()));
        picture.see(ServerId(1), Seen::Positions(start, positions()));
        let as_of = |picture: &mut Picture| picture.snapshot().server(ServerId(1)).unwrap().as_of;
        assert_eq!(as_of(&mut picture), Some(start));
        picture.see(ServerId(1), Seen::Problem(start, "gone".into()));
        picture.see(ServerId(1), Seen::Observation(start, observed(2, Some(1))));
        assert_eq!(as_of(&mut picture), None);
        picture.see(ServerId(1), Seen::Positions(start, positions()));
        assert_eq!(as_of(&mut picture), Some(start));
    }
}
