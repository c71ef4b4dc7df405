//! A transaction that was declared read only and runs on a replica. `routing::read_only` decides about its
//! statements; this carries it out.

use std::sync::Arc;
use std::time::Duration;

use super::lent::Lent;
use super::plan::Plan;
use super::relay::{self, Ending, RelayError};
use super::replica;
use super::session::{Closing, Session};
use crate::backend::Connection;
use crate::pool::Shelf;
use crate::routing::read_only::{Holder, Progress, Sight, Step, step};
use crate::routing::{self, Reason, Target};
use crate::runtime::clock;
use crate::session::{End, Source, Touched, outlives_questions};
use crate::sql::{self, Class, Statement, Then, TransactionKind};
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::Header;
use crate::wire::reply::{Shape, Tracker};
use crate::wire::status::StatusFlags;

/// For ending it on a replica, which is nothing to wait for.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The transaction and its connection.
#[derive(Debug)]
pub(super) struct ReadOnly {
    shelf: Arc<Shelf>,
    connection: Connection,
    progress: Progress,
    /// It has savepoints, which only the replica knows.
    savepoints: bool,
    /// Where the last statement ran: a question about it belongs there.
    last: Holder,
}

impl ReadOnly {
    /// Where the last statement ran.
    pub(super) const fn ran_at(&self) -> Holder {
        self.last
    }

    /// The last statement ran there.
    pub(super) const fn remember(&mut self, holder: Holder) {
        self.last = holder;
    }

    /// A transaction is open on the primary beside it.
    pub(super) const fn is_joined(&self) -> bool {
        self.progress.joined
    }

    /// Its session is over.
    pub(super) fn leave(self) {
        self.connection.leave();
    }
}

/// What is left to do with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Served,
    /// It runs on the primary.
    Primary(Reason),
    /// The same, and the primary has said that it will refuse it.
    Refused,
    /// The transaction is over; the command is served as any other.
    Route,
}

impl Session {
    /// The transaction has begun on this connection.
    pub(super) fn enter_read_only(&mut self, shelf: Arc<Shelf>, connection: Connection) {
        if !connection.status.contains(StatusFlags::IN_TRANSACTION) {
            return shelf.put(connection, clock::now());
        }
        self.login.state.read_elsewhere(true, self.login.primary.status());
        let (progress, last) = (Progress::default(), Holder::Replica);
        self.read_only = Some(ReadOnly { shelf, connection, progress, savepoints: false, last });
    }

    /// Serves a COM_QUERY while such a transaction may be open.
    pub(super) async fn query_in_read_only(
        &mut self,
        statement: &Statement,
        header: Header,
    ) -> Result<Next, Closing> {
        self.notice_implicit_end().await;
        let Some(transaction) = &mut self.read_only else { return Ok(Next::Route) };
        transaction.savepoints |= statement.class == Class::Transaction(TransactionKind::Savepoint);
        let progress = transaction.progress;
        if statement.looks_back && transaction.last == Holder::Replica {
            if statement.only_looks_back {
                return self.on_its_replica(Some(statement), false, true).await;
            }
            return self.refuse(&replica::gone()).await.map(|()| Next::Served);
        }
        if statement.only_looks_back && !progress.joined && transaction.last == Holder::Primary {
            // It asks about a prepare. A transaction that began there now would make the primary forget.
            return Ok(Next::Primary(Reason::InTransaction));
        }
        let id = transaction.connection.server();
        let drained = self.topology.server(id).is_some_and(|server| server.drained.is_some());
        let step = match step(statement, self.sight(statement, header), progress) {
            // The next transaction would begin on a server that gets no new ones.
            Step::EndThere if drained && chains(&statement.class) => Step::HandOver,
            step => step,
        };
        match step {
            // Savepoints are known to the replica alone, so its word about them counts.
            Step::Replica { reads } if matches!(statement.class, Class::Transaction(_)) => {
                self.on_its_replica(Some(statement), reads, true).await
            }
            Step::Replica { reads } => self.on_its_replica(Some(statement), reads, false).await,
            Step::EndThere => self.end_there(statement).await,
            Step::Primary { reads } => self.join(reads).await,
            Step::EndHere => {
                self.end_on_replica().await;
                Ok(Next::Primary(Reason::TransactionControl))
            }
            Step::HandOver => {
                let next = self.join(false).await;
                self.end_on_replica().await;
                next
            }
            Step::Over => {
                self.end_on_replica().await;
                if progress.joined
                    && let Err(error) = self.ask_primary("COMMIT").await?
                {
                    return self.refuse(&error).await.map(|()| Next::Served);
                }
                self.login.state.read_elsewhere(false, self.login.primary.status());
                Ok(Next::Route)
            }
            // What the primary refuses, reads nothing.
            Step::Abort if self.verdict_of_primary().await?.is_some() => {
                let next = self.join(false).await?;
                Ok(if next == Next::Served { next } else { Next::Refused })
            }
            Step::Abort => self.abort().await,
        }
    }

