//! Servers that come and go while failover is on.

use std::collections::BTreeSet;

use super::driver::Driver;
use super::members::Member;
use super::start::AGAIN;
use crate::election::{Event, Phase, Rules};
use crate::runtime::clock;
use crate::topology::ServerId;

impl Driver {
    /// Takes in that servers have come or gone, unless something is being changed just now. Whoever has come joins once it
    /// has said that the control account may do all that it takes there.
    pub(super) fn see_to_members(&mut self) {
        if !self.members_due || self.is_changing() {
            return self.ask_again();
        }
        self.members_due = false;
        let mut now: Vec<Member> = self.members.borrow_and_update().clone();
        // A primary that nobody names any more is still the one that may have to be replaced, and nobody goes of whom
        // something may still be wanted. Nobody is there twice: who was taken out and in again has another number, and
        // is not told apart from himself by his address.
        let (primary, at_rest) = (self.machine.primary(), self.machine.phase().is_at_rest());
        for known in &self.known {
            let server = known.target.server;
            if now.iter().any(|member| member.target.server == server) {
                continue;
            }
            let twin = now.iter().position(|member| member.target.address == known.target.address);
            match twin {
                Some(twin) if Some(server) == primary => now[twin] = known.clone(),
                None if Some(server) == primary || !at_rest => {
                    now.push(known.clone());
                    self.members_due |= !at_rest;
                }
                _ => {}
            }
        }
        self.known = now;
        self.watches.follow(&self.known);
        let known: BTreeSet<ServerId> = self.known.iter().map(|member| member.target.server).collect();
        let gone: Vec<ServerId> = self.joined.difference(&known).copied().collect();
        self.lacking.retain(|server, _| known.contains(server));
        for server in &gone {
            self.joined.remove(server);
            self.troubled.remove(server);
            self.receivers.remove(server);
            self.set.remove(server);
            self.note("server", format!("{server} takes no part any more"));
        }
        if !gone.is_empty() {
            self.tell_servers();
        }
    }

    /// A server has said that all is there that it takes.
    pub(super) fn join(&mut self, server: ServerId) {
        self.lacking.remove(&server);
        let known = self.known.iter().any(|member| member.target.server == server);
        if known && self.joined.insert(server) {
            self.note("server", format!("{server} takes part"));
            self.tell_servers();
        }
    }

    /// A server that takes no part yet lacks something. It is asked again later.
    pub(super) fn stays_out(&mut self, server: ServerId, what: &str) {
        if self.lacking.insert(server, clock::now() + AGAIN).is_none() {
            let what = self.directory.spell(&format!("{server} takes no part: {what}"));
            tracing::warn!(what, "failover");
        }
    }

    fn ask_again(&mut self) {
        let now = clock::now();
        for member in &self.known {
            let server = member.target.server;
            if self.lacking.get(&server).is_some_and(|due| *due <= now) {
                self.lacking.insert(server, now + AGAIN);
                self.watches.begin(&member.target);
            }
        }
    }

    fn tell_servers(&mut self) {
        let mut rules: Rules = self.machine.rules().clone();
        let vetoed = self.settings.vetoes.iter().filter_map(|one| self.directory.server(&one.to_string()));
        rules.vetoes.extend(vetoed);
        self.step(Event::Rules(rules));
        self.step(Event::Servers(self.joined.iter().copied().collect()));
    }

    const fn is_changing(&self) -> bool {
        !matches!(
            self.machine.phase(),
            Phase::Starting
                | Phase::Healthy
                | Phase::Cooldown
                | Phase::Suspecting
                | Phase::Confirming
                | Phase::Blocked(_)
        )
    }
}
