//! What a statement is, in words for people.

use std::fmt;

use super::{Bond, Class, Kill, NotPlain, RouteHint, TransactionKind, Unclear};

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainRead => f.write_str("a plain read"),
            Self::Calls => f.write_str("a read that calls functions which are not built in"),
            Self::PrimaryRead(why) => write!(f, "a read, but {why}"),
            Self::Data => f.write_str("a write"),
            Self::Use(schema) => write!(f, "USE {schema}"),
            Self::SetNames { charset, .. } => write!(f, "SET NAMES {charset}"),
            Self::SetCharset => f.write_str("a SET of character sets"),
            Self::SetVariables(_) => f.write_str("a SET of session variables"),
            Self::SetAutocommit => f.write_str("SET autocommit"),
            Self::SetTransaction => f.write_str("SET TRANSACTION"),
            Self::Transaction(TransactionKind::Begin) => f.write_str("the beginning of a transaction"),
            Self::Transaction(TransactionKind::BeginReadOnly) => {
                f.write_str("the beginning of a read-only transaction")
            }
            Self::Transaction(TransactionKind::Commit(_) | TransactionKind::Rollback(_)) => {
                f.write_str("the end of a transaction")
            }
            Self::Transaction(
                TransactionKind::Savepoint
                | TransactionKind::RollbackToSavepoint
                | TransactionKind::ReleaseSavepoint,
            ) => f.write_str("a savepoint"),
            Self::Inspect => f.write_str("a question about the server"),
            Self::Describe => f.write_str("a question about what is defined"),
            Self::Ddl => f.write_str("a change of the schema"),
            Self::Account => f.write_str("a change of accounts or privileges"),
            Self::SetGlobal => f.write_str("a SET beyond the session"),
            Self::Kill(Kill::Id { query: true, .. }) => f.write_str("KILL QUERY"),
            Self::Kill(_) => f.write_str("KILL"),
            Self::Bond(bond) => bond.fmt(f),
            Self::Several(parts) => write!(f, "{} statements in one text", parts.len()),
            Self::Other(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Bond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreatesTemporary { .. } | Self::DropsTemporary(_) => "a temporary table of the session",
            Self::LocksTables => "a lock on tables",
            Self::UnlocksTables => "UNLOCK TABLES",
            Self::Prepares { .. } | Self::Executes(_) | Self::Deallocates(_) => {
                "a statement that is prepared by text"
            }
            Self::OpensHandler(_) | Self::ReadsHandler | Self::ClosesHandler(_) => "HANDLER",
            Self::BeginsXa | Self::StaysInXa | Self::EndsXa => "a step of an XA transaction",
        })
    }
}

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function => "it calls a function whose value depends on the session or the server",
            Self::Keyword => "it has a keyword that locks, or that a plain read does not have",
            Self::SystemVariable => "it reads a system variable",
            Self::UserVariable => "it reads a user variable",
            Self::LocalSchema => "it reads a schema that every server has its own of",
            Self::Hint => "it has an optimizer hint",
            Self::ForeignWord => "it has an unquoted name outside ASCII",
            Self::Verb => "it is no SELECT",
            Self::Parameter => "it has a parameter, so it is there to be prepared",
            Self::Symbol => "it has punctuation that a plain read does not have",
            Self::Into => "it has INTO",
            Self::Assignment => "it assigns a user variable",
            Self::VersionComment => "it has a version comment that not every server reads alike",
        })
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verb => "a statement Headgate does not know",
            Self::Effects => "a statement with effects of its own on the session",
            Self::Set => "a SET of something other than the character set or autocommit",
            Self::Function => "a function that is not built in",
            Self::TemporaryTable => "a temporary table whose name or query cannot be read",
            Self::DropsSchema => "DROP DATABASE",
            Self::Several => "several statements in one text",
            Self::VersionComment => "a version comment",
            Self::Charset => "text in a character set whose characters may hold a quote or backslash",
            Self::Unreadable => "text that Headgate cannot read",
        })
    }
}

impl fmt::Display for RouteHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
}
