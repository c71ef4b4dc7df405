//! What becomes of a session when its primary goes: it waits for the next one, moves there with all it has, and goes
//! on; only what was on the lost connection alone ends it.
//!
//! Nothing runs twice. A statement is sent again in three cases: a plain read of which the client has seen nothing, a
//! BEGIN where no transaction was open, and what the server refused because it is read only, before it did anything. A
//! transaction that was cut before its COMMIT was sent is known to be gone, be it by its first statement, and its client
//! is told what a deadlock's is told; what else was under way is reported as unknown (HAZARDS 23).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errand::Errand;
use super::fate::{Fate, crowded, left_behind, no_primary, replaced};
use super::relay;
use super::session::{Closing, Session};
use crate::backend::{BackendError, Purpose, SERVER_LOST};
use crate::runtime::clock;
use crate::session::{Behind, Here, Hold};
use crate::sql::{self, Class, Statement, TransactionKind};
use crate::topology::{NoPrimary, ServerId, Trouble};
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::Tracker;
use crate::wire::status::StatusFlags;

/// What came of a statement on the primary.
pub(super) enum Ran {
    /// The client has been answered: by a reply that was followed, or by an error of Headgate's own.
    Answered(Option<Tracker>),
    /// Nothing was done, and the command still stands in the inbox: it may run on the next primary.
    Again,
}

/// For how long a lost connection may turn out to be a lost server.
const VERDICT: Duration = Duration::from_millis(500);

/// Between two attempts to reach a primary that does not answer.
const PAUSE: Duration = Duration::from_millis(50);

impl Session {
    /// Whether the session goes on when its primary is lost.
    pub(super) fn outlives_primaries(&self) -> bool {
        self.context.shared.gate.is_active() && self.login.primary.is_pooled()
    }

