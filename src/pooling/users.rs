//! What holds for the connections of users: for how long a session has one.

use std::collections::BTreeMap;

/// For how long a session has its connection to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// For as long as it lives.
    #[default]
    Session,
    /// For as long as it needs it: a statement, a transaction, whatever cannot be had on another connection.
    Transaction,
}

/// What has chosen a session's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The rule for its user.
    User,
    /// The address at which it came in.
    Listener,
    /// Nothing of its own.
    Default,
}

/// A session's mode, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The mode.
    pub mode: Mode,
    /// What has chosen it.
    pub by: By,
}

/// What holds for users.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    /// The mode of those for whom nothing else is said.
    pub mode: Mode,
    /// What is said of single users.
    pub rules: BTreeMap<Box<[u8]>, Rule>,
}

/// What is said of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// The mode of its sessions.
    pub mode: Option<Mode>,
}

impl Mode {
    /// Its word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

impl By {
    /// Its name on the console.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Listener => "listener",
            Self::Default => "default",
        }
    }
}

impl Users {
    /// The mode of a session of `user` that has come in where `listener` says so: the nearer word wins.
    #[must_use]
    pub fn mode_of(&self, user: &[u8], listener: Option<Mode>) -> Chosen {
        let of_user = self.rules.get(user).and_then(|rule| rule.mode).map(|mode| (mode, By::User));
        let of_listener = || listener.map(|mode| (mode, By::Listener));
        let (mode, by) = of_user.or_else(of_listener).unwrap_or((self.mode, By::Default));
        Chosen { mode, by }
    }

    /// The same, where no connection can serve several sessions.
    #[must_use]
    pub fn unshared(self) -> Self {
        let rules = self.rules.into_keys().map(|user| (user, Rule { mode: None })).collect();
        Self { mode: Mode::Session, rules }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_word_chooses_the_mode() {
        let rule = |mode| Rule { mode };
        let users = Users {
            mode: Mode::Transaction,
            rules: BTreeMap::from([
                (b"report".as_slice().into(), rule(Some(Mode::Session))),
                (b"batch".as_slice().into(), rule(None)),
            ]),
        };
        let check = |user: &str, listener, mode, by| {
            assert_eq!(users.mode_of(user.as_bytes(), listener), Chosen { mode, by }, "{user} {listener:?}");
        };
        check("app", None, Mode::Transaction, By::Default);
        check("app", Some(Mode::Session), Mode::Session, By::Listener);
        check("batch", None, Mode::Transaction, By::Default);
        check("batch", Some(Mode::Session), Mode::Session, By::Listener);
        check("report", None, Mode::Session, By::User);
        check("report", Some(Mode::Transaction), Mode::Session, By::User);
        check("Report", Some(Mode::Transaction), Mode::Transaction, By::Listener);
    }
}
