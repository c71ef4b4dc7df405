use std::fmt;
use std::time::Duration;

/// A statement as the lexer understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub class: Class,
    /// It tells about the statement before it: `SHOW WARNINGS`, `FOUND_ROWS()`, `ROW_COUNT()`,
    /// `@@warning_count`. Only the server that ran that statement can answer.
    pub looks_back: bool,
    /// It does so and asks for nothing else, so that another server than the session's own may answer it.
    pub only_looks_back: bool,
    /// It finds other rows than it shows, so that FOUND_ROWS() does not follow from its reply.
    pub finds_others: bool,
    /// What its comments ask of Headgate.
    pub hints: Hints,
}

impl Statement {
    /// A statement that was not read, for whatever reason.
    pub const fn unread() -> Self {
        Self::of(Class::Other(Unclear::Unreadable))
    }

    /// A statement of this class without hints.
    pub const fn of(class: Class) -> Self {
        Self { class, looks_back: false, only_looks_back: false, finds_others: false, hints: Hints::NONE }
    }

    pub fn is_plain_read(&self) -> bool {
        self.class == Class::PlainRead
    }

    /// Connections to the servers that were opened before it may no longer be what a new one would be:
    /// accounts or session defaults have changed.
    pub fn ages_pools(&self) -> bool {
        self.has(|class| matches!(class, Class::Account | Class::SetGlobal))
    }

    /// New sessions may begin with other values than before.
    pub fn changes_defaults(&self) -> bool {
        self.has(|class| *class == Class::SetGlobal)
    }

    /// Whether it is of a class, or one of several.
    fn has(&self, is: impl Fn(&Class) -> bool) -> bool {
        match &self.class {
            Class::Several(parts) => parts.iter().any(is),
            class => is(class),
        }
    }
}

/// What kind of statement it is, as far as routing and the session's state are concerned.
///
/// Each class but [`Class::Other`] promises that the session's state changes in no other way than the class
/// says, or that the server reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// One SELECT of names, literals, operators and functions whose value depends on rows, arguments, the
    /// clock and chance only. It may run on a replica.
    PlainRead,
    /// A plain read but for functions that are not built in: what those do, the catalogue tells.
    /// [`calls`](super::calls) names them.
    Calls,
    /// Reads and changes nothing in the session but user variables, which no plain read sees; it belongs on the
    /// primary.
    PrimaryRead(NotPlain),
    /// INSERT, REPLACE, UPDATE, DELETE, LOAD DATA. It may assign user variables.
    Data,
    Use(Name),
    SetNames {
        charset: Name,
        collation: Option<Name>,
    },
    /// SET CHARACTER SET, or a SET of single character set and collation variables, perhaps beside others of
    /// the session. What came of it must be read back: servers do not report all of it (HAZARDS 1).
    SetCharset,
    /// SET of variables of the session, none of them about character sets; lower case, without scope. The
    /// server reports their new values. One SET may name `autocommit` among others. User variables may stand
    /// beside them and are not named: no plain read sees one.
    SetVariables(Box<[Name]>),
    /// `SET autocommit = …`; the status flags tell what came of it.
    SetAutocommit,
    /// SET [SESSION] TRANSACTION: characteristics of the next transaction, or of all that follow.
    SetTransaction,
    Transaction(TransactionKind),
    /// SHOW of the server's own state, EXPLAIN and the like; also an empty statement.
    Inspect,
    /// SHOW or DESCRIBE of what is defined: schemas, tables, columns, indexes.
    Describe,
    Ddl,
    /// Accounts and privileges: GRANT, CREATE USER, SET PASSWORD, FLUSH PRIVILEGES.
    Account,
    /// A SET that reaches beyond the session (GLOBAL, PERSIST), perhaps among other assignments.
    SetGlobal,
    Kill(Kill),
    /// It ties something to its connection, or lets go of it.
    Bond(Bond),
    /// Several statements in one text, each of which is understood; none is [`Class::Other`],
    /// [`Class::Bond`], [`Class::Kill`] or this again.
    Several(Box<[Self]>),
    /// It may change the session in ways that cannot be named.
    Other(Unclear),
}

/// What a statement ties to its connection until it is let go of, and what lets go of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bond {
    /// CREATE TEMPORARY TABLE.
    CreatesTemporary {
        table: TableName,
        /// It is filled by a query.
        selects: bool,
    },
    /// DROP TEMPORARY TABLE.
    DropsTemporary(Box<[TableName]>),
    /// LOCK TABLES, FLUSH TABLES … WITH READ LOCK or FOR EXPORT.
    LocksTables,
    UnlocksTables,
    /// PREPARE … FROM. The name is in lower case.
    Prepares {
        statement: Name,
        /// Running it leaves nothing with the connection that its reply does not tell.
        simple: bool,
    },
    /// EXECUTE of what was prepared by text.
    Executes(Name),
    Deallocates(Name),
    /// HANDLER … OPEN, under its alias.
    OpensHandler(Name),
    ReadsHandler,
    ClosesHandler(Name),
    /// XA START.
    BeginsXa,
    /// XA END, XA PREPARE, XA RECOVER.
    StaysInXa,
    /// XA COMMIT, XA ROLLBACK.
    EndsXa,
}

