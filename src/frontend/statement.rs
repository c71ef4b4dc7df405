//! COM_QUERY: read the statement, decide where it runs, run it there.

use std::time::Duration;

use super::checkout::Read;
use super::errand::Errand;
use super::patience::Patience;
use super::plan::query_text;
use super::read_only::Next;
use super::reign::Ran;
use super::relay;
use super::replica::Attempt;
use super::session::{Closing, Session};
use super::settling::Change;
use crate::backend::NO_SERVER;
use crate::routing::{self, Among, Decision, PrimaryReads, Reason, Refused, Target};
use crate::runtime::clock;
use crate::session::{Abandoned, Touched};
use crate::sql::{self, Bond, Class, LexMode, Statement, Temporaries, TransactionKind, Unclear};
use crate::topology::Catalog;
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::Shape;
use crate::wire::session_track::Wish;

/// The longest statement that is read before it is sent on. Longer ones go to the primary unread.
pub(super) const LONGEST_READ: usize = 256 * 1024;

/// The command that a statement comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOf {
    /// COM_QUERY.
    Query,
    /// COM_STMT_PREPARE.
    Prepare,
}

impl Session {
    /// Serves a COM_QUERY.
    pub(super) async fn query(&mut self, header: Header) -> Result<(), Closing> {
        let statement = self.read_statement(header, TextOf::Query).await?;
        if let Class::Kill(kill) = statement.class
            && self.kill(kill).await?
        {
            return Ok(());
        }
        self.run_statement(statement, header).await
    }

    /// Runs the statement of the command at the front of the inbox, which has come whole, where it belongs.
    pub(super) async fn run_statement(
        &mut self,
        mut statement: Statement,
        header: Header,
    ) -> Result<(), Closing> {
        if self.read_only.is_some() {
            match self.query_in_read_only(&statement, header).await? {
                Next::Served => return Ok(()),
                Next::Primary(reason) => {
                    if statement.looks_back && !self.prepare_to_look_back(&statement, header).await? {
                        return Ok(());
                    }
                    return self.query_on_primary(&statement, reason, Shape::Results).await;
                }
                Next::Refused => {
                    let before = self.login.state.view().changed;
                    self.query_on_primary(&statement, Reason::InTransaction, Shape::Results).await?;
                    self.login.state.unpin_failed(before);
                    return Ok(());
                }
                Next::Route => {}
            }
        }
        // A function sees the temporary tables of its session.
        let pure = !self.login.state.view().temporary_tables;
        if statement.class == Class::Calls && pure && self.calls_only_pure(header) {
            statement.class = Class::PlainRead;
        }
        let looks_back = self.asks_back(&statement, header);
        if statement.looks_back
            && let Some(lent) = self.lent.take()
        {
            return self.look_back(lent, &statement).await;
        }
        self.give_back_lent();
        if looks_back && !self.prepare_to_look_back(&statement, header).await? {
            return Ok(());
        }
        // It may have another text by now.
        let Some(header) = Header::read(&self.client.inbox) else { return Err(Closing::Quit) };
        self.arrived = clock::now();
        let mut decision = self.decide(&statement, header, Among::All);
        let learned = match decision.reason {
            Reason::CharsetUnknown => self.read_charsets().await?,
            Reason::Unreported => self.have_reported().await?,
            _ => false,
        };
        if learned {
            decision = self.decide(&statement, header, Among::All);
        }
        if decision.worth_waiting {
            decision = self.wait_for_freshness(&statement, header, decision).await;
        }
        // A read without tables begins none.
        let begins = decision.reason == Reason::LazyTransaction && !self.login.state.view().in_transaction;
        if begins && self.text(header).is_none_or(|text| sql::traces(text, self.lex_mode()).tables) {
            // The client is told that its transaction is open, so it is: it takes no snapshot yet.
            if self.ask_primary("BEGIN").await?.is_err() {
                return self.query_on_primary(&statement, Reason::AutocommitOff, Shape::Results).await;
            }
            self.login.state.begun(self.login.primary.status());
        }
        self.carry_out(&statement, header, decision).await
    }

