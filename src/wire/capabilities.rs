//! Capability flags of the connection phase.
//!
//! Source: MySQL `include/mysql_com.h`; MariaDB `include/mysql_com.h`, whose extended flags are those from
//! bit 32 on. They stand in bytes that MySQL leaves unused, and only where LONG_PASSWORD is not set.

use std::ops::{BitAnd, BitOr};

/// A set of capability flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// Set by MySQL; cleared by MariaDB to announce its extended flags (there called CLIENT_MYSQL).
    pub const LONG_PASSWORD: Self = Self(1);
    /// UPDATE counts rows found, not rows changed.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    /// Column definitions carry two-byte flags.
    pub const LONG_FLAG: Self = Self(1 << 2);
    /// The login request names a schema.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// `db.table.column` is refused.
    pub const NO_SCHEMA: Self = Self(1 << 4);
    /// zlib compression, from the login's OK on.
    pub const COMPRESS: Self = Self(1 << 5);
    /// No effect since 3.22.
    pub const ODBC: Self = Self(1 << 6);
    /// LOAD DATA LOCAL is allowed by the client.
    pub const LOCAL_FILES: Self = Self(1 << 7);
    /// A space may stand between a function's name and its parenthesis.
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The 4.1 protocol, the only one spoken here.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// `interactive_timeout` instead of `wait_timeout`.
    pub const INTERACTIVE: Self = Self(1 << 10);
    /// TLS.
    pub const SSL: Self = Self(1 << 11);
    /// Client library flag without meaning on the wire.
    pub const IGNORE_SIGPIPE: Self = Self(1 << 12);
    /// Status flags in OK and EOF packets.
    pub const TRANSACTIONS: Self = Self(1 << 13);
    /// Named CLIENT_RESERVED; old clients set it.
    pub const RESERVED: Self = Self(1 << 14);
    /// 20-byte nonces (CLIENT_SECURE_CONNECTION, now CLIENT_RESERVED2).
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    /// Several statements in one COM_QUERY.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// Several results to a COM_QUERY.
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    /// Several results to a COM_STMT_EXECUTE.
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    /// Authentication methods are named and can be switched.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// Connection attributes.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// The authentication response is a string<lenenc>.
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    /// The client understands the sandbox of an expired password.
    pub const EXPIRED_PASSWORDS: Self = Self(1 << 22);
    /// Session tracking in OK packets.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// OK packets instead of EOF packets.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// Result sets may come without metadata (changes every result set).
    pub const OPTIONAL_METADATA: Self = Self(1 << 25);
    /// zstd compression; the login request ends with a byte for its level. MariaDB has none.
    pub const ZSTD: Self = Self(1 << 26);
    /// COM_QUERY and COM_STMT_EXECUTE carry attributes (changes their form).
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// MariaDB: COM_STMT_BULK_EXECUTE.
    pub const BULK_OPERATIONS: Self = Self(1 << 34);
    /// MariaDB: column definitions carry more about types.
    pub const EXTENDED_METADATA: Self = Self(1 << 35);

    /// MariaDB's extended flags.
    pub const EXTENDED: Self = Self(0xFFFF_FFFF << 32);

    /// What Headgate offers to clients, as far as the primary offers it too.
    ///
    /// Optional metadata, multi-factor authentication and most of MariaDB's extended flags are not offered:
    /// each changes what the relay would have to follow. MariaDB's progress reports are ERR packets in the middle
    /// of a reply; its cached metadata and per-row results of bulk execution change which packets a result has.
    /// Compression is Headgate's own, so whether it is offered does not depend on the primary.
    pub const OFFERED: Self = Self(
        Self::LONG_PASSWORD.0
            | Self::FOUND_ROWS.0
            | Self::LONG_FLAG.0
            | Self::CONNECT_WITH_DB.0
            | Self::NO_SCHEMA.0
            | Self::ODBC.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::PROTOCOL_41.0
            | Self::INTERACTIVE.0
            | Self::IGNORE_SIGPIPE.0
            | Self::TRANSACTIONS.0
            | Self::RESERVED.0
            | Self::SECURE_CONNECTION.0
            | Self::MULTI_STATEMENTS.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC.0
            | Self::EXPIRED_PASSWORDS.0
            | Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0,
    );

    /// Flags that change what a command means or what a reply looks like, so that a backend
    /// connection must have been opened with the client's own choice (HAZARDS 5).
    pub const MEANINGFUL: Self = Self(
        Self::FOUND_ROWS.0
            | Self::NO_SCHEMA.0
            | Self::LOCAL_FILES.0
            | Self::IGNORE_SPACE.0
            | Self::INTERACTIVE.0
            | Self::MULTI_STATEMENTS.0
            | Self::MULTI_RESULTS.0
            | Self::PS_MULTI_RESULTS.0
            | Self::EXPIRED_PASSWORDS.0
            | Self::QUERY_ATTRIBUTES.0
            | Self::BULK_OPERATIONS.0
            | Self::EXTENDED_METADATA.0,
    );

    /// What every backend connection negotiates, whatever its client does.
    pub const BACKEND: Self = Self(
        Self::LONG_PASSWORD.0
            | Self::LONG_FLAG.0
            | Self::PROTOCOL_41.0
            | Self::TRANSACTIONS.0
            | Self::SECURE_CONNECTION.0
            | Self::PLUGIN_AUTH.0
            | Self::CONNECT_ATTRS.0
            | Self::PLUGIN_AUTH_LENENC.0
            | Self::SESSION_TRACK.0
            | Self::DEPRECATE_EOF.0,
    );

    /// The flags as a greeting or login request carries them: the 32 of old, and MariaDB's extended ones.
    #[must_use]
    pub const fn from_halves(base: u32, extended: u32) -> Self {
        // LONG_PASSWORD says that the bytes of the extended flags mean nothing.
        let announced = base as u64 & Self::LONG_PASSWORD.0 == 0;
        Self(base as u64 | if announced { (extended as u64) << 32 } else { 0 })
    }

    /// The bytes of [`Self::from_halves`], each half little-endian.
    #[must_use]
    pub const fn halves(self) -> ([u8; 4], [u8; 4]) {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        ([a, b, c, d], [e, f, g, h])
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

impl BitOr for Capabilities {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_flags_count_only_where_they_are_announced() {
        let check = |base, extended, expected| {
            assert_eq!(Capabilities::from_halves(base, extended), Capabilities(expected));
        };
        // MariaDB 10.11.19 and MySQL 9.7.4, as they greet.
        check(0x81FF_F7FE, 0x1D, 0x1D_81FF_F7FE);
        check(0xDFFF_FFFF, 0, 0xDFFF_FFFF);
        check(0xDFFF_FFFF, 0x1D, 0xDFFF_FFFF);
        let halves = Capabilities(0x1D_81FF_F7FE).halves();
        assert_eq!(halves, ([0xFE, 0xF7, 0xFF, 0x81], [0x1D, 0, 0, 0]));
    }

    #[test]
    fn what_is_offered_beyond_the_first_32_changes_meaning() {
        let extended = Capabilities::OFFERED & Capabilities::EXTENDED;
        assert!(Capabilities::MEANINGFUL.contains(extended));
        assert_eq!(Capabilities::BACKEND & Capabilities::EXTENDED, Capabilities(0));
    }
}
