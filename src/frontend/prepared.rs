//! Statements of the binary protocol. They are prepared at the primary, so that the client hears the primary's word
//! and knows the primary's id. They run wherever they would run as text; a replica's connection prepares them when
//! it is first asked to, and keeps them for whoever comes with the same.

use std::sync::Arc;

use super::decision::may_leave;
use super::errand::Errand;
use super::plan::Plan;
use super::read_only::ReadOnly;
use super::relay;
use super::replica;
use super::session::{Closing, Session};
use super::standing;
use super::statement::{LONGEST_READ, TextOf};
use crate::routing::Reason;
use crate::routing::read_only::Holder;
use crate::session::{Prepared, Statements, Touched};
use crate::sql::{Class, Statement, Unclear};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::cursor::Cursor;
use crate::wire::err::ErrPacket;
use crate::wire::execute::{self, Execute};
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::Shape;

/// An execution that may run anywhere.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    /// What the client calls the statement.
    pub(super) id: u32,
    pub(super) prepared: Arc<Prepared>,
    /// Only one connection's copy of the statement will do.
    pub(super) stays: bool,
}

/// Where an execution may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Wherever the statement may.
    Any,
    /// On any connection to the primary.
    Primary,
    /// Only where it was prepared.
    Home,
}

impl Session {
    /// Serves a COM_STMT_PREPARE.
    pub(super) async fn prepare(&mut self, header: Header) -> Result<(), Closing> {
        let statement = self.read_statement(header, TextOf::Prepare).await?;
        if statement.looks_back && !statement.only_looks_back && self.lent.is_some() {
            self.give_back_lent();
            return self.refuse(&replica::gone()).await;
        }
        // MariaDB refuses to prepare what the transaction may not run. A read is none of that.
        let ran_at = self.read_only.as_ref().map(ReadOnly::ran_at);
        let must_join = ran_at.is_some() && !statement.is_plain_read();
        if must_join && !self.command_in_read_only(Command::StmtPrepare as u8).await? {
            return Ok(());
        }
        if !statement.only_looks_back {
            self.forget_where_it_ran();
        } else if let (Some(transaction), Some(holder)) = (&mut self.read_only, ran_at) {
            // To prepare a question about the statement before changes nothing about that.
            transaction.remember(holder);
        }
        if may_leave(&statement) || self.login.primary.is_pooled() {
            // What they are now is what it will be bound to.
            self.read_charsets().await?;
        }
        let pooled = self.login.primary.is_pooled();
        let remembered = pooled || !statement.looks_back || statement.only_looks_back;
        let text = self.prepared_text(header).filter(|_| remembered).map(Box::from);
        let called = self.login.primary.is_pooled().then(|| self.statements.next_id());
        let errand = Errand { called, ..Errand::command(Shape::Prepare, Touched::Nothing) };
        let followed = self.followed_on_primary(errand).await?;
        let Some(made) = followed.and_then(|followed| followed.prepared()) else {
            self.statements.forget_last();
            self.forget_where_it_ran();
            return Ok(());
        };
        // Where connections are shared, what others leave there would be read in the text.
        let unread = if pooled { statement.is_plain_read() } else { may_run_unread(&statement.class) };
        let harmless = text.is_some() && unread;
        let id = called.unwrap_or(made.id);
        match text {
            Some(text) => {
                let prepared = self.login.state.prepared(statement, text, self.lex_mode(), made);
                self.statements.add(id, prepared);
            }
            None => self.statements.add_unknown(id),
        }
        if called.is_some() {
            match self.statements.get(id).cloned() {
                Some(prepared) => {
                    self.note_setting();
                    let connection = self.login.primary.get()?;
                    connection.adopt(made, &prepared.text, self.login.id).await?;
                    if prepared.names().is_none() {
                        // No other connection can be made what this one is.
                        connection.fasten(made.id);
                        self.statements.settle_down(id, made.id);
                        self.statements.open_cursor(id);
                    }
                }
                None => self.statements.add_stray(id, made.id),
            }
        }
        if self.statements.get(id).is_none() && !harmless {
            // It will run unread, so what it may do counts from now on.
            self.login.state.begin_unknown();
        }
        Ok(())
    }

    /// The command that questions are about from now on was the primary's.
    pub(super) fn forget_where_it_ran(&mut self) {
        self.give_back_lent();
        if let Some(transaction) = &mut self.read_only {
            transaction.remember(Holder::Primary);
        }
    }

