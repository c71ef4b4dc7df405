//! What routing needs to know of a session.

use std::fmt;
use std::time::Instant;

use crate::topology::{Floor, ServerId};

/// Why a session's reads stay on its primary connection until it is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A statement that may change anything was sent.
    Statement,
    /// The server reported a variable that is not mirrored.
    Variable,
    /// The server reported that something changed.
    Reported,
    /// A command other than COM_QUERY that may change anything.
    Command,
    /// The server did not report a variable that was set.
    Unconfirmed,
    /// A transaction was open where none was to be expected.
    Transaction,
    /// It began with an expired password, so that nothing is tracked.
    Expired,
    /// What the session has could not be made on another connection.
    NotCarried,
    /// It reads the binary log, or has said that it will.
    Replication,
}

/// An isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED: each statement reads a snapshot of its own.
    ReadCommitted,
    /// REPEATABLE READ: the first read takes the snapshot of all.
    RepeatableRead,
    /// SERIALIZABLE: reads lock.
    Serializable,
}

impl Isolation {
    /// Reads the value of `transaction_isolation`.
    #[must_use]
    pub fn of_word(word: &[u8]) -> Option<Self> {
        let known = [
            (&b"READ-UNCOMMITTED"[..], Self::ReadUncommitted),
            (b"READ-COMMITTED", Self::ReadCommitted),
            (b"REPEATABLE-READ", Self::RepeatableRead),
            (b"SERIALIZABLE", Self::Serializable),
        ];
        known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
    }
}

/// What routing needs to know of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionView {
    /// A transaction is open.
    pub in_transaction: bool,
    /// `autocommit` is on.
    pub autocommit: bool,
    /// The next transaction has characteristics of its own (SET TRANSACTION).
    pub next_transaction_set: bool,
    /// The server has named what a transaction is made with: of the next one, or of one that is open, which an ERR may have
    /// hidden. A transaction of Headgate's own would end that.
    pub transaction_named: bool,
    /// Transactions that are declared read only run on the primary all the same: one of them needed it.
    pub declared_in_vain: bool,
    /// The isolation level of its transactions, where it has set one.
    pub isolation: Option<Isolation>,
    /// The transaction that is open, or would be opened by the next statement, has done nothing but read, and was not
    /// given an isolation level of its own.
    pub only_read: bool,
    /// It has set a savepoint without `autocommit`. That opens no transaction by itself, and one that Headgate begins would
    /// take the savepoint away.
    pub savepoint: bool,
    /// It has temporary tables.
    pub temporary_tables: bool,
    /// It has locked tables.
    pub tables_locked: bool,
    /// An XA transaction is open.
    pub in_xa: bool,
    /// A statement that may end the open transaction by itself has failed: whether it did is not known.
    pub fate_unknown: bool,
    /// A statement of the open transaction has failed, and may have rolled all of it back: what follows is then a
    /// transaction of its own, until the server says otherwise.
    pub maybe_open: bool,
    /// Something that is not mirrored has changed.
    pub changed: Option<Changed>,
    /// The character sets can be made on another connection.
    pub charset_known: bool,
    /// The schema is one that every server has its own of.
    pub local_schema: bool,
    /// An ERR may have hidden a change that the server has had no occasion to report yet.
    pub unreported: bool,
    /// The generation of defaults that the session began with.
    pub generation: u64,
    /// What the session may have written.
    pub wrote: Floor,
    /// What the session may have seen, written or read anywhere.
    pub seen: Floor,
    /// The replica that showed it, if it was one. It cannot have gone back since.
    pub last_replica: Option<ServerId>,
    /// When the session last changed the schema.
    pub defined: Option<Instant>,
}

impl SessionView {
    /// A session that has just begun, with `utf8mb4` and the defaults of `generation`.
    #[must_use]
    pub const fn fresh(generation: u64) -> Self {
        Self {
            in_transaction: false,
            autocommit: true,
            next_transaction_set: false,
            transaction_named: false,
            declared_in_vain: false,
            isolation: None,
            only_read: true,
            savepoint: false,
            temporary_tables: false,
            tables_locked: false,
            in_xa: false,
            fate_unknown: false,
            maybe_open: false,
            changed: None,
            charset_known: true,
            local_schema: false,
            unreported: false,
            generation,
            wrote: Floor::NONE,
            seen: Floor::NONE,
            last_replica: None,
            defined: None,
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Statement => "a statement with effects that cannot be named",
            Self::Variable => "a variable that is not carried to other connections",
            Self::Reported => "the server reported a change without a name",
            Self::Command => "a command with effects that cannot be named",
            Self::Unconfirmed => "the server did not report a variable that was set",
            Self::Transaction => "a transaction was open where none was to be expected",
            Self::Expired => "it began with an expired password",
            Self::Replication => "it reads the binary log",
            Self::NotCarried => "a replica would not take the session's variables",
        })
    }
}
