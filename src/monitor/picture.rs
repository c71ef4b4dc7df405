//! The one picture of the servers, and what changes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::entry::Entry;
use crate::gtid::Position;
use crate::probing::discovery::Word;
use crate::probing::errant::{ErrantWatch, Reign};
use crate::probing::{Observation, Past, Positions, judge_after, judge_settled};
use crate::topology::{
    Epoch, Facts, History, NoPrimary, NotServing, Origin, Patience, Server, ServerId, ServerState, Topology,
    Trouble,
};

/// What has been seen of a server.
#[derive(Debug)]
pub(super) enum Seen {
    /// What the server says of itself and of others.
    Word(Box<Word>),
    /// Who the server is and from whom it replicates; asked at this time.
    Observation(Instant, Box<Observation>),
    /// It did not say who it is.
    Unobserved(Instant, String),
    /// How far it has come; asked at this time.
    Positions(Instant, Box<Positions>),
    /// What the primary says of its defaults; without a generation yet.
    Facts(Box<Facts>),
    /// It was asked at the first time, and has not answered by the second.
    Late(Instant, Instant),
    /// It could not be asked, at this time. Its connection is gone.
    Problem(Instant, Trouble, String),
    /// It is the primary, whatever others are.
    Settled,
    /// A client had trouble with it, at this time.
    Client(Instant, Trouble),
}

/// Everything known, from which snapshots are made.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) servers: Vec<Entry>,
    history: History<Position>,
    pub(super) topology: Topology,
    /// The last primary, which stays the one whose reign it is while nobody takes writes.
    pub(super) reigning: Option<ServerId>,
    /// Who was made the primary, or found to be it, by failover. Others that are writable are strays.
    settled: Option<ServerId>,
    /// Somebody writes on the primary under another name than its own.
    mixed: bool,
    /// A server may be another than it was, and is to be asked who it is.
    doubt: bool,
    /// How far a server has come is to be asked at once.
    haste: bool,
    pub(super) patience: Patience,
    /// Further servers are looked for.
    discovers: bool,
    /// Who follows another replica.
    through: HashMap<ServerId, ServerId>,
    pub(super) errants: ErrantWatch,
    pub(super) reign: Reign,
}

impl Picture {
    /// No servers yet. `discovers`: further servers are looked for.
    pub(super) fn new(patience: Patience, discovers: bool) -> Self {
        Self {
            servers: Vec::new(),
            history: History::default(),
            topology: Topology::unknown(Vec::new()),
            reigning: None,
            settled: None,
            mixed: false,
            doubt: false,
            haste: false,
            patience,
            discovers,
            through: HashMap::new(),
            errants: ErrantWatch::default(),
            reign: Reign::default(),
        }
    }

    /// The primary.
    pub(super) const fn primary(&self) -> Option<ServerId> {
        match self.topology.primary {
            Ok(id) => Some(id),
            Err(_) => None,
        }
    }

    /// True once every server has answered or failed to.
    pub(super) fn is_complete(&self) -> bool {
        self.servers.iter().all(Entry::was_asked)
    }

    /// Whether a server is to be asked who it is. It is told once.
    pub(super) const fn takes_doubt(&mut self) -> bool {
        std::mem::replace(&mut self.doubt, false)
    }

    /// Whether servers are to be asked at once how far they have come. It is told once.
    pub(super) const fn takes_haste(&mut self) -> bool {
        std::mem::replace(&mut self.haste, false)
    }

    /// True once all that serves has a date.
    pub(super) fn is_dated(&self) -> bool {
        self.topology.replicas().all(|server| server.as_of.is_some())
    }