    /// Serves a COM_STMT_EXECUTE, or MariaDB's COM_STMT_BULK_EXECUTE.
    pub(super) async fn execute(&mut self, byte: u8, header: Header) -> Result<(), Closing> {
        // Of a long one the beginning.
        relay::payload_from_client(&mut self.client, header.len.min(LONGEST_READ)).await?;
        let told = self.statement_id(header).await?;
        if self.statements.means_refused(told)
            && let Some(command) = Command::of(byte)
        {
            return self.about_nothing(command, told).await;
        }
        let id = self.statements.resolve(told);
        let Some(prepared) = self.statements.get(id).cloned() else {
            return self.execute_unknown(byte, header).await;
        };
        let mut ground = Ground::Home;
        if byte == Command::StmtExecute as u8 {
            let found = self.bind(header, id, &prepared);
            // By no name it is known to the server alone that prepared it.
            if told == id || self.login.primary.is_pooled() {
                ground = found;
            }
        } else {
            self.statements.forget_types(id);
            // What it binds is not followed here.
            self.statements.open_cursor(id);
        }
        // The command may be another by now.
        let Some(header) = Header::read(&self.client.inbox) else { return Err(Closing::Quit) };
        let stays = ground == Ground::Home;
        if ground == Ground::Any || self.login.primary.is_pooled() {
            self.executing = Some(Execution { id, prepared: Arc::clone(&prepared), stays });
        }
        let elsewhere = self.login.state.ties_elsewhere(&prepared).then(unfollowed);
        let statement = elsewhere.as_ref().unwrap_or(&prepared.statement);
        let served = match ground {
            Ground::Any => self.run_statement(statement.clone(), header).await,
            Ground::Primary | Ground::Home => self.at_home(byte, header, told, statement).await,
        };
        self.executing = None;
        self.statements.let_go(id);
        if !self.statements.stays(id) {
            self.leave_home(id).await?;
        }
        served
    }

    /// Notes what an execution binds its parameters with, and puts what it relies on into it.
    fn bind(&mut self, header: Header, id: u32, prepared: &Prepared) -> Ground {
        let attributes = self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let is_long = header.len > LONGEST_READ;
        let payload = self.client.inbox.get(HEADER..HEADER + header.len.min(LONGEST_READ));
        let read = payload.map(|payload| Execute::parse(payload, prepared.parameters, attributes));
        let Some(Ok(Some(read))) = read else {
            self.statements.forget_types(id);
            self.statements.open_cursor(id);
            return Ground::Home;
        };
        if read.cursor {
            self.statements.open_cursor(id);
        }
        let (wants_types, new_types) = (read.wants_types(), read.new_types);
        let told = match (read.types, self.statements.types(id)) {
            (Some(types), _) => self.statements.bind(id, types),
            (None, Some(types)) if wants_types => standing::put_types(&mut self.client, new_types, types),
            // They were bound where they are not known here.
            (None, _) => !wants_types,
        };
        if !told {
            self.statements.open_cursor(id);
        }
        if self.statements.stays(id) {
            return Ground::Home;
        }
        let anywhere = prepared.statement.only_looks_back || self.login.state.still_binds(prepared);
        if anywhere && !is_long { Ground::Any } else { Ground::Primary }
    }

    /// Runs the execution at the front of the inbox where the statement was prepared.
    async fn at_home(
        &mut self,
        byte: u8,
        header: Header,
        id: u32,
        statement: &Statement,
    ) -> Result<(), Closing> {
        self.give_back_lent();
        if self.read_only.is_some() && !self.command_in_read_only(byte).await? {
            return self.drop_sent_ahead(id).await;
        }
        if self.asks_back(statement, header) && !self.prepare_to_look_back(statement, header).await? {
            return self.drop_sent_ahead(id).await;
        }
        let shape = self.execution_shape(byte, header).await?;
        self.query_on_primary(statement, Reason::PreparedHere, shape).await
    }

    /// A statement that is not remembered. Whatever it may do has counted since it was prepared.
    async fn execute_unknown(&mut self, byte: u8, header: Header) -> Result<(), Closing> {
        if self.login.primary.is_pooled() && header.len >= execute::ID.end {
            let id = self.statement_id(header).await?;
            match (self.statements.home(id), Command::of(byte)) {
                (Some(there), _) => {
                    let traps = self.topology.facts.as_ref().and_then(|facts| facts.traps.as_ref());
                    if traps.is_none_or(|traps| !traps.is_empty() || traps.asks_insert_id()) {
                        // A view that it reads may call any of it.
                        self.login.state.begin_unknown();
                    }
                    standing::put_statement_id(&mut self.client, there);
                }
                (None, Some(command)) => return self.about_nothing(command, id).await,
                (None, None) => {}
            }
        }
        if self.read_only.is_some() {
            let id = self.statement_id(header).await?;
            if !self.command_in_read_only(byte).await? {
                return self.drop_sent_ahead(id).await;
            }
        }
        let shape = self.execution_shape(byte, header).await?;
        let limit = self.context.shared.limits().statement_timeout;
        self.give_back_lent();
        self.on_primary(Errand { limit, ..Errand::command(shape, Touched::Wrote) }).await
    }

