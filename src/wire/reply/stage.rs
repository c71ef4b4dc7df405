//! Where a reply stands.

use crate::wire::prepared::Prepared;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The first packet of a result.
    Head,
    /// So many column definitions to go, then rows.
    Columns(u64),
    /// Rows until an OK. The EOF that old clients want behind the columns is owed until the first
    /// packet shows whether the reply opened a cursor, which has no second one.
    Rows { eof_owed: bool },
    /// So many parameter definitions to go, then so many columns.
    Parameters(u64, u64),
    /// So many column definitions of a prepared statement to go.
    PreparedColumns(u64),
    /// COM_FIELD_LIST: definitions until an OK.
    Fields,
    /// COM_STATISTICS.
    Text,
    /// Nothing more comes.
    Over,
}

/// A packet whose beginning has been made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Passing {
    /// Payload bytes still to pass.
    pub(super) left: usize,
    /// The packet is full, so the next one continues its payload.
    pub(super) continued: bool,
    /// An EOF packet for an old client comes behind it.
    pub(super) then_eof: bool,
}

/// What follows the head of a COM_STMT_PREPARE reply.
pub(super) fn prepared_state(prepared: Prepared) -> State {
    match (u64::from(prepared.parameters), u64::from(prepared.columns)) {
        (0, 0) => State::Over,
        (0, columns) => State::PreparedColumns(columns),
        (parameters, columns) => State::Parameters(parameters, columns),
    }
}
