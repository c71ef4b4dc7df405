//! How far a reply has come.

use crate::wire::status::StatusFlags;

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Status flags of the last OK; those of before where the reply ended in an ERR.
    pub status: StatusFlags,
    /// The error number, where it ended in an ERR.
    pub error: Option<u16>,
    /// Warnings counted by the last OK.
    pub warnings: u16,
    /// The last AUTO_INCREMENT value other than 0 that an OK told.
    pub insert_id: u64,
    /// Rows changed, where the last result was an OK alone.
    pub affected: Option<u64>,
    /// Rows of the last result.
    pub rows: u64,
    /// True when the ERR was the very first packet: nothing of the reply came before it.
    pub at_once: bool,
}

/// How far a call got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More bytes from the server are needed.
    More,
    /// The server wants the client's file: what is ready goes out, the client's packets come in until
    /// an empty one, and the reply goes on.
    FileWanted,
    /// A result has ended and another follows. Only of a tracker that was told to [pause](super::Tracker::pause).
    NextResult,
    /// The reply is over. Bytes behind the ready ones mean that the server broke the protocol.
    Complete(End),
}

/// What one call made of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// So many bytes at the front of the buffer are ready for the client.
    pub ready: usize,
    /// What is to be done next.
    pub progress: Progress,
}
