//! How many connections a server has room for.

/// What Headgate takes of a server's `max_connections` where nothing else is said: a tenth is left to others, and at least
/// five, for the control account, for KILL, and for administrators.
#[must_use]
pub fn fitting(max_connections: u64) -> u64 {
    max_connections.saturating_sub((max_connections / 10).max(5)).max(1)
}