/// A table as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableName {
    /// Nothing for the current schema.
    pub schema: Option<Name>,
    pub name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    Begin,
    BeginReadOnly,
    Commit(Then),
    Rollback(Then),
    Savepoint,
    RollbackToSavepoint,
    ReleaseSavepoint,
}

/// What follows the end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// AND CHAIN: another transaction of the same kind.
    Chain,
    /// RELEASE: the server hangs up.
    Release,
}

/// What comments of the form `/* headgate: … */` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// `primary` or `replica`.
    pub route: Option<RouteHint>,
    /// `max_lag=500ms`: the oldest data that this read may show.
    pub max_lag: Option<Duration>,
    /// `consistency=session`: what this read may miss.
    pub consistency: Option<ConsistencyHint>,
    /// `after='0-1-7'`: a position that this read must find. Where in the statement it stands.
    pub after: Option<Span>,
    /// A hint was there that cannot be understood, or two that contradict each other.
    pub unreadable: bool,
}

impl Hints {
    /// No hint.
    pub const NONE: Self =
        Self { route: None, max_lag: None, consistency: None, after: None, unreadable: false };
}

/// What a read may miss, in the words of `routing.consistency`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsistencyHint {
    Eventual,
    Session,
    Process,
    Global,
}

impl ConsistencyHint {
    /// Reads a word, whatever its case.
    pub(super) fn of_word(word: &[u8]) -> Option<Self> {
        let known = [
            (&b"eventual"[..], Self::Eventual),
            (b"session", Self::Session),
            (b"process", Self::Process),
            (b"global", Self::Global),
        ];
        known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, named)| *named)
    }
}

/// A part of a statement's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Where `part` lies, if it is a part of `whole` that is not empty.
    pub(super) fn within(part: &[u8], whole: &[u8]) -> Option<Self> {
        let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        let lies_within = !part.is_empty() && start + part.len() <= whole.len();
        let span = Self { start: u32::try_from(start).ok()?, len: u32::try_from(part.len()).ok()? };
        lies_within.then_some(span)
    }

    /// The part of the text.
    #[must_use]
    pub fn of(self, whole: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.start).ok()?;
        whole.get(start..start.checked_add(usize::try_from(self.len).ok()?)?)
    }
}

/// Which server a hint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteHint {
    /// The primary, whatever the statement is.
    Primary,
    /// A replica, though Headgate cannot see that the statement is a plain read. Writes stay writes.
    Replica,
}

/// The target of a KILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// A connection by its id.
    Id {
        id: u64,
        /// What it runs, and not the connection itself.
        query: bool,
        /// MariaDB's SOFT: not where data would be left half changed.
        soft: bool,
    },
    /// An expression, or MariaDB's forms by user or query id.
    Elsewise,
}

/// Why a SELECT is not a plain read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotPlain {
    /// A function whose value depends on the session, the server or locks.
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
    /// DO.
    Verb,
    /// A parameter: the text is there to be prepared.
    Parameter,
    /// Punctuation that a plain read does not have.
    Symbol,
    /// SELECT … INTO user variables or a file.
    Into,
    /// An assignment to a user variable.
    Assignment,
    /// A version comment that is code to one supported server and a comment to another.
    VersionComment,
}

impl NotPlain {
    /// Whether it may run on a replica all the same when a hint says so: it takes no lock, and what it reads is
    /// not the session's own.
    pub const fn yields_to_hint(self) -> bool {
        match self {
            Self::SystemVariable | Self::LocalSchema | Self::Hint => true,
            Self::Function
            | Self::Keyword
            | Self::UserVariable
            | Self::ForeignWord
            | Self::Verb
            | Self::Parameter
            | Self::Symbol
            | Self::Into
            | Self::Assignment
            | Self::VersionComment => false,
        }
    }
}

/// Why nothing is known of a statement's effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unclear {
    /// A first word not known here.
    Verb,
    /// CALL, FLUSH, BACKUP, …: a known verb with effects of its own.
    Effects,
    /// Any SET but those with a class of their own.
    Set,
    /// A function that is not built in, or may not be.
    Function,
    /// A temporary table whose name or query cannot be read.
    TemporaryTable,
    /// DROP DATABASE, which may take the current schema away.
    DropsSchema,
    /// More than one statement in one text.
    Several,
    /// `/*! … */`, where it is not certain what the server makes of it.
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
