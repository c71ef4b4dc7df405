//! Why a client is not let in.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use crate::wire::Malformed;
use crate::wire::err::ErrPacket;

/// A refusal with its reason: for the client, the counter and the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many clients in all.
    #[error("all {limit} places are taken (limits.max_clients)")]
    Full {
        /// The limit that was met.
        limit: usize,
    },
    /// Clients from there are not wanted.
    #[error("clients from {address} are not let in (clients.allow, clients.deny)")]
    Address {
        /// Where it is.
        address: IpAddr,
    },
    /// Too many from the same place.
    #[error("all {limit} places of {address} are taken (limits.max_clients_per_address)")]
    AddressFull {
        /// Where it is.
        address: IpAddr,
        /// The limit that was met.
        limit: NonZeroUsize,
    },
    /// What a proxy said of its client cannot be read.
    #[error("the proxy's header cannot be read: {source}")]
    Header {
        /// What could not be read.
        #[from]
        source: Malformed,
    },
    /// The user may come in, but not from there. The client is told what a wrong password is told, by the
    /// primary.
    #[error("the user is not let in from there (clients.users)")]
    User,
    /// Too many of the same user.
    #[error("all {limit} places of the user are taken (limits.max_clients_per_user, clients.users)")]
    UserFull {
        /// Its name.
        user: Box<[u8]>,
        /// The limit that was met.
        limit: NonZeroUsize,
    },
}

impl Refusal {
    /// Labels for the counter, see [`Self::index`].
    pub const LABELS: [&'static str; 6] =
        ["max_clients", "address", "address_limit", "proxy_header", "user_address", "user_limit"];

    /// The place of this reason's label in [`Self::LABELS`].
    #[must_use]
    pub const fn index(&self) -> usize {
        match self {
            Self::Full { .. } => 0,
            Self::Address { .. } => 1,
            Self::AddressFull { .. } => 2,
            Self::Header { .. } => 3,
            Self::User => 4,
            Self::UserFull { .. } => 5,
        }
    }

    /// What the client is told: as far as there are such, the server's own words.
    #[must_use]
    pub fn to_client(&self) -> ErrPacket {
        match self {
            // ER_CON_COUNT_ERROR.
            Self::Full { .. } => ErrPacket::own(1040, b"08004", "Too many connections (limits.max_clients)"),
            Self::AddressFull { .. } => {
                let text = "Too many connections from this address (limits.max_clients_per_address)";
                ErrPacket::own(1040, b"08004", text)
            }
            // ER_HOST_NOT_PRIVILEGED.
            Self::Address { address } => {
                let message = format!("Host '{address}' is not allowed to connect to this MySQL server");
                ErrPacket { code: 1130, state: *b"HY000", message: message.into_bytes() }
            }
            // ER_HANDSHAKE_ERROR.
            Self::Header { source } => ErrPacket::own(1043, b"08S01", &format!("bad PROXY header: {source}")),
            // ER_ACCESS_DENIED_ERROR.
            Self::User => ErrPacket::own(1045, b"28000", "access denied"),
            // ER_USER_LIMIT_REACHED.
            Self::UserFull { user, limit } => {
                let behind =
                    format!("' has exceeded the 'max_user_connections' resource (current value: {limit})");
                let message = [b"User '", &**user, behind.as_bytes()].concat();
                ErrPacket { code: 1226, state: *b"42000", message }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_told_in_the_servers_words() {
        let check = |refusal: Refusal, told: &str| assert_eq!(refusal.to_client().to_string(), told);
        let limit = NonZeroUsize::new(5).unwrap();
        check(
            Refusal::Address { address: IpAddr::from([192, 0, 2, 1]) },
            "1130 (HY000): Host '192.0.2.1' is not allowed to connect to this MySQL server",
        );
        check(
            Refusal::UserFull { user: b"app".as_slice().into(), limit },
            "1226 (42000): User 'app' has exceeded the 'max_user_connections' resource (current value: 5)",
        );
        check(
            Refusal::AddressFull { address: IpAddr::from([192, 0, 2, 1]), limit },
            "1040 (08004): headgate: Too many connections from this address (limits.max_clients_per_address)",
        );
    }

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let limit = NonZeroUsize::MIN;
        let address = IpAddr::from([192, 0, 2, 1]);
        let all = [
            Refusal::Full { limit: 1 },
            Refusal::Address { address },
            Refusal::AddressFull { address, limit },
            Refusal::Header { source: Malformed::new("x") },
            Refusal::User,
            Refusal::UserFull { user: Box::default(), limit },
        ];
        for (at, refusal) in all.iter().enumerate() {
            assert_eq!(refusal.index(), at, "{refusal}");
        }
        assert_eq!(all.len(), Refusal::LABELS.len());
    }
}
