//! What an operator decides beforehand.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::topology::ServerId;

/// What a switch in a network takes to find another way.
const SHORTEST_SILENCE: Duration = Duration::from_secs(3);

/// How late Headgate sees that a server is silent: the time between two questions, and of one that is not answered.
const SEEN_LATE: Duration = Duration::from_millis(500);

/// Who may become the primary without being told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The best candidate, and what it lacks is named.
    #[default]
    Available,
    /// The best candidate, and only where it has every transaction that Headgate has relayed as committed.
    Safe,
    /// Nobody: something else promotes, and Headgate follows whoever becomes writable.
    External,
    /// Nobody.
    Off,
}

/// How often a primary without writes tells its replicas that it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// Headgate sets it.
    Managed(Duration),
    /// Headgate may not; this is what the replicas have.
    Found(Duration),
}

/// The rules of an election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who may become the primary without being told to.
    pub policy: Policy,
    /// Those whom operators never want promoted.
    pub vetoes: BTreeSet<ServerId>,
    /// How often the replicas hear from a primary without writes.
    pub heartbeat: Heartbeat,
    /// How long connections must have been refused until a process counts as gone.
    pub refused_for: Duration,
    /// No second automatic failover for so long after one.
    pub cooldown: Duration,
    /// How long a server may take for an order that it can fulfil at once.
    pub order: Duration,
    /// How long a session may wait for a lock that keeps a server from becoming read only.
    pub lock_wait: Duration,
    /// How long transactions may take to end before a planned switchover gives up.
    pub grace: Duration,
    /// How long a candidate may take to apply what it has received.
    pub catch_up: Duration,
    /// How long a hook may run; nothing where there is none.
    pub hook: Option<Duration>,
    /// How long to wait before what did not work is tried again.
    pub retry: Duration,
}

impl Rules {
    /// How long a primary must have been silent, to Headgate and to every replica in reach, until it counts as gone.
    ///
    /// Two heartbeats, so that one that is late is not taken for silence; and no less than 3 s, which is what a
    /// switch in a network takes to find another way. A replica says that its receiver runs for as long as
    /// `replica_net_timeout`, so what it says of it counts for nothing.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let (Heartbeat::Managed(period) | Heartbeat::Found(period)) = self.heartbeat;
        (period * 2).max(SHORTEST_SILENCE)
    }

    /// How long a silence must last for Headgate to act, which sees it up to half a second late.
    #[must_use]
    pub(super) fn quiet(&self) -> Duration {
        self.silence().saturating_sub(SEEN_LATE)
    }

    /// The same where nobody waits for a heartbeat.
    #[must_use]
    pub(super) fn shortest_quiet(&self) -> Duration {
        self.quiet().min(SHORTEST_SILENCE.saturating_sub(SEEN_LATE))
    }

    /// The longest that an order of an earlier run of Headgate may still take effect on a server.
    #[must_use]
    pub fn longest_order(&self) -> Duration {
        self.order.max(self.lock_wait * 2)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            vetoes: BTreeSet::new(),
            heartbeat: Heartbeat::Managed(Duration::from_millis(500)),
            refused_for: Duration::from_millis(400),
            cooldown: Duration::from_secs(60),
            order: Duration::from_secs(2),
            lock_wait: Duration::from_secs(1),
            grace: Duration::from_secs(2),
            catch_up: Duration::from_secs(30),
            hook: None,
            retry: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_two_heartbeats_and_three_seconds_at_least() {
        let check = |heartbeat, seconds| {
            assert_eq!(Rules { heartbeat, ..Rules::default() }.silence(), Duration::from_secs(seconds));
        };
        check(Heartbeat::Managed(Duration::from_millis(500)), 3);
        check(Heartbeat::Found(Duration::from_secs(30)), 60);
        check(Heartbeat::Found(Duration::from_secs(1)), 3);
    }
}