    /// The command at the front of the inbox is refused, and was never sent: what it was about to do with prepared statements
    /// is settled here.
    pub(super) async fn refuse_unsent(
        &mut self,
        plan: Plan,
        header: Header,
        error: &ErrPacket,
    ) -> Result<(), Closing> {
        self.note_unsent(plan);
        if plan != Plan::Execute || header.len < execute::ID.end {
            return self.refuse(error).await;
        }
        let id = self.statement_id(header).await?;
        self.refuse(error).await?;
        self.drop_sent_ahead(id).await
    }

    /// A command was answered that was never sent.
    pub(super) fn note_unsent(&mut self, plan: Plan) {
        if plan == Plan::Prepare {
            self.statements.refuse_last();
        }
    }

    /// The client was told how an execution ended that its server has not heard of. An execution that ends uses up
    /// what was sent ahead for it.
    async fn drop_sent_ahead(&mut self, id: u32) -> Result<(), Closing> {
        let there = match self.login.primary.is_pooled() {
            true => self.statements.home(self.statements.resolve(id)),
            false => Some(id),
        };
        if let Some(there) = there {
            _ = self.command_primary(Command::StmtReset, &there.to_le_bytes()).await?;
        }
        Ok(())
    }

    /// An execution that asks for no cursor is answered as any statement is.
    async fn execution_shape(&mut self, byte: u8, header: Header) -> Result<Shape, Closing> {
        /// Behind the command byte and the statement's id.
        const FLAGS: usize = HEADER + execute::ID.end;
        if byte != Command::StmtExecute as u8 {
            return Ok(Shape::Results);
        }
        relay::payload_from_client(&mut self.client, header.len.min(execute::ID.end + 1)).await?;
        let asks =
            self.client.inbox.get(FLAGS).is_some_and(|flags| header.len > execute::ID.end && *flags != 0);
        Ok(if asks { Shape::Executed } else { Shape::Results })
    }

    /// Notes what another command does with a prepared statement.
    pub(super) async fn note_statement(&mut self, byte: u8, header: Header) -> Result<(), Closing> {
        let note = match Command::of(byte) {
            Some(Command::StmtClose) => Statements::remove,
            Some(Command::StmtSendLongData) => Statements::expect_parameter,
            Some(Command::StmtReset) => Statements::let_go,
            _ => return Ok(()),
        };
        let id = self.statement_id(header).await?;
        note(&mut self.statements, id);
        Ok(())
    }

    /// The id in the command at the front of the inbox; one that no statement has where there is none.
    pub(super) async fn statement_id(&mut self, header: Header) -> Result<u32, Closing> {
        let len = header.len.min(execute::ID.end);
        relay::payload_from_client(&mut self.client, len).await?;
        let payload = self.client.inbox.get(HEADER..HEADER + len);
        let id = payload.and_then(|payload| payload.get(execute::ID)).unwrap_or_default();
        Ok(Cursor::new(id).u32("statement id").unwrap_or(0))
    }

    /// The text of the COM_STMT_PREPARE at the front of the inbox.
    pub(super) fn prepared_text(&self, header: Header) -> Option<&[u8]> {
        self.client.inbox.get(HEADER + 1..HEADER + header.len).filter(|_| header.len <= LONGEST_READ)
    }
}

/// A statement whose bonds have names that are not followed.
const fn unfollowed() -> Statement {
    Statement::of(Class::Other(Unclear::TemporaryTable))
}

/// Whether a statement of this class may run unread, and change nothing that its reply does not tell.
const fn may_run_unread(class: &Class) -> bool {
    matches!(
        class,
        Class::PlainRead
            | Class::PrimaryRead(_)
            | Class::Data
            | Class::Inspect
            | Class::Describe
            | Class::Ddl
            | Class::Transaction(_)
            | Class::SetAutocommit
            | Class::SetTransaction
            | Class::Use(_)
    )
}
