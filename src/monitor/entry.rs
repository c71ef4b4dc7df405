//! What is remembered of one server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gtid::Position;
use crate::probing::errant::Executed;
use crate::probing::{Identity, Observation, Positions};
use crate::topology::{
    Address, Epoch, Health, History, Lag, Mark, Origin, Patience, Peak, Pulse, Server, ServerId, ServerState,
    Trouble,
};

/// What is remembered of one server.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: ServerId,
    pub(super) address: Address,
    /// Who it was when it last answered.
    pub(super) identity: Option<Identity>,
    /// What it says, or why it says nothing.
    pub(super) now: Result<Box<Observation>, String>,
    pub(super) pulse: Pulse,
    observed: Option<Instant>,
    /// Its connection broke, so it may have been away and have less than before.
    broken: bool,
    applied: Option<Arc<Position>>,
    reached: Option<Mark>,
    lag: Option<Lag>,
    peak: Peak,
    /// Since when it has answered without a break.
    since: Option<Instant>,
    /// Since when it has not answered, and how long that was when it was last tried.
    silent_since: Option<Instant>,
    pub(super) silent_for: Duration,
    /// Why it may not be what it was taken for, if it may.
    pub(super) doubt: Option<String>,
    /// It has been seen to belong to the cluster, or an operator says so. Another cluster's primary may be found where a
    /// replica was moved to it, and must not be written to.
    pub(super) akin: bool,
    /// It may take the place of a primary that does not take writes, as it has what that one wrote.
    pub(super) heir: bool,
    /// An operator has taken it out, and something still runs there.
    pub(super) leaving: bool,
    /// What it had executed when it was asked then, to be compared with the primary.
    pub(super) executed: Option<(Instant, Executed)>,
    /// What it has and the primary has not.
    pub(super) errant: Option<Arc<str>>,
}

const NOT_ASKED: &str = "not asked yet";

/// For so long what a server has said of itself holds, where it says how far it has come but not who it is: some
/// questions hang where others are answered (SHOW REPLICA STATUS while STOP REPLICA waits).
const OBSERVATION_HOLDS: Duration = Duration::from_secs(10);

impl Entry {
    pub(super) fn new(id: ServerId, address: Address, patience: Patience) -> Self {
        Self {
            id,
            address,
            identity: None,
            now: Err(NOT_ASKED.to_owned()),
            pulse: Pulse::new(patience),
            observed: None,
            broken: false,
            applied: None,
            reached: None,
            lag: None,
            peak: Peak::default(),
            since: None,
            silent_since: None,
            silent_for: Duration::ZERO,
            doubt: None,
            akin: true,
            heir: false,
            leaving: false,
            executed: None,
            errant: None,
        }
    }

    /// Whether it has a say in who leads the cluster. Before there was a primary, one that others follow and that does
    /// not answer may be it.
    pub(super) const fn is_believed(&self, before_any: bool) -> bool {
        !self.leaving && self.doubt.is_none() && (self.akin || self.heir || (before_any && self.now.is_err()))
    }

    /// It has answered or failed to.
    pub(super) fn was_asked(&self) -> bool {
        self.now.as_ref().err().is_none_or(|why| why != NOT_ASKED)
    }

    /// It said who it is, having been asked at `asked`. True where what it said before of how far it has come is void.
    pub(super) fn observe(&mut self, asked: Instant, observation: Box<Observation>) -> bool {
        // Whoever comes back, or is somebody else now, may have less than before.
        let another = self.identity.as_ref().is_none_or(|known| !known.is_same_server(&observation.identity));
        let broke = std::mem::take(&mut self.broken);
        let begins = self.now.is_err() || another || broke;
        if begins {
            self.forget_positions();
            self.since = Some(asked);
        }
        self.observed = Some(asked);
        self.identity = Some(observation.identity.clone());
        self.now = Ok(observation);
        begins
    }

