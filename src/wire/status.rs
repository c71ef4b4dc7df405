//! Server status flags, as OK and EOF packets carry them.
//!
//! Source: MySQL `include/mysql_com.h`, `SERVER_STATUS_flags_enum`; MariaDB the same bits.

/// The status flags of one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    /// A transaction is open.
    pub const IN_TRANSACTION: Self = Self(0x0001);
    /// `autocommit` is on.
    pub const AUTOCOMMIT: Self = Self(0x0002);
    /// Another result of the same command follows.
    pub const MORE_RESULTS: Self = Self(0x0008);
    /// The reply opened a cursor: no rows follow until COM_STMT_FETCH.
    pub const CURSOR_EXISTS: Self = Self(0x0040);
    /// Backslash is an ordinary character in this session's strings.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(0x0200);
    /// The open transaction is read only.
    pub const IN_READ_ONLY_TRANSACTION: Self = Self(0x2000);
    /// Session-state information follows in this OK packet.
    pub const SESSION_STATE_CHANGED: Self = Self(0x4000);

    /// The flags that speak of the session and not of one statement: open transaction, autocommit,
    /// backslashes.
    pub const OF_SESSION: Self = Self(
        Self::IN_TRANSACTION.0
            | Self::AUTOCOMMIT.0
            | Self::NO_BACKSLASH_ESCAPES.0
            | Self::IN_READ_ONLY_TRANSACTION.0,
    );

    /// Those of them that speak of its transaction.
    pub const OF_TRANSACTION: Self =
        Self(Self::IN_TRANSACTION.0 | Self::AUTOCOMMIT.0 | Self::IN_READ_ONLY_TRANSACTION.0);

    /// The flags that are set here and in `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True when every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
