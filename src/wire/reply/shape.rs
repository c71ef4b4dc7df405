//! What a reply looks like: by its command, and to its client.

use crate::wire::session_track::Wish;

/// What kind of reply a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// OK, ERR, or result sets: COM_QUERY, COM_STMT_EXECUTE, and all commands that answer OK alone.
    Results,
    /// The same to a COM_STMT_EXECUTE that asked for a cursor. Only there CURSOR_EXISTS means that no rows
    /// follow: a procedure with a cursor of its own leaves the flag in ordinary results.
    Executed,
    /// COM_STMT_PREPARE.
    Prepare,
    /// Rows without a head: COM_STMT_FETCH.
    Rows,
    /// Column definitions without a count: COM_FIELD_LIST.
    Fields,
    /// One packet of text, or ERR: COM_STATISTICS.
    Text,
}

/// What the client can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientForm {
    /// The client negotiated DEPRECATE_EOF.
    pub deprecate_eof: bool,
    /// Which session-state changes it is told about.
    pub wish: Wish,
}
