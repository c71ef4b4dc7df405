//! What a read reaches: views and stored functions, and what those do.

use super::reason::Reason;
use crate::session::SessionView;
use crate::sql::{self, Class, LexMode, Relations, Statement};
use crate::topology::{Catalog, Facts};

/// The bytes of a statement, and what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Nothing where it was not read.
    pub bytes: Option<&'a [u8]>,
    /// How it was read.
    pub mode: LexMode,
    /// The tables it reads, where a parser has found them: a column may be named like a view.
    pub relations: Option<&'a Relations>,
}

/// Whether a read reaches no view and no function but such as are known to only read.
#[must_use]
pub fn is_plain(statement: &Statement, text: Text<'_>, facts: &Facts) -> bool {
    reaches_unknown(statement, text, facts).is_none()
}

/// Why a read may do more than it shows.
pub(super) fn reaches_unknown(statement: &Statement, text: Text<'_>, facts: &Facts) -> Option<Reason> {
    let calls = match &statement.class {
        Class::PlainRead => false,
        Class::Calls => true,
        Class::Transaction(_) => return None,
        _ => return Some(Reason::NotPlain),
    };
    let Some(catalog) = facts.catalog.as_deref() else { return Some(Reason::ViewsUnknown) };
    if !catalog.has_only_pure_views() && names_view(text, catalog) {
        return Some(Reason::View);
    }
    let unknown = calls && !text.bytes.is_some_and(|bytes| calls_pure(bytes, text.mode, catalog));
    unknown.then_some(Reason::StoredFunction)
}

/// Whether a statement may read a view that is not known to only read.
#[must_use]
pub fn may_read_impure_view(text: Text<'_>, facts: &Facts) -> bool {
    let may = |catalog: &Catalog| !catalog.has_only_pure_views() && names_view(text, catalog);
    facts.catalog.as_deref().is_none_or(may)
}

fn names_view(text: Text<'_>, catalog: &Catalog) -> bool {
    let may_be = |name: &[u8]| catalog.may_be_impure_view(name);
    match (text.relations, text.bytes) {
        (Some(relations), _) => relations.tables.iter().any(|(_, name)| may_be(name.as_bytes())),
        (None, Some(bytes)) => sql::mentions(bytes, text.mode, may_be),
        (None, None) => true,
    }
}

fn calls_pure(text: &[u8], mode: LexMode, catalog: &Catalog) -> bool {
    sql::calls(text, mode, |schema, name| catalog.is_pure_function(schema, name))
}

/// Whether a [`Class::Calls`] calls nothing but functions that are known to only read: then it is as good as a
/// plain read on any server. What the session has defined since the servers were asked is not known.
#[must_use]
pub fn calls_only_pure(text: &[u8], mode: LexMode, session: &SessionView, facts: &Facts) -> bool {
    let is_known = session.defined.is_none_or(|defined| defined <= facts.asked);
    is_known && facts.catalog.as_deref().is_some_and(|catalog| calls_pure(text, mode, catalog))
}