    /// COMMIT or ROLLBACK. A replica that is lost meanwhile has had nothing to lose, and the primary answers;
    /// a transaction that is to follow there has not begun.
    async fn end_there(&mut self, statement: &Statement) -> Result<Next, Closing> {
        if let Some(transaction) = self.read_only.as_mut().filter(|_| !chains(&statement.class)) {
            transaction.progress.snapshot = None;
            transaction.savepoints = false;
        }
        let next = self.on_its_replica(Some(statement), false, true).await?;
        if let Some(chained) = &mut self.read_only {
            chained.progress = Progress::default();
            chained.savepoints = false;
        }
        Ok(next)
    }

    /// Looks at another command before it is served. False where it has been served.
    pub(super) async fn command_in_read_only(&mut self, byte: u8) -> Result<bool, Closing> {
        self.notice_implicit_end().await;
        let Some(transaction) = &mut self.read_only else { return Ok(true) };
        let ran_at = transaction.last;
        let next = match (Plan::of(byte), Command::of(byte)) {
            (Plan::Relay(_), Some(Command::Ping)) => self.on_its_replica(None, false, true).await?,
            (Plan::Execute, _) => {
                if transaction.progress.snapshot == Some(Holder::Replica) {
                    self.abort().await?
                } else {
                    self.join(true).await?
                }
            }
            (Plan::Relay(Shape::Text) | Plan::Silent | Plan::Kill | Plan::Quit | Plan::Unknown, _) => {
                Next::Route
            }
            (Plan::Reset | Plan::ChangeUser, _) => {
                self.end_on_replica().await;
                Next::Route
            }
            (Plan::Relay(_) | Plan::Query | Plan::Prepare | Plan::Dump, _) => self.join(false).await?,
        };
        if Command::of(byte).is_some_and(outlives_questions)
            && let Some(transaction) = &mut self.read_only
        {
            // What may be asked is about the statement before it.
            transaction.last = ran_at;
        }
        Ok(next != Next::Served)
    }

    /// What is known of a statement beside its class.
    fn sight(&self, statement: &Statement, header: Header) -> Sight {
        let (Some(text), Some(facts)) = (self.text(header), &self.topology.facts) else {
            return Sight { tables: true, plain: false };
        };
        let (mode, view) = (self.lex_mode(), self.login.state.view());
        let words: &[&[u8]] = match statement.class {
            Class::Inspect => &[b"CHECKSUM", b"ANALYZE"],
            _ => &[b"FROM", b"TABLE"],
        };
        let names_tables = |name: &[u8]| words.iter().any(|word| name.eq_ignore_ascii_case(word));
        Sight {
            tables: statement.class == Class::Calls || sql::mentions(text, mode, names_tables),
            // The session may have changed since the transaction began.
            plain: !view.local_schema
                && !view.temporary_tables
                && !view.tables_locked
                && view.changed.is_none()
                && routing::is_plain(
                    statement,
                    routing::Text { bytes: Some(text), mode, relations: None },
                    facts,
                ),
        }
    }

