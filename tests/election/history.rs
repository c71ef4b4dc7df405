//! What has happened, as nobody in the world can see it; the invariants look at it.

use std::collections::{BTreeMap, BTreeSet};

use headgate::election::Action;

/// What went wrong, and by which invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct History {
    /// Commits that clients were told of, and which no promotion has lost yet.
    pub acknowledged: BTreeSet<u32>,
    /// Who was written to through Headgate, by epoch.
    pub written: BTreeMap<u64, usize>,
    /// Who was promoted, by epoch.
    pub promoted: BTreeMap<u64, usize>,
    /// The newest epoch that was saved.
    pub newest: u64,
    /// Receivers that were stopped in the change under way.
    pub stopped: BTreeSet<usize>,
    /// Servers that followed the primary when their receiver was stopped.
    pub followers: BTreeSet<usize>,
    /// Those of them that Headgate knows of.
    pub frozen: BTreeSet<usize>,
    /// The server that was published last.
    pub primary: Option<usize>,
    /// When automatic failovers were published.
    pub failovers: Vec<u64>,
    /// Servers that operators do not want.
    pub vetoed: BTreeSet<usize>,
    /// An operator has asked for the failover under way, whatever the primary is like.
    pub forced: bool,
    /// The change under way is a planned switchover.
    pub planned: bool,
    /// An operator has accepted that transactions are lost.
    pub accepted: bool,
    /// Transactions that nobody wrote through Headgate, by the server that has them.
    pub strays: BTreeMap<u32, usize>,
    pub violation: Option<Violation>,
    /// What happened, for people.
    pub told: Vec<String>,
    pub telling: bool,
    pub failures: u64,
    pub promotions: u64,
    pub lost: u64,
}

impl History {
    /// Nothing is being changed.
    pub fn at_rest(&mut self) {
        self.stopped.clear();
        self.frozen.clear();
        self.unplanned();
    }

    /// What is done from now on, nobody has asked for.
    pub const fn unplanned(&mut self) {
        self.forced = false;
        self.planned = false;
    }

    pub fn violate(&mut self, invariant: &'static str, what: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, what });
        }
    }

    pub fn tell(&mut self, at: u64, what: impl FnOnce() -> String) {
        if self.telling {
            let seconds = at / 1_000_000;
            self.told.push(format!("{seconds:>4}.{:06} {}", at % 1_000_000, what()));
        }
    }
}

/// Whether an action changes who takes writes.
pub fn changes_roles(action: &Action) -> bool {
    matches!(
        action,
        Action::Promote { .. } | Action::Fence { .. } | Action::Unfence { .. } | Action::Follow { .. }
    )
}
