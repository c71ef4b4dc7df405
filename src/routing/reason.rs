use std::fmt;

use crate::session::Why;
use crate::sql::{NotPlain, Unclear};
use crate::topology::Hindrance;

/// Why a statement runs where it runs: metric label, log field and explanation in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A plain read on a replica.
    PlainRead,
    NotPlain(NotPlain),
    /// INSERT, UPDATE, DELETE, REPLACE, LOAD DATA.
    Data,
    Ddl,
    Account,
    /// BEGIN, COMMIT and their kin.
    TransactionControl,
    /// USE, SET.
    SessionControl,
    /// SHOW, EXPLAIN.
    Inspect,
    Kill,
    Unclear(Unclear),
    /// A command that is no statement's text.
    Command,
    InTransaction,
    AutocommitOff,
    /// SET TRANSACTION waits for its transaction.
    Characteristics,
    Changed(Why),
    /// An error may have hidden a change that is yet to be reported.
    Unreported,
    /// The primary has changed since the session began.
    OtherEpoch,
    /// The primary's defaults have changed since the session began.
    OtherDefaults,
    Hindered(Hindrance),
    UnknownCharset,
    /// The current schema is one that every server has its own of.
    LocalSchema,
    /// The views could not all be read, so any name may be one.
    ViewsUnknown,
    View,
    /// Splitting is off.
    SplitOff,
    /// No replica serves reads.
    NoReplica,
    /// No replica is within the lag limit.
    TooFarBehind,
    /// No replica is known to have what the session wrote.
    LacksWritten,
    /// No replica is known to have what the session saw.
    LacksObserved,
}

impl Reason {
    /// One of each label.
    pub const ALL: &'static [Self] = &[
        Self::PlainRead,
        Self::NotPlain(NotPlain::Function),
        Self::Data,
        Self::Ddl,
        Self::Account,
        Self::TransactionControl,
        Self::SessionControl,
        Self::Inspect,
        Self::Kill,
        Self::Unclear(Unclear::Verb),
        Self::Command,
        Self::InTransaction,
        Self::AutocommitOff,
        Self::Characteristics,
        Self::Changed(Why::Variable),
        Self::Unreported,
        Self::OtherEpoch,
        Self::OtherDefaults,
        Self::Hindered(Hindrance::InitConnect),
        Self::UnknownCharset,
        Self::LocalSchema,
        Self::ViewsUnknown,
        Self::View,
        Self::SplitOff,
        Self::NoReplica,
        Self::TooFarBehind,
        Self::LacksWritten,
        Self::LacksObserved,
    ];

    /// The label of metrics and logs. Stable, and without what a reason carries inside.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlainRead => "plain_read",
            Self::NotPlain(_) => "not_plain",
            Self::Data => "data",
            Self::Ddl => "ddl",
            Self::Account => "account",
            Self::TransactionControl => "transaction_control",
            Self::SessionControl => "session_control",
            Self::Inspect => "inspect",
            Self::Kill => "kill",
            Self::Unclear(_) => "unclear",
            Self::Command => "command",
            Self::InTransaction => "in_transaction",
            Self::AutocommitOff => "autocommit_off",
            Self::Characteristics => "transaction_characteristics",
            Self::Changed(_) => "session_changed",
            Self::Unreported => "report_pending",
            Self::OtherEpoch => "other_epoch",
            Self::OtherDefaults => "other_defaults",
            Self::Hindered(_) => "hindered",
            Self::UnknownCharset => "unknown_charset",
            Self::LocalSchema => "local_schema",
            Self::ViewsUnknown => "views_unknown",
            Self::View => "view",
            Self::SplitOff => "split_off",
            Self::NoReplica => "no_replica",
            Self::TooFarBehind => "too_far_behind",
            Self::LacksWritten => "lacks_written",
            Self::LacksObserved => "lacks_observed",
        }
    }

    /// The place of its label in [`ALL`](Self::ALL), for counters kept in an array.
    pub fn index(self) -> usize {
        let label = self.as_str();
        Self::ALL.iter().position(|reason| reason.as_str() == label).unwrap_or_default()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlainRead => "a plain read, on a replica that has what the session wrote and saw",
            Self::NotPlain(why) => return write!(f, "not a plain read: {why}"),
            Self::Data => "it changes data",
            Self::Ddl => "it changes the schema",
            Self::Account => "it changes accounts or privileges",
            Self::TransactionControl => "it begins or ends a transaction",
            Self::SessionControl => "it changes the session",
            Self::Inspect => "it asks the server about itself or about a statement",
            Self::Kill => "it ends another session or statement",
            Self::Unclear(why) => return write!(f, "its effects cannot be told: {why}"),
            Self::Command => "it is a command other than a statement's text",
            Self::InTransaction => "a transaction is open",
            Self::AutocommitOff => "autocommit is off, so it begins a transaction",
            Self::Characteristics => "the characteristics of the next transaction have been set",
            Self::Changed(why) => return write!(f, "the session has changed: {why}"),
            Self::Unreported => "an error may have hidden a change that the server is yet to report",
            Self::OtherEpoch => "the primary has changed since the session began",
            Self::OtherDefaults => "the primary's session defaults have changed since the session began",
            Self::Hindered(why) => return why.fmt(f),
            Self::UnknownCharset => "the session's character set is not known",
            Self::LocalSchema => "the current schema is one that every server has its own of",
            Self::ViewsUnknown => {
                "the views could not all be read; the control user needs SELECT on *.* for it"
            }
            Self::View => "it names a view, whose body may do anything",
            Self::SplitOff => "splitting is off",
            Self::NoReplica => "no replica serves reads",
            Self::TooFarBehind => "no replica is within the lag limit",
            Self::LacksWritten => "no replica is known to have what the session wrote",
            Self::LacksObserved => "no replica is known to have what the session saw",
        })
    }
}
