//! Why a statement ran where it ran.

use std::fmt;

/// One reason, for counters, logs and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A plain read, and a replica fresh enough for it.
    PlainRead,
    /// It belongs to a transaction that is declared read only, and the replica is fresh enough.
    ReadOnlyTransaction,
    /// A comment says that a replica may run it.
    HintReplica,
    /// Its transaction has only read so far, and the replica is fresh enough.
    LazyTransaction,
    /// All replicas lag, and this one is the least behind (`routing.when_lagging`).
    Freshest,
    /// It writes data.
    Write,
    /// It changes the schema.
    Ddl,
    /// It changes accounts or privileges.
    Account,
    /// It begins or ends a transaction.
    TransactionControl,
    /// It asks the server about itself.
    Inspect,
    /// It changes what the session is: USE, SET NAMES.
    SessionChange,
    /// It is not known to be a plain read.
    NotPlain,
    /// It asks what is defined: SHOW TABLES, DESCRIBE.
    Describe,
    /// There are several statements in one text.
    Several,
    /// It calls a function that is not built in and not known to only read.
    StoredFunction,
    /// A comment asks for the primary.
    HintPrimary,
    /// A comment for Headgate cannot be understood.
    HintUnreadable,
    /// A replica has refused the like of it before, because it writes.
    KnownToWrite,
    /// An earlier transaction of the session was declared read only and needed the primary.
    DeclaredInVain,
    /// A transaction is declared read only, but its isolation level is not REPEATABLE READ.
    Isolation,
    /// SET TRANSACTION has given the next transaction characteristics of its own.
    NextTransaction,
    /// It is no COM_QUERY.
    Command,
    /// Only the connection that it was prepared on can run it.
    PreparedHere,
    /// It is too long to be read, or hidden behind attributes.
    Unread,
    /// A transaction is open.
    InTransaction,
    /// It may read a temporary table of the session.
    TemporaryTable,
    /// The session has locked tables.
    TablesLocked,
    /// `autocommit` is off, so a read would open a transaction.
    AutocommitOff,
    /// The session has changed more than schema, character set and plain variables.
    SessionChanged,
    /// The session's character set cannot be made on another connection.
    CharsetUnknown,
    /// The defaults of new sessions have changed since the session began.
    DefaultsChanged,
    /// The primary's init_connect changes sessions in a way that is not known.
    InitConnect,
    /// Not every transaction on the primary has a GTID.
    NoGtids,
    /// `sql_auto_is_null` is on.
    AutoIsNull,
    /// The primary's `sql_mode` names another grammar.
    Grammar,
    /// The schema is one that every server has its own of.
    LocalSchema,
    /// An error may have hidden a change of the session.
    Unreported,
    /// It names a view that is not known to only read.
    View,
    /// The control account may not see all views, so any name might be one.
    ViewsUnknown,
    /// Splitting is off.
    SplitOff,
    /// The primary's binary log leaves schemas out, or the control account may not see whether it does.
    LogFiltered,
    /// The servers ignore the character set that a client asks for at the login.
    HandshakeIgnored,
    /// The session has defined something, and what there is has not been asked since.
    Defined,
    /// The statement before has left warnings that this one leaves where they are.
    Warnings,
    /// No replica serves.
    NoReplica,
    /// No replica is within the lag limit.
    Lag,
    /// No replica is known to have what the session has written.
    Wrote,
    /// No replica is known to have what the session has seen.
    Seen,
    /// No replica is known to have what other sessions of this Headgate have written.
    Process,
    /// No replica is known to have all that the primary had when the read arrived.
    Global,
    /// No replica is known to have the position that a comment names.
    After,
    /// No replica has answered steadily of late.
    Suspect,
    /// An operator has drained all replicas.
    Drained,
    /// The primary takes part in plain reads, and it was its turn.
    PrimaryTurn,
    /// The session's primary connection has idled so long that the server might close it.
    KeepAlive,
    /// A replica was chosen, but had no free connection.
    ReplicaBusy,
    /// A replica was chosen, but could not be reached, or failed before it answered.
    ReplicaFailed,
    /// A replica was chosen and answered with an error; the primary's answer counts.
    ReplicaRefused,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 58] = [
        Self::PlainRead,
        Self::ReadOnlyTransaction,
        Self::HintReplica,
        Self::LazyTransaction,
        Self::Freshest,
        Self::Write,
        Self::Ddl,
        Self::Account,
        Self::TransactionControl,
        Self::Inspect,
        Self::SessionChange,
        Self::NotPlain,
        Self::Describe,
        Self::Several,
        Self::StoredFunction,
        Self::HintPrimary,
        Self::HintUnreadable,
        Self::KnownToWrite,
        Self::DeclaredInVain,
        Self::Isolation,
        Self::NextTransaction,
        Self::Command,
        Self::PreparedHere,
        Self::Unread,
        Self::InTransaction,
        Self::TemporaryTable,
        Self::TablesLocked,
        Self::AutocommitOff,
        Self::SessionChanged,
        Self::CharsetUnknown,
        Self::DefaultsChanged,
        Self::InitConnect,
        Self::NoGtids,
        Self::AutoIsNull,
        Self::Grammar,
        Self::LocalSchema,
        Self::Unreported,
        Self::View,
        Self::ViewsUnknown,
        Self::SplitOff,
        Self::LogFiltered,
        Self::HandshakeIgnored,
        Self::Defined,
        Self::Warnings,
        Self::NoReplica,
        Self::Lag,
        Self::Wrote,
        Self::Seen,
        Self::Process,
        Self::Global,
        Self::After,
        Self::Suspect,
        Self::Drained,
        Self::PrimaryTurn,
        Self::KeepAlive,
        Self::ReplicaBusy,
        Self::ReplicaFailed,
        Self::ReplicaRefused,
    ];

    /// The reasons for which a replica runs a statement.
    pub const ON_REPLICAS: [Self; 5] = [
        Self::PlainRead,
        Self::ReadOnlyTransaction,
        Self::HintReplica,
        Self::LazyTransaction,
        Self::Freshest,
    ];

    /// The label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PlainRead => "plain_read",
            Self::ReadOnlyTransaction => "read_only_transaction",
            Self::HintReplica => "hint_replica",
            Self::LazyTransaction => "lazy_transaction",
            Self::Freshest => "freshest",
            Self::Write => "write",
            Self::Ddl => "ddl",
            Self::Account => "account",
            Self::TransactionControl => "transaction_control",
            Self::Inspect => "inspect",
            Self::SessionChange => "session_change",
            Self::NotPlain => "not_plain",
            Self::Describe => "describe",
            Self::Several => "several",
            Self::StoredFunction => "stored_function",
            Self::HintPrimary => "hint_primary",
            Self::HintUnreadable => "hint_unreadable",
            Self::KnownToWrite => "known_to_write",
            Self::DeclaredInVain => "declared_in_vain",
            Self::Isolation => "isolation",
            Self::NextTransaction => "next_transaction",
            Self::Command => "command",
            Self::PreparedHere => "prepared_here",
            Self::Unread => "unread",
            Self::InTransaction => "in_transaction",
            Self::TemporaryTable => "temporary_table",
            Self::TablesLocked => "tables_locked",
            Self::AutocommitOff => "autocommit_off",
            Self::SessionChanged => "session_changed",
            Self::CharsetUnknown => "charset_unknown",
            Self::DefaultsChanged => "defaults_changed",
            Self::InitConnect => "init_connect",
            Self::NoGtids => "no_gtids",
            Self::AutoIsNull => "auto_is_null",
            Self::Grammar => "grammar",
            Self::LocalSchema => "local_schema",
            Self::Unreported => "unreported",
            Self::View => "view",
            Self::ViewsUnknown => "views_unknown",
            Self::SplitOff => "split_off",
            Self::LogFiltered => "log_filtered",
            Self::HandshakeIgnored => "handshake_ignored",
            Self::Defined => "defined",
            Self::Warnings => "warnings",
            Self::NoReplica => "no_replica",
            Self::Lag => "lag",
            Self::Wrote => "wrote",
            Self::Seen => "seen",
            Self::Process => "process",
            Self::Global => "global",
            Self::After => "after",
            Self::Suspect => "suspect",
            Self::Drained => "drained",
            Self::PrimaryTurn => "primary_turn",
            Self::KeepAlive => "keep_alive",
            Self::ReplicaBusy => "replica_busy",
            Self::ReplicaFailed => "replica_failed",
            Self::ReplicaRefused => "replica_refused",
        }
    }

    /// The place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlainRead => "a plain read; the replica is fresh enough",
            Self::ReadOnlyTransaction => {
                "a transaction that is declared read only; the replica is fresh enough"
            }
            Self::HintReplica => "a comment says that a replica may run it; the replica is fresh enough",
            Self::LazyTransaction => "its transaction has only read so far; the replica is fresh enough",
            Self::Freshest => "all replicas lag; this one is the least behind (routing.when_lagging)",
            Self::Write => "it writes data",
            Self::Ddl => "it changes the schema",
            Self::Account => "it changes accounts or privileges",
            Self::TransactionControl => "it begins or ends a transaction",
            Self::Inspect => "it asks the server about itself",
            Self::SessionChange => "it changes the session",
            Self::NotPlain => "it is not known to be a plain read",
            Self::Describe => "it asks what is defined",
            Self::Several => "there are several statements in one text",
            Self::StoredFunction => "it calls a function that is not built in and not known to only read",
            Self::HintPrimary => "a comment asks for the primary",
            Self::HintUnreadable => {
                "its /* headgate: … */ comment cannot be understood; primary, replica, max_lag=…, consistency=… and after=… are known"
            }
            Self::KnownToWrite => "a replica has refused the like of it before, because it writes",
            Self::DeclaredInVain => {
                "an earlier read-only transaction of this session needed the primary after its first read"
            }
            Self::Isolation => {
                "only under REPEATABLE READ is a read-only transaction one snapshot, fresh enough at its beginning"
            }
            Self::NextTransaction => "SET TRANSACTION has said how the next transaction shall be",
            Self::Command => "it is neither a COM_QUERY nor runs a statement that is remembered",
            Self::PreparedHere => {
                "a cursor, a parameter sent ahead or a change of the session since keeps it where it was prepared"
            }
            Self::Unread => "it is too long to be read, or carries query attributes",
            Self::InTransaction => "a transaction is open",
            Self::TemporaryTable => "it may read a temporary table of the session",
            Self::TablesLocked => "the session has locked tables",
            Self::AutocommitOff => "autocommit is off",
            Self::SessionChanged => {
                "the session has changed more than schema, character set and plain variables"
            }
            Self::CharsetUnknown => "the session's character set cannot be made on another connection",
            Self::DefaultsChanged => "the defaults of new sessions have changed since the session began",
            Self::InitConnect => "the primary's init_connect changes every session",
            Self::NoGtids => "gtid_mode is not ON on the primary, so nobody can tell how far a replica is",
            Self::AutoIsNull => "sql_auto_is_null is on, so IS NULL may ask for the session's last insert",
            Self::Grammar => "the primary's sql_mode names another grammar (ORACLE, MSSQL and the like)",
            Self::LocalSchema => "the current schema is one that every server has its own of",
            Self::Unreported => "an error may have hidden a change that the server is yet to report",
            Self::View => {
                "it names a view that is not known to only read (a view of that name, in any schema)"
            }
            Self::ViewsUnknown => "the control account cannot see all views; GRANT SHOW VIEW ON *.* to it",
            Self::SplitOff => "splitting is off (routing.split)",
            Self::LogFiltered => {
                "the primary's binary log has filters, or the control account may not see it (BINLOG MONITOR)"
            }
            Self::HandshakeIgnored => "the servers ignore the character set of the login",
            Self::Defined => "the session has changed the schema, and it has not been looked at since",
            Self::Warnings => "it names no table, so the warnings of the statement before stay where they are (MariaDB)",
            Self::NoReplica => "no replica serves",
            Self::Lag => "no replica is within the lag limit (routing.max_lag)",
            Self::Wrote => "no replica is known to have what the session has written",
            Self::Seen => "no replica is known to have what the session has seen",
            Self::Process => "no replica is known to have what other sessions of this Headgate have written",
            Self::Global => "no replica is known to have all that the primary had when the read arrived",
            Self::After => "no replica is known to have the position that the comment names",
            Self::Suspect => "no replica has answered steadily of late",
            Self::Drained => "an operator has drained every replica that serves (DRAIN)",
            Self::PrimaryTurn => "the primary takes part in plain reads (routing.primary_reads)",
            Self::KeepAlive => "the session's primary connection must not idle any longer",
            Self::ReplicaBusy => "the replica had no free connection, and none that others gave back",
            Self::ReplicaFailed => "the replica failed before it answered",
            Self::ReplicaRefused => "the replica answered with an error, so the primary was asked",
        })
    }
}