    /// It did not say who it is.
    pub(super) fn unobserved(&mut self, at: Instant, problem: String) {
        let holds =
            self.observed.is_some_and(|asked| at.saturating_duration_since(asked) < OBSERVATION_HOLDS);
        if self.now.is_err() || !holds {
            self.now = Err(problem);
        }
    }

    /// It said how far it has come. True where that shows that it is not what it was.
    pub(super) fn answered(&mut self, asked: Instant, positions: &Positions) -> bool {
        self.pulse.answered(asked);
        (self.silent_since, self.silent_for) = (None, Duration::ZERO);
        let (Some(identity), Ok(observation)) = (&mut self.identity, &mut self.now) else { return true };
        if identity.uuid != positions.uuid {
            self.broken = true;
            return true;
        }
        if identity.read_only == positions.read_only {
            return false;
        }
        identity.read_only = positions.read_only;
        observation.identity.read_only = positions.read_only;
        true
    }

    /// A replica has come so far, as it said when it was asked at `asked`.
    pub(super) fn has_applied(
        &mut self,
        asked: Instant,
        applied: Position,
        history: &History<Position>,
        origin: Option<(&Origin, Epoch)>,
    ) {
        if self.broken || self.now.is_err() {
            return;
        }
        self.lag = history.lag(&applied, asked, Position::contains);
        if let Some(lag) = self.lag {
            self.peak.note(lag);
        }
        self.reached = origin.zip(history.newest()).and_then(|((origin, epoch), primary)| {
            origin.reached(&applied, primary).map(|number| Mark { epoch, number })
        });
        if self.applied.as_deref() != Some(&applied) {
            self.applied = Some(Arc::new(applied));
        }
    }

    /// It has not answered since it was asked at `asked`, or something else went wrong then. It was found out at `at`.
    pub(super) fn troubled(&mut self, asked: Instant, at: Instant, trouble: Trouble, problem: String) {
        self.pulse.troubled(asked, trouble);
        self.pulse.troubled(at, trouble);
        self.silent_for = at.saturating_duration_since(*self.silent_since.get_or_insert(asked));
        if self.now.is_err() || matches!(self.pulse.health(), Health::Down(_)) {
            self.forget_positions();
            self.now = Err(problem);
        }
    }

    /// Its connection is gone: whoever answers next may have less than before.
    pub(super) const fn breaks(&mut self) {
        self.broken = true;
    }

    /// A client has had trouble with it that the next answer must settle.
    pub(super) fn client_troubled(&mut self, at: Instant, trouble: Trouble) {
        match trouble {
            Trouble::Refused | Trouble::Unreachable | Trouble::Silent => self.pulse.troubled(at, trouble),
            // One connection is not all of them: somebody may have ended it.
            _ => {}
        }
    }

    /// It is known to take writes, since it was made to.
    pub(super) fn takes_writes(&mut self) {
        if let (Some(identity), Ok(observation)) = (&mut self.identity, &mut self.now) {
            identity.read_only = false;
            observation.identity.read_only = false;
        }
    }

    /// Another server is the primary, with which nothing known of this one can be compared.
    pub(super) fn forget_positions(&mut self) {
        (self.applied, self.reached, self.lag) = (None, None, None);
        self.peak.clear();
    }

    /// Writes what is known into a snapshot.
    pub(super) fn show(&self, server: &mut Server, history: &History<Position>) {
        server.met |= self.now.is_ok();
        server.since = self.since.filter(|_| self.now.is_ok());
        let told = self.now.as_ref().ok().and_then(|observation| observation.max_connections);
        server.max_connections = told.or(server.max_connections);
        server.errant.clone_from(&self.errant);
        server.health = self.pulse.health();
        server.warming_since = self.pulse.warming_since();
        let follows = server.state == ServerState::Replica && !self.broken;
        let applied = self.applied.as_ref().filter(|_| follows);
        server.as_of = applied.and_then(|applied| history.date(applied, Position::contains));
        server.reached = self.reached.filter(|_| follows);
        server.lag = self.lag.filter(|_| follows);
        server.lag_peak = self.peak.greatest();
        server.applied = applied.cloned();
    }
}
