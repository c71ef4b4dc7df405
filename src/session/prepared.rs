//! The statements that a session has prepared.

use std::collections::HashMap;
use std::sync::Arc;

use super::state::State;
use super::variables::Variables;
use crate::sql::{Class, LexMode, Statement};
use crate::wire::execute::LAST;
use crate::wire::prepared::Prepared as Made;

/// A statement that was prepared at the primary.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it is.
    pub statement: Statement,
    /// Its text.
    pub text: Box<[u8]>,
    /// How many parameters it has.
    pub parameters: u16,
    /// How many columns its result has, as the client was told.
    pub columns: u16,
    /// How its text is read, whatever mode the session has set since.
    pub mode: LexMode,
    /// What the session was then. Texts are bound to it, and keep it whatever the session does later (HAZARDS 5).
    bound: Bound,
}

impl Prepared {
    /// The same statement with another text.
    #[must_use]
    pub fn with_text(&self, text: &[u8]) -> Self {
        Self { text: text.into(), ..self.clone() }
    }

    /// The schema that the session had.
    #[must_use]
    pub fn schema(&self) -> Option<&[u8]> {
        self.bound.schema.as_deref()
    }

    /// The statement that makes its character sets, where they were known.
    #[must_use]
    pub fn names(&self) -> Option<&str> {
        self.bound.names.as_deref()
    }

    /// The variables that it had set.
    #[must_use]
    pub const fn variables(&self) -> &Variables {
        &self.bound.variables
    }
}

/// What a server reads a statement under.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    schema: Option<Box<[u8]>>,
    names: Option<Arc<str>>,
    variables: Variables,
}

/// A statement and what its session has done with it since.
#[derive(Debug)]
struct Entry {
    prepared: Arc<Prepared>,
    /// The types of its parameters, as the client has last sent them.
    types: Option<Box<[u8]>>,
    /// It has to run where it was prepared: a part of it, or a cursor, is there.
    stays: Stays,
    /// What the connection calls it that the session keeps for its sake.
    home: Option<u32>,
}

/// Whether a statement must run where it was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stays {
    No,
    /// Until it was executed or reset: parameters were sent ahead (COM_STMT_SEND_LONG_DATA).
    Once,
    /// It had a cursor, which a COM_STMT_FETCH may still ask for.
    ForGood,
}

/// The statements that a session has prepared and that are known here, by the id that the client knows.
///
/// Bounded: what is too much is not remembered, and runs where it was prepared.
#[derive(Debug, Default)]
pub struct Statements {
    entries: HashMap<u32, Entry>,
    /// Bytes of all texts and types.
    bytes: usize,
    /// The statement prepared last, which MariaDB's clients may call by another id.
    last: Option<u32>,
    /// Another was to be prepared after it, which the server has not heard of.
    last_refused: bool,
    /// Statements that are not remembered, and what the connection calls them that the session keeps for their sake.
    strays: HashMap<u32, u32>,
    /// Remembered ones with a home.
    at_home: usize,
    /// The last id given out here.
    given: u32,
}

/// How many bytes of text and types a session's statements may have together.
const MAX_BYTES: usize = 1024 * 1024;

/// How many statements of a session are remembered.
const MAX_STATEMENTS: usize = 4096;

impl State {
    /// A statement as this session has it prepared now.
    #[must_use]
    pub fn prepared(&self, statement: Statement, text: Box<[u8]>, mode: LexMode, made: Made) -> Prepared {
        let Made { parameters, columns, .. } = made;
        let mode = LexMode { parameters: true, ..mode };
        Prepared { statement, text, parameters, columns, mode, bound: self.bound() }
    }

    /// Whether a statement may tie, or let go of, tables of another schema than the present one: a name without a schema
    /// means what it meant when it was prepared.
    #[must_use]
    pub fn ties_elsewhere(&self, prepared: &Prepared) -> bool {
        let ties = match prepared.statement.class {
            Class::Bond(_) => true,
            Class::Ddl => self.view().temporary_tables,
            _ => false,
        };
        ties && prepared.schema() != self.schema()
    }

