//! Why somebody gets no connection.

/// Which limit leaves no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// All places at the server are taken.
    #[error("all {limit} connections to the server are in use (pool.max_connections_per_server)")]
    Server {
        /// How many there are.
        limit: usize,
    },
    /// The user has all places that it may have.
    #[error(
        "all {limit} connections to the server that its user may have are in use (pool.max_connections_per_user, \
         clients.users)"
    )]
    User {
        /// How many those are.
        limit: usize,
    },
    /// The server has refused to take more.
    #[error(
        "the server takes no more than {limit} connections of Headgate's at the moment (its max_connections)"
    )]
    Refusing {
        /// How many it has taken.
        limit: usize,
    },
    /// The user has all connections that the server allows it, but for a few that are left to others in its name.
    #[error(
        "all {limit} connections to the server that it leaves Headgate for its user are in use (max_user_connections {server})"
    )]
    UserServer {
        /// How many those are.
        limit: usize,
        /// How many the server allows.
        server: usize,
    },
    /// The server has refused to take more of the user's.
    #[error(
        "the server takes no more than {limit} connections of its user's at the moment (its max_user_connections)"
    )]
    UserRefused {
        /// How many it has taken.
        limit: usize,
    },
    /// Nobody of the user's who waits is given one.
    #[error("no connection to the server has come free for its user of late")]
    Standing,
    /// Too many wait already.
    #[error("{limit} clients wait for a connection to the server already (pool.waiting_room)")]
    Room {
        /// How many may wait.
        limit: usize,
    },
}

impl Shortage {
    /// It is one user's alone.
    #[must_use]
    pub const fn is_of_user(&self) -> bool {
        matches!(self, Self::User { .. } | Self::UserServer { .. } | Self::UserRefused { .. })
    }
}
