use std::fmt;

use crate::sql::Unclear;

/// Why a session reads from the primary until it is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It ran a statement whose effects cannot be named.
    Statement(Unclear),
    /// It ran a SET that reaches beyond the session, perhaps among other assignments.
    SetGlobal,
    /// It ran a KILL with an expression.
    Kill,
    /// It asked about the statement before, and may ask again.
    LooksBack,
    /// The server reported that a system variable was set.
    Variable,
    /// The server reported a character set that nobody asked for.
    CharacterSet,
    /// The server reported a change without a name: a user variable, a temporary table, a statement
    /// prepared by text.
    State,
    /// Backslashes no longer mean what they did when the session began.
    Quoting,
    /// Its schema has a name outside ASCII, which Headgate cannot carry to another connection.
    SchemaName,
    /// It executed a prepared statement whose effects cannot be named.
    Prepared,
    /// It used a command whose effects cannot be named.
    Command,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Statement(unclear) => return write!(f, "it ran {unclear}"),
            Self::SetGlobal => "it ran SET GLOBAL or SET PERSIST",
            Self::Kill => "it ran a KILL with an expression",
            Self::LooksBack => "it asked about the statement before (warnings, ROW_COUNT(), FOUND_ROWS())",
            Self::Variable => "it set a session variable",
            Self::CharacterSet => "its character set changed in a way Headgate did not expect",
            Self::State => "it set a user variable, made a temporary table or prepared a statement by text",
            Self::Quoting => "its sql_mode changed the meaning of backslashes",
            Self::SchemaName => "its schema's name is outside ASCII",
            Self::Prepared => "it executed a prepared statement with effects of its own",
            Self::Command => "it used a command with effects of its own",
        })
    }
}
