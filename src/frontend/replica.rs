//! Plain reads on replicas.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::checkout::{READY_LIMIT, Read, Unready};
use super::errand::Errand;
use super::lent::Lent;
use super::prepared::Execution;
use super::primary::{INTERRUPTED, QUERY_TIMEOUT, too_long};
use super::reach::Spot;
use super::relay::{self, Ending, RelayError, Terms};
use super::session::{Closing, Session};
use super::standing;
use super::vigil::Alarm;
use crate::backend::{BackendError, Connection, Use};
use crate::routing::{Reason, Target};
use crate::runtime::clock;
use crate::session::{End, Source, Touched};
use crate::sql::{Class, Statement};
use crate::topology::{ServerId, Trouble};
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::execute;
use crate::wire::reply::{self, Shape, Tracker};
use crate::wire::session_track::Change;
use crate::wire::status::StatusFlags;

/// What has come of a read on a replica.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The client has its answer.
    Done,
    /// It is to run elsewhere, for this reason.
    Elsewhere(Reason),
    /// It is to be decided about anew.
    Outdated,
}

impl Session {
    /// Runs the command at the front of the inbox, a plain read or the beginning of a read-only transaction,
    /// on a replica. Where it did not, the client has seen nothing of it.
    pub(super) async fn on_replica(&mut self, id: ServerId, read: Read<'_>) -> Result<Attempt, Closing> {
        let Read { statement, why, .. } = read;
        let shelf = self.shelf(id);
        let mut connection = match self.ready(id, &shelf, read).await {
            Ok(connection) => connection,
            Err(Unready::Elsewhere(reason)) => return Ok(Attempt::Elsewhere(reason)),
            Err(Unready::Outdated) => return Ok(Attempt::Outdated),
            Err(Unready::Refused(error)) => {
                self.refuse(&self.not_leased(&error)).await?;
                return Ok(Attempt::Done);
            }
            Err(Unready::Gone) => {
                return Err(RelayError::Client(io::ErrorKind::UnexpectedEof.into()).into());
            }
        };
        if let Err(reason) = self.send_to_replica(&mut connection).await {
            if reason == Reason::ReplicaRefused {
                shelf.put(connection, clock::now());
            }
            return Ok(Attempt::Elsewhere(reason));
        }
        let mut tracker = self.replica_tracker(&connection, why);
        let mut clean = true;
        let reply = self.replica_reply(id, &mut connection, &mut tracker, &mut clean, true).await;
        match reply {
            Ok(Ending::Delivered(end)) => {
                // What was sent is what the inbox begins with.
                relay::discard_command(&mut self.client).await?;
                self.count(Target::Replica(id), why);
                self.look_behind_elsewhere(Some(statement), &end, connection.flavor());
                self.settle_on_replica(id, &end);
                if clean && why == Reason::ReadOnlyTransaction && end.error.is_none() {
                    self.enter_read_only(shelf, connection);
                } else if !clean {
                    // A plain read that changed the session did so where the session is not.
                    self.login.state.begin_unknown();
                } else if connection.is_idle() {
                    // A hint vouches for what it reads, not for the user locks it may leave behind.
                    connection.spent |= why == Reason::HintReplica;
                    let keep = connection.spent || end.warnings > 0 || self.looks_back;
                    self.lent = Some(Lent::new(shelf, connection, keep));
                }
                Ok(Attempt::Done)
            }
            Ok(Ending::HeldBack(end, held)) if end.error.is_some_and(is_final) => {
                if clean && connection.is_idle() {
                    self.lent = Some(Lent::new(shelf, connection, true));
                }
                self.count(Target::Replica(id), why);
                self.deliver_held(id, end, &held).await.map(|()| Attempt::Done)
            }
            Ok(Ending::Interrupted(_)) => Err(self.leave_overtime(&tracker).await),
            Ok(Ending::HeldBack(end, _)) => {
                tracing::debug!(server = %id, code = end.error, "a replica refused a read; the primary is asked");
                if clean && connection.is_idle() {
                    shelf.put(connection, clock::now());
                }
                if end.error.is_some_and(is_refusal_to_write) {
                    self.learn_write();
                }
                Ok(Attempt::Elsewhere(Reason::ReplicaRefused))
            }
            Err(RelayError::Server(error)) if tracker.untouched() => {
                tracing::info!(server = %id, %error, "a replica failed; the read runs elsewhere");
                Ok(Attempt::Elsewhere(Reason::ReplicaFailed))
            }
            Err(RelayError::Server(error)) => {
                relay::discard_command(&mut self.client).await?;
                self.lose_server(&tracker, &error).await?;
                Ok(Attempt::Done)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn replica_tracker(&self, connection: &Connection, why: Reason) -> Tracker {
        let mut tracker = Tracker::new(Shape::Results, self.login.form, connection.status);
        if why == Reason::LazyTransaction {
            tracker.show(self.login.primary.status());
        }
        tracker
    }

    /// Sends what the command at the front of the inbox asks for to a replica, and says why it did not. A connection on
    /// which that was refused is as good as before.
    async fn send_to_replica(&mut self, connection: &mut Connection) -> Result<(), Reason> {
        match self.send_standing(connection).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::ReplicaRefused),
            // What it was not told of yet, or no room for another statement.
            Err(RelayError::Server(BackendError::Refused { .. })) if connection.is_idle() => {
                Err(Reason::ReplicaRefused)
            }
            Err(_) => Err(Reason::ReplicaFailed),
        }
    }

    /// Sends what the command at the front of the inbox asks for, and leaves the command there. False where
    /// nothing was sent, because the replica would answer otherwise than the client was told.
    pub(super) async fn send_standing(&mut self, connection: &mut Connection) -> Result<bool, RelayError> {
        let Some(Execution { id, prepared, .. }) = &self.executing else {
            return standing::copy_command(&self.client, connection).await.map(|()| true);
        };
        let types = self.statements.types(*id).unwrap_or_default();
        let attributes = self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let session = execute::binds_strings(types, attributes).then_some(self.login.id);
        let use_of = Use { types, session };
        let there = connection.statement(&prepared.text, use_of, prepared.columns, READY_LIMIT).await?;
        if there.parameters != prepared.parameters || there.columns != prepared.columns {
            return Ok(false);
        }
        standing::copy_execution(&self.client, connection, there.id).await.map(|()| true)
    }

    /// An error that was held back is the answer after all.
    pub(super) async fn deliver_held(
        &mut self,
        id: ServerId,
        end: reply::End,
        held: &[u8],
    ) -> Result<(), Closing> {
        relay::discard_command(&mut self.client).await?;
        let limit = self.context.shared.limits().client_write_timeout;
        self.client.send(held, limit).await.map_err(RelayError::Client)?;
        self.settle_on_replica(id, &end);
        Ok(())
    }

    /// Notes how a read has ended on a replica.
    fn settle_on_replica(&mut self, id: ServerId, end: &reply::End) {
        let (status, error, source) = (end.status, end.error, Source::Replica(id));
        let (touched, now) = (Touched::Saw, clock::now());
        self.login.state.settle(End { status, error, insert_id: 0, source, touched, mark: None, now });
    }

    /// Relays a replica's reply. Gives up on a replica that has not begun to answer and no longer serves.
    pub(super) async fn replica_reply(
        &mut self,
        id: ServerId,
        connection: &mut Connection,
        tracker: &mut Tracker,
        clean: &mut bool,
        hold_error: bool,
    ) -> Result<Ending, RelayError> {
        let spot = Spot::of(connection);
        self.reach().lend(spot);
        let reply = self.watched_reply(id, connection, tracker, clean, hold_error).await;
        // At what a KILL was aimed, the KILL may still arrive.
        connection.spent |= !self.reach().take_back();
        if let Err(RelayError::Server(_)) = &reply {
            self.context.shared.troubles.report(id, Trouble::Lost);
        }
        if let Ok(Ending::Delivered(end) | Ending::HeldBack(end, _)) = &reply {
            connection.warned |= end.warnings > 0 || end.error.is_some();
        }
        reply
    }

    async fn watched_reply(
        &mut self,
        id: ServerId,
        connection: &mut Connection,
        tracker: &mut Tracker,
        clean: &mut bool,
        hold_error: bool,
    ) -> Result<Ending, RelayError> {
        let client_write_timeout = self.context.shared.limits().client_write_timeout;
        // What may have to be sent elsewhere is still in the inbox.
        let standing = if hold_error { standing::standing(&self.client).len() } else { 0 };
        self.vigil.begin(self.context.shared.limits().statement_timeout, standing);
        self.vigil.stands_at_primary(false);
        let (sent, mut running) = (clock::now(), self.context.shared.loads.begin(id));
        loop {
            let ending = match self.begun(id, connection).await? {
                Some(alarm) => Ending::Interrupted(alarm),
                None => {
                    if tracker.untouched() {
                        let after = clock::now().saturating_duration_since(sent);
                        self.context.shared.loads.answered(&mut running, after);
                    }
                    let lender = Some(&**self.context.pool.limits());
                    let terms = Terms { client_write_timeout, hold_error, vigil: &mut self.vigil, lender };
                    let see = |change: Change<'_>| *clean &= is_harmless(&change);
                    relay::reply(&mut self.client, connection, tracker, terms, see).await?
                }
            };
            match ending {
                Ending::Interrupted(Alarm::Overtime) => {
                    if self.end_statement(Spot::of(connection)).await.is_err() {
                        return Ok(Ending::Interrupted(Alarm::Overtime));
                    }
                    tracker.reword(INTERRUPTED, too_long());
                }
                Ending::Interrupted(Alarm::Gone) => {
                    // Nobody waits for what is only read.
                    if let Err(error) = self.end_abandoned(connection, tracker).await {
                        tracing::debug!(server = %id, %error, "a read whose client has gone was not ended");
                    }
                    return Err(RelayError::Client(io::ErrorKind::UnexpectedEof.into()));
                }
                ending => return Ok(ending),
            }
        }
    }

    /// Waits until a replica has begun to answer, or something else comes up. Whether it still serves is looked up with
    /// every snapshot that the monitor publishes; a timer for that would go on when the statement is over, and wake
    /// thousands of sessions for nothing.
    async fn begun(
        &mut self,
        id: ServerId,
        connection: &mut Connection,
    ) -> Result<Option<Alarm>, BackendError> {
        loop {
            let (client, vigil) = (&mut self.client, &mut self.vigil);
            let mut filled = pin!(connection.link.fill_if_empty());
            let mut news = pin!(self.lookout.changed());
            // Nobody publishes any more when Headgate ends.
            let mut silent = false;
            let come = poll_fn(|cx| {
                if let Poll::Ready(read) = filled.as_mut().poll(cx) {
                    return Poll::Ready(Some(Ok(read)));
                }
                if let Poll::Ready(alarm) = vigil.poll(client, cx) {
                    return Poll::Ready(Some(Err(alarm)));
                }
                if silent {
                    return Poll::Pending;
                }
                match news.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => Poll::Ready(None),
                    Poll::Ready(Err(_)) => {
                        silent = true;
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Pending,
                }
            });
            match come.await {
                Some(Ok(read)) => return if read? == 0 { Err(BackendError::Closed) } else { Ok(None) },
                Some(Err(alarm)) => return Ok(Some(alarm)),
                None => {}
            }
            let topology = self.context.topology();
            let serves = topology.server(id).is_some_and(|server| server.state.lets_end());
            if !serves {
                return Err(BackendError::Closed);
            }
        }
    }

    /// Answers a question about the statement before, which ran on a replica: where it ran.
    pub(super) async fn look_back(&mut self, lent: Lent, statement: &Statement) -> Result<(), Closing> {
        // From now on connections are kept for such questions.
        self.looks_back = true;
        let id = lent.server;
        // What it asks beside, only the session's own server knows.
        let shelf = Arc::clone(&lent.shelf);
        let Some(mut connection) = lent.take().filter(|_| statement.only_looks_back) else {
            // From now on the session reads from the primary, so that running both again helps.
            self.login.state.begin_unknown();
            return self.refuse(&gone()).await;
        };
        self.count(Target::Replica(id), Reason::PlainRead);
        if self.tell_row_count(Some(statement), &mut connection).await.is_err() {
            return self.refuse(&gone()).await;
        }
        let sent = self.send_standing(&mut connection).await;
        if matches!(sent, Ok(false)) {
            return self.refuse(&gone()).await;
        }
        relay::discard_command(&mut self.client).await?;
        let mut tracker = Tracker::new(Shape::Results, self.login.form, connection.status);
        let reply = match sent {
            Ok(_) => self.replica_reply(id, &mut connection, &mut tracker, &mut true, false).await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(Ending::Interrupted(_)) => Err(self.leave_overtime(&tracker).await),
            Ok(_) => {
                // More such questions may follow, and they are about the same statement.
                if connection.is_idle() {
                    self.lent = Some(Lent::new(shelf, connection, true));
                }
                Ok(())
            }
            Err(RelayError::Server(error)) => self.lose_server(&tracker, &error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a ping where the statement before has run.
    pub(super) async fn ping_lent(&mut self) -> Result<(), Closing> {
        let question = Statement { looks_back: true, only_looks_back: true, ..Statement::of(Class::Inspect) };
        match self.lent.take() {
            Some(lent) => self.look_back(lent, &question).await,
            None => self.on_primary(Errand::command(Shape::Results, Touched::Nothing)).await,
        }
    }
}

/// The answer to a question about a statement whose replica connection has gone on.
pub(super) fn gone() -> ErrPacket {
    let text = "this asks about the statement before, whose connection has gone on to other sessions; \
                run both again";
    // ER_NOT_SUPPORTED_YET.
    ErrPacket::own(1235, b"42000", text)
}

/// ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_MODE: what looked
/// like a read writes.
const fn is_refusal_to_write(code: u16) -> bool {
    matches!(code, 1792 | 1290 | 1836)
}

/// ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, MariaDB's ER_STATEMENT_TIMEOUT: somebody wanted the statement to
/// end, so it does not run a second time.
pub(super) const fn is_final(code: u16) -> bool {
    matches!(code, INTERRUPTED | QUERY_TIMEOUT | 1969)
}

/// Whether a change that a plain read on a replica reports may be ignored.
fn is_harmless(change: &Change<'_>) -> bool {
    match change {
        Change::Gtids(_) | Change::TransactionCharacteristics(_) | Change::TransactionState(_) => true,
        Change::Variable { name, .. } => *name == b"statement_id" || *name == b"last_gtid",
        Change::Schema(_) | Change::StateChanged | Change::Unnamed(_) => false,
    }
}

impl Connection {
    /// True between commands, with no transaction open: fit for the next session.
    pub(super) fn is_idle(&self) -> bool {
        self.is_between_replies() && !self.status.contains(StatusFlags::IN_TRANSACTION)
    }
}