    /// Whether the session still is what it was when the statement was prepared. Character sets that are not
    /// known may have changed meanwhile.
    #[must_use]
    pub fn still_binds(&self, prepared: &Prepared) -> bool {
        let Bound { schema, names, variables } = &prepared.bound;
        let same_names = names.is_some() && self.names() == names.as_ref();
        self.schema == *schema && same_names && self.variables.same_as(variables)
    }

    fn bound(&self) -> Bound {
        Bound { schema: self.schema.clone(), names: self.names().cloned(), variables: self.variables.clone() }
    }
}

impl Statements {
    /// The client was told this id for it.
    pub fn add(&mut self, id: u32, prepared: Prepared) {
        self.remove(id);
        (self.last, self.last_refused) = (Some(id), false);
        let bytes = self.bytes + prepared.text.len();
        if bytes <= MAX_BYTES && self.entries.len() < MAX_STATEMENTS {
            self.bytes = bytes;
            let prepared = Arc::new(prepared);
            self.entries.insert(id, Entry { prepared, types: None, stays: Stays::No, home: None });
        }
    }

    /// A statement that is not known here has got this id.
    pub fn add_unknown(&mut self, id: u32) {
        self.remove(id);
        (self.last, self.last_refused) = (Some(id), false);
    }

    /// An id for the next statement, as a server would count.
    pub fn next_id(&mut self) -> u32 {
        // The one id that MariaDB's clients mean another statement by is never reached first.
        self.given = self.given.wrapping_add(1);
        self.given
    }

    /// A statement that is not known here has got this id. It stays on the connection that calls it `there`.
    pub fn add_stray(&mut self, id: u32, there: u32) {
        self.add_unknown(id);
        self.strays.insert(id, there);
    }

    /// What the connection calls a statement that the session keeps for its sake.
    #[must_use]
    pub fn home(&self, id: u32) -> Option<u32> {
        self.entries.get(&id).and_then(|entry| entry.home).or_else(|| self.strays.get(&id).copied())
    }