    /// Takes in what has been seen.
    pub(super) fn see(&mut self, server: ServerId, seen: Seen) {
        let is_primary = self.topology.primary == Ok(server);
        if let Seen::Observation(_, observation) = &seen {
            self.recognise(server, observation);
        }
        let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == server) else { return };
        match seen {
            // Not of what it may be used for.
            Seen::Word(_) => {}
            Seen::Observation(asked, mut observation) => {
                entry.executed = observation.executed.take().map(|executed| (asked, executed));
                self.haste |= entry.observe(asked, observation);
                self.judge();
                self.compare(server);
            }
            Seen::Unobserved(at, problem) => {
                entry.unobserved(at, problem);
                self.judge();
            }
            Seen::Late(asked, at) => {
                entry.troubled(asked, at, Trouble::Silent, LATE.to_owned());
                self.judge();
            }
            Seen::Problem(at, trouble, problem) => {
                entry.troubled(at, at, trouble, problem);
                entry.breaks();
                self.judge();
            }
            Seen::Client(at, trouble) => {
                entry.client_troubled(at, trouble);
                self.doubt |= trouble == Trouble::ReadOnly;
            }
            Seen::Settled => {
                self.settled = Some(server);
                // It was read back.
                entry.takes_writes();
                (self.doubt, self.haste) = (true, true);
                self.judge();
            }
            Seen::Positions(asked, positions) => self.see_positions(server, asked, *positions),
            Seen::Facts(facts) if is_primary => self.learn(*facts),
            Seen::Facts(_) => {}
        }
    }

    fn see_positions(&mut self, server: ServerId, asked: Instant, positions: Positions) {
        let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == server) else { return };
        if entry.answered(asked, &positions) {
            self.doubt = true;
            self.judge();
        }
        if self.topology.primary == Ok(server) {
            return self.note(server, asked, positions);
        }
        let origin = self.topology.origin.as_deref().map(|origin| (origin, self.topology.epoch));
        if let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == server) {
            entry.has_applied(asked, positions.applied, &self.history, origin);
        }
    }

    /// Notes where the primary is.
    fn note(&mut self, server: ServerId, asked: Instant, positions: Positions) {
        let identity =
            self.servers.iter().find(|entry| entry.id == server).and_then(|entry| entry.identity.as_ref());
        let Some(identity) = identity else { return };
        let origin = match &positions.committed {
            Position::MySql(_) => Origin::MySql { uuid: identity.uuid.clone() },
            Position::MariaDb(_) => Origin::MariaDb {
                domain: positions.domain,
                server: u32::try_from(identity.server_id).unwrap_or(0),
            },
        };
        if let Some(before) = self.history.newest() {
            if !positions.committed.contains(before) {
                self.begin_epoch(server);
            } else {
                self.mixed |= !origin.alone_between(before, &positions.committed);
            }
        }
        if self.mixed || !origin.is_in_order(&positions.committed) {
            self.topology.origin = None;
        } else if self.topology.origin.as_deref() != Some(&origin) {
            self.topology.origin = Some(Arc::new(origin));
        }
        self.history.note(asked, positions.committed);
    }

    /// The picture as it is now.
    pub(super) fn snapshot(&mut self) -> Arc<Topology> {
        for server in &mut self.topology.servers {
            if let Some(entry) = self.servers.iter().find(|entry| entry.id == server.id) {
                entry.show(server, &self.history);
            }
        }
        Arc::new(self.topology.clone())
    }

    /// Another server is the primary, or the same one has come back with less than it had. Positions of another reign
    /// cannot be compared.
    fn begin_epoch(&mut self, id: ServerId) {
        self.history.clear();
        self.servers.iter_mut().for_each(Entry::forget_positions);
        (self.topology.origin, self.mixed) = (None, false);
        self.topology.epoch = Epoch(self.topology.epoch.0 + 1);
        self.reigning = Some(id);
        self.haste = true;
    }

    pub(super) fn judge(&mut self) {
        let past = Past { reigning: self.reigning, through: &self.through, discovers: self.discovers };
        let known = self.known(|_| true);
        let mut judgement = match self.settled {
            Some(settled) => judge_settled(&known, settled),
            None => judge_after(&known, past),
        };
        for entry in &self.servers {
            let state = match (&entry.now, &entry.doubt) {
                (Ok(_), _) if entry.leaving => NotServing::Leaving,
                (Err(problem), None) => NotServing::Unreachable { problem: problem.clone() },
                (_, Some(doubt)) => NotServing::Doubted { doubt: doubt.clone() },
                (Ok(_), None) => NotServing::Doubted { doubt: STRANGER.to_owned() },
            };
            if entry.doubt.is_some() || entry.leaving {
                judgement.states.insert(entry.id, state.into());
            } else {
                judgement.states.entry(entry.id).or_insert_with(|| state.into());
            }
        }
        self.through = std::mem::take(&mut judgement.through);
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
            self.begin_epoch(id);
            self.name_writer(id);
        }
        let away =
            matches!(judgement.primary, Err(NoPrimary::NoneWritable { .. } | NoPrimary::Unreachable { .. }));
        self.topology.primary = judgement.primary;
        if let Ok(id) = self.topology.primary {
            // It was the best to be promoted, drained or not.
            self.undrain(id);
        }
        for server in &mut self.topology.servers {
            // Whoever follows the primary that is away has what it had: how old that is, is known.
            let unjudged = judgement.states.get(&server.id) == Some(&NotServing::NoPrimary.into());
            let follows = |entry: &Entry| {
                let channels = entry.now.as_ref().ok().map(|observation| observation.channels.as_slice());
                channels.is_some_and(|channels| {
                    !channels.is_empty() && channels.iter().all(|one| one.stopped.is_none())
                })
            };
            if away
                && unjudged
                && server.state == ServerState::Replica
                && self.servers.iter().any(|entry| entry.id == server.id && follows(entry))
            {
                continue;
            }
            let asked = self.servers.iter().any(|entry| entry.id == server.id && entry.was_asked());
            if let Some(state) = judgement.states.get(&server.id).filter(|_| asked) {
                server.state = state.clone();
            }
            server.through = self.through.get(&server.id).copied();
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

const STRANGER: &str = "it follows none of the servers of this cluster, so it is taken for another cluster's; ADD SERVER \
                        uses it all the same";

const LATE: &str = "it does not answer in time";

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::probing::errant::Executed;
    use crate::probing::family::Kin;
    use crate::probing::{Identity, Replication};
    use crate::topology::{Address, KnownBy};

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
            kin: Kin::default(),
            executed: None,
        })
    }

    fn picture(start: Instant) -> Picture {
        let mut picture = Picture::new(Patience::default(), false);
        for (id, port) in [(0, 1), (1, 2)] {
            let address = Address::Tcp { host: "db".into(), port };
            picture.add(Server::unknown(ServerId(id), address), None);
        }
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
            picture.see(ServerId(0), Seen::Problem(at, Trouble::Refused, "late".into()));
            let snapshot = picture.snapshot();
            assert_eq!(snapshot.primary, Ok(ServerId(0)), "after {seconds} s");
            assert_eq!(snapshot.server(ServerId(1)).unwrap().state, ServerState::Replica);
        }
        picture
            .see(ServerId(0), Seen::Problem(start + Duration::from_secs(7), Trouble::Refused, "late".into()));
        let silent = vec!["db:1".to_owned()];
        assert_eq!(picture.snapshot().primary, Err(NoPrimary::NoneWritable { silent }));
        picture.see(ServerId(0), Seen::Observation(start + Duration::from_secs(8), observed(1, None)));
        assert_eq!(picture.snapshot().primary, Ok(ServerId(0)));
        assert_eq!(picture.snapshot().epoch, Epoch(1));
    }

    fn positions(text: &str, number: u64) -> Box<Positions> {
        let set: crate::gtid::GtidSet = text.replace('u', U).parse().unwrap();
        Box::new(Positions {
            committed: Position::MySql(set.clone()),
            applied: Position::MySql(set),
            read_only: number > 1,
            uuid: format!("u{number}"),
            domain: 0,
        })
    }

    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn who_comes_back_has_no_date_until_it_is_asked_again() {
        let start = Instant::now();
        let mut picture = picture(start);
        picture.see(ServerId(0), Seen::Positions(start, positions("u:1-5", 1)));
        picture.see(ServerId(1), Seen::Positions(start, positions("u:1-5", 2)));
        let as_of = |picture: &mut Picture| picture.snapshot().server(ServerId(1)).unwrap().as_of;
        assert_eq!(as_of(&mut picture), Some(start));
        for trouble in [Trouble::Lost, Trouble::Refused] {
            picture.see(ServerId(1), Seen::Problem(start, trouble, "gone".into()));
            assert_eq!(as_of(&mut picture), None, "{trouble}");
            // What it had been asked for on the connection that broke comes late.
            picture.see(ServerId(1), Seen::Positions(start, positions("u:1-5", 2)));
            assert_eq!(as_of(&mut picture), None, "{trouble}");
            picture.see(ServerId(1), Seen::Observation(start, observed(2, Some(1))));
            assert_eq!(as_of(&mut picture), None, "{trouble}");
            picture.see(ServerId(1), Seen::Positions(start, positions("u:1-5", 2)));
            assert_eq!(as_of(&mut picture), Some(start), "{trouble}");
        }
    }

    #[test]
    fn a_slow_answer_makes_a_replica_suspect_and_silence_takes_it_out() {
        let start = Instant::now();
        let mut picture = picture(start);
        let late = |ms| Seen::Late(start, start + Duration::from_millis(ms));
        let seen = |picture: &mut Picture| {
            let snapshot = picture.snapshot();
            let server = snapshot.server(ServerId(1)).unwrap();
            (server.health.word(), server.state == ServerState::Replica)
        };
        assert_eq!(seen(&mut picture), ("up", true));
        picture.see(ServerId(1), late(500));
        assert_eq!(seen(&mut picture), ("suspect", true), "what runs there goes on");
        picture.see(ServerId(1), late(1000));
        assert_eq!(seen(&mut picture), ("down", false));
    }

    #[test]
    fn a_primary_that_turns_read_only_takes_no_writes_from_the_next_answer_on() {
        let start = Instant::now();
        let mut picture = picture(start);
        assert!(!picture.takes_doubt());
        let mut frozen = positions("u:1-5", 1);
        frozen.read_only = true;
        picture.see(ServerId(0), Seen::Positions(start, frozen));
        assert_eq!(picture.snapshot().primary, Err(NoPrimary::NoneWritable { silent: Vec::new() }));
        assert!(picture.takes_doubt());
        picture.see(ServerId(0), Seen::Positions(start, positions("u:1-5", 1)));
        assert_eq!(
            (picture.snapshot().primary.clone(), picture.snapshot().epoch),
            (Ok(ServerId(0)), Epoch(1))
        );
    }

    #[test]
    fn marks_count_while_the_primary_alone_writes() {
        let start = Instant::now();
        let mut picture = Picture::new(Patience::default(), false);
        assert_eq!(picture.snapshot().mark(b"x"), None);
        picture = self::picture(start);
        // The primary of these tests has no real UUID, so its own transactions are another's.
        picture.see(ServerId(0), Seen::Positions(start, positions("u:1-5", 1)));
        assert!(picture.snapshot().origin.is_some());
        picture.see(ServerId(0), Seen::Positions(start, positions("u:1-6", 1)));
        assert_eq!(picture.snapshot().origin, None);
    }

    /// A third server, found because a replica was moved to it.
    fn with_a_stranger(start: Instant, its: impl FnOnce(&mut Observation)) -> Picture {
        let mut picture = picture(start);
        let address = Address::Tcp { host: "db".into(), port: 3 };
        let known_by = KnownBy::Found { evidence: "db:2 follows it".into() };
        picture.add(Server { known_by, ..Server::unknown(ServerId(2), address) }, None);
        let mut stranger = observed(3, None);
        its(&mut stranger);
        picture.see(ServerId(1), Seen::Observation(start, observed(2, Some(3))));
        picture.see(ServerId(2), Seen::Observation(start, stranger));
        picture
    }

    #[test]
    fn a_server_that_was_found_does_not_depose_a_primary_that_takes_writes() {
        let start = Instant::now();
        let mut picture = with_a_stranger(start, |_| {});
        let snapshot = picture.snapshot();
        assert_eq!((&snapshot.primary, snapshot.epoch), (&Ok(ServerId(0)), Epoch(1)));
        assert!(matches!(
            snapshot.server(ServerId(2)).unwrap().state,
            ServerState::NotServing(NotServing::Doubted { .. })
        ));
        let moved = &snapshot.server(ServerId(1)).unwrap().state;
        assert!(matches!(moved, ServerState::NotServing(NotServing::WrongSource { .. })), "{moved:?}");
        // An operator may say that it belongs here; then it is as if it had been listed.
        picture.vouch(ServerId(2));
        assert_eq!(picture.snapshot().primary, Ok(ServerId(2)));
    }

    #[test]
    fn a_server_that_was_found_may_follow_a_primary_whose_transactions_it_has() {
        let start = Instant::now();
        let demoted = |picture: &mut Picture| {
            let mut old = observed(1, None);
            old.identity.read_only = true;
            picture.see(ServerId(0), Seen::Observation(start, old));
            let mut new = observed(3, None);
            new.executed = Some(Executed::MySql(format!("{U}:1-9").parse().unwrap()));
            picture.see(ServerId(2), Seen::Observation(start, new));
            picture.snapshot().primary.clone()
        };
        let mut picture = with_a_stranger(start, |_| {});
        assert!(demoted(&mut picture).is_err(), "it has nothing of what was written here");
        let mut picture = with_a_stranger(start, |_| {});
        picture.reign.uuids.insert(U.to_owned());
        assert_eq!(demoted(&mut picture), Ok(ServerId(2)));
    }

    #[test]
    fn what_named_servers_settle_needs_no_further_one() {
        let start = Instant::now();
        let picture = picture(start);
        assert_eq!(picture.head(|_| true), Some(ServerId(0)));
        assert_eq!(picture.head(|id| id == ServerId(0)), None, "nobody that was named follows it");
    }

    #[test]
    fn a_drain_outlives_a_restart_and_ends_with_a_promotion() {
        let start = Instant::now();
        let mut picture = picture(start);
        picture.drain(ServerId(1), start);
        picture.drain(ServerId(1), start + Duration::from_secs(1));
        let drained = |picture: &mut Picture| picture.snapshot().server(ServerId(1)).unwrap().drained;
        let at = |seconds| start + Duration::from_secs(seconds);
        picture.see(ServerId(1), Seen::Problem(at(2), Trouble::Refused, "gone".into()));
        picture.see(ServerId(1), Seen::Observation(at(3), observed(2, Some(1))));
        assert_eq!(drained(&mut picture), Some(start));
        assert_eq!(picture.snapshot().server(ServerId(1)).unwrap().state, ServerState::Replica);
        picture.see(ServerId(1), Seen::Settled);
        assert_eq!((drained(&mut picture), picture.primary()), (None, Some(ServerId(1))));
    }

    #[test]
    fn who_is_removed_is_watched_until_it_is_forgotten() {
        let mut picture = picture(Instant::now());
        picture.let_go(ServerId(1));
        assert!(picture.snapshot().server(ServerId(1)).unwrap().leaving);
        picture.see(ServerId(1), Seen::Problem(Instant::now(), Trouble::Refused, "gone".into()));
        let snapshot = picture.snapshot();
        let state = &snapshot.server(ServerId(1)).unwrap().state;
        assert!(matches!(state, ServerState::NotServing(NotServing::Unreachable { .. })), "{state:?}");
        picture.remove(ServerId(1));
        assert!(picture.snapshot().server(ServerId(1)).is_none());
        assert_eq!(picture.snapshot().primary, Ok(ServerId(0)));
    }
}
