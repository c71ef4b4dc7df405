//! Where a statement runs, as far as it depends on what the shell knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::session::Session;
use crate::routing::{self, Among, Consistency, Decision, Dice, Question, Reason, Target};
use crate::runtime::clock;
use crate::sql::{self, Class, LexMode, RouteHint, Statement, TransactionKind};
use crate::topology::{Flavor, Floor, ServerId, Topology};
use crate::wire::frame::Header;

impl Session {
    /// Decides where a statement runs.
    pub(super) fn decide(&self, statement: &Statement, header: Header, among: Among) -> Decision {
        let shared = &self.context.shared;
        let turn = if may_leave(statement) { shared.rotation.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let question = self.question(statement, header, (among, turn));
        let (text, mode, now) = (question.text, question.mode, question.now);
        let mut decision = routing::decide(&question, &mut ());
        if decision.reason == Reason::View
            && let Some(relations) = text.and_then(|text| shared.parsed.of(text, mode))
        {
            let question = Question { relations: Some(&*relations), ..question };
            decision = routing::decide(&question, &mut ());
        }
        if decision.worth_waiting || matches!(decision.reason, Reason::Wrote | Reason::Seen) {
            shared.freshness_wanted.notify_one();
        }
        if decision.target != Target::Primary && self.leaves_warnings(statement, text, mode) {
            return Decision { target: Target::Primary, reason: Reason::Warnings, worth_waiting: false };
        }
        // The server closes what idles; a read now and then keeps the primary connection alive.
        if self.idles_long(now) && decision.target != Target::Primary {
            return Decision { target: Target::Primary, reason: Reason::KeepAlive, worth_waiting: false };
        }
        decision
    }

    /// Whether a replica that was chosen for a read before it had to wait still serves it, by the newest there is to know.
    pub(super) fn still_serves(&mut self, id: ServerId, statement: &Statement) -> bool {
        let before = Arc::clone(&self.topology);
        self.take_snapshot();
        if Arc::ptr_eq(&before, &self.topology) {
            return true;
        }
        let Some(header) = Header::read(&self.client.inbox) else { return false };
        // It has what it had where it was there all the time, and positions are compared within a reign.
        let since = |topology: &Topology| topology.server(id).map(|server| server.since);
        let generation = self.topology.facts.as_ref().map(|facts| facts.generation);
        before.epoch == self.topology.epoch
            && since(&before) == since(&self.topology)
            && generation == Some(self.login.state.view().generation)
            && routing::still_serves(&self.question(statement, header, (Among::All, 0)), id)
    }

    fn question<'a>(
        &'a self,
        statement: &'a Statement,
        header: Header,
        (among, turn): (Among, u64),
    ) -> Question<'a> {
        let (state, shared, policy) = (&self.login.state, &self.context.shared, self.policy());
        let (text, mode) = (self.text(header), self.lex_mode());
        let consistency = statement.hints.consistency.map_or(policy.consistency, Into::into);
        Question {
            statement,
            text,
            mode,
            relations: None,
            reads_temporary: state.view().temporary_tables && self.may_read_temporary(statement, header),
            known_to_write: may_leave(statement) && shared.learned.knows(|| Some(sql::digest(text?, mode))),
            session: state.view(),
            topology: &self.topology,
            policy,
            process: if consistency >= Consistency::Process { shared.written.floor() } else { Floor::NONE },
            arrived: self.arrived,
            among,
            loads: &shared.loads,
            dice: Dice { turn, client: self.address_number() },
            now: clock::now(),
        }
    }

    /// Whether the statement before has left warnings on the primary that this one leaves where they are: on MariaDB one
    /// that names no table does, so that the client may ask for them next.
    fn leaves_warnings(&self, statement: &Statement, text: Option<&[u8]>, mode: LexMode) -> bool {
        matches!(statement.class, Class::PlainRead | Class::Calls)
            && !self.behind.clean
            && self.lent.is_none()
            && self.login.primary.flavor() == Flavor::MariaDb
            && !text.is_some_and(|text| sql::traces(text, mode).tables)
    }
}

/// Whether a statement takes a turn of the replicas. All others leave the count that sessions share alone.
pub(super) fn may_leave(statement: &Statement) -> bool {
    statement.hints.route == Some(RouteHint::Replica)
        || matches!(
            statement.class,
            Class::PlainRead | Class::Calls | Class::Transaction(TransactionKind::BeginReadOnly)
        )
}
