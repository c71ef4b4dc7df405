//! How a statement ended, as far as the session is concerned.

use std::time::Instant;

use crate::topology::{Mark, ServerId};
use crate::wire::status::StatusFlags;

/// Where a reply came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The session's own connection.
    Primary,
    /// A replica.
    Replica(ServerId),
}

/// What a statement may have done with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// Nothing: a ping, a prepare.
    Nothing,
    /// It may have shown some.
    Saw,
    /// It may have changed some.
    Wrote,
    /// It began or ended a transaction: as good as nothing where that has only read, else as a write.
    Turned,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Status flags of the last OK.
    pub status: StatusFlags,
    /// The error number, if it ended in one.
    pub error: Option<u16>,
    /// The AUTO_INCREMENT value that its OKs told, 0 where they told none.
    pub insert_id: u64,
    /// Who answered.
    pub source: Source,
    /// What the session may have done.
    pub touched: Touched,
    /// The transaction that the server reported, where nothing was read after it.
    pub mark: Option<Mark>,
    /// When the last byte of the reply had come.
    pub now: Instant,
}
