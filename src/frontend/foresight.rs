//! What a statement may leave on a connection to the primary that serves many sessions: seen in its text before it is
//! sent, and in the stored code that it may reach.

use std::sync::atomic::Ordering;

use super::prepared::Execution;
use super::session::{Closing, Session};
use crate::session::{Changed, Hold, Said};
use crate::sql::{self, Bond, Class, Leaves, Statement, Traces, Unclear};
use crate::topology::{Facts, Flavor};
use crate::wire::err::ErrPacket;
use crate::wire::frame::Header;

impl Session {
    /// Makes sure of the connection for a statement, and notes what that may leave there. The error is the
    /// answer to it. True where it is a CALL of which servers report all that it does to the session.
    pub(super) async fn lease_for(
        &mut self,
        statement: &Statement,
    ) -> Result<Result<bool, ErrPacket>, Closing> {
        let header = Header::read(&self.client.inbox);
        let text = header.and_then(|header| self.text(header));
        if !self.login.primary.is_pooled() {
            return Ok(Ok(text.is_some_and(|text| self.is_told_call(statement, text))));
        }
        let mut traces = text.map_or(Traces::ALL, |text| sql::traces(text, self.lex_mode()));
        let told_call = text.is_some_and(|text| self.is_told_call(statement, text));
        traces.sets_insert_id |= told_call;
        let said = text.map_or_else(Said::default, |text| self.said(text, traces));
        let stored_code = self.may_reach_stored_code(statement, text, traces);
        let wants_insert_id = self.wants_insert_id(statement, traces, stored_code);
        self.receive_before_lease().await?;
        if let Err(error) = self.lease().await {
            return Ok(Err(error));
        }
        if self.login.state.hides_named() && !header.is_some_and(|header| self.asks_back(statement, header)) {
            // Beside what this statement does, it would have no name.
            self.flush_reports().await?;
        }
        if let Err(error) = self.address_execution().await? {
            return Ok(Err(error));
        }
        if traces.insert_id && self.login.state.has_lost_insert_id() {
            return Ok(Err(insert_id_lost()));
        }
        if wants_insert_id {
            self.carry_insert_id().await?;
        }
        let unreported = traces.system_variables && self.login.primary.flavor() == Flavor::MariaDb;
        if unreported && statement.class == Class::SetCharset {
            // Which of them `SET @@name` sets, MariaDB does not report.
            self.login.state.hold_for(Hold::Changed(Changed::Unconfirmed));
        }
        self.login.state.begin_traces(statement, traces, said, stored_code);
        self.traces = traces;
        Ok(Ok(told_call))
    }

    /// What a text says that can be carried or asked about.
    fn said(&self, text: &[u8], traces: Traces) -> Said {
        let is_bound = |execution: &Execution| self.login.state.still_binds(&execution.prepared);
        let says = traces.user_variables || traces.takes_lock;
        if !says || !self.executing.as_ref().is_none_or(is_bound) {
            // The session's character sets are not those in which it was written.
            return Said::default();
        }
        let mode = self.lex_mode();
        Said {
            literals: if traces.user_variables { sql::literals(text, mode) } else { None },
            locks: if traces.takes_lock { sql::lock_names(text, mode) } else { None },
        }
    }

    /// Whether a statement is a CALL of something that leaves nothing behind but what servers report.
    fn is_told_call(&self, statement: &Statement, text: &[u8]) -> bool {
        let mode = self.lex_mode();
        if statement.class != Class::Other(Unclear::Effects) || !sql::is_plain_call(text, mode) {
            return false;
        }
        let facts = self.topology.facts.as_deref();
        let Some((facts, traps)) = facts.and_then(|facts| Some((facts, facts.traps.as_deref()?))) else {
            self.want_stored_code();
            return false;
        };
        let is_known = self.login.state.view().defined.is_none_or(|defined| defined <= facts.asked);
        is_known
            && traps.reached(text, mode) == Leaves::Named
            && !sql::mentions(text, mode, sql::is_local_schema)
    }

    /// Has the monitor read stored code, for the next CALLs.
    pub(super) fn want_stored_code(&self) {
        let shared = &self.context.shared;
        if !shared.stored_code_wanted.swap(true, Ordering::Relaxed) {
            shared.changed.send_modify(|count| *count += 1);
        }
    }

    /// Whether a statement, or stored code that it may run, could ask for LAST_INSERT_ID(). `stored_code`: what
    /// [`Self::may_reach_stored_code`] says of it.
    pub(super) fn wants_insert_id(&self, statement: &Statement, traces: Traces, stored_code: bool) -> bool {
        let unclear = match statement.class {
            // GET DIAGNOSTICS.
            Class::Other(Unclear::Effects) => !statement.looks_back,
            Class::Other(_) | Class::Calls => true,
            // At EXECUTE it would come between a statement and the question about it.
            Class::Bond(Bond::Prepares { .. } | Bond::Executes(_)) => true,
            _ => false,
        };
        traces.insert_id || stored_code || unclear || self.code_asks_insert_id(statement, traces)
    }

    /// Whether stored code that a statement may run could ask for LAST_INSERT_ID().
    fn code_asks_insert_id(&self, statement: &Statement, traces: Traces) -> bool {
        let asks = |facts: &Facts| facts.traps.as_ref().is_none_or(|traps| traps.asks_insert_id());
        !matches!(statement.class, Class::Ddl | Class::Bond(_))
            && self.login.state.insert_id() != 0
            && self.topology.facts.as_deref().is_some_and(asks)
            && may_run_stored_code(statement, traces)
    }

    /// Whether a statement may run stored code that leaves something behind which servers do not report.
    pub(super) fn may_reach_stored_code(
        &self,
        statement: &Statement,
        text: Option<&[u8]>,
        traces: Traces,
    ) -> bool {
        let class = &statement.class;
        let runs = may_run_stored_code(statement, traces);
        // Whose text stands elsewhere.
        let text = text.filter(|_| !matches!(class, Class::Bond(Bond::Executes(_))));
        let Some(facts) = self.topology.facts.as_deref().filter(|_| runs) else { return false };
        match (&facts.traps, &facts.catalog) {
            (Some(traps), _) if traps.is_empty() => false,
            (Some(traps), _) => {
                let mode = self.lex_mode();
                text.is_none_or(|text| traps.reached(text, mode) == Leaves::Unreported)
            }
            // A trigger could be at any table, a function in any view.
            (None, Some(catalog)) => {
                if !self.context.shared.told_of_triggers.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "sessions that write keep their connections: the control account may not see what stored code does; \
                         `headgate check --connect` names the grants that are missing"
                    );
                }
                matches!(class, Class::Data | Class::Several(_)) || !catalog.has_only_pure_views()
            }
            (None, None) => true,
        }
    }
}

/// Whether a statement may run a trigger, or a function in a view. Functions that its own text calls are told by its class.
const fn may_run_stored_code(statement: &Statement, traces: Traces) -> bool {
    match statement.class {
        Class::Data | Class::PlainRead | Class::Several(_) | Class::Ddl | Class::Bond(_) => true,
        Class::PrimaryRead(_) => traces.tables,
        Class::Inspect => !statement.only_looks_back,
        _ => false,
    }
}

/// ER_NOT_SUPPORTED_YET.
fn insert_id_lost() -> ErrPacket {
    let text = "LAST_INSERT_ID() was lost with the primary on which this session has inserted; take the id that its reply told";
    ErrPacket::own(1235, b"42000", text)
}
