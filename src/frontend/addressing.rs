//! Prepared statements of a session that shares connections to the primary: the client knows ids of Headgate's own,
//! and each connection knows a statement by another.
//!
//! A statement is prepared where it is to run. What a client has put into one connection's copy of it, parameters
//! sent ahead or a cursor, makes that copy the statement's home, and keeps the connection for as long.

use super::checkout::setting;
use super::lent::Lent;
use super::own::LIMIT;
use super::prepared::Execution;
use super::relay;
use super::session::{Closing, LoggedIn, Session};
use super::standing;
use crate::backend::{BackendError, Connection, Purpose, Reading, Use};
use crate::pooling::{Fit, Setting};
use crate::routing::{Reason, Target};
use crate::session::Prepared;
use crate::topology::Flavor;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::execute;
use crate::wire::frame::Header;
use crate::wire::reply::Shape;

/// ER_UNKNOWN_STMT_HANDLER.
const UNKNOWN_STATEMENT: u16 = 1243;

/// ER_MALFORMED_PACKET.
const MALFORMED: u16 = 1835;

/// ER_STMT_HAS_NO_OPEN_CURSOR.
const NO_CURSOR: u16 = 1421;

/// Which copy of a statement is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    /// One that others may use as well.
    Shared,
    /// One that nobody else has, and that stays until it is left.
    Home,
}

