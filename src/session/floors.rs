use std::time::Instant;

use crate::topology::ServerId;

/// How far a session has written and seen, by Headgate's own clock.
///
/// A server that has everything committed before a floor shows the session nothing older than what it has
/// written or seen. The two are kept apart because waiting a few milliseconds helps against the second only:
/// reads that run on the primary for want of a fresh replica each move it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floors {
    /// When the last reply to something other than a plain read ended.
    pub written: Option<Instant>,
    /// When the last plain read ended.
    pub observed: Option<Instant>,
    /// The replica that served the last plain read. It has what that read saw, however old its last
    /// probe; only `written` counts for it.
    pub last_replica: Option<ServerId>,
}

impl Floors {
    /// Whether a replica with everything up to `as_of` has what the session wrote.
    pub fn has_written(&self, as_of: Instant) -> bool {
        self.written.is_none_or(|floor| as_of >= floor)
    }

    /// Whether it has what the session saw.
    pub fn has_observed(&self, id: ServerId, as_of: Instant) -> bool {
        self.last_replica == Some(id) || self.observed.is_none_or(|floor| as_of >= floor)
    }

    pub(super) fn wrote(&mut self, now: Instant) {
        self.written = self.written.max(Some(now));
        self.last_replica = None;
    }

    pub(super) fn saw(&mut self, on: Option<ServerId>, now: Instant) {
        self.observed = self.observed.max(Some(now));
        self.last_replica = on;
    }
}
