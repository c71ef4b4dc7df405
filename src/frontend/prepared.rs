//! Statements of the binary protocol. They are prepared at the primary, so that the client hears the primary's word
//! and knows the primary's id. They run wherever they would run as text; a replica's connection prepares them when
//! it is first asked to, and keeps them for whoever comes with the same.

use std::sync::Arc;

use super::primary::Errand;
use super::relay;
use super::replica;
use super::session::{Closing, Session};
use super::statement::LONGEST_READ;
use crate::routing::Reason;
use crate::session::{Prepared, Statements, Touched};
use crate::sql::{self, Class, LexMode, Statement, Unclear};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::cursor::Cursor;
use crate::wire::execute::{self, Execute};
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::Shape;

/// An execution that may run anywhere.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    /// What the client calls the statement.
    pub(super) id: u32,
    pub(super) prepared: Arc<Prepared>,
}

/// Where an execution may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Wherever the statement may.
    Any,
    /// Only where it was prepared.
    Home,
}

impl Session {
    /// Serves a COM_STMT_PREPARE.
    pub(super) async fn prepare(&mut self, header: Header) -> Result<(), Closing> {
        let ran_elsewhere = self.lent.is_some();
        self.give_back_lent();
        self.read_whole(header, LONGEST_READ).await?;
        let mut statement = self.classify_prepared(header);
        if statement.class == Class::Other(Unclear::Charset) && self.read_charsets().await? {
            statement = self.classify_prepared(header);
        }
        if statement.looks_back && ran_elsewhere {
            return self.refuse(&replica::gone()).await;
        }
        if statement.is_plain_read() {
            // What they are now is what it will be bound to.
            self.read_charsets().await?;
        }
        let text = self.prepared_text(header).filter(|_| !statement.looks_back).map(Box::from);
        let errand = Errand::command(Shape::Prepare, Touched::Nothing);
        let Some(made) = self.followed_on_primary(errand).await?.prepared() else { return Ok(()) };
        match text {
            Some(text) => {
                let prepared = self.login.state.prepared(statement, text, made.parameters);
                self.statements.add(made.id, prepared);
            }
            None => self.statements.add_unknown(made.id),
        }
        if self.statements.get(made.id).is_none() {
            // It will run unread, so what it may do counts from now on.
            self.login.state.begin_unknown();
        }
        Ok(())
    }

    /// Serves a COM_STMT_EXECUTE, or MariaDB's COM_STMT_BULK_EXECUTE.
    pub(super) async fn execute(&mut self, byte: u8, header: Header) -> Result<(), Closing> {
        self.read_whole(header, LONGEST_READ).await?;
        let told = self.statement_id(header).await?;
        let id = self.statements.resolve(told);
        let by_its_name = told == id && byte == Command::StmtExecute as u8;
        let Some(prepared) = self.statements.get(id).map(Arc::clone) else {
            return self.execute_unknown(byte, header).await;
        };
        let ground = if by_its_name { self.bind(header, id, &prepared) } else { Ground::Home };
        if !by_its_name {
            self.statements.forget_types(id);
        }
        // The command may be another by now.
        let Some(header) = Header::read(&self.client.inbox) else { return Err(Closing::Quit) };
        let served = match ground {
            Ground::Any => {
                self.executing = Some(Execution { id, prepared: Arc::clone(&prepared) });
                let served = self.run_statement(prepared.statement.clone(), header).await;
                self.executing = None;
                served
            }
            Ground::Home => self.at_home(byte, header, &prepared.statement).await,
        };
        self.statements.let_go(id);
        served
    }

    /// Notes what an execution binds its parameters with, and puts what it relies on into it.
    fn bind(&mut self, header: Header, id: u32, prepared: &Prepared) -> Ground {
        let attributes = self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        let payload = self.client.inbox.get(HEADER..HEADER + header.len);
        let read = payload.map(|payload| Execute::parse(payload, prepared.parameters, attributes));
        let Some(Ok(Some(read))) = read else {
            self.statements.forget_types(id);
            return Ground::Home;
        };
        let asks_for_cursor = read.cursor;
        match (read.types, self.statements.types(id)) {
            (Some(types), _) => self.statements.bind(id, types),
            (None, Some(types)) if read.wants_types() => {
                let typed = read.with_types(types);
                relay::replace_command(&mut self.client, &typed);
            }
            // They were bound where they are not known here.
            (None, None) if read.wants_types() => return Ground::Home,
            (None, _) => {}
        }
        if asks_for_cursor {
            self.statements.open_cursor(id);
        }
        let moves = !self.statements.stays(id) && self.login.state.still_binds(prepared);
        if moves { Ground::Any } else { Ground::Home }
    }

    /// Runs the execution at the front of the inbox where the statement was prepared.
    async fn at_home(&mut self, byte: u8, header: Header, statement: &Statement) -> Result<(), Closing> {
        self.give_back_lent();
        if self.read_only.is_some() && !self.command_in_read_only(byte).await? {
            return Ok(());
        }
        let shape = self.execution_shape(byte, header).await?;
        self.query_on_primary(statement, Reason::PreparedHere, shape).await
    }

    /// A statement that is not remembered. Whatever it may do has counted since it was prepared.
    async fn execute_unknown(&mut self, byte: u8, header: Header) -> Result<(), Closing> {
        if self.read_only.is_some() && !self.command_in_read_only(byte).await? {
            return Ok(());
        }
        let shape = self.execution_shape(byte, header).await?;
        let limit = self.context.shared.limits().statement_timeout;
        self.give_back_lent();
        self.on_primary(Errand { limit, ..Errand::command(shape, Touched::Wrote) }).await
    }

    /// An execution that asks for no cursor is answered as any statement is.
    async fn execution_shape(&mut self, byte: u8, header: Header) -> Result<Shape, Closing> {
        /// Behind the command byte and the statement's id.
        const FLAGS: usize = HEADER + execute::ID.end;
        if byte != Command::StmtExecute as u8 {
            return Ok(Shape::Results);
        }
        self.read_whole(Header { len: header.len.min(FLAGS + 1 - HEADER), ..header }, usize::MAX).await?;
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
    async fn statement_id(&mut self, header: Header) -> Result<u32, Closing> {
        self.read_whole(Header { len: header.len.min(execute::ID.end), ..header }, usize::MAX).await?;
        let payload = self.client.inbox.get(HEADER..HEADER + header.len.min(execute::ID.end));
        let id = payload.and_then(|payload| payload.get(execute::ID)).unwrap_or_default();
        Ok(Cursor::new(id).u32("statement id").unwrap_or(0))
    }

    /// Waits for the whole command, where it is not longer than `limit`.
    pub(super) async fn read_whole(&mut self, header: Header, limit: usize) -> Result<(), Closing> {
        while header.len <= limit && self.client.inbox.len() < HEADER + header.len {
            relay::more_from_client(&mut self.client).await?;
        }
        Ok(())
    }

    fn classify_prepared(&self, header: Header) -> Statement {
        match self.prepared_text(header) {
            Some(text) => sql::classify(text, LexMode { parameters: true, ..self.lex_mode() }),
            None => Statement::unread(),
        }
    }

    fn prepared_text(&self, header: Header) -> Option<&[u8]> {
        self.client.inbox.get(HEADER + 1..HEADER + header.len).filter(|_| header.len <= LONGEST_READ)
    }
}
