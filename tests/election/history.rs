//! What has happened, as nobody in the world can see it; the invariants look at it.

use std::collections::{BTreeMap, BTreeSet};

use headgate::election::Action;

/// What went wrong, and by which invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    /// Commits that clients were told of, and which no promotion has lost yet.
    pub(crate) acknowledged: BTreeSet<u32>,
    /// Who was written to through Headgate, by epoch.
    pub(crate) written: BTreeMap<u64, usize>,
    /// Who was promoted, by epoch.
    pub(crate) promoted: BTreeMap<u64, usize>,
    /// The newest epoch that was saved.
    pub(crate) newest: u64,
    /// Receivers that were stopped in the change under way.
    pub(crate) stopped: BTreeSet<usize>,
    /// Servers that followed the primary when their receiver was stopped.
    pub(crate) followers: BTreeSet<usize>,
    /// Those of them that Headgate knows of.
    pub(crate) frozen: BTreeSet<usize>,
    /// The server that was published last.
    pub(crate) primary: Option<usize>,
    /// When automatic failovers were published.
    pub(crate) failovers: Vec<u64>,
    /// Servers that operators do not want.
    pub(crate) vetoed: BTreeSet<usize>,
    /// An operator has asked for the failover under way, whatever the primary is like.
    pub(crate) forced: bool,
    /// The change under way is a planned switchover.
    pub(crate) planned: bool,
    /// An operator has accepted that transactions are lost.
    pub(crate) accepted: bool,
    /// Transactions that nobody wrote through Headgate, by the server that has them.
    pub(crate) strays: BTreeMap<u32, usize>,
    pub(crate) violation: Option<Violation>,
    /// What happened, for people.
    pub(crate) told: Vec<String>,
    pub(crate) telling: bool,
    pub(crate) failures: u64,
    pub(crate) promotions: u64,
    pub(crate) lost: u64,
}

impl History {
    /// Nothing is being changed.
    pub(crate) fn at_rest(&mut self) {
        self.stopped.clear();
        self.frozen.clear();
        self.unplanned();
    }

    /// What is done from now on, nobody has asked for.
    pub(crate) const fn unplanned(&mut self) {
        self.forced = false;
        self.planned = false;
    }

    pub(crate) fn violate(&mut self, invariant: &'static str, what: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, what });
        }
    }

    pub(crate) fn tell(&mut self, at: u64, what: impl FnOnce() -> String) {
        if self.telling {
            let seconds = at / 1_000_000;
            self.told.push(format!("{seconds:>4}.{:06} {}", at % 1_000_000, what()));
        }
    }
}

/// Whether an action changes who takes writes.
pub(crate) fn changes_roles(action: &Action) -> bool {
    matches!(
        action,
        Action::Promote { .. } | Action::Fence { .. } | Action::Unfence { .. } | Action::Follow { .. }
    )
}
