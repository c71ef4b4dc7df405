//! What runs on the session's own connection to the primary.

use super::errand::Errand;
use super::freshness::{self, Report};
use super::reach::Spot;
use super::refused::Refusal;
use super::reign::Ran;
use super::relay::{self, Ending, RelayError, Terms};
use super::session::{Closing, LoggedIn, Session};
use super::standing;
use super::statement::LONGEST_READ;
use super::vigil::Alarm;
use crate::backend::{BackendError, SERVER_LOST};
use crate::routing::{PrimaryReads, Target};
use crate::runtime::clock;
use crate::session::{
    Abandoned, Behind, End, Here, Shown, Source, Touched, joins_diagnostics, keeps_diagnostics,
    outlives_questions,
};
use crate::sql::{Class, Traces};
use crate::topology::{Mark, Trouble};
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::{self, Shape, Tracker};

/// ER_QUERY_INTERRUPTED.
pub(super) const INTERRUPTED: u16 = 1317;

/// ER_QUERY_TIMEOUT.
pub(super) const QUERY_TIMEOUT: u16 = 3024;

impl Session {
    /// Relays a command that neither is nor runs a statement.
    pub(super) async fn relay_command(&mut self, byte: u8, shape: Shape) -> Result<(), Closing> {
        let command = Command::of(byte);
        if !command.is_some_and(outlives_questions) {
            self.give_back_lent();
        }
        let touched = self.foresee(command);
        let pings = command == Some(Command::Ping);
        let stands = pings && self.client.inbox.len() > HEADER && self.may_stand_outside();
        self.on_primary(Errand { command, stands, ..Errand::command(shape, touched) }).await
    }

    /// Notes what such a command may do.
    fn foresee(&mut self, command: Option<Command>) -> Touched {
        match command {
            Some(Command::SetOption) => {
                // No reset undoes it: the connection must not serve anybody else.
                self.login.state.begin_unknown();
                Touched::Nothing
            }
            Some(Command::Ping | Command::Statistics | Command::StmtReset) => Touched::Nothing,
            Some(Command::InitDb) => {
                self.login.state.begin_schema();
                Touched::Saw
            }
            Some(Command::RegisterReplica) => {
                self.login.state.begin_replication();
                Touched::Nothing
            }
            Some(Command::StmtFetch | Command::FieldList) => Touched::Saw,
            _ => Touched::Wrote,
        }
    }

    /// Relays the command at the front of the inbox to the primary, and its reply back.
    pub(super) async fn on_primary(&mut self, errand: Errand<'_>) -> Result<(), Closing> {
        self.followed_on_primary(errand).await.map(|_| ())
    }

    /// Why nothing is written anywhere, where servers answer and it is not clear which of them takes writes: a session
    /// that still has its connection to one of them would otherwise go on writing there. What a transaction has
    /// written before may still be committed, as the transaction is that server's.
    fn ambiguity(&self) -> Option<ErrPacket> {
        let published = self.published.borrow();
        let why = published.primary.as_ref().err().filter(|why| why.is_ambiguous())?;
        // ER_OPTION_PREVENTS_STATEMENT, as from a server that takes no writes.
        Some(ErrPacket::own(1290, b"HY000", &why.to_string()))
    }

    /// As [`Self::on_primary`], and gives back who has followed the reply; nothing where the command was refused here.
    pub(super) async fn followed_on_primary(
        &mut self,
        errand: Errand<'_>,
    ) -> Result<Option<Tracker>, Closing> {
        let deadline = self.hold_deadline();
        let mut errand = errand;
        loop {
            match self.attempt_on_primary(errand, clock::now() < deadline).await? {
                Ran::Answered(followed) => return Ok(followed),
                Ran::Again => errand.sent_before = true,
            }
        }
    }