impl Session {
    /// Serves the commands that are served otherwise where connections are shared. False for all others.
    pub(super) async fn served_for_pooled(&mut self, byte: u8, header: Header) -> Result<bool, Closing> {
        let Some(command) = Command::of(byte) else { return Ok(false) };
        match command {
            Command::StmtClose | Command::StmtSendLongData | Command::StmtReset | Command::StmtFetch => {
                self.about_statement(command, header).await?;
            }
            // The OK of a ping repeats the warning count of the statement before; where that is not 0, its connection is
            // kept.
            Command::Ping if self.may_answer_ping() => {
                self.count(Target::Primary, Reason::Command);
                self.tell_ok().await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether a ping needs no server: there is a primary, and nothing of the session's is on its way.
    fn may_answer_ping(&mut self) -> bool {
        let kept = self.lent.as_ref().is_some_and(Lent::is_kept);
        !kept && self.login.primary.held().is_none() && self.topology.primary.is_ok()
    }

    /// Puts the id by which the connection knows it into the execution at the front of the inbox. The error is the
    /// server's, which does not take the statement any more.
    pub(super) async fn address_execution(&mut self) -> Result<Result<(), ErrPacket>, Closing> {
        let Some(Execution { id, prepared, stays }) = self.executing.clone() else { return Ok(Ok(())) };
        let copy = if stays { Copy::Home } else { Copy::Shared };
        match self.copy_of(id, &prepared, copy).await? {
            Ok(there) => standing::put_statement_id(&mut self.client, there),
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    /// What the session's connection calls a statement, which it prepares where it has to.
    async fn copy_of(
        &mut self,
        id: u32,
        prepared: &Prepared,
        copy: Copy,
    ) -> Result<Result<u32, ErrPacket>, Closing> {
        if let Some(there) = self.statements.home(id) {
            return Ok(Ok(there));
        }
        let types = self.statements.types(id).unwrap_or_default().to_vec();
        let attributes = self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        // What a user variable is decides how a text is read when it
        // is prepared, and so does what is not carried.
        let own = execute::binds_strings(&types, attributes)
            || prepared.text.contains(&b'@')
            || self.login.state.view().changed.is_some();
        let session = own.then_some(self.login.id);
        let use_of = match copy {
            Copy::Shared => Use { types: &types, session },
            Copy::Home => Use::unbound(self.login.id),
        };
        self.ready_to_move(prepared).await?;
        self.note_setting();
        let there = match self.prepared_there(prepared, use_of).await {
            Ok(there) => there,
            Err(BackendError::Refused { error }) => return Ok(Err(error)),
            Err(error) => return Err(error.into()),
        };
        if copy == Copy::Home {
            self.login.primary.get()?.fasten(there);
            self.statements.settle_down(id, there);
        }
        Ok(Ok(there))
    }

    /// Makes sure that the session's connection can go to what a statement is bound to, and back.
    async fn ready_to_move(&mut self, prepared: &Prepared) -> Result<(), Closing> {
        if self.login.state.still_binds(prepared) {
            return Ok(());
        }
        // What an ERR has hidden would come with the answer to a SET of ours.
        self.flush_reports().await?;
        if self.login.state.view().unreported {
            // Pinned, it can be asked in a transaction too.
            self.login.state.begin_unknown();
            self.flush_reports().await?;
        }
        // The way back leads to the session's character sets, which must have a name.
        self.ask_charsets().await.map(drop)
    }

    /// The statement, prepared under what the session was when the client had it prepared (HAZARDS 5).
    async fn prepared_there(&mut self, prepared: &Prepared, use_of: Use<'_>) -> Result<u32, BackendError> {
        let session = self.login.id;
        let LoggedIn { primary, state, .. } = &mut self.login;
        let connection = primary.get()?;
        let (schema, names, variables) = (prepared.schema(), prepared.names(), prepared.variables());
        let reading = Reading { schema, names, variables };
        if let Some(there) = connection.prepared_before(&prepared.text, use_of, session, reading) {
            return Ok(there);
        }
        let now = setting(state, Purpose::Primary);
        // Without a schema it names all schemas itself, and no command takes one away.
        let then = Setting { schema: schema.or(now.schema), names, variables, ..now };
        let binds = state.still_binds(prepared);
        if !binds && state.view().unreported {
            // The way back would undo what nobody knows of.
            return Err(BackendError::NotCarried);
        }
        // What fails on the way leaves the connection as nobody knows: the session ends with it.
        if !binds && !move_to(connection, then).await? {
            return Err(BackendError::NotCarried);
        }
        let made = connection.statement(&prepared.text, use_of, prepared.columns, LIMIT).await;
        if !binds && !move_to(connection, setting(state, Purpose::Primary)).await? {
            return Err(BackendError::NotCarried);
        }
        made.map(|made| made.id)
    }

    /// The copy that was the statement's home is of no use to anybody.
    pub(super) async fn leave_home(&mut self, id: u32) -> Result<(), Closing> {
        if let Some(there) = self.statements.leave_home(id)
            && let Some(connection) = self.login.primary.held()
        {
            connection.discard(there).await?;
        }
        Ok(())
    }

    /// Serves a command about a prepared statement, other than its execution.
    pub(super) async fn about_statement(&mut self, command: Command, header: Header) -> Result<(), Closing> {
        /// Behind the command byte and the id, the number of a parameter follows.
        const WITH_PARAMETER: usize = execute::ID.end + 2;
        let needs = if command == Command::StmtSendLongData { WITH_PARAMETER } else { execute::ID.end };
        if header.len < needs {
            return self.malformed(command).await;
        }
        let told = self.statement_id(header).await?;
        let id = self.statements.resolve(told);
        let known = self.statements.get(id).cloned();
        if known.is_none() && self.statements.home(id).is_none() {
            return self.about_nothing(command, told).await;
        }
        match command {
            Command::StmtClose => {
                relay::discard_command(&mut self.client).await?;
                let there = self.statements.home(id);
                self.statements.remove(id);
                if let (Some(there), Some(connection)) = (there, self.login.primary.held()) {
                    connection.discard(there).await?;
                }
                Ok(())
            }
            Command::StmtSendLongData => self.send_ahead(id, known.as_deref()).await,
            Command::StmtReset => {
                let Some(there) = self.statements.home(id) else { return self.tell_ok().await };
                standing::put_statement_id(&mut self.client, there);
                self.statements.let_go(id);
                self.relay_command(command as u8, Shape::Results).await
            }
            Command::StmtFetch => {
                let Some(there) = self.statements.home(id) else {
                    let text = format!("The statement ({id}) has no open cursor.");
                    let error = ErrPacket { code: NO_CURSOR, state: *b"HY000", message: text.into_bytes() };
                    return self.refuse(&error).await;
                };
                standing::put_statement_id(&mut self.client, there);
                self.relay_command(command as u8, Shape::Rows).await
            }
            _ => self.about_nothing(command, told).await,
        }
    }

    /// A parameter is sent ahead. The protocol has no reply to that, so what stands in its way ends the session.
    async fn send_ahead(&mut self, id: u32, prepared: Option<&Prepared>) -> Result<(), Closing> {
        if self.lease().await.is_err() {
            return Err(Closing::Told("no connection to the primary for a parameter sent ahead"));
        }
        let there = match (self.statements.home(id), prepared) {
            (Some(there), _) => there,
            (None, Some(prepared)) => match self.copy_of(id, prepared, Copy::Home).await? {
                Ok(there) => there,
                Err(_) => return Err(Closing::Told("a statement cannot be prepared any more")),
            },
            (None, None) => return self.about_nothing(Command::StmtSendLongData, id).await,
        };
        standing::put_statement_id(&mut self.client, there);
        self.statements.expect_parameter(id);
        self.forward_silently().await
    }

    /// A command about a statement that there is not.
    pub(super) async fn about_nothing(&mut self, command: Command, id: u32) -> Result<(), Closing> {
        let given_to = match (command, self.login.primary.flavor()) {
            (Command::StmtExecute | Command::StmtReset | Command::StmtFetch, Flavor::MySql) => {
                "mysql_stmt_precheck"
            }
            (Command::StmtExecute | Command::StmtBulkExecute, _) => "mysqld_stmt_execute",
            (Command::StmtReset, Flavor::MariaDb) => "mysqld_stmt_reset",
            (Command::StmtFetch, Flavor::MariaDb) => "mysqld_stmt_fetch",
            _ => {
                // The protocol has no reply to the others.
                relay::discard_command(&mut self.client).await?;
                return Ok(());
            }
        };
        let text = format!("Unknown prepared statement handler ({id}) given to {given_to}");
        let error = ErrPacket { code: UNKNOWN_STATEMENT, state: *b"HY000", message: text.into_bytes() };
        self.refuse(&error).await
    }

    /// A command too short to name a statement: what is wrong with it, the primary says.
    async fn malformed(&mut self, command: Command) -> Result<(), Closing> {
        match command {
            // MySQL answers what has no reply, and MariaDB does not.
            Command::StmtClose | Command::StmtSendLongData
                if self.login.primary.flavor() == Flavor::MySql =>
            {
                let message = b"Malformed communication packet.".to_vec();
                self.refuse(&ErrPacket { code: MALFORMED, state: *b"HY000", message }).await
            }
            Command::StmtClose | Command::StmtSendLongData => {
                relay::discard_command(&mut self.client).await?;
                Ok(())
            }
            _ => self.relay_command(command as u8, Shape::Results).await,
        }
    }

    /// Passes a command on to which the protocol has no reply.
    pub(super) async fn forward_silently(&mut self) -> Result<(), Closing> {
        if self.lease().await.is_err() {
            relay::discard_command(&mut self.client).await?;
            return Ok(());
        }
        let lender = self.login.primary.is_shared().then_some(&**self.context.pool.limits());
        let primary = self.login.primary.get()?;
        relay::forward_command(&mut self.client, primary, lender).await?;
        primary.finish(primary.status);
        Ok(())
    }
}

/// Brings a connection to what is wanted. False where it cannot be.
async fn move_to(connection: &mut Connection, wanted: Setting<'_>) -> Result<bool, BackendError> {
    let Some(fit) = Fit::between(connection.setting(), wanted) else { return Ok(false) };
    match connection.bring(wanted, fit, LIMIT).await {
        Err(BackendError::Refused { .. }) => Ok(false),
        brought => brought,
    }
}