    /// Runs the statement where it was decided; a read that a replica failed, or had no connection for, on another one or
    /// on the primary.
    async fn carry_out(
        &mut self,
        statement: &Statement,
        header: Header,
        decision: Decision,
    ) -> Result<(), Closing> {
        let Target::Replica(first) = decision.target else {
            return self.without_replica(statement, decision.target, decision.reason).await;
        };
        let patience = &Patience::of(self.context.pool.limits().limits().wait);
        let read = |why, again| Read { statement, why, again, patience };
        let first_try = self.on_replica(first, read(decision.reason, false)).await?;
        let (mut reason, among) = match first_try {
            Attempt::Done => return Ok(()),
            Attempt::Elsewhere(Reason::ReplicaFailed) => {
                (Reason::ReplicaFailed, Some(Among::Others(first, Refused::Failed)))
            }
            Attempt::Elsewhere(Reason::ReplicaBusy) => {
                (Reason::ReplicaBusy, Some(Among::Others(first, Refused::Busy)))
            }
            Attempt::Elsewhere(reason) => (reason, None),
            Attempt::Outdated => (Reason::ReplicaBusy, Some(Among::All)),
        };
        let never = self.policy().primary_reads == PrimaryReads::Never;
        self.context.shared.counters.retries.increment(1);
        if let Some(among) = among {
            // Time has passed.
            self.take_snapshot();
            let second = self.decide(statement, header, among);
            match second.target {
                Target::Replica(id) => match self.on_replica(id, read(second.reason, true)).await? {
                    Attempt::Done => return Ok(()),
                    Attempt::Elsewhere(fallback) => reason = fallback,
                    Attempt::Outdated => {}
                },
                Target::Nowhere => {
                    return self.without_replica(statement, Target::Nowhere, second.reason).await;
                }
                // It must, whatever the replicas are.
                Target::Primary if among == Among::All || never => reason = second.reason,
                Target::Primary => {}
            }
        }
        let forbidden = never && matches!(reason, Reason::ReplicaFailed | Reason::ReplicaBusy);
        let target = if forbidden { Target::Nowhere } else { Target::Primary };
        self.without_replica(statement, target, reason).await
    }

    async fn without_replica(
        &mut self,
        statement: &Statement,
        target: Target,
        reason: Reason,
    ) -> Result<(), Closing> {
        if target == Target::Nowhere {
            return self.refuse(&nowhere(reason)).await;
        }
        self.query_on_primary(statement, reason, Shape::Results).await
    }

    /// Runs the statement at the front of the inbox on the primary.
    pub(super) async fn query_on_primary(
        &mut self,
        statement: &Statement,
        reason: Reason,
        shape: Shape,
    ) -> Result<(), Closing> {
        let deadline = self.hold_deadline();
        let mut sent_before = false;
        while !self
            .attempt_statement(statement, (reason, shape), clock::now() < deadline, sent_before)
            .await?
        {
            sent_before = true;
        }
        if self.login.form.wish == Wish::Defaults && self.login.state.has_set_trackers() {
            // The session has asked for session tracking of its own.
            self.login.form.wish = Wish::Everything;
        }
        if statement.ages_pools() || changes_schema(&statement.class) {
            self.login.state.define(clock::now());
            self.something_changed();
        }
        Ok(())
    }

    /// Runs the statement on the primary, once. False where it is to run again on the next primary.
    async fn attempt_statement(
        &mut self,
        statement: &Statement,
        (reason, shape): (Reason, Shape),
        again: bool,
        sent_before: bool,
    ) -> Result<bool, Closing> {
        let told_call = match self.lease_for(statement).await? {
            Ok(told_call) => told_call,
            Err(error) => {
                self.refuse(&error).await?;
                return if self.doomed { Err(Closing::Told("left behind")) } else { Ok(true) };
            }
        };
        let _change = Change::begin(&self.context, statement);
        match told_call {
            true => self.login.state.begin_told_call(),
            false => self.begin_statement(statement),
        }
        let touched = touched(&statement.class);
        let abandoned = Abandoned::statement(&statement.class, touched, self.login.state.view());
        let limit = self.statement_limit(&statement.class);
        let errand = Errand {
            statement: Some(statement),
            reason,
            abandoned,
            limit,
            stands: self.may_stand(statement),
            sent_before,
            ..Errand::command(shape, touched)
        };
        let ran = self.attempt_on_primary(errand, again).await?;
        Ok(matches!(ran, Ran::Answered(_)))
    }

    /// Notes what a statement may change before it is sent.
    fn begin_statement(&mut self, statement: &Statement) {
        let text = Header::read(&self.client.inbox).and_then(|header| self.text(header));
        match &statement.class {
            // What stands behind a view could change more than it names.
            Class::Bond(Bond::CreatesTemporary { selects: true, .. }) if self.may_read_impure_view(text) => {
                self.login.state.begin(&Class::Other(Unclear::TemporaryTable));
            }
            Class::Ddl if self.login.state.view().temporary_tables => {
                let then =
                    text.map_or(Temporaries::Unknown, |text| Temporaries::after(text, self.lex_mode()));
                self.login.state.begin(&statement.class);
                self.login.state.begin_ddl(&then);
            }
            class => self.login.state.begin(class),
        }
    }

