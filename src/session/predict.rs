//! The first witness: what a statement may change, before it is sent.

use super::bonds::Lost;
use super::state::State;
use super::variables::Handling;
use super::view::Changed;
use crate::sql::{Bond, Class, Name, Temporaries, TransactionKind};

impl State {
    /// A statement is about to be sent to the primary.
    pub fn begin(&mut self, class: &Class) {
        self.begin_anything();
        match class {
            // Each may change what it names, and nothing is known of the others' moment.
            Class::Several(parts) => {
                (self.may_end, self.several) = (false, true);
                parts.iter().for_each(|part| self.begin_part(part));
            }
            class => self.begin_one(class),
        }
    }

    fn begin_anything(&mut self) {
        self.charsets.settle(false);
        self.bonds.begin_other();
        self.awaited.clear();
        self.named = false;
        self.may_open = true;
        self.may_hide = false;
        self.may_end = true;
        self.several = false;
        self.told = false;
    }

    /// Notes what becomes of savepoints without an open transaction.
    fn begin_savepoints(&mut self, class: &Class) {
        use TransactionKind as Kind;
        let sets = *class == Class::Transaction(Kind::Savepoint);
        self.view.savepoint |= sets && !self.view.autocommit;
        self.ends_savepoints = matches!(
            class,
            Class::Transaction(Kind::Begin | Kind::BeginReadOnly | Kind::Commit(_) | Kind::Rollback(_))
        );
    }

    fn begin_one(&mut self, class: &Class) {
        self.may_open = false;
        self.may_end = !matches!(
            class,
            Class::PlainRead
                | Class::PrimaryRead(_)
                | Class::Data
                | Class::Inspect
                | Class::Describe
                | Class::Use(_)
        );
        // What is read for the primary's sake may lock, and a level of its own decides how a transaction reads.
        self.begin_savepoints(class);
        self.view.only_read &= !matches!(class, Class::PrimaryRead(_)) && !self.view.next_transaction_set;
        match class {
            Class::Other(_) | Class::SetGlobal | Class::Calls => self.pin(Changed::Statement),
            Class::Bond(bond) => self.begin_bond(bond),
            Class::SetNames { charset, collation } => {
                self.named = true;
                self.charsets.begin(charset, collation.as_ref());
            }
            Class::SetCharset => {
                (self.named, self.may_hide) = (true, true);
                self.charsets.distrust();
            }
            Class::SetVariables(names) => self.begin_variables(names),
            Class::Use(_) => (self.named, self.uses_schema) = (true, true),
            Class::SetTransaction => self.named = true,
            Class::SetAutocommit => (self.named, self.may_open) = (true, true),
            Class::Transaction(_) | Class::Kill(_) | Class::Several(_) => self.may_open = true,
            Class::PlainRead
            | Class::PrimaryRead(_)
            | Class::Data
            | Class::Inspect
            | Class::Describe
            | Class::Ddl
            | Class::Account => {}
        }
        self.view.charset_known = self.charsets.sql().is_some();
    }

    /// One of several statements in a text, which all were read the same way: none of them may change how
    /// the others are read.
    fn begin_part(&mut self, class: &Class) {
        match class {
            Class::SetVariables(names) if names.is_empty() => self.begin_one(class),
            Class::SetNames { .. } | Class::SetCharset | Class::SetVariables(_) | Class::SetAutocommit => {
                self.pin(Changed::Statement);
            }
            // Which it renames is not told.
            Class::Ddl if self.view.temporary_tables => self.pin(Changed::Statement),
            class => {
                let (named, may_end) = (self.named, self.may_end);
                self.begin_one(class);
                self.named |= named;
                self.may_end |= may_end;
            }
        }
        self.may_open = true;
    }

    fn begin_bond(&mut self, bond: &Bond) {
        // What it runs besides may change more, and is reported.
        self.named = !matches!(bond, Bond::Executes(_) | Bond::ReadsHandler);
        let xa = matches!(bond, Bond::BeginsXa | Bond::StaysInXa | Bond::EndsXa);
        self.may_open = xa || matches!(bond, Bond::Executes(_));
        if self.bonds.begin(bond, self.schema.as_deref()) == Err(Lost) {
            self.pin(Changed::Statement);
        }
        self.show_bonds();
    }

    /// A change of the schema is about to be sent, which may be one of temporary tables.
    pub fn begin_ddl(&mut self, then: &Temporaries) {
        if self.bonds.begin_ddl(then, self.schema.as_deref()) == Err(Lost) {
            self.pin(Changed::Statement);
        }
    }

    fn begin_variables(&mut self, names: &[Name]) {
        (self.named, self.may_hide) = (true, true);
        for name in names {
            match Handling::of(name.as_bytes()) {
                Handling::Carried | Handling::Local | Handling::Pins => self.awaited.push(name.clone()),
                // Its new value decides whether a transaction is open after the SET.
                Handling::Mirrored => self.may_open = true,
            }
        }
    }

    /// A CALL of something that changes nothing in the session but what the server reports by name.
    pub fn begin_told_call(&mut self) {
        self.begin_anything();
        (self.named, self.may_hide, self.told) = (true, true, true);
        // Savepoints are not told of.
        self.view.savepoint |= !self.view.autocommit;
    }

    /// Whether the ERR before may have hidden something, all of which has a name.
    #[must_use]
    pub const fn hides_named(&self) -> bool {
        self.told && self.view.unreported
    }

    /// A question of our own is about to be sent, whose OK reports what the ERR before has hidden.
    pub fn expect_hidden(&mut self) {
        self.named = self.told;
    }

    /// What was about to be sent was not: no answer that comes is an answer to it.
    pub fn sent_nothing(&mut self) {
        self.charsets.settle(false);
        self.bonds.begin_other();
        self.left.begin_nothing();
        self.awaited.clear();
        (self.named, self.uses_schema, self.may_open) = (false, false, true);
    }

    /// COM_INIT_DB is about to be sent.
    pub fn begin_schema(&mut self) {
        self.begin_anything();
        (self.named, self.uses_schema) = (true, true);
    }

    /// The password has expired: the server tracks nothing, and takes nothing but a new one.
    pub fn begin_expired(&mut self) {
        self.pin(Changed::Expired);
    }

    /// The session becomes a replica's. It stays one, whatever else it does.
    pub fn begin_replication(&mut self) {
        self.begin_anything();
        self.view.changed = Some(Changed::Replication);
    }

    /// Something is about to be sent whose effects have no name here.
    pub fn begin_unknown(&mut self) {
        self.begin_anything();
        self.pin(Changed::Command);
    }
}
