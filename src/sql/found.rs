//! What a walk over a statement's tokens has found.

use super::{NotPlain, Unclear};

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) not_plain: Option<NotPlain>,
    pub(super) unclear: Option<Unclear>,
    pub(super) looks_back: bool,
    /// It finds other rows than it shows: OFFSET, UNION and their like.
    pub(super) finds_others: bool,
    /// It asks for something that is not about the statement before.
    pub(super) beside: bool,
    /// System variables read, and those of them that are about the statement before.
    pub(super) system_variables: u32,
    pub(super) back_variables: u32,
    pub(super) user_variable: bool,
    pub(super) into: bool,
    pub(super) assigns: bool,
    /// It calls a function that is not built in, or may not be.
    pub(super) function: bool,
}

impl Scan {
    /// Whether a user variable may have been assigned in the text.
    pub(super) fn assigns_user_variable(&self) -> bool {
        self.user_variable && self.assigns
    }

    /// Whether every value it asks for is about the statement before.
    pub(super) fn only_looks_back(&self) -> bool {
        self.looks_back && !self.beside && self.system_variables == self.back_variables
    }

    /// Why its effects are not known, if a stored function is as unclear as anything.
    pub(super) fn unclear_or_function(&self) -> Option<Unclear> {
        self.unclear.or(self.function.then_some(Unclear::Function))
    }

    pub(super) fn not_plain(&mut self, why: NotPlain) {
        self.beside |= why != NotPlain::SystemVariable;
        // What no hint may overrule outweighs what one may.
        if self.not_plain.is_none_or(|known| known.yields_to_hint() && !why.yields_to_hint()) {
            self.not_plain = Some(why);
        }
    }

    pub(super) fn unclear(&mut self, why: Unclear) {
        self.unclear.get_or_insert(why);
    }
}
