//! What one user has at a server, and who waits there in its name.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allowance::{Squeeze, fitting_user};
use super::ledger::{Number, Want};
use super::shortage::Shortage;

/// A line that stood still is tried again after so long.
const STANDS_FOR: Duration = Duration::from_secs(1);

/// One user at one server.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) taken: usize,
    pub(super) most: Option<NonZeroUsize>,
    /// `max_user_connections`, and when the server was asked for it.
    pub(super) servers: Option<NonZeroUsize>,
    pub(super) asked: Option<Instant>,
    /// The server has refused to take more.
    pub(super) squeeze: Option<Squeeze>,
    /// What that leaves by now.
    pub(super) allowed: Option<usize>,
    pub(super) line: VecDeque<Waiter>,
    /// Somebody who waited was given something since the line was last looked at.
    pub(super) moved: bool,
    /// It stood still: until then nobody gets in line who may leave it.
    pub(super) stands_until: Option<Instant>,
    pub(super) rank: Option<Rank>,
}

/// Somebody who waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) number: Number,
    pub(super) want: Want,
    pub(super) since: Instant,
}

/// Where a user stands among those that wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) taken: usize,
    pub(super) first: Number,
    pub(super) user: Arc<[u8]>,
}

impl Account {
    /// Which limit of its own keeps it from another place.
    pub(super) fn shortage(&self) -> Option<Shortage> {
        let own = self.most.map(|most| (most.get(), Shortage::User { limit: most.get() }));
        let servers = self.servers.map(|most| {
            let limit = fitting_user(most);
            (limit, Shortage::UserServer { limit, server: most.get() })
        });
        let refused = self.allowed.map(|limit| (limit, Shortage::UserRefused { limit }));
        let met = |(limit, _): &(usize, Shortage)| self.taken >= *limit;
        [own, servers, refused].into_iter().flatten().find(met).map(|(_, shortage)| shortage)
    }

    /// How long the first has waited.
    pub(super) fn first_waited(&self, now: Instant) -> Duration {
        self.line.front().map_or(Duration::ZERO, |first| now.saturating_duration_since(first.since))
    }

    /// Whether there is anything to it that a look at its line may change.
    pub(super) fn is_to_look_at(&self) -> bool {
        self.moved || self.stands_until.is_some() || !self.line.is_empty()
    }

    /// Looks whether the line has moved since the last look. Adds those to `gone` who are to go elsewhere where it has not.
    pub(super) fn look(&mut self, looked: Option<Instant>, now: Instant, gone: &mut Vec<Number>) {
        self.stands_until = self.stands_until.filter(|until| now < *until);
        let waits = |first: &Waiter| looked.is_some_and(|looked| first.since <= looked);
        let moved = std::mem::take(&mut self.moved);
        let may_leave = |waiter: &&Waiter| waiter.want.leaves;
        let before = gone.len();
        if !moved && self.line.front().is_some_and(waits) {
            gone.extend(self.line.iter().filter(may_leave).map(|waiter| waiter.number));
        }
        if gone.len() > before {
            self.stands_until = Some(now + STANDS_FOR);
            self.line.retain(|waiter| !waiter.want.leaves);
        }
    }

    /// Whether the user has nothing and wants nothing.
    pub(super) fn is_done(&self) -> bool {
        self.taken == 0 && self.line.is_empty() && self.squeeze.is_none() && self.stands_until.is_none()
    }
}
