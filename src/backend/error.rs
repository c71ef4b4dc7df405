//! What can go wrong with a server.

use std::io;

use crate::auth::client_side::Failure;
use crate::net::socket::ConnectError;
use crate::net::tls::TlsError;
use crate::pooling::Shortage;
use crate::runtime::clock::Late;
use crate::topology::Trouble;
use crate::wire::Malformed;
use crate::wire::err::ErrPacket;

/// Why a connection to a server could not be had or used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No socket.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The stream failed.
    #[error("the connection to the server failed: {source}")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
    /// The server hung up.
    #[error("the server closed the connection")]
    Closed,
    /// The server did not answer in time.
    #[error("the server gave {source}")]
    Late {
        /// The limit.
        #[from]
        source: Late,
    },
    /// The server sent what is no reply.
    #[error("the server broke the protocol: {source}")]
    Protocol {
        /// What could not be read.
        #[from]
        source: Malformed,
    },
    /// TLS is wanted and cannot be had.
    #[error("TLS with the server failed: {source}")]
    Tls {
        /// Why.
        #[from]
        source: TlsError,
    },
    /// The login cannot be tried with what is known of the user.
    #[error("the login cannot be passed through: {failure}")]
    Login {
        /// Why.
        #[from]
        failure: Failure,
    },
    /// No place for another connection to the server.
    #[error(transparent)]
    Full {
        /// The limit that was met.
        #[from]
        shortage: Shortage,
    },
    /// A connection cannot be made what the session is.
    #[error("no connection to the primary can be made what this session is; connect again")]
    NotCarried,
    /// The server is too old.
    #[error(
        "the server has no session tracking or no DEPRECATE_EOF; MySQL 8.0 or MariaDB 10.6 or newer is needed"
    )]
    TooOld,
    /// The server was told of a client in a PROXY header, and no login followed.
    #[error("{source}; does the server take PROXY headers from here (servers.proxy_protocol)?")]
    Header {
        /// What happened instead.
        source: Box<Self>,
    },
    /// The server answered with an error of its own.
    #[error("the server answered {error}")]
    Refused {
        /// The error as sent.
        error: ErrPacket,
    },
}

/// ER_NET_READ_ERROR: the server was lost in the middle of something. Not CR_SERVER_LOST: what has a number of
/// a client library's own, MariaDB's takes for a malformed packet. And not SQLSTATE 08S01, which drivers take for
/// leave to send a statement again.
pub const SERVER_LOST: u16 = 1158;

/// ER_SERVER_SHUTDOWN: the server ends, or at least this connection (KILL).
pub const SERVER_SHUTDOWN: u16 = 1053;

/// ER_SERVER_ISNT_AVAILABLE.
pub const NO_SERVER: u16 = 3168;

impl BackendError {
    /// Whether a server refused because the account has as many connections as it may have
    /// (ER_USER_LIMIT_REACHED, ER_TOO_MANY_USER_CONNECTIONS).
    #[must_use]
    pub const fn is_user_limit(&self) -> bool {
        matches!(self, Self::Refused { error: ErrPacket { code: 1226 | 1203, .. } })
    }

    /// Whether a server refused because it, or the account, has no room for another connection now
    /// (ER_CON_COUNT_ERROR beside the above).
    #[must_use]
    pub const fn is_shortage(&self) -> bool {
        self.is_user_limit() || matches!(self, Self::Refused { error: ErrPacket { code: 1040, .. } })
    }

    /// What this says of the server.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Connect(ConnectError::Unreachable { source, .. })
                if matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) =>
            {
                Trouble::Refused
            }
            Self::Connect(ConnectError::TimedOut { .. }) | Self::Late { .. } => Trouble::Silent,
            Self::Connect(_) => Trouble::Unreachable,
            Self::Io { .. } | Self::Closed | Self::Protocol { .. } => Trouble::Lost,
            Self::Tls { .. } | Self::Login { .. } | Self::TooOld | Self::NotCarried => Trouble::LoginRefused,
            Self::Full { .. } => Trouble::TooManyConnections,
            Self::Header { source } => source.trouble(),
            Self::Refused { .. } if self.is_shortage() => Trouble::TooManyConnections,
            Self::Refused { error } => match error.code {
                // ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_HOST_NOT_PRIVILEGED, ER_ACCOUNT_HAS_BEEN_LOCKED,
                // ER_HOST_IS_BLOCKED, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, and MariaDB's ER_ACCOUNT_HAS_BEEN_LOCKED.
                1045 | 1044 | 1130 | 3118 | 1129 | 1698 | 4151 => Trouble::LoginRefused,
                // ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_MODE.
                1290 | 1836 => Trouble::ReadOnly,
                // As good as lost: nothing is asked there any more.
                SERVER_SHUTDOWN => Trouble::Lost,
                // ER_DISK_FULL, ER_RECORD_FILE_FULL.
                1021 | 1114 => Trouble::DiskFull,
                _ => Trouble::Answered,
            },
        }
    }

    /// The error that a client is shown: the server's own where it sent one.
    #[must_use]
    pub fn to_client(&self) -> ErrPacket {
        match self {
            Self::Refused { error } => error.clone(),
            Self::Login { failure } => failure.to_client(),
            Self::Header { source } => {
                let ErrPacket { code, state, .. } = source.to_client();
                ErrPacket::own(code, &state, &self.to_string())
            }
            // ER_USER_LIMIT_REACHED.
            Self::Full { shortage } if shortage.is_of_user() => {
                ErrPacket::own(1226, b"42000", &self.to_string())
            }
            // ER_CON_COUNT_ERROR.
            Self::Full { .. } => ErrPacket::own(1040, b"08004", &self.to_string()),
            Self::Closed | Self::Io { .. } | Self::Protocol { .. } => {
                ErrPacket::own(SERVER_LOST, b"HY000", &self.to_string())
            }
            Self::Connect(_) | Self::Late { .. } | Self::Tls { .. } | Self::TooOld | Self::NotCarried => {
                ErrPacket::own(NO_SERVER, b"HY000", &self.to_string())
            }
        }
    }

    /// Labels for counters, see [`Self::kind`].
    pub const KINDS: [&'static str; 10] =
        ["connect", "io", "closed", "late", "protocol", "tls", "login", "full", "refused", "not_carried"];

    /// The place of this error's label in [`Self::KINDS`].
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Header { source } => source.kind(),
            Self::Connect(_) => 0,
            Self::Io { .. } => 1,
            Self::Closed => 2,
            Self::Late { .. } => 3,
            Self::Protocol { .. } => 4,
            Self::Tls { .. } => 5,
            Self::Login { .. } | Self::TooOld => 6,
            Self::Full { .. } => 7,
            Self::Refused { .. } => 8,
            Self::NotCarried => 9,
        }
    }
}
