//! Questions of Headgate's own on the session's connection to the primary. What their answers report belongs to
//! the session: an ERR before may have hidden it until now (HAZARDS 2).

use std::time::{Duration, Instant};

use super::relay::RelayError;
use super::session::{Closing, LoggedIn, Session};
use crate::backend::BackendError;
use crate::runtime::clock;
use crate::session::ReadBack;
use crate::topology::Flavor;
use crate::wire::answer::Answer;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::Header;
use crate::wire::session_track::Change;

/// For each of them.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The session's character sets, under names of our own.
const CHARSETS: &str = "SELECT @@character_set_client AS client, @@collation_connection AS collation, \
                        @@character_set_results AS results";

/// Changes nothing, whatever is open or locked, and is reported (measured: it leaves the diagnostics and FOUND_ROWS()).
const SET_TO_ITSELF: &str = "SET SESSION div_precision_increment=@@session.div_precision_increment";

impl Session {
    /// Runs a statement of Headgate's own in the session. A refusal is the server's answer and no failure.
    pub(super) async fn ask_primary(&mut self, sql: &str) -> Result<Result<Answer, ErrPacket>, Closing> {
        self.command_primary(Command::Query, sql.as_bytes()).await
    }

    /// As [`Self::ask_primary`], with any command that is answered like a statement.
    pub(super) async fn command_primary(
        &mut self,
        command: Command,
        argument: &[u8],
    ) -> Result<Result<Answer, ErrPacket>, Closing> {
        if let Err(error) = self.lease().await {
            return Ok(Err(error));
        }
        let LoggedIn { primary, state, .. } = &mut self.login;
        let see = &mut |change: Change<'_>| state.observe(change);
        let answer = primary.get()?.command_seeing(command, argument, LIMIT, see).await;
        self.used_primary = clock::now();
        self.asked_own = true;
        match answer {
            Ok(answer) => {
                state.settle_own();
                Ok(Ok(answer))
            }
            Err(BackendError::Refused { error }) => Ok(Err(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the primary for the session's character sets where that may help. False where it does not.
    pub(super) async fn read_charsets(&mut self) -> Result<bool, Closing> {
        if !self.may_ask() {
            return Ok(false);
        }
        self.ask_charsets().await
    }

    /// As [`Self::read_charsets`], whatever else is open: before a statement that is about to run anyway.
    pub(super) async fn ask_charsets(&mut self) -> Result<bool, Closing> {
        if !self.login.state.must_read_charsets() {
            return Ok(false);
        }
        let Ok(answer) = self.ask_primary(CHARSETS).await? else { return Ok(false) };
        let state = &mut self.login.state;
        if let (Some(client), Some(collation)) = (answer.value("client"), answer.value("collation")) {
            state.read_charsets(ReadBack { client, collation, results: answer.value("results") });
        }
        Ok(!state.must_read_charsets())
    }

    /// Has the server report what an ERR has hidden. MariaDB does so only with an OK that has something of its
    /// own to report, such as the beginning of a transaction; a session that only reads would wait for ever. A pinned
    /// session, which may have a transaction already, sets a variable instead: that reports a change without a name as
    /// well, so that no other session could be believed after it. False where it has not been done.
    pub(super) async fn have_reported(&mut self) -> Result<bool, Closing> {
        if self.login.primary.flavor() != Flavor::MariaDb {
            return Ok(false);
        }
        let may_ask = self.may_ask();
        if !may_ask && self.login.state.view().changed.is_none() {
            return Ok(false);
        }
        self.login.state.expect_hidden();
        let first = if may_ask { "START TRANSACTION" } else { SET_TO_ITSELF };
        if self.ask_primary(first).await?.is_err() {
            return Ok(false);
        }
        if may_ask && let Err(error) = self.ask_primary("ROLLBACK").await? {
            // A transaction that nobody wants is open: better no session than that.
            return Err(RelayError::Server(BackendError::Refused { error }).into());
        }
        Ok(!self.login.state.view().unreported)
    }

    /// Whether a question between two statements of the session changes nothing for it.
    fn may_ask(&self) -> bool {
        let view = self.login.state.view();
        // A transaction would unlock the tables.
        let bound = view.tables_locked || view.in_xa;
        !view.in_transaction && !bound && view.autocommit && view.changed.is_none() && !view.transaction_named
    }

    /// The error with which the primary would refuse the statement at the front of the inbox.
    pub(super) async fn verdict_of_primary(&mut self) -> Result<Option<u16>, Closing> {
        let header = Header::read(&self.client.inbox);
        let Some(text) = header.and_then(|header| self.text(header)).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        if self.lease().await.is_err() {
            return Ok(None);
        }
        match self.login.primary.get()?.would_run(&text, LIMIT).await {
            Ok(()) => Ok(None),
            Err(BackendError::Refused { error }) => {
                Ok(Some(error.code).filter(|code| is_verdict(*code, &text)))
            }
            Err(error) => Err(RelayError::Server(error).into()),
        }
    }

    /// Whether the primary's connection has idled so long that the server may close it soon.
    pub(super) fn idles_long(&self, now: Instant) -> bool {
        let of_others =
            || self.topology.facts.as_ref().map(|facts| facts.wait_timeout.min(facts.interactive_timeout));
        let limit = self.login.state.wait_timeout().or_else(of_others).map(|limit| limit / 2);
        limit.is_some_and(|limit| now.saturating_duration_since(self.used_primary) > limit)
    }

    /// Keeps the primary's connection alive while a transaction goes on elsewhere.
    pub(super) async fn keep_alive(&mut self) -> Result<(), Closing> {
        if self.idles_long(clock::now())
            && let Some(primary) = self.login.primary.held()
        {
            primary.command(Command::Ping, &[], LIMIT).await?;
            self.used_primary = clock::now();
        }
        Ok(())
    }
}

/// Whether an error in preparing a statement is one that it would end in. ER_UNSUPPORTED_PS and
/// ER_MAX_PREPARED_STMT_COUNT_REACHED say nothing of it, nor ER_PARSE_ERROR where there may be several in
/// one text: the first of them would run.
fn is_verdict(code: u16, text: &[u8]) -> bool {
    !(matches!(code, 1295 | 1461) || (code == 1064 && text.contains(&b';')))
}
