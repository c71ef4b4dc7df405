//! The nearest idle connection: the one that needs the fewest changes.

use crate::session::{UserVariables, Variables};

/// What a connection has, or a session needs: schema, character sets and variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The current schema.
    pub schema: Option<&'a [u8]>,
    /// The `SET NAMES` statement that makes the character sets.
    pub names: Option<&'a str>,
    /// Session variables that are not what a new session has.
    pub variables: &'a Variables,
    /// The same, of those that matter on the primary alone.
    pub local: &'a Variables,
    /// User variables that have been set.
    pub user: &'a UserVariables,
    /// `autocommit` is on.
    pub autocommit: bool,
}

/// What must be sent before the connection is as the session needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// COM_INIT_DB with the session's schema.
    pub set_schema: bool,
    /// The session's `SET NAMES`.
    pub set_names: bool,
    /// A SET of the variables that differ, `autocommit` among them.
    pub set_variables: bool,
    /// A SET of the user variables.
    pub set_user: bool,
}

impl Fit {
    /// What it takes to bring `has` to `wants`; nothing where it cannot be done: no command takes a
    /// schema or a user variable away, and character sets that cannot be named cannot be set.
    #[must_use]
    pub fn between(has: Setting<'_>, wants: Setting<'_>) -> Option<Self> {
        if wants.schema.is_none() && has.schema.is_some() {
            return None;
        }
        wants.names?;
        if !wants.user.cover(has.user) {
            return None;
        }
        Some(Self {
            set_schema: has.schema != wants.schema,
            set_names: has.names != wants.names,
            set_variables: !has.variables.same_as(wants.variables)
                || !has.local.same_as(wants.local)
                || has.autocommit != wants.autocommit,
            set_user: !has.user.same_as(wants.user),
        })
    }

    /// Round trips needed.
    #[must_use]
    pub const fn round_trips(self) -> u32 {
        self.set_schema as u32 + self.set_names as u32 + self.set_variables as u32 + self.set_user as u32
    }
}

/// The best of `idle`, newest first, and its place. Looks at no more than the first `LOOKED_AT`, so a
/// long list costs no more than a short one.
pub fn choose<'a>(
    idle: impl DoubleEndedIterator<Item = Setting<'a>> + ExactSizeIterator,
    wants: Setting<'_>,
) -> Option<(usize, Fit)> {
    let mut best: Option<(usize, Fit)> = None;
    for (place, has) in idle.enumerate().rev().take(LOOKED_AT) {
        let Some(fit) = Fit::between(has, wants) else { continue };
        if best.is_none_or(|(_, known)| fit.round_trips() < known.round_trips()) {
            best = Some((place, fit));
        }
        if fit.round_trips() == 0 {
            break;
        }
    }
    best
}

/// How many idle connections are compared.
const LOOKED_AT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: Option<&str> = Some("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci");
    const LATIN: Option<&str> = Some("SET NAMES latin1 COLLATE latin1_swedish_ci");

    const fn setting(schema: Option<&'static [u8]>, names: Option<&'static str>) -> Setting<'static> {
        let variables = &Variables::DEFAULT;
        Setting { schema, names, variables, local: variables, user: &UserVariables::NONE, autocommit: true }
    }

    #[test]
    fn the_nearest_connection_is_chosen() {
        let idle = [setting(Some(b"a"), UTF8), setting(Some(b"b"), LATIN), setting(Some(b"b"), UTF8)];
        let check = |wants, expected: Option<(usize, u32)>| {
            let chosen = choose(idle.iter().copied(), wants).map(|(at, fit)| (at, fit.round_trips()));
            assert_eq!(chosen, expected, "{wants:?}");
        };
        check(setting(Some(b"a"), UTF8), Some((0, 0)));
        check(setting(Some(b"b"), LATIN), Some((1, 0)));
        check(setting(Some(b"c"), UTF8), Some((2, 1)));
        check(setting(Some(b"c"), LATIN), Some((1, 1)));
    }

    #[test]
    fn variables_that_differ_are_set() {
        let mut variables = Variables::DEFAULT;
        assert!(variables.note(b"sql_mode", b"ANSI"));
        let plain = setting(Some(b"a"), UTF8);
        let ansi = Setting { variables: &variables, ..plain };
        assert_eq!(
            choose([plain, ansi].into_iter(), ansi).map(|(at, fit)| (at, fit.round_trips())),
            Some((1, 0))
        );
        assert!(Fit::between(plain, ansi).is_some_and(|fit| fit.set_variables));
        assert!(Fit::between(ansi, plain).is_some_and(|fit| fit.set_variables));
        let by_hand = Setting { autocommit: false, ..plain };
        assert!(Fit::between(plain, by_hand).is_some_and(|fit| fit.set_variables));
    }

    #[test]
    fn a_schema_cannot_be_taken_away() {
        let has = setting(Some(b"a"), UTF8);
        assert_eq!(Fit::between(has, setting(None, UTF8)), None);
        assert_eq!(Fit::between(setting(None, UTF8), setting(None, None)), None);
        let fit = Fit::between(setting(None, UTF8), setting(Some(b"a"), LATIN));
        assert_eq!(fit.map(Fit::round_trips), Some(2));
    }
}
