//! What holds for the connections of users: for how long a session has one, and how many there may be.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::ledger::Claim;

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
    /// Most connections of one of them to one server.
    pub most: Option<NonZeroUsize>,
    /// What is said of single users.
    pub rules: BTreeMap<Box<[u8]>, Rule>,
}

/// What is said of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// The mode of its sessions.
    pub mode: Option<Mode>,
    /// Most connections of it to one server.
    pub most: Option<NonZeroUsize>,
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

    /// What a user may have of a server.
    #[must_use]
    pub fn claim<'a>(&self, user: &'a [u8]) -> Claim<'a> {
        Claim { user, most: self.rules.get(user).and_then(|rule| rule.most).or(self.most) }
    }

    /// The same, where no connection can serve several sessions.
    #[must_use]
    pub fn unshared(self) -> Self {
        let rules = self.rules.into_iter().map(|(user, rule)| (user, Rule { mode: None, ..rule })).collect();
        Self { mode: Mode::Session, rules, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_word_chooses_the_mode() {
        let rule = |mode| Rule { mode, most: None };
        let users = Users {
            mode: Mode::Transaction,
            most: None,
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
    #[test]
    fn a_user_has_its_own_number_or_the_one_for_all() {
        let number = NonZeroUsize::new;
        let rules = [("report", None), ("batch", number(3))];
        let rules = rules.map(|(user, most)| (user.as_bytes().into(), Rule { most, ..Rule::default() }));
        let users = Users { most: number(7), rules: rules.into(), ..Users::default() };
        for (user, most) in [("app", 7), ("report", 7), ("batch", 3)] {
            let claim = users.claim(user.as_bytes());
            assert_eq!((claim.user, claim.most), (user.as_bytes(), number(most)));
            assert_eq!(users.clone().unshared().claim(user.as_bytes()), claim);
        }
    }
}
