//! The statements that are prepared on a connection, whichever session wanted them.

use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::error::BackendError;
use crate::runtime::clock;
use crate::session::Variables;
use crate::wire::Malformed;
use crate::wire::command::Command;
use crate::wire::prepared::Prepared;

/// How many statements a connection keeps. All connections of a server share `max_prepared_stmt_count`, 16,382 by
/// default.
const KEPT: usize = 64;

/// How many bytes of text they may have together.
const KEPT_BYTES: usize = 1024 * 1024;

/// Statements prepared on one connection, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<Statement>);

/// A statement, and what decides for ever how the server reads it: what the connection was when it was prepared
/// (HAZARDS 5) and, on MySQL since 8.0.22, the types that its parameters were first bound with. What was an integer
/// then takes "bar" for 0 (measured).
#[derive(Debug)]
struct Statement {
    prepared: Prepared,
    text: Box<[u8]>,
    types: Box<[u8]>,
    session: Option<u32>,
    /// A session has something of its own in it: it is not closed for others to make room.
    fastened: bool,
    schema: Option<Box<[u8]>>,
    names: Option<Arc<str>>,
    variables: Variables,
}

/// What a server reads a text under.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The current schema.
    pub schema: Option<&'a [u8]>,
    /// The statement that makes the character sets.
    pub names: Option<&'a str>,
    /// Session variables that were set.
    pub variables: &'a Variables,
}

/// For what a statement is kept. MySQL takes a parameter for what it was at an earlier execution, and converts
/// what comes later to that, so that a number in one session would decide how another's string is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use<'a> {
    /// The types that its parameters are bound with.
    pub types: &'a [u8],
    /// The session it serves, where what it is depends on values too.
    pub session: Option<u32>,
}

impl Use<'_> {
    /// Of a statement that a session has prepared and not run yet.
    #[must_use]
    pub const fn unbound(session: u32) -> Self {
        Self { types: &[], session: Some(session) }
    }
}

impl Connection {
    /// A statement of this text under the connection's present schema, character sets and variables; prepared now
    /// where it is not prepared yet, or has other columns than it is `expected` to have.
    ///
    /// # Errors
    /// The server's refusal, or a failure after which the connection is of no further use.
    pub async fn statement(
        &mut self,
        text: &[u8],
        use_of: Use<'_>,
        expected: u16,
        limit: Duration,
    ) -> Result<Prepared, BackendError> {
        if let Some(at) = self.kept.0.iter().rposition(|kept| self.has(kept, text, use_of, self.reading())) {
            let kept = self.kept.0.remove(at);
            let prepared = kept.prepared;
            if prepared.columns == expected {
                self.kept.0.push(kept);
                return Ok(prepared);
            }
            self.close_statement(prepared.id).await?;
        }
        self.make_room(text.len()).await?;
        let prepared = clock::within(limit, self.prepare_statement(text)).await?;
        // Why it was refused is shown there to whoever asks next.
        self.warned |= prepared.is_err();
        let Some(prepared) = prepared? else { return Err(Malformed::new("answer to a prepare").into()) };
        self.keep(prepared, text, use_of);
        Ok(prepared)
    }

    /// A statement that was prepared here under other schema, character sets and variables than the present ones, for
    /// this use, or by this session and not run yet.
    pub fn prepared_before(
        &mut self,
        text: &[u8],
        use_of: Use<'_>,
        session: u32,
        reading: Reading<'_>,
    ) -> Option<u32> {
        let find = |use_of| self.kept.0.iter().rposition(|kept| self.has(kept, text, use_of, reading));
        // What the session has just prepared is newer than what others have.
        let at = find(Use::unbound(session)).or_else(|| find(use_of))?;
        let kept = self.kept.0.get_mut(at)?;
        if !kept.fastened {
            kept.types = use_of.types.into();
            kept.session = use_of.session;
        }
        Some(kept.prepared.id)
    }

    /// A session has prepared a statement, and has not run it yet: it is that session's until it is run.
    ///
    /// # Errors
    /// A failure after which the connection is of no further use.
    pub async fn adopt(&mut self, prepared: Prepared, text: &[u8], session: u32) -> Result<(), BackendError> {
        self.make_room(text.len()).await?;
        self.keep(prepared, text, Use::unbound(session));
        Ok(())
    }

    /// The statement is kept until it is discarded.
    pub fn fasten(&mut self, id: u32) {
        for kept in self.kept.0.iter_mut().filter(|kept| kept.prepared.id == id) {
            kept.fastened = true;
        }
    }

    /// Closes a statement.
    ///
    /// # Errors
    /// A failure after which the connection is of no further use.
    pub async fn discard(&mut self, id: u32) -> Result<(), BackendError> {
        self.kept.0.retain(|kept| kept.prepared.id != id);
        self.close_statement(id).await
    }

    async fn make_room(&mut self, len: usize) -> Result<(), BackendError> {
        while self.kept.0.len() >= KEPT || self.kept_bytes() + len > KEPT_BYTES {
            let Some(oldest) = self.kept.0.iter().position(|kept| !kept.fastened) else { break };
            let oldest = self.kept.0.remove(oldest).prepared.id;
            self.close_statement(oldest).await?;
        }
        Ok(())
    }

    fn keep(&mut self, prepared: Prepared, text: &[u8], use_of: Use<'_>) {
        self.kept.0.push(Statement {
            prepared,
            text: text.into(),
            types: use_of.types.into(),
            session: use_of.session,
            fastened: false,
            schema: self.schema.clone(),
            names: self.names.clone(),
            variables: self.variables.clone(),
        });
    }

    async fn close_statement(&mut self, id: u32) -> Result<(), BackendError> {
        self.send_command(Command::StmtClose, &id.to_le_bytes()).await
    }

    fn kept_bytes(&self) -> usize {
        self.kept.0.iter().map(|kept| kept.text.len() + kept.types.len()).sum()
    }

    /// What the server reads texts under at the moment.
    fn reading(&self) -> Reading<'_> {
        Reading { schema: self.schema.as_deref(), names: self.names.as_deref(), variables: &self.variables }
    }

    fn has(&self, kept: &Statement, text: &[u8], use_of: Use<'_>, reading: Reading<'_>) -> bool {
        *kept.text == *text
            && *kept.types == *use_of.types
            && kept.session == use_of.session
            && kept.schema.as_deref() == reading.schema
            && kept.names.as_deref() == reading.names
            && kept.variables.same_as(reading.variables)
    }
}
