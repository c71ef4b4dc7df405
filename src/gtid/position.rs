use std::fmt;

use super::{DomainPosition, GtidSet};

/// How far a server is, in the terms of its family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    MySql(GtidSet),
    MariaDb(DomainPosition),
}

impl Position {
    /// Whether a server at this position has everything that a server at `other` has. Positions of different
    /// families have nothing of each other. For MariaDB see the warning at [`DomainPosition`].
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MySql(mine), Self::MySql(other)) => mine.contains(other),
            (Self::MariaDb(mine), Self::MariaDb(other)) => mine.contains(other),
            (Self::MySql(_), Self::MariaDb(_)) | (Self::MariaDb(_), Self::MySql(_)) => false,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => set.fmt(f),
            Self::MariaDb(position) => position.fmt(f),
        }
    }
}

/// What is wrong with the text of a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no UUID at the beginning of {text:?}")]
    Uuid { text: String },
    #[error("{text:?} is no interval of GTIDs")]
    Interval { text: String },
    #[error("{text:?} is no GTID of the form domain-server-sequence")]
    Gtid { text: String },
    #[error("it has more than {limit} parts")]
    TooLarge { limit: usize },
}
