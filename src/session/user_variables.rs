//! User variables that can be carried to another connection: those that were set to a number or a plain string, which is
//! set there again word for word. Type, sign and collation are then the same, as long as the character sets are.

use std::sync::Arc;

use crate::sql::Literal;

/// More are not carried.
const MOST: usize = 16;

/// Bytes of one value.
const LONGEST: usize = 1024;

/// The user variables of a session or a connection, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserVariables(Option<Arc<Carried>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Carried {
    list: Vec<Literal>,
    /// The statement that made the character sets under which its strings were written.
    names: Option<Arc<str>>,
}

impl UserVariables {
    /// None was ever set.
    pub const NONE: Self = Self(None);

    /// Notes values that the server has taken. False where one cannot be carried.
    pub(super) fn note(&mut self, literals: Vec<Literal>, names: Option<&Arc<str>>) -> bool {
        let carried = Arc::make_mut(self.0.get_or_insert_default());
        for literal in literals {
            if literal.is_string {
                if names.is_none() || carried.names.as_ref().is_some_and(|known| Some(known) != names) {
                    return false;
                }
                carried.names = names.cloned();
            }
            if literal.value.len() > LONGEST {
                return false;
            }
            match carried.list.binary_search_by(|known| known.name.cmp(&literal.name)) {
                Ok(at) => {
                    if let Some(known) = carried.list.get_mut(at) {
                        *known = literal;
                    }
                }
                Err(_) if carried.list.len() == MOST => return false,
                Err(at) => carried.list.insert(at, literal),
            }
        }
        true
    }

    /// Whether the strings among them mean the same under these character sets.
    pub(super) fn fit(&self, names: Option<&Arc<str>>) -> bool {
        let made = self.0.as_ref().and_then(|carried| carried.names.as_ref());
        made.is_none_or(|made| Some(made) == names)
    }

    /// True where the two cannot differ.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two) || one == two,
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Whether each of `others` is set here as well. One that was ever set can be set to NULL, but keeps its type, so it
    /// is never again as it was before.
    #[must_use]
    pub fn cover(&self, others: &Self) -> bool {
        let is_here = |other: &Literal| self.list().iter().any(|own| own.name == other.name);
        others.list().iter().all(is_here)
    }

    fn list(&self) -> &[Literal] {
        self.0.as_ref().map_or(&[], |carried| &carried.list)
    }

    /// The SET that makes them. Nothing where there are none.
    #[must_use]
    pub fn sql(&self) -> Option<Vec<u8>> {
        let mut sql = Vec::new();
        for Literal { name, value, .. } in self.list() {
            sql.extend_from_slice(if sql.is_empty() { b"SET @`" } else { b",@`" });
            sql.extend_from_slice(name);
            sql.extend_from_slice(b"`=");
            sql.extend_from_slice(value);
        }
        (!sql.is_empty()).then_some(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(name: &str, value: &str) -> Literal {
        Literal {
            name: name.as_bytes().into(),
            value: value.as_bytes().into(),
            is_string: value.starts_with('\''),
        }
    }

    fn names(text: &str) -> Arc<str> {
        text.into()
    }

    #[test]
    fn values_are_set_again_word_for_word() {
        let utf8 = names("SET NAMES utf8mb4");
        let mut one = UserVariables::NONE;
        assert!(one.note(vec![literal("b", "'x'"), literal("a", "-1.5")], Some(&utf8)));
        assert!(one.note(vec![literal("b", "'y'")], Some(&utf8)));
        assert_eq!(one.sql().as_deref(), Some(&b"SET @`a`=-1.5,@`b`='y'"[..]));
        assert_eq!(UserVariables::NONE.sql(), None);
    }

    #[test]
    fn strings_belong_to_their_character_sets() {
        let (utf8, latin) = (names("SET NAMES utf8mb4"), names("SET NAMES latin1"));
        let mut one = UserVariables::NONE;
        assert!(one.note(vec![literal("n", "1")], None), "a number has none");
        assert!(one.fit(None) && one.fit(Some(&latin)));
        assert!(one.note(vec![literal("s", "'x'")], Some(&utf8)));
        assert!(one.fit(Some(&utf8)) && !one.fit(Some(&latin)) && !one.fit(None));
        assert!(!one.note(vec![literal("s", "'x'")], Some(&latin)));
        assert!(!UserVariables::default().note(vec![literal("s", "'x'")], None));
    }

    #[test]
    fn what_was_set_once_is_never_unset() {
        let mut both = UserVariables::NONE;
        assert!(both.note(vec![literal("a", "1"), literal("b", "2")], None));
        let mut one = UserVariables::NONE;
        assert!(one.note(vec![literal("a", "3")], None));
        assert!(both.cover(&one) && !one.cover(&both));
        assert!(both.cover(&UserVariables::NONE) && !UserVariables::NONE.cover(&one));
    }

    #[test]
    fn there_are_bounds() {
        let mut many = UserVariables::NONE;
        for number in 0..MOST {
            assert!(many.note(vec![literal(&format!("v{number:02}"), "1")], None));
        }
        assert!(!many.clone().note(vec![literal("more", "1")], None));
        assert!(!many.note(vec![literal("v00", &"1".repeat(LONGEST + 1))], None));
    }
}
