//! What a session has left on its connection to the primary, and so whether another one will do.

use super::hold::Hold;
use super::outcome::{End, Touched};
use super::state::State;
use super::user_variables::UserVariables;
use super::view::Changed;
use crate::sql::{Bond, Class, Literal, Statement, Then, Traces, TransactionKind};
use crate::wire::status::StatusFlags;

/// What a session has left on its connection, as far as it decides who may have that next.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// What stays until the session is reset.
    lasting: Option<Hold>,
    named_lock: bool,
    /// The statement in progress gives all of them back.
    releases: bool,
    /// The names of all locks that it may have; nothing where one is not known.
    locks: Option<Vec<Box<[u8]>>>,
    /// A lock was taken or given back since it was asked which it has.
    locks_moved: bool,
    /// What the statement in progress gives to user variables.
    assigning: Option<Vec<Literal>>,
    /// Something may have been touched since the last COMMIT or ROLLBACK.
    dirty: bool,
    /// The statement in progress is one of those.
    ends: bool,
    /// What LAST_INSERT_ID() says, or said before the statements that may have changed it.
    insert_id: u64,
    /// Such statements have run on the session's present connection.
    inserted: bool,
    /// They ran on one that is gone.
    insert_id_lost: bool,
}

impl Default for Left {
    fn default() -> Self {
        Self {
            lasting: None,
            named_lock: false,
            releases: false,
            locks: Some(Vec::new()),
            locks_moved: false,
            assigning: None,
            dirty: false,
            ends: false,
            insert_id: 0,
            inserted: false,
            insert_id_lost: false,
        }
    }
}

/// More are not asked about.
const MOST_LOCKS: usize = 8;

/// What the text of a statement says beside its traces.
#[derive(Debug, Default)]
pub struct Said {
    /// What it gives to user variables, where that is known word for word.
    pub literals: Option<Vec<Literal>>,
    /// The names of the locks that it takes, where they are known.
    pub locks: Option<Vec<Box<[u8]>>>,
}

impl State {
    /// A statement with these traces is about to be sent to the primary, where it may reach stored code that leaves
    /// something behind.
    pub fn begin_traces(&mut self, statement: &Statement, traces: Traces, said: Said, stored_code: bool) {
        let class = &statement.class;
        let left = &mut self.left;
        if stored_code {
            left.lasting.get_or_insert(Hold::StoredCode);
        }
        if traces.defines && matches!(class, Class::Ddl | Class::Several(_)) {
            // What it does when it runs is known when the servers are asked again.
            left.lasting.get_or_insert(Hold::StoredCode);
        }
        if releases(class) {
            // The server hangs up.
            left.lasting.get_or_insert(Hold::Changed(Changed::Statement));
        }
        left.assigning = None;
        if traces.user_variables && (traces.assigns || sets(class)) {
            match (said.literals, class) {
                (Some(literals), Class::SetVariables(_)) => left.assigning = Some(literals),
                _ => _ = left.lasting.get_or_insert(Hold::UserVariables),
            }
        }
        if traces.connection {
            left.lasting.get_or_insert(Hold::ConnectionId);
        }
        if traces.sequences {
            left.lasting.get_or_insert(Hold::Sequence);
        }
        if traces.takes_lock {
            left.take_locks(said.locks);
        }
        left.locks_moved |= left.named_lock && (traces.takes_lock || traces.releases_lock);
        left.inserted |= traces.sets_insert_id;
        left.releases = traces.releases_locks && !traces.takes_lock;
        let ends = matches!(
            class,
            Class::Transaction(
                TransactionKind::Commit(Then::Nothing) | TransactionKind::Rollback(Then::Nothing)
            )
        );
        // These commit what is open before they begin and what they do when they end.
        left.ends = ends || matches!(class, Class::Ddl | Class::Account);
        left.dirty |= !ends && dirties(statement, traces);
    }

    /// A statement on the primary has ended.
    pub(super) fn settle_left(&mut self, end: &End) {
        let left = &mut self.left;
        let (releases, ends) = (std::mem::take(&mut left.releases), std::mem::take(&mut left.ends));
        if end.error.is_none() {
            left.dirty &= !ends || end.status.contains(StatusFlags::IN_TRANSACTION);
            if releases {
                left.forget_locks();
            }
        }
        if let Some(literals) = left.assigning.take() {
            // A SET that fails may have done the half of it.
            let names = self.charsets.sql();
            if end.error.is_some() || !self.user_variables.note(literals, names) {
                self.hold_for(Hold::UserVariables);
            }
        }
        // What a statement has inserted before it failed counts.
        self.left.insert_id_lost &= end.insert_id == 0;
        self.left.inserted |= end.insert_id != 0 || (end.error.is_some() && end.touched == Touched::Wrote);
    }

    /// The question which of its named locks the session still has, where one may have changed hands; a row of 0 and 1.
    #[must_use]
    pub fn question_of_locks(&self) -> Option<Vec<u8>> {
        let names = self.left.locks.as_ref().filter(|_| self.left.named_lock && self.left.locks_moved)?;
        let mut sql = b"SELECT 0".to_vec();
        for name in names {
            sql.extend_from_slice(b" OR IS_USED_LOCK(");
            sql.extend_from_slice(name);
            sql.extend_from_slice(b") <=> CONNECTION_ID()");
        }
        sql.extend_from_slice(b" AS held");
        Some(sql)
    }

    /// What the server has answered to that.
    pub fn answer_of_locks(&mut self, held: bool) {
        self.left.locks_moved = false;
        if !held {
            self.left.forget_locks();
        }
    }

    /// The user variables that can be set again elsewhere.
    #[must_use]
    pub const fn user_variables(&self) -> &UserVariables {
        &self.user_variables
    }