    /// Relays a command to the primary, once. `again`: it may be given back to run on another primary.
    pub(super) async fn attempt_on_primary(
        &mut self,
        errand: Errand<'_>,
        again: bool,
    ) -> Result<Ran, Closing> {
        if errand.touched == Touched::Wrote
            && let Some(error) = self.ambiguity()
        {
            self.login.state.sent_nothing();
            self.refuse(&error).await?;
            return Ok(Ran::Answered(None));
        }
        self.receive_before_lease().await?;
        if let Err(error) = self.lease().await {
            self.login.state.sent_nothing();
            self.refuse(&error).await?;
            if self.doomed {
                return Err(Closing::Told("what the session had was lost with its primary"));
            }
            return Ok(Ran::Answered(None));
        }
        self.count(Target::Primary, errand.reason);
        // Only where reads choose between it and replicas.
        let counts = self.policy().primary_reads == PrimaryReads::Member;
        let _running = counts.then(|| self.context.shared.loads.count(self.login.primary.server()));
        let lender = self.login.primary.is_shared().then_some(&**self.context.pool.limits());
        let primary = self.login.primary.get()?;
        let mut tracker = Tracker::new(errand.shape, self.login.form, primary.status);
        if let Some(id) = errand.called {
            tracker.call_statement(id);
        }
        let sent = match errand.stands {
            true => standing::copy_command(&self.client, primary).await,
            false => relay::forward_command(&mut self.client, primary, lender).await,
        };
        if let Err(error @ RelayError::Client(_)) = sent {
            return Err(error.into());
        }
        // Where the server has hung up on a command, it may have said why first.
        let standing = if errand.stands { standing::standing(&self.client).len() } else { 0 };
        self.vigil.begin(errand.limit, standing);
        let mut mark = None;
        let reply = self.primary_reply(&mut tracker, &errand, &mut mark).await;
        match (reply, sent) {
            (Ok(Ending::HeldBack(end, held)), Ok(())) => {
                let refusal = Refusal { end, held, mark, again };
                Ok(self.refused_at_once(&errand, refusal).await?.unwrap_or(Ran::Answered(Some(tracker))))
            }
            (Ok(Ending::Delivered(end)), Ok(())) => {
                if errand.stands {
                    relay::discard_command(&mut self.client).await?;
                }
                self.settle_on_primary(&errand, &end, mark);
                Ok(Ran::Answered(Some(tracker)))
            }
            (Ok(Ending::Interrupted(Alarm::Gone)), Ok(())) => {
                Err(self.client_gone(errand.abandoned, &mut tracker).await)
            }
            (Ok(Ending::Interrupted(Alarm::Overtime)), Ok(())) => Err(self.leave_overtime(&tracker).await),
            (Ok(Ending::Interrupted(Alarm::Cut)), Ok(())) => {
                self.lost_primary(&errand, &tracker, BackendError::Closed, true).await
            }
            // What it said before it hung up.
            (Ok(Ending::HeldBack(_, held)), Err(error)) => {
                let limit = self.context.shared.limits().client_write_timeout;
                self.client.send(&held, limit).await.map_err(RelayError::Client)?;
                Err(error.into())
            }
            (Ok(_), Err(error)) => Err(error.into()),
            // What is still to come of a command would be taken for others.
            (Err(RelayError::Server(error)), sent) => {
                self.lost_primary(&errand, &tracker, error, sent.is_ok()).await
            }
            (Err(RelayError::MidFile(error)), _) => self.lost_primary(&errand, &tracker, error, false).await,
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Waits for a command, or as much of it as is kept, before it takes a connection that others wait for.
    pub(super) async fn receive_before_lease(&mut self) -> Result<(), Closing> {
        if !self.login.primary.is_shared() || self.login.primary.held().is_some() {
            return Ok(());
        }
        match Header::read(&self.client.inbox) {
            Some(header) => {
                let len = header.len.min(LONGEST_READ);
                Ok(relay::payload_from_client(&mut self.client, len).await?)
            }
            None => Ok(()),
        }
    }

    /// Notes how a command has ended on the primary.
    pub(super) fn settle_on_primary(&mut self, errand: &Errand<'_>, end: &reply::End, mark: Option<Mark>) {
        self.used_primary = clock::now();
        if matches!(end.error, Some(1290 | 1836)) {
            self.report_primary(Trouble::ReadOnly);
        }
        self.look_behind(errand, end, mark.is_some());
        self.login.state.settle(End {
            status: end.status,
            error: end.error,
            insert_id: end.insert_id,
            source: Source::Primary,
            touched: errand.touched,
            mark,
            now: self.used_primary,
        });
    }

    /// Has the primary asked at once whether it still is.
    pub(super) fn report_primary(&self, trouble: Trouble) {
        self.context.shared.troubles.report(self.login.primary.server(), trouble);
    }

    /// Notes what the client may ask about a command that has ended.
    fn look_behind(&mut self, errand: &Errand<'_>, end: &reply::End, wrote: bool) {
        let (failed, warnings) = (end.error.is_some(), end.warnings);
        let shown = Shown { failed, affected: end.affected, rows: end.rows, warnings };
        // Preparing a statement leaves what there is to be asked as it is, unless it fails.
        if errand.shape == Shape::Prepare && !failed {
            return;
        }
        // What our own questions have left there, or other sessions, is nothing of this one's.
        let had = if std::mem::take(&mut self.asked_own) { Here::NOTHING } else { self.here };
        let flavor = self.login.primary.flavor();
        let Some(statement) = errand.statement else {
            self.behind = self.behind.after_command(errand.command, shown, flavor);
            self.here = had.after_command(errand.command);
            if errand.command.is_some_and(outlives_questions) {
                // Wherever those are that it joins.
                if joins_diagnostics(errand.command, failed, flavor) {
                    self.copied_warnings = None;
                    self.forget_where_it_ran();
                }
                return;
            }
            self.traces = Traces::default();
            self.copied_warnings = None;
            return;
        };
        let before = self.behind;
        self.behind = before.after(statement, self.traces, shown, flavor);
        // Who asks for the diagnostics leaves them as they are.
        let asks = statement.looks_back && matches!(statement.class, Class::Inspect | Class::Other(_));
        if asks && !failed {
            self.behind = Behind { clean: before.clean, found_rows: before.found_rows, ..self.behind };
        }
        let outlived = asks || keeps_diagnostics(&statement.class, self.traces, flavor);
        self.here = had.after(&statement.class, shown, outlived && !failed && warnings == 0, wrote);
        // Some of these clear the warnings and some do not.
        let unsure = matches!(statement.class, Class::Several(_) | Class::Bond(_) | Class::Other(_));
        if failed || warnings > 0 || !outlived || (unsure && !asks) {
            self.copied_warnings = None;
        }
    }

    /// Relays the primary's reply. Ends a statement that takes too long; an alarm is returned where nothing
    /// could be done about it here.
    async fn primary_reply(
        &mut self,
        tracker: &mut Tracker,
        errand: &Errand<'_>,
        mark: &mut Option<Mark>,
    ) -> Result<Ending, RelayError> {
        // Some errors of a server that goes are not for the client.
        let (touched, hold_error) = (errand.touched, self.outlives_primaries());
        let marks = errand.statement.is_some_and(freshness::ends_with_its_transaction);
        self.vigil.stands_at_primary(true);

        let client_write_timeout = self.context.shared.limits().client_write_timeout;
        loop {
            let LoggedIn { primary, state, .. } = &mut self.login;
            let pooled = primary.is_shared();
            let primary = primary.get()?;
            let vigil = &mut self.vigil;
            let lender = pooled.then_some(&**self.context.pool.limits());
            let terms = Terms { client_write_timeout, hold_error, vigil, lender };
            let shared = &self.context.shared;
            let (topology, written, gate) = (&*self.topology, &shared.written, &*shared.gate);
            let report = Report { state, topology, written, gate, touched, marks, mark: &mut *mark };
            match relay::reply(&mut self.client, primary, tracker, terms, report).await? {
                Ending::Interrupted(Alarm::Overtime) => {
                    let spot = Spot::of(self.login.primary.get()?);
                    if self.end_statement(spot).await.is_err() {
                        return Ok(Ending::Interrupted(Alarm::Overtime));
                    }
                    tracker.reword(INTERRUPTED, too_long());
                }
                ending => return Ok(ending),
            }
        }
    }

    /// Ends a statement that has run into its limit. When this returns, nothing of that is under way any more,
    /// so it cannot hit what comes next.
    pub(super) async fn end_statement(&mut self, spot: Spot) -> Result<(), BackendError> {
        let struck = self.strike(spot, true, false).await;
        match &struck {
            Ok(()) => tracing::info!(
                session = self.login.id, server = %spot.server,
                "a statement took longer than limits.statement_timeout and was ended"
            ),
            Err(error) => tracing::warn!(
                session = self.login.id, server = %spot.server, %error,
                "a statement took longer than limits.statement_timeout and could not be ended"
            ),
        }
        struck
    }

    /// A statement has run into its limit and could not be ended. It runs on, so its session must not, and
    /// nobody runs it a second time.
    pub(super) async fn leave_overtime(&mut self, tracker: &Tracker) -> Closing {
        let text = "the statement took longer than limits.statement_timeout and could not be ended";
        match self.end_reply(tracker, &ErrPacket::own(QUERY_TIMEOUT, b"HY000", text)).await {
            Ok(_) => Closing::Told("a statement took too long and could not be ended"),
            Err(closing) => closing,
        }
    }

    /// Ends a reply that its server does not end, where a packet fits in. False where none does.
    async fn end_reply(&mut self, tracker: &Tracker, error: &ErrPacket) -> Result<bool, Closing> {
        if !tracker.between_packets() {
            return Ok(false);
        }
        let seq = match tracker.untouched() {
            true => self.client.number_inside().unwrap_or(1),
            false => tracker.next_client_seq(),
        };
        self.tell(seq, error).await.map(|()| true)
    }

    /// The client has hung up while the primary was at work.
    async fn client_gone(&mut self, abandoned: Abandoned, tracker: &mut Tracker) -> Closing {
        let Some(mut primary) = self.login.primary.held.take() else { return Closing::Quit };
        // Nobody is told how it ends.
        self.pass = None;
        let done = match abandoned {
            Abandoned::Ended => self.end_abandoned(&mut primary, tracker).await,
            // However long it takes: its client would have got no limit from the server either.
            Abandoned::RunOut => relay::outlast(&mut primary, tracker).await,
        };
        self.login.primary.put(primary);
        if let Err(error) = done {
            tracing::debug!(session = self.login.id, %error, "what a client left behind was not cleared away");
        }
        Closing::Quit
    }

    /// Tells the client that a server was lost in the middle of a reply, where a packet fits in.
    pub(super) async fn lose_server(
        &mut self,
        tracker: &Tracker,
        error: &BackendError,
    ) -> Result<(), Closing> {
        let text = format!("the connection to the server was lost while it ran the statement ({error})");
        self.tell_broken(tracker, &ErrPacket::own(SERVER_LOST, b"HY000", &text)).await
    }

    /// Ends a reply that its server does not end with an error of our own, where a packet fits in.
    pub(super) async fn tell_broken(&mut self, tracker: &Tracker, error: &ErrPacket) -> Result<(), Closing> {
        match self.end_reply(tracker, error).await? {
            true => Ok(()),
            false => Err(Closing::Told("a reply was torn")),
        }
    }
}

/// In place of the server's word that somebody has interrupted the statement.
pub(super) fn too_long() -> ErrPacket {
    let text = "the statement took longer than limits.statement_timeout and was ended";
    ErrPacket::own(QUERY_TIMEOUT, b"HY000", text)
}
