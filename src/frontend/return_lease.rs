//! The way back of a connection to the primary that serves many sessions: what is not known of it is asked, what is owed
//! is settled, and then it is given back, or kept for a reason.

use super::own::LIMIT;
use super::reach::Spot;
use super::session::{Closing, LoggedIn, Session};
use crate::backend::Connection;
use crate::pool::Ticket;
use crate::runtime::clock;
use crate::session::{Assignments, Here, Hold, State};
use crate::topology::Flavor;
use crate::wire::command::Command;
use crate::wire::session_track::Change;

/// By which LAST_INSERT_ID() is set.
const OWN_VARIABLE: &str = "last_insert_id";

/// What LAST_INSERT_ID() says, under a name of our own.
const INSERT_ID: &str = "SELECT LAST_INSERT_ID() AS id";

/// The same, and makes it 0. All connections that nobody has say 0, so that what a session finds there when it has
/// inserted something is its own.
const TAKE_INSERT_ID: &str = "SELECT LAST_INSERT_ID() AS id, LAST_INSERT_ID(0) AS none";

impl Session {
    /// Gives LAST_INSERT_ID() the session's value.
    pub(super) async fn carry_insert_id(&mut self) -> Result<(), Closing> {
        if self.login.primary.get()?.insert_id == self.login.state.insert_id() {
            // Whatever has run since, it says what it should.
            return Ok(());
        }
        let (asked_before, here) = (self.asked_own, self.here);
        // What an ERR has hidden would come with the answer to a question of ours.
        self.flush_reports().await?;
        if self.login.state.has_inserted() {
            self.read_insert_id(INSERT_ID).await?;
        }
        self.set_insert_id().await?;
        if self.login.primary.flavor() == Flavor::MariaDb {
            // None of these names a table, so that the diagnostics are what they were.
            self.asked_own = asked_before;
            self.here = Here { row_count: false, found_rows: false, ..here };
        }
        Ok(())
    }