    /// Runs the command at the front of the inbox, which has come whole, in the transaction. `final_word`: an
    /// error is the answer, whatever the primary would say.
    async fn on_its_replica(
        &mut self,
        statement: Option<&Statement>,
        reads: bool,
        final_word: bool,
    ) -> Result<Next, Closing> {
        let Some(mut transaction) = self.read_only.take() else { return Ok(Next::Route) };
        let id = transaction.connection.server();
        self.keep_alive().await?;
        if self.realign(&mut transaction.connection).await.is_err()
            || self.tell_row_count(statement, &mut transaction.connection).await.is_err()
            || !matches!(self.send_standing(&mut transaction.connection).await, Ok(true))
        {
            return self.lose_replica(transaction).await;
        }
        let mut tracker = Tracker::new(Shape::Results, self.login.form, transaction.connection.status);
        let mut clean = true;
        let reply = self.replica_reply(id, &mut transaction.connection, &mut tracker, &mut clean, true).await;
        let end = match reply {
            Ok(Ending::Delivered(end)) => {
                relay::discard_command(&mut self.client).await?;
                end
            }
            // What has come to the primary may not have come here yet (HAZARDS 13).
            Ok(Ending::HeldBack(end, _))
                if !final_word
                    && transaction.progress.snapshot.is_none()
                    && !end.error.is_some_and(replica::is_final) =>
            {
                return self.lose_replica(transaction).await;
            }
            Ok(Ending::HeldBack(end, _))
                if !final_word
                    && end.error.is_some_and(is_lag_of_definitions)
                    && self.verdict_of_primary().await? != end.error =>
            {
                return self.lose_replica(transaction).await;
            }
            Ok(Ending::HeldBack(end, error)) => {
                relay::discard_command(&mut self.client).await?;
                let limit = self.context.shared.limits().client_write_timeout;
                self.client.send(&error, limit).await.map_err(RelayError::Client)?;
                end
            }
            Ok(Ending::Interrupted(_)) => return Err(self.leave_overtime(&tracker).await),
            Err(RelayError::Server(error)) if tracker.untouched() => {
                tracing::info!(server = %id, %error, "a replica failed in a read-only transaction");
                return self.lose_replica(transaction).await;
            }
            Err(RelayError::Server(error)) => {
                self.lose_server(&tracker, &error).await?;
                return Err(RelayError::Server(error).into());
            }
            Err(error) => return Err(error.into()),
        };
        self.count(Target::Replica(id), Reason::ReadOnlyTransaction);
        let (status, error, now) = (end.status, end.error, clock::now());
        let touched = if reads { Touched::Saw } else { Touched::Nothing };
        self.login.state.settle(End {
            status,
            error,
            insert_id: 0,
            mark: None,
            source: Source::Replica(id),
            touched,
            now,
        });
        transaction.last = Holder::Replica;
        self.look_behind_elsewhere(statement, &end, transaction.connection.flavor());
        if reads {
            transaction.progress.snapshot = Some(Holder::Replica);
        }
        if !clean {
            // Something changed the session where the session is not.
            self.login.state.begin_unknown();
        }
        if transaction.connection.status.contains(StatusFlags::IN_TRANSACTION) {
            self.read_only = Some(transaction);
        } else {
            self.login.state.read_elsewhere(false, self.login.primary.status());
            if clean && transaction.connection.is_between_replies() {
                let keep = end.warnings > 0 || self.looks_back;
                self.lent = Some(Lent::new(transaction.shelf, transaction.connection, keep));
            }
        }
        Ok(Next::Served)
    }

