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
    schema: Option<Box<[u8]>>,
    names: Option<Arc<str>>,
    variables: Variables,
}

impl Connection {
    /// A statement of this text under the connection's present schema, character sets and variables, for parameters
    /// of these types; prepared now where it is not prepared yet.
    ///
    /// # Errors
    /// The server's refusal, or a failure after which the connection is of no further use.
    pub async fn statement(
        &mut self,
        text: &[u8],
        types: &[u8],
        limit: Duration,
    ) -> Result<Prepared, BackendError> {
        if let Some(at) = self.kept.0.iter().rposition(|kept| self.has(kept, text, types)) {
            let kept = self.kept.0.remove(at);
            let prepared = kept.prepared;
            self.kept.0.push(kept);
            return Ok(prepared);
        }
        if self.kept.0.len() >= KEPT {
            let oldest = self.kept.0.remove(0).prepared.id;
            self.send_command(Command::StmtClose, &oldest.to_le_bytes()).await?;
        }
        let prepared = clock::within(limit, self.prepare_statement(text)).await??;
        let Some(prepared) = prepared else { return Err(Malformed::new("answer to a prepare").into()) };
        self.kept.0.push(Statement {
            prepared,
            text: text.into(),
            types: types.into(),
            schema: self.schema.clone(),
            names: self.names.clone(),
            variables: self.variables.clone(),
        });
        Ok(prepared)
    }

    fn has(&self, kept: &Statement, text: &[u8], types: &[u8]) -> bool {
        *kept.text == *text
            && *kept.types == *types
            && kept.schema == self.schema
            && kept.names == self.names
            && kept.variables.same_as(&self.variables)
    }

    /// The server has closed all of them.
    pub(super) fn forget_statements(&mut self) {
        self.kept = Kept::default();
    }
}
