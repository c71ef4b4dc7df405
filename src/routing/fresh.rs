//! Whether a replica is fresh enough for a read.

use std::fmt;
use std::time::{Duration, Instant};

use super::decide::Question;
use super::policy::Consistency;
use super::reason::Reason;
use crate::gtid::Position;
use crate::topology::{Floor, Health, Server, Trouble};

/// Why a replica was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// An operator has drained it.
    Drained,
    /// It has just failed this very read.
    Failed,
    /// All connections to it are in use, and none came free for this very read.
    Busy,
    /// It has not answered of late, or not for long enough.
    Suspect(Trouble),
    /// Its data has no date.
    Undated,
    /// It may lack what the session has written.
    Wrote,
    /// It may lack what the session has seen.
    Seen,
    /// It may lack what another session of this Headgate has written.
    Process,
    /// It is not known to have all that the primary had when the read arrived.
    Global,
    /// It is not known to have what a comment asks for with `after=`.
    After,
    /// Its data is older than allowed.
    Lag(Duration),
    /// It was further behind than allowed a moment ago.
    Lagged(Duration),
}

impl Refused {
    /// The reason of a read that no replica may run because of this.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Drained => Reason::Drained,
            Self::Failed => Reason::ReplicaFailed,
            Self::Busy => Reason::ReplicaBusy,
            Self::Suspect(_) => Reason::Suspect,
            Self::Undated | Self::Lag(_) | Self::Lagged(_) => Reason::Lag,
            Self::Wrote => Reason::Wrote,
            Self::Seen => Reason::Seen,
            Self::Process => Reason::Process,
            Self::Global => Reason::Global,
            Self::After => Reason::After,
        }
    }

    /// How near it is to being overcome; the greatest of several is what a read is told.
    pub(super) const fn nearness(self) -> u8 {
        match self {
            Self::Drained => 0,
            Self::Failed => 1,
            Self::Suspect(_) => 2,
            Self::Undated => 3,
            Self::Lag(_) | Self::Lagged(_) => 4,
            Self::After => 5,
            Self::Global => 6,
            Self::Process => 7,
            Self::Wrote => 8,
            Self::Seen => 9,
            // It has all that is wanted.
            Self::Busy => 10,
        }
    }

    /// Whether the next look at the servers may overcome it.
    const fn is_unproven(self) -> bool {
        matches!(self, Self::Wrote | Self::Seen | Self::Process | Self::Global | Self::After | Self::Lag(_))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("it is drained; UNDRAIN lets it serve again"),
            Self::Failed => f.write_str("it has just failed this read"),
            Self::Busy => f.write_str("all connections to it are in use"),
            Self::Suspect(why) => write!(f, "it is suspect: {why}"),
            Self::Undated => f.write_str("how old its data is, is not known"),
            Self::Wrote => f.write_str("it may lack what the session has written"),
            Self::Seen => f.write_str("it may lack what the session has seen"),
            Self::Process => f.write_str("it may lack what another session of this Headgate has written"),
            Self::Global => f.write_str("it may lack what the primary had when the read arrived"),
            Self::After => f.write_str("it may lack the position that the comment names"),
            Self::Lag(age) => write!(f, "its data is {} ms old", age.as_millis()),
            Self::Lagged(lag) => write!(f, "it was {} ms behind a moment ago", lag.as_millis()),
        }
    }
}

/// What a read must find, and how old it may be.
#[derive(Debug)]
pub(super) struct Needs {
    consistency: Consistency,
    max_lag: Duration,
    /// The position that a comment names; an error where it is none.
    after: Option<Result<Position, ()>>,
}

impl Needs {
    /// The needs of the statement in question.
    #[inline]
    pub(super) fn of(question: &Question<'_>) -> Self {
        let hints = question.statement.hints;
        let after = hints.after.map(|span| {
            let text = question.text.and_then(|text| span.of(text)).ok_or(())?;
            let flavor = question.topology.facts.as_ref().map(|facts| facts.flavor).ok_or(())?;
            crate::topology::position(flavor, text).map_err(|_| ())
        });
        Self {
            consistency: hints.consistency.map_or(question.policy.consistency, Into::into),
            max_lag: hints.max_lag.unwrap_or(question.policy.max_lag),
            after,
        }
    }

    /// Whether the position that a comment names is none.
    pub(super) const fn is_unreadable(&self) -> bool {
        matches!(self.after, Some(Err(())))
    }

    /// Whether a replica has it all.
    #[inline]
    pub(super) fn pass(&self, server: &Server, question: &Question<'_>) -> Result<(), Refused> {
        let as_of = Self::pass_health(server, question)?;
        self.pass_floors(server, as_of, question)?;
        self.pass_lag(server, as_of, question)
    }

    /// Whether one that passed, and so has what is wanted, is still there and no older than allowed.
    pub(super) fn still_pass(&self, server: &Server, question: &Question<'_>) -> Result<(), Refused> {
        let as_of = Self::pass_health(server, question)?;
        self.pass_lag(server, as_of, question)
    }

    /// Whether it is there at all; of when its data is.
    #[inline]
    fn pass_health(server: &Server, question: &Question<'_>) -> Result<Instant, Refused> {
        if server.drained.is_some() {
            return Err(Refused::Drained);
        }
        if let Some(why) = question.among.refuses(server.id) {
            return Err(why);
        }
        if let Health::Suspect(trouble) | Health::Down(trouble) = server.health {
            return Err(Refused::Suspect(trouble));
        }
        server.as_of.ok_or(Refused::Undated)
    }

    #[inline]
    fn pass_lag(&self, server: &Server, as_of: Instant, question: &Question<'_>) -> Result<(), Refused> {
        let age = question.now.saturating_duration_since(as_of);
        if age > self.max_lag {
            return Err(Refused::Lag(age));
        }
        if server.lag_peak > self.max_lag {
            return Err(Refused::Lagged(server.lag_peak));
        }
        Ok(())
    }

    #[inline]
    fn pass_floors(&self, server: &Server, as_of: Instant, question: &Question<'_>) -> Result<(), Refused> {
        if let Some(Ok(after)) = &self.after
            && !server.applied.as_ref().is_some_and(|applied| applied.contains(after))
        {
            return Err(Refused::After);
        }
        if self.consistency == Consistency::Eventual {
            return Ok(());
        }
        let meets = |floor: &Floor| floor.is_met(Some(as_of), server.reached);
        if !meets(&question.session.wrote) {
            return Err(Refused::Wrote);
        }
        // A replica that has not been away does not go back, so who has shown it can show it again.
        let session = question.session;
        let unbroken = session.seen.moment().zip(server.since).is_some_and(|(seen, since)| seen >= since);
        let showed_it = session.last_replica == Some(server.id) && unbroken;
        if !showed_it && !meets(&session.seen) {
            return Err(Refused::Seen);
        }
        if self.consistency >= Consistency::Process && !meets(&question.process) {
            return Err(Refused::Process);
        }
        if self.consistency == Consistency::Global && as_of < question.arrived {
            return Err(Refused::Global);
        }
        Ok(())
    }

    /// Whether a replica that was passed over is likely to pass within the time that a read may wait: it lacks proof
    /// more than data.
    pub(super) fn is_near(&self, server: &Server, why: Refused, question: &Question<'_>) -> bool {
        let patience = question.policy.freshness_wait;
        why.is_unproven()
            && !patience.is_zero()
            && server.lag_peak <= self.max_lag
            && server.lag.is_some_and(|lag| lag.behind <= patience)
    }
}