    async fn set_insert_id(&mut self) -> Result<(), Closing> {
        let LoggedIn { primary, state, .. } = &mut self.login;
        let (connection, wanted) = (primary.get()?, state.insert_id());
        if connection.insert_id == wanted {
            return Ok(());
        }
        let mut set = Assignments::default();
        set.put(OWN_VARIABLE, &wanted.to_string());
        // It reports the variable that it sets, and with it what an ERR has hidden and could not be flushed before, as in a
        // transaction on MariaDB.
        let hidden = state.view().unreported;
        if hidden {
            state.expect_hidden();
        }
        let see = &mut |change: Change<'_>| {
            let own = matches!(change, Change::Variable { name, .. } if name == OWN_VARIABLE.as_bytes());
            if hidden && !own {
                state.observe(change);
            }
        };
        let sql = set.sql().unwrap_or_default();
        connection.command_seeing(Command::Query, sql.as_bytes(), LIMIT, see).await?;
        connection.insert_id = wanted;
        if hidden {
            state.settle_own();
            state.reported_all();
        }
        Ok(())
    }

    /// Asks what LAST_INSERT_ID() says.
    async fn read_insert_id(&mut self, sql: &str) -> Result<(), Closing> {
        let answer = self.ask_primary(sql).await?;
        let found = answer.ok().and_then(|answer| answer.value("id")?.parse().ok());
        let connection = self.login.primary.get()?;
        match found {
            Some(found) => {
                self.login.state.read_insert_id(connection.insert_id, found);
                connection.insert_id = found;
            }
            None => self.login.state.begin_unknown(),
        }
        Ok(())
    }

    /// Gives the connection to the primary back, unless there is a reason to keep it. `quiet`: nothing has run on it
    /// that the client may ask about.
    pub(super) async fn give_back(&mut self, quiet: bool) -> Result<(), Closing> {
        if !self.login.primary.is_shared() || self.login.primary.held.is_none() {
            return Ok(());
        }
        let hold = self.reason_to_keep(quiet).await?;
        self.login.primary.keeps = hold;
        if hold.is_some() {
            return Ok(());
        }
        let Some(mut connection) = self.login.primary.held.take() else { return Ok(()) };
        self.login.primary.status = connection.status;
        describe(&mut connection, &self.login.state);
        connection.warned |= !self.behind.clean;
        // At what a KILL was aimed, the KILL may still arrive.
        connection.spent |= !self.reach().give_up_primary();
        self.login.primary.last = Some(Ticket::of(&connection));
        if let Some(shelf) = &self.login.primary.pool {
            shelf.put(connection, clock::now());
        }
        Ok(())
    }

    /// Notes on the connection what it is: what the session is, whose changes went there.
    pub(super) fn note_setting(&mut self) {
        let LoggedIn { primary, state, .. } = &mut self.login;
        if primary.is_pooled()
            && let Some(connection) = primary.held()
        {
            describe(connection, state);
        }
    }

    /// Why the session must keep its connection, when all has been asked that may be asked.
    async fn reason_to_keep(&mut self, quiet: bool) -> Result<Option<Hold>, Closing> {
        let connection = self.login.primary.get()?;
        let (status, between) = (connection.status, connection.is_between_replies());
        if !between {
            // Something is owed. Whatever it is, nobody else shall have it.
            self.login.state.begin_unknown();
        }
        if self.statements.keep_home() {
            return Ok(Some(Hold::Statement));
        }
        let hold = self.login.state.hold(status);
        let question_of_locks =
            self.login.state.question_of_locks().filter(|_| hold == Some(Hold::NamedLock));
        let can_be_asked = question_of_locks.is_some()
            || matches!(hold, None | Some(Hold::CharsetUnknown | Hold::Unreported));
        if !can_be_asked {
            return Ok(hold);
        }
        let asked = self.knows_diagnostics() || self.traces.counts_rows || self.looks_back;
        if !quiet && asked {
            return Ok(Some(Hold::Diagnostics));
        }
        if hold == Some(Hold::CharsetUnknown) {
            self.read_charsets().await?;
        }
        self.flush_reports().await?;
        if let Some(question) = question_of_locks {
            let answer = self.command_primary(Command::Query, &question).await?;
            let held = answer.ok().is_none_or(|answer| answer.value("held") != Some("0"));
            self.login.state.answer_of_locks(held);
            if held {
                return Ok(Some(Hold::NamedLock));
            }
        }
        if self.login.state.has_inserted() || self.login.primary.get()?.insert_id != 0 {
            self.read_insert_id(TAKE_INSERT_ID).await?;
            self.login.primary.get()?.insert_id = 0;
        }
        let status = self.login.primary.status();
        Ok(self.login.state.hold(status))
    }

    /// Whether the session's connection alone knows warnings or errors of the statement before.
    pub(super) fn knows_diagnostics(&self) -> bool {
        let here = self.here.diagnostics && !self.asked_own;
        !self.behind.clean && here && self.copied_warnings.is_none()
    }

    /// Has the server report what an ERR has hidden. The diagnostics stay as they are, and FOUND_ROWS().
    pub(super) async fn flush_reports(&mut self) -> Result<(), Closing> {
        if !self.login.state.view().unreported {
            return Ok(());
        }
        self.login.state.expect_hidden();
        let (asked_before, here) = (self.asked_own, self.here);
        match self.login.primary.flavor() {
            // The next OK tells all.
            Flavor::MySql => {
                if self.command_primary(Command::Ping, &[]).await?.is_ok() {
                    self.login.state.reported_all();
                }
            }
            Flavor::MariaDb => _ = self.have_reported().await?,
        }
        // Neither a ping nor a transaction without statements nor such a SET changes what else may be asked.
        (self.asked_own, self.here) = (asked_before, Here { row_count: false, ..here });
        Ok(())
    }

    /// The connection on which the statement before ran, where nobody has used it since. False where somebody has.
    pub(super) fn lease_again(&mut self) -> bool {
        if self.asked_own {
            return false;
        }
        let lease = &mut self.login.primary;
        if lease.held.is_some() {
            return true;
        }
        let ticket = lease.last.take();
        let Some(connection) =
            lease.pool.as_ref().zip(ticket).and_then(|(shelf, ticket)| shelf.take_again(ticket))
        else {
            return false;
        };
        lease.put(connection);
        if let Some(held) = &self.login.primary.held {
            let spot = Spot::of(held);
            self.reach().lend_primary(spot);
        }
        true
    }
}

/// What a session knows of the connection that it has.
fn describe(connection: &mut Connection, state: &State) {
    if connection.schema.as_deref() != state.schema() {
        connection.schema = state.schema().map(Into::into);
    }
    connection.names = state.names().cloned();
    connection.variables = state.variables().clone();
    connection.local = state.home().clone();
    connection.user = state.user_variables().clone();
    connection.closes_after = state.wait_timeout();
}