    /// From now on the statement runs nowhere else than on the connection that calls it `there`.
    pub fn settle_down(&mut self, id: u32, there: u32) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.at_home += usize::from(entry.home.is_none());
            entry.home = Some(there);
        }
    }

    /// The statement may run on any connection again. Gives back what its home calls it.
    pub fn leave_home(&mut self, id: u32) -> Option<u32> {
        let there = self.entries.get_mut(&id)?.home.take();
        self.at_home -= usize::from(there.is_some());
        there
    }

    /// Whether a statement must be run on the very connection that the session has now.
    #[must_use]
    pub fn keep_home(&self) -> bool {
        self.at_home > 0 || !self.strays.is_empty()
    }

    /// The statement of this id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Prepared>> {
        self.entries.get(&id).map(|entry| &entry.prepared)
    }

    /// The types that the client has bound its parameters with.
    #[must_use]
    pub fn types(&self, id: u32) -> Option<&[u8]> {
        self.entries.get(&id)?.types.as_deref()
    }

    /// The client binds its parameters with these types. False where they are not remembered: only the server
    /// that has them from the client itself knows them then.
    pub fn bind(&mut self, id: u32, types: &[u8]) -> bool {
        if self.types(id) == Some(types) {
            return true;
        }
        self.forget_types(id);
        let bytes = self.bytes + types.len();
        let Some(entry) = self.entries.get_mut(&id).filter(|_| bytes <= MAX_BYTES) else { return false };
        entry.types = Some(types.into());
        self.bytes = bytes;
        true
    }

    /// Whether its next execution must run where it was prepared.
    #[must_use]
    pub fn stays(&self, id: u32) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.stays != Stays::No)
    }

    /// A parameter is sent ahead.
    pub fn expect_parameter(&mut self, id: u32) {
        self.stay(id, Stays::Once);
    }

    /// A cursor is asked for.
    pub fn open_cursor(&mut self, id: u32) {
        self.stay(id, Stays::ForGood);
    }

    fn stay(&mut self, id: u32, stays: Stays) {
        if let Some(entry) = self.entry(id)
            && entry.stays != Stays::ForGood
        {
            entry.stays = stays;
        }
    }

    /// It was executed, or reset: what was sent ahead is gone.
    pub fn let_go(&mut self, id: u32) {
        self.stay(id, Stays::No);
    }

    /// It was executed in a way that is not followed here, so what the server holds for its types is not known.
    pub fn forget_types(&mut self, id: u32) {
        let types = self.entry(id).and_then(|entry| entry.types.take());
        self.bytes -= types.map_or(0, |types| types.len());
    }

    /// Nothing can be meant without being named: the server has not prepared what it was given last.
    pub fn forget_last(&mut self) {
        (self.last, self.last_refused) = (None, false);
    }

    /// The same, where the server was not even given it: what that takes for the last is another.
    pub fn refuse_last(&mut self) {
        (self.last, self.last_refused) = (None, true);
    }

    /// Whether an execution means what the server has not heard of.
    #[must_use]
    pub fn means_refused(&self, id: u32) -> bool {
        id == LAST && self.last_refused
    }

    /// The client has closed it.
    pub fn remove(&mut self, id: u32) {
        let id = self.resolve(id);
        self.forget_types(id);
        if self.last == Some(id) {
            self.last = None;
        }
        self.strays.remove(&id);
        if let Some(entry) = self.entries.remove(&id) {
            self.bytes -= entry.prepared.text.len();
            self.at_home -= usize::from(entry.home.is_some());
        }
    }

    /// All are closed.
    pub fn clear(&mut self) {
        *self = Self { given: self.given, ..Self::default() };
    }

    /// What an id stands for: MariaDB's clients may mean the statement that was prepared last without naming it.
    #[must_use]
    pub fn resolve(&self, id: u32) -> u32 {
        self.last.filter(|_| id == LAST).unwrap_or(id)
    }

    fn entry(&mut self, id: u32) -> Option<&mut Entry> {
        let id = self.resolve(id);
        self.entries.get_mut(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};
    use crate::topology::Collations;
    use crate::wire::session_track::Change;
    use crate::wire::status::StatusFlags;

    fn state() -> State {
        let collations = Collations::new([(255, "utf8mb4".into(), "utf8mb4_0900_ai_ci".into())]);
        State::new(Some(b"app"[..].into()), 255, &collations, StatusFlags::AUTOCOMMIT, 1)
    }

    fn prepared(state: &State, text: &[u8]) -> Prepared {
        let made = Made { id: 7, columns: 1, parameters: 1 };
        state.prepared(Statement::of(Class::PlainRead), text.into(), mode(), made)
    }

    fn mode() -> LexMode {
        LexMode::usual(Dialect::MySql, 0)
    }

    #[test]
    fn what_was_never_prepared_is_not_another_statement() {
        let state = state();
        let mut statements = Statements::default();
        statements.add(3, prepared(&state, b"SELECT ?"));
        assert_eq!((statements.resolve(LAST), statements.means_refused(LAST)), (3, false));
        statements.refuse_last();
        assert!(statements.means_refused(LAST) && !statements.means_refused(3));
        statements.add(4, prepared(&state, b"SELECT ? + 1"));
        assert_eq!((statements.resolve(LAST), statements.means_refused(LAST)), (4, false));
    }

    #[test]
    fn a_statement_is_bound_to_what_its_session_was() {
        let check = |change: Change<'_>, expected| {
            let mut state = state();
            let prepared = prepared(&state, b"SELECT ?");
            assert!(state.still_binds(&prepared));
            state.observe(change);
            assert_eq!(state.still_binds(&prepared), expected, "{change:?}");
        };
        check(Change::Schema(b"other"), false);
        check(Change::Variable { name: b"sql_mode", value: b"ANSI" }, false);
        check(Change::Variable { name: b"wait_timeout", value: b"7" }, true);
        check(Change::Schema(b"app"), true);
    }

    #[test]
    fn what_is_tied_in_another_schema_is_told() {
        let check = |state: &State, text: &str, expected| {
            let made = Made { id: 7, columns: 0, parameters: 0 };
            let statement = classify(text.as_bytes(), mode());
            let prepared = state.prepared(statement, text.as_bytes().into(), mode(), made);
            assert!(!state.ties_elsewhere(&prepared), "{text}");
            let mut state = state.clone();
            state.observe(Change::Schema(b"other"));
            assert_eq!(state.ties_elsewhere(&prepared), expected, "{text}");
        };
        let mut state = state();
        let create = "CREATE TEMPORARY TABLE t (a INT)";
        check(&state, create, true);
        check(&state, "HANDLER t OPEN", true);
        check(&state, "DROP TABLE t", false);
        check(&state, "INSERT INTO t VALUES (1)", false);
        state.begin(&classify(create.as_bytes(), mode()).class);
        check(&state, "DROP TABLE t", true);
    }

    #[test]
    fn what_was_sent_ahead_or_opened_keeps_it_where_it_is() {
        let state = state();
        let mut statements = Statements::default();
        statements.add(7, prepared(&state, b"SELECT ?"));
        assert!(!statements.stays(7));
        statements.expect_parameter(7);
        assert!(statements.stays(7));
        statements.let_go(7);
        assert!(!statements.stays(7));
        statements.open_cursor(7);
        statements.expect_parameter(7);
        statements.let_go(7);
        assert!(statements.stays(7));
        statements.add(7, prepared(&state, b"SELECT ?"));
        assert!(!statements.stays(7), "an id is given anew");
    }

    #[test]
    fn types_are_remembered_until_nobody_knows_them() {
        let mut statements = Statements::default();
        statements.add(7, prepared(&state(), b"SELECT ?"));
        assert_eq!(statements.types(7), None);
        assert!(statements.bind(7, b"\x08\0"));
        assert!(!statements.bind(8, b"\x08\0"));
        assert_eq!((statements.types(7), statements.types(8)), (Some(&b"\x08\0"[..]), None));
        // MariaDB's clients may mean it without naming it.
        statements.forget_types(LAST);
        assert_eq!(statements.types(7), None);
        statements.remove(LAST);
        assert!(statements.get(7).is_none());
        assert_eq!(statements.resolve(LAST), LAST);
    }

    #[test]
    fn what_was_not_prepared_is_not_the_last() {
        let mut statements = Statements::default();
        statements.add(7, prepared(&state(), b"SELECT ?"));
        assert_eq!(statements.resolve(LAST), 7);
        statements.forget_last();
        statements.remove(LAST);
        assert!(statements.get(7).is_some());
    }

    #[test]
    fn unknown_character_sets_bind_nothing() {
        let mut state = state();
        state.observe(Change::Variable { name: b"character_set_connection", value: b"ucs2" });
        let prepared = prepared(&state, b"SELECT ?");
        assert!(!state.still_binds(&prepared));
    }

    #[test]
    fn no_session_fills_the_memory() {
        let state = state();
        let mut statements = Statements::default();
        let text = vec![b'x'; MAX_BYTES / 2];
        for id in 0..3 {
            statements.add(id, prepared(&state, &text));
        }
        assert!(statements.get(1).is_some() && statements.get(2).is_none());
        statements.remove(0);
        statements.add(2, prepared(&state, &text));
        assert!(statements.get(2).is_some());
        // Types count as texts do.
        assert!(!statements.bind(2, &[0; MAX_BYTES]) && statements.types(2).is_none());
        statements.clear();
        statements.add(1, prepared(&state, b""));
        assert!(statements.bind(1, &[0; MAX_BYTES]) && !statements.bind(1, &[0; MAX_BYTES + 1]));
        assert!(statements.bind(1, &[1; MAX_BYTES]));
        statements.remove(1);
        assert_eq!(statements.bytes, 0);
        for id in 0..=4096 {
            statements.add(id, prepared(&state, b"SELECT 1"));
        }
        assert!(statements.get(4095).is_some() && statements.get(4096).is_none());
    }
}
