use std::fmt;

/// A statement as the lexer understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub class: Class,
    /// It tells about the statement before it: `SHOW WARNINGS`, `FOUND_ROWS()`, `ROW_COUNT()`,
    /// `@@warning_count`. Only the server that ran that statement can answer.
    pub looks_back: bool,
    /// It does so and asks for nothing else, so that another server than the session's own may answer it.
    pub only_looks_back: bool,
}

impl Statement {
    /// A statement that was not read, for whatever reason.
    pub const fn unread() -> Self {
        Self { class: Class::Other(Unclear::Unreadable), looks_back: false, only_looks_back: false }
    }

    pub fn is_plain_read(&self) -> bool {
        self.class == Class::PlainRead
    }

    /// Connections to the servers that were opened before it may no longer be what a new one would be:
    /// accounts or session defaults have changed.
    pub fn ages_pools(&self) -> bool {
        matches!(self.class, Class::Account | Class::SetGlobal)
    }
}

/// What kind of statement it is, as far as routing and the session's state are concerned.
///
/// Each class but [`Class::Other`] promises that the session's state changes in no other way than the class
/// says, or that the server reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// One SELECT of names, literals, operators and functions whose value is the same on every server
    /// that has the same rows. It may run on a replica.
    PlainRead,
    /// Reads and changes nothing in the session, but belongs on the primary.
    PrimaryRead(NotPlain),
    /// INSERT, REPLACE, UPDATE, DELETE, LOAD DATA.
    Data,
    Use(Name),
    SetNames {
        charset: Name,
        collation: Option<Name>,
    },
    /// `SET autocommit = …`; the status flags tell what came of it.
    SetAutocommit,
    Transaction(TransactionKind),
    /// SHOW, EXPLAIN, DESCRIBE and the like; also an empty statement.
    Inspect,
    Ddl,
    /// Accounts and privileges: GRANT, CREATE USER, SET PASSWORD, FLUSH PRIVILEGES.
    Account,
    /// A SET that reaches beyond the session (GLOBAL, PERSIST), perhaps among other assignments.
    SetGlobal,
    Kill(Kill),
    /// It may change the session in ways that cannot be named.
    Other(Unclear),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    Begin,
    BeginReadOnly,
    Commit,
    Rollback,
    Savepoint,
    RollbackToSavepoint,
    ReleaseSavepoint,
}

/// The target of a KILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Connection(u64),
    Query(u64),
    /// An expression, or MariaDB's forms by user or query id.
    Elsewise,
}

/// Why a SELECT is not a plain read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotPlain {
    /// A function whose value depends on the session, the server, the clock or chance.
    Function,
    /// A keyword that a plain read does not have: a locking clause, SQL_CALC_FOUND_ROWS, CURRENT_USER, …
    Keyword,
    SystemVariable,
    UserVariable,
    /// A schema every server has its own of: information_schema, performance_schema, mysql, sys.
    LocalSchema,
    /// An optimizer hint.
    Hint,
    /// A bare name outside ASCII.
    ForeignWord,
    /// TABLE or VALUES as a statement.
    Verb,
    /// A parameter: the text is there to be prepared.
    Parameter,
    /// Punctuation that a plain read does not have.
    Symbol,
}

/// Why nothing is known of a statement's effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unclear {
    /// A first word not known here.
    Verb,
    /// CALL, DO, PREPARE, EXECUTE, HANDLER, LOCK, XA, FLUSH, …: a known verb with effects of its own.
    Effects,
    /// Any SET but those with a class of their own.
    Set,
    /// A function that is not built in, or may not be.
    Function,
    /// SELECT … INTO.
    Into,
    /// An assignment to a user variable.
    Assignment,
    /// A temporary table, or a table created from a query.
    TemporaryTable,
    /// DROP DATABASE, which may take the current schema away.
    DropsSchema,
    /// More than one statement in one text.
    Several,
    /// `/*! … */`
    VersionComment,
    /// Quotes or backslashes that cannot be told apart in the client's character set.
    Charset,
    /// Unterminated, or with bytes that the lexer cannot place.
    Unreadable,
}

/// A name or word taken over from a statement, at most [`Name::LONGEST`] bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// 64 characters of up to four bytes, the server's limit for names.
    pub const LONGEST: usize = 256;

    /// `None` for an empty or over-long name.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty() && bytes.len() <= Self::LONGEST).then(|| Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function => {
                "it calls a function whose value depends on the session, the server or the clock"
            }
            Self::Keyword => "it has a keyword that locks, or that a plain read does not have",
            Self::SystemVariable => "it reads a system variable",
            Self::UserVariable => "it reads a user variable",
            Self::LocalSchema => "it reads a schema that every server has its own of",
            Self::Hint => "it has an optimizer hint",
            Self::ForeignWord => "it has an unquoted name outside ASCII",
            Self::Verb => "it is no SELECT",
            Self::Parameter => "it has a parameter, so it is there to be prepared",
            Self::Symbol => "it has punctuation that a plain read does not have",
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
            Self::Into => "SELECT ... INTO",
            Self::Assignment => "an assignment to a user variable",
            Self::TemporaryTable => "a temporary table, or a table created from a query",
            Self::DropsSchema => "DROP DATABASE",
            Self::Several => "several statements in one text",
            Self::VersionComment => "a version comment",
            Self::Charset => "text in a character set whose characters may hold a quote or backslash",
            Self::Unreadable => "text that Headgate cannot read",
        })
    }
}