    /// Whether a statement may read a temporary table of the session: by its name, or in a function.
    pub(super) fn may_read_temporary(&self, statement: &Statement, header: Header) -> bool {
        let catalog = self.topology.facts.as_deref().and_then(|facts| facts.catalog.as_deref());
        !matches!(statement.class, Class::PlainRead | Class::PrimaryRead(_))
            || catalog.is_none_or(Catalog::has_views_that_call)
            || self.login.state.may_read_temporary(self.text(header), self.lex_mode())
    }

    fn may_read_impure_view(&self, text: Option<&[u8]>) -> bool {
        let text = routing::Text { bytes: text, mode: self.lex_mode(), relations: None };
        self.topology.facts.as_deref().is_none_or(|facts| routing::may_read_impure_view(text, facts))
    }

    /// How long a statement may take. The end of a transaction takes the time it takes.
    pub(super) fn statement_limit(&self, class: &Class) -> Option<Duration> {
        let limit = self.context.shared.limits().statement_timeout;
        limit.filter(|_| !matches!(class, Class::Transaction(_) | Class::Kill(_)))
    }

    /// Reads the statement at the front of the inbox, where it is not too long.
    pub(super) async fn read_statement(&mut self, header: Header, of: TextOf) -> Result<Statement, Closing> {
        if header.len > LONGEST_READ {
            return Ok(Statement::unread());
        }
        relay::payload_from_client(&mut self.client, header.len).await?;
        let statement = self.classify(header, of);
        if statement.class == Class::Other(Unclear::Charset) && self.read_charsets().await? {
            return Ok(self.classify(header, of));
        }
        Ok(statement)
    }

    pub(super) fn classify(&self, header: Header, of: TextOf) -> Statement {
        let (text, mode) = match of {
            TextOf::Query => (self.text(header), self.lex_mode()),
            TextOf::Prepare => (self.prepared_text(header), LexMode { parameters: true, ..self.lex_mode() }),
        };
        text.map_or_else(Statement::unread, |text| sql::classify(text, mode))
    }

    /// A replica has refused the statement at the front of the inbox because it writes.
    pub(super) fn learn_write(&self) {
        if let Some(text) = Header::read(&self.client.inbox).and_then(|header| self.text(header)) {
            self.context.shared.learned.learn(sql::digest(text, self.lex_mode()));
        }
    }

    /// The text of the statement that the command at the front of the inbox runs.
    pub(super) fn text(&self, header: Header) -> Option<&[u8]> {
        if let Some(execution) = &self.executing {
            return Some(&execution.prepared.text);
        }
        let payload = self.client.inbox.get(HEADER..HEADER + header.len)?;
        query_text(payload, self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES))
    }

    fn calls_only_pure(&self, header: Header) -> bool {
        self.text(header).zip(self.topology.facts.as_deref()).is_some_and(|(text, facts)| {
            routing::calls_only_pure(text, self.lex_mode(), self.login.state.view(), facts)
        })
    }

    pub(super) fn lex_mode(&self) -> LexMode {
        if let Some(execution) = &self.executing {
            // The server has read it, and does not read it again as the session is by now.
            return execution.prepared.mode;
        }
        match &self.topology.facts {
            Some(facts) => self.login.state.lex_mode(facts),
            None => LexMode::new("", "", sql::Dialect::MySql),
        }
    }

    /// The monitor looks again.
    fn something_changed(&self) {
        let shared = &self.context.shared;
        shared.changed.send_modify(|count| *count += 1);
        shared.learned.forget();
    }
}

/// The answer to a read that no replica may run and that the operator keeps off the primary.
fn nowhere(reason: Reason) -> ErrPacket {
    let text = format!(
        "no replica may run this read now ({reason}), and Headgate is told to keep it off the primary \
         (routing.when_lagging, routing.primary_reads)"
    );
    ErrPacket::own(NO_SERVER, b"HY000", &text)
}

/// What a statement may do with data.
fn touched(class: &Class) -> Touched {
    match class {
        Class::PlainRead | Class::PrimaryRead(_) | Class::Inspect | Class::Describe | Class::Use(_) => {
            Touched::Saw
        }
        // Only `autocommit` among them ends a transaction.
        Class::SetVariables(names) if names.iter().any(|name| name.as_bytes() == b"autocommit") => {
            Touched::Wrote
        }
        Class::SetNames { .. } | Class::SetTransaction | Class::SetCharset | Class::SetVariables(_) => {
            Touched::Nothing
        }
        Class::Transaction(TransactionKind::BeginReadOnly) => Touched::Saw,
        Class::Transaction(_) => Touched::Turned,
        _ => Touched::Wrote,
    }
}

/// Whether a statement may define something, views and functions among it.
fn changes_schema(class: &Class) -> bool {
    match class {
        Class::Ddl => true,
        Class::Several(parts) => parts.iter().any(changes_schema),
        _ => false,
    }
}
