//! What was seen of a server.

use std::fmt;

use crate::gtid::Transactions;
use crate::topology::ServerId;

/// What came of asking a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It answered.
    Answered(Box<Report>),
    /// It has too many connections to answer: it is alive, and says nothing else of itself.
    Crowded,
    /// It does not work.
    Trouble(Trouble),
}

/// In which way a server does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection was refused or reset: the host is there and the process is not.
    Refused,
    /// Nothing came back.
    Silent,
    /// It greeted or logged in, so its process runs, and does not answer. One that takes a connection and says nothing is
    /// [`Trouble::Silent`]: that was the kernel of a host whose process is frozen, or something in between.
    Hung,
    /// It answers, and cannot write because its disk is full.
    DiskFull,
    /// It answers, and a write has not ended for as long as an operator would wait.
    WritesStuck,
}

/// What a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What its own transactions are known by: the UUID, or MariaDB's server id.
    pub origin: String,
    /// Another number after each start of the process.
    pub run: u64,
    /// The version, as version comments number it.
    pub version: u32,
    /// It takes writes of ordinary accounts.
    pub writable: bool,
    /// From whom it replicates.
    pub channel: Option<Channel>,
    /// What it has committed.
    pub executed: Transactions,
    /// What it has committed or has in its relay log.
    pub received: Transactions,
    /// What it has committed and cannot send any more, its logs being purged.
    pub purged: Transactions,
    /// It writes a binary log that others can follow, what it replicates included.
    pub logs: bool,
    /// It leaves something out of what it replicates or logs.
    pub filtered: bool,
    /// XA branches that are prepared. They pass `super_read_only` when they are committed (HAZARDS 22).
    pub prepared: Vec<String>,
}

/// From whom a server replicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its source, where that is a server that is known.
    pub source: Option<ServerId>,
    /// What the receiver says of itself.
    pub receiver: Receiver,
    /// The applier runs.
    pub applier: bool,
    /// Heartbeats since the receiver was started. What matters is that the number changes.
    pub heartbeats: u64,
}

/// What a receiver says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// It was stopped, or gave up.
    Stopped,
    /// It has no connection and tries to get one.
    Connecting,
    /// It has no connection, since its source has too many. Its source lives.
    Crowded,
    /// It runs. It goes on saying so while its source is silent.
    Running,
}

impl Trouble {
    /// Receivers may have a connection to such a server and heartbeats from it, so only transactions prove it well.
    #[must_use]
    pub const fn leaves_heartbeats(self) -> bool {
        matches!(self, Self::Hung | Self::DiskFull | Self::WritesStuck)
    }
}

impl Report {
    /// It replicates from `source`, as far as it says.
    #[must_use]
    pub fn follows(&self, source: ServerId) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.source == Some(source))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refuses connections",
            Self::Silent => "is silent",
            Self::Hung => "greets and does not answer",
            Self::DiskFull => "cannot write, its disk is full",
            Self::WritesStuck => "takes no writes, they do not end",
        })
    }
}
