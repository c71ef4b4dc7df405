//! What people hear of failover: its log, its events, and the view that the console shows.

use std::sync::Arc;
use std::time::Instant;

use super::driver::Driver;
use super::view::Happened;
use crate::election::{Alert, Entry, Phase, Quarantine};
use crate::runtime::clock;
use crate::topology::ServerId;

impl Driver {
    /// What an operator's program is told.
    pub(super) fn hook_input(&self) -> Vec<(&'static str, String)> {
        let primary = self.machine.primary().and_then(|primary| self.directory.address(primary));
        let why =
            self.machine.timeline().entries().next_back().map(|entry| self.directory.spell(&entry.what));
        vec![
            ("primary", primary.unwrap_or_default()),
            ("phase", self.machine.phase().name().to_owned()),
            ("epoch", self.machine.epoch().0.to_string()),
            ("why", why.unwrap_or_default()),
        ]
    }

    pub(super) fn raise(&mut self, alert: &Alert) {
        let what = match alert {
            Alert::Blocked(why) => format!("{why}; {}", why.advice()),
            Alert::Quarantined { server, why } => format!("{server} is in quarantine: {why}"),
            Alert::Lost(lost) => format!("acknowledged transactions are not on the new primary: {lost}"),
            Alert::Unfenced { server, problem } => format!("{server} could not be made read only: {problem}"),
            Alert::Declined(why) => format!("declined: {why}"),
        };
        let what = self.directory.spell(&what);
        tracing::warn!(what, "failover needs attention");
        self.note("alert", what);
    }

    pub(super) fn note(&mut self, kind: &'static str, what: String) {
        let what = self.directory.spell(&what);
        tracing::debug!(kind, what, "failover");
        self.journal.reigns(self.machine.epoch());
        self.journal.note(clock::wall(), kind, what);
    }

    /// Ends Headgate where a test has it end with the beginning of a phase: before any of its orders is given.
    #[cfg(all(feature = "lab", debug_assertions))]
    pub(super) fn end_where_told(&self) {
        for entry in self.machine.timeline().entries().filter(|entry| entry.number > self.logged) {
            super::fault::point(entry.phase);
        }
    }

    /// Writes what is new in the timeline to the log.
    pub(super) fn log(&mut self) {
        let mut last = self.logged;
        for entry in self.machine.timeline().entries().filter(|entry| entry.number > self.logged) {
            let what = self.directory.spell(&entry.what);
            tracing::info!(phase = entry.phase, epoch = entry.epoch.0, what, "failover");
            last = entry.number;
        }
        self.logged = last;
    }

    /// Publishes where things stand.
    pub(super) fn show(&mut self) {
        let machine = &self.machine;
        let wall = |at: Instant| self.began.1 + at.saturating_duration_since(self.began.0);
        let happened = |entry: &Entry| Happened {
            number: entry.number,
            at: wall(entry.at),
            epoch: entry.epoch,
            kind: entry.phase,
            what: self.directory.spell(&entry.what),
        };
        self.view.timeline = machine.timeline().entries().map(happened).collect();
        self.view.phase = machine.phase().name();
        self.view.at_rest = machine.phase().is_at_rest();
        self.view.blocked = match machine.phase() {
            Phase::Blocked(why) => Some(self.directory.spell(&format!("{why}; {}", why.advice()))),
            _ => None,
        };
        self.view.epoch = machine.epoch();
        self.view.primary = machine.primary();
        self.view.candidates = machine.candidates().order;
        self.view.silence = machine.rules().silence();
        let kept_out = |(server, why): (ServerId, &Quarantine)| (server, why.to_string());
        self.view.quarantined = machine.quarantined().map(kept_out).collect();
        self.publish.send_replace(Arc::new(self.view.clone()));
    }
}
