//! One thing that was found.

use std::fmt;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Headgate cannot do its work, or a server serves nothing.
    Problem,
    /// It works, and somebody will be surprised.
    Warning,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Whether servers answer, and what they are used for.
    Servers,
    /// What the control account may do.
    Grants,
    /// Settings of the servers.
    Settings,
    /// The accounts that log in through Headgate.
    Accounts,
}

impl Topic {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Servers, Self::Grants, Self::Settings, Self::Accounts];
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Servers => "servers",
            Self::Grants => "the control account's grants",
            Self::Settings => "settings",
            Self::Accounts => "accounts",
        })
    }
}

/// One finding: what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub topic: Topic,
    /// What was found, in one sentence without a full stop.
    pub what: String,
    /// What to do, in the imperative.
    pub remedy: String,
}

impl Finding {
    pub(super) fn problem(topic: Topic, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, topic, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn warning(topic: Topic, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, topic, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Problem => "problem",
            Severity::Warning => "warning",
        };
        write!(f, "  {severity}: {}\n      {}", self.what, self.remedy)
    }
}
