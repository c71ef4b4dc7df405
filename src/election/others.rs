//! Changes of the primary by others: people, other Headgates, other tools.

use std::time::Instant;

use super::change::Kind;
use super::machine::Machine;
use super::rules::Policy;
use crate::topology::ServerId;

impl Machine {
    /// Goes along with whoever else has changed the primary.
    pub(super) fn follow_others(&mut self, now: Instant) -> Option<bool> {
        if !self.leading || self.primary_report().is_some_and(|report| report.writable) {
            return None;
        }
        let server = self.successor().or_else(|| self.promoted_by_others())?;
        self.begin(now, Kind::Adoption(server), format!("{server} has become writable"));
        Some(true)
    }

    /// Whom the primary follows, where that one takes writes: somebody has changed the primary, by hand or while Headgate was
    /// away.
    fn successor(&self) -> Option<ServerId> {
        let server = self.primary_report()?.channel.as_ref()?.source?;
        self.is_promoted(server).then_some(server)
    }

    /// Whoever has become writable, where something else promotes: because the policy says so, or because another Headgate
    /// is there, by which an operator may have it done.
    fn promoted_by_others(&self) -> Option<ServerId> {
        let server = self.newly_writable()?;
        let external = self.rules.policy == Policy::External;
        (external || self.rival.is_some() && self.is_accepted(server)).then_some(server)
    }

    /// It was promoted, and has what primaries wrote before, or others follow it: it is no server that merely happens to be
    /// writable.
    fn is_accepted(&self, server: ServerId) -> bool {
        let Some(known) = self.roster.get(server).filter(|known| known.quarantine.is_none()) else {
            return false;
        };
        let has_all = known.current().zip(self.lineage.as_ref());
        let is_followed = || {
            self.roster
                .others(Some(server))
                .any(|(_, other)| other.current().is_some_and(|report| report.follows(server)))
        };
        let has_all = has_all.is_some_and(|(report, seen)| report.executed.contains(seen));
        self.is_promoted(server) && (has_all || is_followed())
    }

    /// It takes writes and has forgotten its source. A replica that is writable by mistake has not.
    fn is_promoted(&self, server: ServerId) -> bool {
        let report = self.roster.get(server).and_then(|known| known.current());
        report.is_some_and(|report| report.writable && report.channel.is_none())
    }

    /// Somebody has had the primary follow another of the servers.
    pub(super) fn is_demoted(&self) -> bool {
        self.primary_report().is_some() && self.primary.is_some_and(|primary| self.is_replica(primary))
    }

    /// It follows another of the servers. One that follows it in turn, and takes no writes, is its deputy.
    pub(super) fn is_replica(&self, server: ServerId) -> bool {
        let report = |server| self.roster.get(server).and_then(|known| known.report.as_ref());
        let source = report(server).and_then(|report| report.channel.as_ref()?.source);
        source.is_some_and(|source| {
            !report(source).is_some_and(|deputy| deputy.follows(server) && !deputy.writable)
        })
    }

    /// The one that has become writable. A primary that was replaced may have been so ever since.
    fn newly_writable(&self) -> Option<ServerId> {
        self.the_one(|server, known| {
            Some(server) != self.primary && (known.replaced.is_none() || known.yielded)
        })
    }
}
