//! Whether a server can be relied on: one slow answer makes it suspect, silence or a refusal takes it down, and
//! only steady answers bring it back.
//!
//! A suspect server gets no new reads and keeps what it runs; from one that is down, whoever waits for the first
//! byte of a reply goes elsewhere. To come back it must answer for a while without a break, and for twice as long with
//! each further fall within [`Patience::memory`], so that a server that comes and goes takes no clients with it.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// What is wrong with a server, in one word for counters and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Its port is closed: the process is gone.
    Refused,
    /// It cannot be reached: no route, no such name, no answer to the first packet.
    Unreachable,
    /// The connection broke.
    Lost,
    /// It does not answer in time.
    Silent,
    /// It has no room for another connection (1040, 1203, 1226). It is alive.
    TooManyConnections,
    /// It refuses the control account, or TLS with it fails.
    LoginRefused,
    /// It answered a question of Headgate's with an error.
    Answered,
    /// A write was refused because it is read only (1290, 1836).
    ReadOnly,
    /// It cannot write to its disk (1021, 1114, errno 28).
    DiskFull,
    /// A write to it does not end.
    WriteLate,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Refused,
        Self::Unreachable,
        Self::Lost,
        Self::Silent,
        Self::TooManyConnections,
        Self::LoginRefused,
        Self::Answered,
        Self::ReadOnly,
        Self::DiskFull,
        Self::WriteLate,
    ];

    /// The label in metrics and on the console.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::TooManyConnections => "too_many_connections",
            Self::LoginRefused => "login_refused",
            Self::Answered => "error",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
            Self::WriteLate => "write_late",
        }
    }

    /// Whether it may mean that the server is lost, and not that it has no room, or a reason of its own.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Refused | Self::Unreachable | Self::Lost | Self::Silent)
    }

    /// Whether it shows at once that nobody is served there.
    const fn is_conclusive(self) -> bool {
        matches!(self, Self::Refused | Self::LoginRefused)
    }

    /// Whether the server is there all the same, however long it lasts.
    const fn is_alive(self) -> bool {
        matches!(self, Self::TooManyConnections | Self::ReadOnly | Self::DiskFull | Self::WriteLate)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "it refuses connections",
            Self::Unreachable => "it cannot be reached",
            Self::Lost => "a connection to it broke",
            Self::Silent => "it does not answer in time",
            Self::TooManyConnections => "it has no room for more connections",
            Self::LoginRefused => "it refuses the control account",
            Self::Answered => "it answers the monitor with an error",
            Self::ReadOnly => "it refused a write because it is read only",
            Self::DiskFull => "its disk is full",
            Self::WriteLate => "a write to it does not end",
        })
    }
}

/// Whether a server can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It answers.
    Up,
    /// It missed an answer, or has not answered for long enough after it did.
    Suspect(Trouble),
    /// It does not serve.
    Down(Trouble),
}

impl Health {
    /// `up`, `suspect` or `down`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect(_) => "suspect",
            Self::Down(_) => "down",
        }
    }

    /// Whether the server is down, or may be lost.
    #[must_use]
    pub const fn may_be_lost(self) -> bool {
        match self {
            Self::Up => false,
            Self::Suspect(trouble) => trouble.is_loss(),
            Self::Down(_) => true,
        }
    }

    /// What is or was wrong.
    #[must_use]
    pub const fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Up => None,
            Self::Suspect(trouble) | Self::Down(trouble) => Some(trouble),
        }
    }
}

/// How soon a server is given up and believed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Trouble that is not conclusive must last so long before a server is down.
    pub down_after: Duration,
    /// After its first fall a server must answer so long without a break.
    pub steady: Duration,
    /// For so long a fall counts. No server needs to be steady for more than half of it.
    pub memory: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            down_after: Duration::from_secs(1),
            steady: Duration::from_millis(500),
            memory: Duration::from_secs(60),
        }
    }
}

/// What is remembered of a server's answers.
#[derive(Debug, Clone)]
pub struct Pulse {
    patience: Patience,
    health: Health,
    /// Since when there has been trouble and no answer.
    troubled_since: Option<Instant>,
    /// Since when it has answered without trouble.
    well_since: Option<Instant>,
    /// When it ceased to be up, oldest first; [`FALLS`] at most.
    falls: VecDeque<Instant>,
    /// It was down when it began to answer again.
    was_down: bool,
    warming_since: Option<Instant>,
}

/// Falls that are remembered: what this many ask for is beyond any memory.
const FALLS: usize = 16;

impl Pulse {
    /// A server of which nothing is known.
    #[must_use]
    pub const fn new(patience: Patience) -> Self {
        Self {
            patience,
            health: Health::Up,
            troubled_since: None,
            well_since: None,
            falls: VecDeque::new(),
            was_down: false,
            warming_since: None,
        }
    }

    /// Whether it can be relied on.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// When it last came back after it was down: it has forgotten what it had in memory.
    #[must_use]
    pub const fn warming_since(&self) -> Option<Instant> {
        self.warming_since
    }

