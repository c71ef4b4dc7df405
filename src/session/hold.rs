//! Why a session keeps its connection to the primary between two statements, where it might give it back.
//!
//! What another connection can be brought to is no reason. What servers do not report is seen in the text
//! ([`Traces`]); what neither tells pins the session for good ([`Changed`]).

use std::fmt;

use super::view::Changed;

/// Why a session keeps its connection to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A transaction is open.
    Transaction,
    /// `autocommit` is off, and something may have been touched since the last COMMIT or ROLLBACK.
    AutocommitOff,
    /// SET TRANSACTION has given the next transaction characteristics of its own.
    NextTransaction,
    /// It has changed something that is not mirrored.
    Changed(Changed),
    /// An XA transaction is open.
    Xa,
    /// It has locked tables.
    TablesLocked,
    /// It has temporary tables.
    TemporaryTable,
    /// It has open handlers (HANDLER … OPEN).
    Handler,
    /// It has prepared statements by text (PREPARE … FROM).
    PreparedByText,
    /// It has set user variables.
    UserVariables,
    /// It may have a named lock (GET_LOCK).
    NamedLock,
    /// It has asked which connection it is on.
    ConnectionId,
    /// It has used a sequence, whose last value the connection knows.
    Sequence,
    /// Stored code that it may have run can leave something behind that servers do not report.
    StoredCode,
    /// Its character sets cannot be made on another connection.
    CharsetUnknown,
    /// An error may have hidden a change.
    Unreported,
    /// A prepared statement has a cursor, or parameters that were sent ahead.
    Statement,
    /// The statement before has left warnings, or something else that the client is likely to ask about.
    Diagnostics,
}

impl Hold {
    /// Stable label, for counters and the console.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::AutocommitOff => "autocommit_off",
            Self::NextTransaction => "next_transaction",
            Self::Changed(_) => "session_changed",
            Self::Xa => "xa",
            Self::TablesLocked => "tables_locked",
            Self::TemporaryTable => "temporary_table",
            Self::Handler => "handler",
            Self::PreparedByText => "prepared_by_text",
            Self::UserVariables => "user_variables",
            Self::NamedLock => "named_lock",
            Self::ConnectionId => "connection_id",
            Self::Sequence => "sequence",
            Self::StoredCode => "stored_code",
            Self::CharsetUnknown => "charset_unknown",
            Self::Unreported => "unreported",
            Self::Statement => "prepared_statement",
            Self::Diagnostics => "diagnostics",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transaction => "a transaction is open",
            Self::AutocommitOff => "autocommit is off and nothing was committed since its last statement",
            Self::NextTransaction => "SET TRANSACTION is about its next transaction",
            Self::Changed(why) => return why.fmt(f),
            Self::Xa => "an XA transaction is open",
            Self::TablesLocked => "it has locked tables",
            Self::TemporaryTable => "it has temporary tables",
            Self::Handler => "it has open handlers",
            Self::PreparedByText => "it has prepared statements by text",
            Self::UserVariables => "it has set user variables",
            Self::NamedLock => "it may have a named lock",
            Self::ConnectionId => "it has asked for its connection id",
            Self::Sequence => "it has used a sequence",
            Self::StoredCode => "it may have run stored code that leaves something behind",
            Self::CharsetUnknown => "its character sets cannot be made elsewhere",
            Self::Unreported => "an error may have hidden a change",
            Self::Statement => "a prepared statement has a cursor or parameters sent ahead",
            Self::Diagnostics => "it may ask about the statement before",
        })
    }
}