    /// Whether a COM_RESET_CONNECTION would make the session's connection like a new one: it leaves roles as they are
    /// (HAZARDS 3).
    #[must_use]
    pub const fn may_be_reset(&self) -> bool {
        self.view.changed.is_none() && !matches!(self.left.lasting, Some(Hold::StoredCode))
    }

    /// What a lost connection takes along: the transaction, and what LAST_INSERT_ID() would have said if it was not asked.
    pub(super) const fn lose_left(&mut self) {
        self.left.insert_id_lost |= self.left.inserted;
        (self.left.dirty, self.left.ends, self.left.inserted) = (false, false, false);
    }

    /// What a reset leaves: what stored code has done, perhaps.
    pub(super) fn left_by_reset(&self) -> Left {
        let lasting = self.left.lasting.filter(|why| *why == Hold::StoredCode);
        Left { lasting, ..Left::default() }
    }

    /// What cannot be found on another connection stays with this one.
    pub fn hold_for(&mut self, why: Hold) {
        self.left.lasting.get_or_insert(why);
    }

    /// What LAST_INSERT_ID() says, or said before the statements that may have changed it.
    #[must_use]
    pub const fn insert_id(&self) -> u64 {
        self.left.insert_id
    }

    /// Whether only the session's present connection knows what it says now.
    #[must_use]
    pub const fn has_inserted(&self) -> bool {
        self.left.inserted
    }

    /// A connection says `found`, on which LAST_INSERT_ID() was `given` before. What it was given is 0 or the session's
    /// own, and no statement makes it 0 but `LAST_INSERT_ID(0)`, before which it is given the session's own.
    pub fn read_insert_id(&mut self, given: u64, found: u64) {
        if found != given || given != 0 {
            self.left.insert_id = found;
        }
        self.left.inserted = false;
    }

    /// What the session has on its connection beside an open transaction, that no other connection can be given.
    /// `hides`: an ERR may have hidden a change (HAZARDS 2).
    #[must_use]
    pub fn tied(&self, hides: bool) -> Option<Hold> {
        self.keeps(None, hides)
    }

    /// The session's last insert ran on a connection that is gone before it was asked for its id.
    #[must_use]
    pub const fn has_lost_insert_id(&self) -> bool {
        self.left.insert_id_lost
    }

    /// Why the session keeps its connection to the primary, whose last reply had these status flags. Nothing where
    /// the next statement may as well run on another one.
    #[must_use]
    pub fn hold(&self, primary: StatusFlags) -> Option<Hold> {
        let open = if primary.contains(StatusFlags::IN_TRANSACTION) {
            Some(Hold::Transaction)
        } else if !self.view.autocommit && self.left.dirty {
            Some(Hold::AutocommitOff)
        } else {
            None
        };
        self.keeps(open, true)
    }

    /// The most lasting reason first: what is `open` ends with its transaction.
    fn keeps(&self, open: Option<Hold>, hides: bool) -> Option<Hold> {
        let (view, left) = (&self.view, &self.left);
        let checks = [
            (view.next_transaction_set, Hold::NextTransaction),
            (left.named_lock, Hold::NamedLock),
            (view.unreported && hides, Hold::Unreported),
            (!view.charset_known, Hold::CharsetUnknown),
            (!self.user_variables.fit(self.charsets.sql()), Hold::UserVariables),
        ];
        let others = checks.iter().find_map(|(holds, why)| holds.then_some(*why));
        view.changed.map(Hold::Changed).or(left.lasting).or(open).or(others).or(self.bonds.hold())
    }
}

impl Left {
    /// What a statement was about to let go of, or to set, it does not.
    pub(super) fn begin_nothing(&mut self) {
        (self.releases, self.ends, self.assigning) = (false, false, None);
    }

    fn take_locks(&mut self, names: Option<Vec<Box<[u8]>>>) {
        self.named_lock = true;
        self.locks = self.locks.take().zip(names).and_then(|(mut known, names)| {
            for name in names {
                if !known.contains(&name) {
                    known.push(name);
                }
            }
            (known.len() <= MOST_LOCKS).then_some(known)
        });
    }

    fn forget_locks(&mut self) {
        (self.named_lock, self.locks_moved, self.locks) = (false, false, Some(Vec::new()));
    }
}

/// Whether the server hangs up after it.
fn releases(class: &Class) -> bool {
    match class {
        Class::Transaction(
            TransactionKind::Commit(Then::Release) | TransactionKind::Rollback(Then::Release),
        ) => true,
        Class::Several(parts) => parts.iter().any(releases),
        _ => false,
    }
}

/// Whether a statement of this class may set the user variables that it names, without saying so as [`Traces::assigns`]
/// tells.
fn sets(class: &Class) -> bool {
    !matches!(
        class,
        Class::PlainRead
            | Class::PrimaryRead(_)
            | Class::Calls
            | Class::Data
            | Class::Describe
            | Class::Bond(Bond::Executes(_) | Bond::Prepares { .. } | Bond::CreatesTemporary { .. })
    )
}

/// Whether a statement may touch something that only the end of the transaction lets go, as far as the status flags do
/// not tell: with `autocommit` off a read of a table without transactions locks its definition.
fn dirties(statement: &Statement, traces: Traces) -> bool {
    match statement.class {
        Class::SetNames { .. }
        | Class::SetCharset
        | Class::SetVariables(_)
        | Class::SetAutocommit
        | Class::SetTransaction
        | Class::Use(_) => false,
        Class::PlainRead | Class::PrimaryRead(_) => traces.tables,
        // SHOW WARNINGS and its like.
        Class::Inspect => !statement.only_looks_back,
        _ => true,
    }
}