    /// It answered.
    pub fn answered(&mut self, at: Instant) {
        self.troubled_since = None;
        let since = *self.well_since.get_or_insert(at);
        match self.health {
            Health::Up => {}
            Health::Suspect(_) | Health::Down(_)
                if at.saturating_duration_since(since) >= self.steadiness(at) =>
            {
                self.health = Health::Up;
                if std::mem::take(&mut self.was_down) {
                    self.warming_since = Some(at);
                }
            }
            Health::Down(trouble) => self.health = Health::Suspect(trouble),
            Health::Suspect(_) => {}
        }
    }

    /// Something went wrong.
    pub fn troubled(&mut self, at: Instant, trouble: Trouble) {
        self.well_since = None;
        let since = *self.troubled_since.get_or_insert(at);
        if self.health == Health::Up {
            if self.falls.len() == FALLS {
                self.falls.pop_front();
            }
            self.falls.push_back(at);
            self.health = Health::Suspect(trouble);
        }
        let lasted = at.saturating_duration_since(since) >= self.patience.down_after;
        if trouble.is_conclusive() || (lasted && !trouble.is_alive()) {
            self.health = Health::Down(trouble);
            self.was_down = true;
        }
    }

    /// How long it must answer without a break before it is believed.
    fn steadiness(&self, now: Instant) -> Duration {
        let remembered = |fall: &&Instant| now.saturating_duration_since(**fall) < self.patience.memory;
        let falls = self.falls.iter().filter(remembered).count();
        let doublings = u32::try_from(falls.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
        self.patience.steady.saturating_mul(1 << doublings).min(self.patience.memory / 2)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn silence_is_suspect_at_once_and_takes_a_server_down_when_it_lasts() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::default());
        pulse.answered(start);
        assert_eq!(pulse.health(), Health::Up);
        pulse.troubled(at(start, 500), Trouble::Silent);
        assert_eq!(pulse.health(), Health::Suspect(Trouble::Silent));
        pulse.troubled(at(start, 1499), Trouble::Silent);
        assert_eq!(pulse.health(), Health::Suspect(Trouble::Silent));
        pulse.troubled(at(start, 1500), Trouble::Silent);
        assert_eq!(pulse.health(), Health::Down(Trouble::Silent));
        // It must be steady before it is believed, and is cold then.
        pulse.answered(at(start, 2000));
        assert_eq!(pulse.health(), Health::Suspect(Trouble::Silent));
        pulse.answered(at(start, 2499));
        assert_eq!((pulse.health(), pulse.warming_since()), (Health::Suspect(Trouble::Silent), None));
        pulse.answered(at(start, 2500));
        assert_eq!((pulse.health(), pulse.warming_since()), (Health::Up, Some(at(start, 2500))));
    }

    #[test]
    fn a_closed_port_is_down_at_once_and_a_full_server_never() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::default());
        pulse.troubled(start, Trouble::Refused);
        assert_eq!(pulse.health(), Health::Down(Trouble::Refused));
        let mut pulse = Pulse::new(Patience::default());
        for second in 0..10 {
            pulse.troubled(at(start, second * 1000), Trouble::TooManyConnections);
        }
        assert_eq!(pulse.health(), Health::Suspect(Trouble::TooManyConnections));
    }

    #[test]
    fn one_answer_ends_the_count_of_silence() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::default());
        for second in 0..10 {
            pulse.troubled(at(start, second * 1000), Trouble::Silent);
            pulse.answered(at(start, second * 1000 + 400));
        }
        assert_eq!(pulse.health(), Health::Suspect(Trouble::Silent));
    }

    proptest! {
        /// A server that ceased to be up is not up again before it was steady, and in any minute it comes back a handful
        /// of times at most, whatever happens to it.
        #[test]
        fn it_does_not_flap(events in proptest::collection::vec((0_u64..3_000, 0_usize..12), 1..400)) {
            let start = Instant::now();
            let patience = Patience::default();
            let mut pulse = Pulse::new(patience);
            let (mut now, mut last_trouble) = (start, None::<Instant>);
            let mut returns: Vec<Instant> = Vec::new();
            for (pause, what) in events {
                now += Duration::from_millis(pause);
                let before = pulse.health();
                match Trouble::ALL.get(what) {
                    Some(trouble) => {
                        pulse.troubled(now, *trouble);
                        last_trouble = Some(now);
                        prop_assert_ne!(pulse.health(), Health::Up);
                    }
                    None => pulse.answered(now),
                }
                if before != Health::Up && pulse.health() == Health::Up {
                    prop_assert!(last_trouble.is_some_and(|trouble| now - trouble >= patience.steady));
                    returns.push(now);
                }
            }
            for (index, from) in returns.iter().enumerate() {
                let within = returns[index..].iter().take_while(|at| **at - *from < patience.memory).count();
                prop_assert!(within <= 8, "{within} times in a minute");
            }
        }

        /// Whatever has happened, steady answers bring it back.
        #[test]
        fn it_always_comes_back(events in proptest::collection::vec((0_u64..3_000, 0_usize..9), 0..100)) {
            let mut now = Instant::now();
            let patience = Patience::default();
            let mut pulse = Pulse::new(patience);
            for (pause, what) in events {
                now += Duration::from_millis(pause);
                pulse.troubled(now, Trouble::ALL[what]);
            }
            pulse.answered(now);
            pulse.answered(now + patience.memory / 2);
            prop_assert_eq!(pulse.health(), Health::Up);
        }
    }
}