    /// Waits until there is a primary and nobody holds its statements; then the session is bound to it. An error is
    /// the answer to the command.
    pub(super) async fn enter_reign(&mut self) -> Result<(), ErrPacket> {
        let gate = Arc::clone(&self.context.shared.gate);
        if self.pass.is_some() || !self.outlives_primaries() {
            return Ok(());
        }
        // Whatever is given up from now on concerns it.
        self.vigil.heed(&gate);
        let (mut changes, limit) = (gate.changes(), self.context.shared.limits().hold);
        let deadline = clock::now() + limit;
        let mut in_line = None;
        loop {
            changes.mark_unchanged();
            self.take_snapshot();
            let primary = self.topology.primary.clone();
            let why = match (gate.enter(), primary) {
                // Whoever still has a connection may use it: the server itself says what it does not do any more.
                (Some(pass), primary) if self.may_stay(primary.as_ref()) => {
                    self.pass = Some(pass);
                    return Ok(());
                }
                (Some(pass), Ok(id)) => {
                    self.bind_to(id)?;
                    self.pass = Some(pass);
                    return Ok(());
                }
                (None, _) => "it is being replaced".to_owned(),
                (Some(_), Err(why)) => why.to_string(),
            };
            if in_line.is_none() {
                in_line = Some(gate.stand_in_line().ok_or_else(crowded)?);
            }
            let left = deadline.saturating_duration_since(clock::now());
            let news = async {
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = self.published.changed() => {}
                }
            };
            if clock::within(left, news).await.is_err() {
                return Err(no_primary(&why, limit));
            }
        }
    }

    /// Decides on the newest picture of the servers from now on.
    pub(super) fn take_snapshot(&mut self) {
        // Who waits for news has marked them as seen.
        let newest = self.published.borrow_and_update();
        if !Arc::ptr_eq(&newest, &self.topology) {
            self.topology = Arc::clone(&newest);
        }
    }

    /// Whether the session has a connection to this primary, or the last one there was is only out of sight or read only,
    /// and it has one there.
    fn may_stay(&mut self, primary: Result<&ServerId, &NoPrimary>) -> bool {
        match primary {
            Ok(id) => *id == self.login.primary.server(),
            Err(NoPrimary::NoneWritable { .. } | NoPrimary::Unreachable { .. }) => {
                self.login.primary.held().is_some()
            }
            Err(_) => false,
        }
    }

    /// Lets others replace the primary, unless a transaction is open there.
    pub(super) fn leave_reign(&mut self) {
        // One that is open on a replica alone is nobody's business here.
        if !self.login.primary.status().contains(StatusFlags::IN_TRANSACTION) {
            self.pass = None;
        }
    }

    /// From now on the session's primary is this one. The error is the answer to the command, and ends the session.
    fn bind_to(&mut self, id: ServerId) -> Result<(), ErrPacket> {
        if let Some(why) = self.held_back() {
            self.doomed = true;
            return Err(left_behind(why));
        }
        self.leave_primary();
        let shelf = self.context.shelf(id, Purpose::Primary, self.login.whose());
        self.login.primary.bind(id, shelf);
        tracing::debug!(session = self.login.id, server = %id, "the session moves to another primary");
        Ok(())
    }

    /// What the session has that is on its present connection alone, beside a transaction.
    pub(super) fn held_back(&self) -> Option<Hold> {
        if self.statements.keep_home() {
            return Some(Hold::Statement);
        }
        // Nothing on the servers could have changed the session under an error where there is no stored code.
        self.login.state.tied(!self.has_no_stored_code())
    }

    fn has_no_stored_code(&self) -> bool {
        let traps = self.topology.facts.as_ref().and_then(|facts| facts.traps.as_deref());
        traps.is_some_and(crate::topology::Traps::is_empty)
    }

    /// Gives the connection to the primary up, with everything that was under way there.
    pub(super) fn leave_primary(&mut self) {
        if let Some(connection) = self.login.primary.held.take() {
            self.reach().give_up_primary();
            connection.leave();
        }
        self.login.primary.lose();
        self.login.state.lose_primary();
        // Nobody knows any more what the client may ask about the statement before.
        (self.asked_own, self.here, self.copied_warnings) = (true, Here::NOTHING, None);
        self.behind = Behind { clean: true, ..self.behind };
    }

    /// At the beginning of a command: the session goes where the primary is. True where the command was answered, which
    /// `answered` says that it may be.
    pub(super) async fn follow_reign(&mut self, answered: bool) -> Result<bool, Closing> {
        self.take_snapshot();
        if self.has_hung_up().await {
            // Else it is found out when something is sent.
            self.goes_on_without().await;
        }
        if self.primary_has_changed() {
            if !self.outlives_primaries() || self.held_back().is_some() {
                return self.ends_with_reign().await.map(|()| true);
            }
            // Whoever comes to the gate is bound to the new one.
            if self.login.primary.held().is_some() {
                self.cut_off();
            }
        }
        if answered && let Some(fate) = self.cut_short.take() {
            // Who rolls it back has what they want.
            if fate == Fate::RolledBack && self.rolls_back() {
                return self.tell_ok().await.map(|()| true);
            }
            return self.refuse(&fate.told()).await.map(|()| true);
        }
        Ok(false)
    }

    /// The session cannot follow.
    async fn ends_with_reign(&mut self) -> Result<(), Closing> {
        let why = self.held_back().filter(|_| self.outlives_primaries());
        let error = why.map_or_else(replaced, left_behind);
        let seq = relay::discard_command(&mut self.client).await?;
        self.tell(seq, &error).await?;
        Err(Closing::Told("the primary has changed"))
    }

    /// Leaves the primary at which nothing of a command is under way. A transaction that was open there is lost, and its
    /// client hears of that before anything else.
    pub(super) fn cut_off(&mut self) {
        let joined = self.read_only.as_ref().map(super::read_only::ReadOnly::is_joined);
        let open = match joined {
            None => self.login.state.view().in_transaction,
            // What runs on a replica alone goes on there.
            Some(joined) => joined,
        };
        if joined == Some(true)
            && let Some(transaction) = self.read_only.take()
        {
            transaction.leave();
            self.login.state.read_elsewhere(false, StatusFlags(0));
        }
        let view = self.login.state.view();
        let sure = !view.fate_unknown && !view.in_xa;
        if open {
            self.cut_short = Some(if sure { Fate::RolledBack } else { Fate::Unknown });
        }
        self.pass = None;
        self.leave_primary();
    }

    /// Whether a lost connection means that the server is lost, so that the session goes on elsewhere. A server that
    /// works has ended this connection for a reason of its own, and the client is to notice.
    pub(super) async fn survives_loss(&mut self) -> bool {
        if !self.outlives_primaries() || self.held_back().is_some() {
            return false;
        }
        let gate = Arc::clone(&self.context.shared.gate);
        let id = self.login.primary.server();
        let deadline = clock::now() + VERDICT;
        loop {
            let topology = Arc::clone(&self.lookout.borrow_and_update());
            // One that is merely late or full has ended this connection for a reason of its own.
            let ails = topology.server(id).is_none_or(|server| server.health.may_be_lost());
            if gate.is_held() || topology.primary != Ok(id) || ails {
                return true;
            }
            let left = deadline.saturating_duration_since(clock::now());
            if clock::within(left, self.lookout.changed()).await.is_err() {
                return false;
            }
        }
    }

    /// The connection to the primary was lost while a command was under way. `whole`: all of it had been sent, and nothing
    /// of it is still to come.
    pub(super) async fn lost_primary(
        &mut self,
        errand: &Errand<'_>,
        tracker: &Tracker,
        error: BackendError,
        whole: bool,
    ) -> Result<Ran, Closing> {
        self.report_primary(Trouble::Lost);
        let survives = whole && self.survives_loss().await;
        let open = self.login.state.view().in_transaction;
        if survives && tracker.untouched() && self.may_run_elsewhere(errand) {
            self.leave_primary();
            return Ok(Ran::Again);
        }
        if errand.stands {
            relay::discard_command(&mut self.client).await?;
        }
        if survives && self.is_undone(errand) {
            self.cut_off();
            self.cut_short = None;
            self.tell_broken(tracker, &Fate::RolledBack.told()).await?;
            return Ok(Ran::Answered(None));
        }
        let unknown = errand.may_write() || open;
        let text = match unknown {
            true => format!(
                "the connection to the primary was lost while it ran the statement ({error}); whether it was done is not \
                 known"
            ),
            false => format!("the connection to the server was lost while it ran the statement ({error})"),
        };
        self.tell_broken(tracker, &ErrPacket::own(SERVER_LOST, b"HY000", &text)).await?;
        if !survives {
            return Err(error.into());
        }
        self.cut_off();
        self.cut_short = None;
        if unknown {
            // Who looks whether it was done finds it, if it was.
            self.login.state.goes_on(clock::now());
        }
        Ok(Ran::Answered(None))
    }

    /// The primary has hung up on an idle session. True where the session goes on.
    pub(super) async fn goes_on_without(&mut self) -> bool {
        self.report_primary(Trouble::Lost);
        if !self.survives_loss().await {
            return false;
        }
        self.cut_off();
        true
    }

    /// The primary is given up while the session idles. True where the session goes on.
    pub(super) fn is_cut_idle(&mut self) -> bool {
        let survives = self.held_back().is_none();
        if survives {
            self.cut_off();
        }
        survives
    }

    /// Whether the primary has hung up before anything of a command was sent to it.
    pub(super) async fn has_hung_up(&mut self) -> bool {
        if !self.outlives_primaries() {
            return false;
        }
        let Some(held) = self.login.primary.held() else { return false };
        let link = &mut held.link;
        std::future::poll_fn(|cx| std::task::Poll::Ready(link.poll_readable(cx).is_ready())).await
    }

    /// Whether a command may stay in the inbox until it was done: it harms nobody to send it again.
    pub(super) fn may_stand_outside(&self) -> bool {
        self.outlives_primaries() && !self.login.state.view().in_transaction
    }

    /// Whether the command at the front of the inbox stays there until it was done: it has come whole, and may be sent
    /// again where that does no harm.
    pub(super) fn may_stand(&self, statement: &Statement) -> bool {
        let view = self.login.state.view();
        if !self.outlives_primaries() || view.in_transaction || !view.autocommit {
            return false;
        }
        let once = matches!(
            statement.class,
            Class::PlainRead
                | Class::Data
                | Class::Ddl
                | Class::Account
                | Class::Transaction(TransactionKind::Begin)
        );
        // On another server it would be about another statement.
        let once = once && !statement.looks_back;
        let Some(header) = Header::read(&self.client.inbox).filter(|_| once) else { return false };
        let whole = !header.continues() && self.client.inbox.len() >= HEADER + header.len;
        // The client's file follows in the same stream.
        let sends_file =
            |text| sql::mentions(text, self.lex_mode(), |word| word.eq_ignore_ascii_case(b"INFILE"));
        whole && self.text(header).is_some_and(|text| !sends_file(text))
    }

    /// Waits a moment before a server that could not be reached is tried again.
    pub(super) async fn pause_for_primary(&mut self) {
        // Nobody publishes any more when Headgate ends.
        let _ = clock::within(PAUSE, self.lookout.changed()).await;
    }

    /// How long a command may wait for a primary.
    pub(super) fn hold_deadline(&self) -> Instant {
        clock::now() + self.context.shared.limits().hold
    }
}
