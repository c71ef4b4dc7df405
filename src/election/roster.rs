//! What is known of each server.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::sight::{Receiver, Report, Sight, Trouble};
use crate::gtid::Transactions;
use crate::topology::{Epoch, ServerId};

/// Why a server is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quarantine {
    /// It has these, and the primary does not.
    Errant(Transactions),
    /// These XA branches are prepared on it, and their commit would pass every fence.
    Prepared(Vec<String>),
    /// The primary's logs with what it lacks are purged, or it keeps none.
    LogsPurged(Transactions),
}

/// Questions in a row that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bad {
    /// When the first of them was sent.
    pub(super) since: Instant,
    pub(super) trouble: Trouble,
    pub(super) count: u32,
    /// When the first of the last ones that were refused was sent.
    pub(super) refused_since: Option<Instant>,
}

/// What is known of a server.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// When the last question that it answered was sent.
    pub(super) good: Option<Instant>,
    /// The failures since.
    pub(super) bad: Option<Bad>,
    pub(super) report: Option<Report>,
    /// When the question for it was sent.
    pub(super) reported: Option<Instant>,
    /// When it was seen that its receiver had got something, heartbeats included.
    pub(super) heard: Option<Instant>,
    /// The same, of transactions alone.
    pub(super) fed: Option<Instant>,
    /// When its receiver was seen without a connection.
    pub(super) lost: Option<Instant>,
    /// When its receiver was restarted to see whether it gets a connection.
    pub(super) tested: Option<Instant>,
    pub(super) quarantine: Option<Quarantine>,
    /// It was the primary until Headgate had another promoted, for this reign.
    pub(super) replaced: Option<Epoch>,
    /// It was read only since: if it is writable again, somebody means it.
    pub(super) yielded: bool,
    /// It was told to become the primary, and has not followed anybody since.
    pub(super) in_vain: bool,
    /// It was fenced in this reign, and answered how it stands.
    pub(super) fenced: Option<Epoch>,
    /// XA branches that were prepared when it was fenced.
    pub(super) prepared: Vec<String>,
    /// Headgate stopped its receiver and must start it again. Until this time it may yet be stopped.
    pub(super) stopped: Option<Instant>,
    /// Nothing more is tried with it before this time.
    pub(super) rest_until: Option<Instant>,
}

/// What a receiver got before it lost its connection is known so long after that at most.
const LATE_NEWS: Duration = Duration::from_secs(1);

/// The servers.
#[derive(Debug, Default)]
pub(super) struct Roster(pub(super) BTreeMap<ServerId, Known>);

impl Known {
    pub(super) fn see(&mut self, now: Instant, asked: Instant, sight: Sight) {
        match sight {
            Sight::Answered(report) => {
                self.good = self.good.max(Some(asked));
                self.bad = None;
                self.take_report(now, asked, *report);
            }
            Sight::Crowded => {
                self.good = self.good.max(Some(asked));
                self.bad = None;
            }
            Sight::Trouble(trouble) => {
                let refused = (trouble == Trouble::Refused).then_some(asked);
                let bad =
                    self.bad.get_or_insert(Bad { since: asked, trouble, count: 0, refused_since: refused });
                bad.trouble = trouble;
                bad.count += 1;
                bad.refused_since = refused.map(|asked| bad.refused_since.unwrap_or(asked));
            }
        }
    }

    /// Takes in how a server stands. Answers may overtake each other; an older one tells nothing. Whether the server is well
    /// is for the monitor to say: one whose disk is full obeys commands.
    pub(super) fn take_report(&mut self, now: Instant, asked: Instant, report: Report) {
        if self.reported.is_some_and(|last| asked < last) {
            return;
        }
        if let (Some(before), Some(channel)) = (&self.report, &report.channel) {
            let more = !before.received.contains(&report.received);
            let beat = before.channel.as_ref().is_some_and(|old| {
                old.source == channel.source && old.heartbeats != channel.heartbeats && channel.heartbeats > 0
            });
            if more {
                self.fed = Some(now);
            }
            if more || beat {
                self.heard = Some(now);
            }
        }
        // Who is told that there are too many connections was told so by a server that lives.
        let was = self.report.as_ref().and_then(|before| Some(before.channel.as_ref()?.receiver));
        let crowded = report.channel.as_ref().is_some_and(|channel| channel.receiver == Receiver::Crowded);
        if crowded && was != Some(Receiver::Crowded) {
            self.heard = Some(now);
        }
        let connecting =
            report.channel.as_ref().is_some_and(|channel| channel.receiver == Receiver::Connecting);
        // What it got before it lost its connection is seen with the loss, or after somebody else has told of that.
        let lately = |heard: &Instant| self.lost.is_some_and(|lost| *heard < lost + LATE_NEWS);
        let heard_last = self.lost.max(self.heard.filter(lately));
        self.lost = if connecting { self.lost.and(heard_last).or(Some(now)) } else { None };
        self.yielded |= !report.writable;
        self.report = Some(report);
        self.reported = Some(asked);
    }

    /// It answered a question that was sent since then, and none after that failed.
    pub(super) fn answers_since(&self, since: Instant) -> bool {
        self.bad.is_none() && self.reported.is_some_and(|asked| asked >= since)
    }

    /// As last reported, unless questions fail now.
    pub(super) fn current(&self) -> Option<&Report> {
        self.report.as_ref().filter(|_| self.bad.is_none())
    }
}

impl Roster {
    pub(super) fn get(&self, server: ServerId) -> Option<&Known> {
        self.0.get(&server)
    }

    pub(super) fn get_mut(&mut self, server: ServerId) -> Option<&mut Known> {
        self.0.get_mut(&server)
    }

    /// All but one.
    pub(super) fn others(&self, than: Option<ServerId>) -> impl Iterator<Item = (ServerId, &Known)> {
        self.0.iter().map(|(id, known)| (*id, known)).filter(move |(id, _)| Some(*id) != than)
    }

    /// How many could be witnesses and candidates beside the primary.
    pub(super) fn replicas(&self, primary: Option<ServerId>) -> usize {
        self.others(primary).filter(|(_, known)| known.quarantine.is_none()).count()
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errant(transactions) => {
                write!(f, "it has transactions that the primary lacks: {transactions}")
            }
            Self::Prepared(branches) => write!(f, "XA branches are prepared on it: {}", branches.join(", ")),
            Self::LogsPurged(missing) => {
                write!(f, "it lacks what the primary cannot send any more: {missing}")
            }
        }
    }
}