    /// Opens a transaction of the same kind on the primary, where the next statement runs.
    async fn join(&mut self, reads: bool) -> Result<Next, Closing> {
        let Some(transaction) = &mut self.read_only else { return Ok(Next::Route) };
        transaction.last = Holder::Primary;
        if reads {
            transaction.progress.snapshot = Some(Holder::Primary);
        }
        if !std::mem::replace(&mut transaction.progress.joined, true)
            && let Err(error) = self.ask_primary(BEGIN).await?
        {
            return self.refuse(&error).await.map(|()| Next::Served);
        }
        Ok(Next::Primary(Reason::InTransaction))
    }

    /// The replica is of no use any more. If it has shown nothing, the primary takes over.
    async fn lose_replica(&mut self, transaction: ReadOnly) -> Result<Next, Closing> {
        let Progress { snapshot, joined } = transaction.progress;
        if snapshot == Some(Holder::Replica) || transaction.savepoints {
            self.read_only = Some(transaction);
            return self.abort().await;
        }
        transaction.connection.leave();
        if !joined && let Err(error) = self.ask_primary(BEGIN).await? {
            return self.refuse(&error).await.map(|()| Next::Served);
        }
        self.login.state.read_elsewhere(false, self.login.primary.status());
        self.context.shared.counters.retries.increment(1);
        Ok(Next::Primary(Reason::ReplicaFailed))
    }

    /// Ends the transaction as after a deadlock: everywhere, with an error that asks for another attempt.
    async fn abort(&mut self) -> Result<Next, Closing> {
        if let Some(transaction) = self.read_only.take() {
            transaction.connection.leave();
            if transaction.progress.joined
                && let Err(error) = self.ask_primary("ROLLBACK").await?
            {
                return self.refuse(&error).await.map(|()| Next::Served);
            }
        }
        self.login.state.read_elsewhere(false, self.login.primary.status());
        self.login.state.keep_transactions();
        let text = "this read-only transaction has read from a replica and now needs the primary; it was rolled \
                    back, run it again (from now on the session's read-only transactions run on the primary)";
        // ER_LOCK_DEADLOCK, which every client must expect of a transaction.
        self.refuse(&ErrPacket::own(1213, b"40001", text)).await.map(|()| Next::Served)
    }

    /// Ends the transaction on the replica, which has nothing to lose.
    async fn end_on_replica(&mut self) {
        let Some(mut transaction) = self.read_only.take() else { return };
        self.login.state.read_elsewhere(false, self.login.primary.status());
        match transaction.connection.query("COMMIT", END_LIMIT).await {
            Ok(_) if transaction.connection.is_idle() => {
                transaction.shelf.put(transaction.connection, clock::now());
            }
            Ok(_) | Err(_) => transaction.connection.leave(),
        }
    }

    /// A statement beside may have ended the transaction by itself, as DDL does.
    async fn notice_implicit_end(&mut self) {
        let open = self.login.primary.status().contains(StatusFlags::IN_TRANSACTION);
        if self.read_only.as_ref().is_some_and(|transaction| transaction.progress.joined) && !open {
            self.end_on_replica().await;
        }
    }
}

/// Whether another transaction of the kind follows.
const fn chains(class: &Class) -> bool {
    matches!(
        class,
        Class::Transaction(TransactionKind::Commit(Then::Chain) | TransactionKind::Rollback(Then::Chain))
    )
}

const BEGIN: &str = "START TRANSACTION READ ONLY";

/// ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR, ER_BAD_DB_ERROR, ER_BAD_FIELD_ERROR,
/// ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR, ER_NO_SUCH_TABLE, ER_SP_DOES_NOT_EXIST,
/// ER_VIEW_INVALID: definitions and grants that may not have come yet (HAZARDS 13).
const fn is_lag_of_definitions(code: u16) -> bool {
    matches!(code, 1044 | 1045 | 1049 | 1054 | 1142 | 1143 | 1146 | 1305 | 1356)
}
