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
    schema: Option<Box<[u8]>>,
    names: Option<Arc<str>>,
    variables: Variables,
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
        if let Some(at) = self.kept.0.iter().rposition(|kept| self.has(kept, text, use_of)) {
            let kept = self.kept.0.remove(at);
            let prepared = kept.prepared;
            if prepared.columns == expected {
                self.kept.0.push(kept);
                return Ok(prepared);
            }
            self.close_statement(prepared.id).await?;
        }
        while !self.kept.0.is_empty()
            && (self.kept.0.len() >= KEPT || self.kept_bytes() + text.len() > KEPT_BYTES)
        {
            let oldest = self.kept.0.remove(0).prepared.id;
            self.close_statement(oldest).await?;
        }
        let prepared = clock::within(limit, self.prepare_statement(text)).await?;
        // Why it was refused is shown there to whoever asks next.
        self.warned |= prepared.is_err();
        let Some(prepared) = prepared? else { return Err(Malformed::new("answer to a prepare").into()) };
        self.kept.0.push(Statement {
            prepared,
            text: text.into(),
            types: use_of.types.into(),
            session: use_of.session,
            schema: self.schema.clone(),
            names: self.names.clone(),
            variables: self.variables.clone(),
        });
        Ok(prepared)
    }

    async fn close_statement(&mut self, id: u32) -> Result<(), BackendError> {
        self.send_command(Command::StmtClose, &id.to_le_bytes()).await
    }

    fn kept_bytes(&self) -> usize {
        self.kept.0.iter().map(|kept| kept.text.len() + kept.types.len()).sum()
    }

    fn has(&self, kept: &Statement, text: &[u8], use_of: Use<'_>) -> bool {
        *kept.text == *text
            && *kept.types == *use_of.types
            && kept.session == use_of.session
            && kept.schema == self.schema
            && kept.names == self.names
            && kept.variables.same_as(&self.variables)
    }

    /// The server has closed all of them.
    pub(super) fn forget_statements(&mut self) {
        self.kept = Kept::default();
    }
}
