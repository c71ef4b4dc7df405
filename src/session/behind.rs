//! What a session may ask about the statement before: ROW_COUNT(), FOUND_ROWS(), the diagnostics.
//!
//! Measured on MySQL 9.7 and MariaDB 10.11: ROW_COUNT() follows from the reply always, FOUND_ROWS() where a SELECT has no
//! OFFSET, no UNION and no SQL_CALC_FOUND_ROWS.

use crate::sql::{Class, Statement, Traces};
use crate::topology::Flavor;
use crate::wire::command::Command;

/// How the statement before has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// ROW_COUNT().
    pub row_count: i64,
    /// FOUND_ROWS(), where it follows from what was seen.
    pub found_rows: Option<u64>,
    /// It has left no warning and no error.
    pub clean: bool,
}

/// Which of the answers the connection itself has on which the statement before ran: what that statement has left as it
/// was may be another session's there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    /// ROW_COUNT().
    pub row_count: bool,
    /// FOUND_ROWS().
    pub found_rows: bool,
    /// Warnings and errors.
    pub diagnostics: bool,
    /// `@@last_gtid` of MariaDB: the session has written there.
    pub last_gtid: bool,
}

impl Here {
    /// Nothing of it.
    pub const NOTHING: Self =
        Self { row_count: false, found_rows: false, diagnostics: false, last_gtid: false };

    /// All of it: a connection on which nothing has run yet.
    pub const ALL: Self = Self { row_count: true, found_rows: true, diagnostics: true, last_gtid: true };

    /// After a statement of this class. `self`: what the connection had before it. `wrote`: its reply has told a GTID.
    #[must_use]
    pub fn after(self, class: &Class, shown: Shown, keeps_diagnostics: bool, wrote: bool) -> Self {
        let finds = match class {
            Class::PlainRead | Class::PrimaryRead(_) | Class::Calls => true,
            // RETURNING.
            Class::Data => !shown.failed && shown.affected.is_none(),
            _ => false,
        };
        Self {
            row_count: true,
            found_rows: self.found_rows || finds,
            diagnostics: self.diagnostics || !keeps_diagnostics,
            last_gtid: self.last_gtid || wrote,
        }
    }

    /// After a command that neither is nor runs a statement known here.
    #[must_use]
    pub fn after_command(self, command: Option<Command>) -> Self {
        // Its reply is no OK, and changes nothing.
        let row_count = self.row_count || command != Some(Command::Statistics);
        match command.is_some_and(outlives_questions) {
            true => Self { row_count, ..self },
            false => Self { row_count, diagnostics: true, ..self },
        }
    }
}

/// What a reply has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// It ended in an ERR.
    pub failed: bool,
    /// Rows changed, where it ended in an OK and not in a result.
    pub affected: Option<u64>,
    /// Rows of its last result.
    pub rows: u64,
    /// Warnings counted by its last OK.
    pub warnings: u16,
}

impl Behind {
    /// Of a new session.
    pub const NOTHING: Self = Self { row_count: 0, found_rows: Some(0), clean: true };

    /// After this statement.
    #[must_use]
    pub fn after(self, statement: &Statement, traces: Traces, shown: Shown, flavor: Flavor) -> Self {
        let class = &statement.class;
        let row_count = match shown.affected {
            Some(rows) if !shown.failed => i64::try_from(rows).unwrap_or(i64::MAX),
            _ => -1,
        };
        let found_rows = match class {
            _ if shown.failed => None,
            Class::PlainRead | Class::PrimaryRead(_) | Class::Calls => {
                let told = shown.affected.is_none() && !traces.counts_rows && !statement.finds_others;
                told.then_some(shown.rows)
            }
            Class::Data if traces.inserts_values => self.found_rows,
            Class::Use(_)
            | Class::SetNames { .. }
            | Class::SetCharset
            | Class::SetAutocommit
            | Class::SetTransaction
            | Class::Transaction(_) => self.found_rows,
            _ => None,
        };
        let stays = keeps_diagnostics(class, traces, flavor) && !self.clean;
        Self { row_count, found_rows, clean: !stays && !shown.failed && shown.warnings == 0 }
    }

    /// After a command that neither is nor runs a statement.
    #[must_use]
    pub fn after_command(self, command: Option<Command>, shown: Shown, flavor: Flavor) -> Self {
        let row_count = match command {
            _ if shown.failed => -1,
            // Its reply is no OK.
            Some(Command::Statistics) => self.row_count,
            // An EOF.
            Some(Command::SetOption | Command::FieldList) => -1,
            // An execution of what is not remembered.
            None => shown.affected.map_or(-1, |rows| i64::try_from(rows).unwrap_or(i64::MAX)),
            Some(_) => 0,
        };
        if command.is_some_and(outlives_questions) {
            return Self {
                row_count,
                clean: self.clean && !joins_diagnostics(command, shown.failed, flavor),
                ..self
            };
        }
        Self { row_count, found_rows: None, clean: !shown.failed && shown.warnings == 0 }
    }
}

/// Whether what a session may ask about the statement before, but for ROW_COUNT(), is after this command what it was.
#[must_use]
pub const fn outlives_questions(command: Command) -> bool {
    use Command::{FieldList, InitDb, Ping, SetOption, Statistics, StmtReset};
    matches!(command, Ping | Statistics | SetOption | InitDb | FieldList | StmtReset)
}

/// Whether such a command has added an error or a warning to those that there were: MySQL warns that COM_FIELD_LIST is
/// out of use, and does not count that in the reply.
#[must_use]
pub fn joins_diagnostics(command: Option<Command>, failed: bool, flavor: Flavor) -> bool {
    failed || (command == Some(Command::FieldList) && flavor == Flavor::MySql)
}

/// Whether the warnings of the statement before outlive one of this kind: on MariaDB, where it names no table.
#[must_use]
pub fn keeps_diagnostics(class: &Class, traces: Traces, flavor: Flavor) -> bool {
    let tables = traces.tables
        || matches!(class, Class::Data | Class::Ddl | Class::Inspect | Class::Describe | Class::Account);
    flavor == Flavor::MariaDb && !tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Then, TransactionKind};

    #[test]
    fn what_follows_from_a_reply() {
        let result = Shown { failed: false, affected: None, rows: 3, warnings: 0 };
        let changed = Shown { affected: Some(2), ..result };
        let before = Behind { row_count: 9, found_rows: Some(7), clean: false };
        let check = |class: Class, shown, row_count, found_rows, clean| {
            let statement = Statement::of(class);
            let after = before.after(&statement, Traces::default(), shown, Flavor::MySql);
            assert_eq!(after, Behind { row_count, found_rows, clean }, "{statement:?}");
        };
        check(Class::PlainRead, result, -1, Some(3), true);
        check(Class::Data, changed, 2, None, true);
        check(Class::Data, Shown { warnings: 1, ..changed }, 2, None, false);
        check(Class::Data, Shown { failed: true, affected: None, ..changed }, -1, None, false);
        let commit = Class::Transaction(TransactionKind::Commit(Then::Nothing));
        check(commit, Shown { affected: Some(0), ..result }, 0, Some(7), true);
        let counted = Traces { counts_rows: true, ..Traces::default() };
        let read = Statement::of(Class::PlainRead);
        assert_eq!(before.after(&read, counted, result, Flavor::MySql).found_rows, None);
        let union = Statement { finds_others: true, ..read.clone() };
        assert_eq!(before.after(&union, Traces::default(), result, Flavor::MySql).found_rows, None);
        let shown = |affected| Shown { failed: false, affected, rows: 1, warnings: 0 };
        assert!(Here::NOTHING.after(&Class::PlainRead, shown(None), false, false).found_rows);
        assert!(Here::NOTHING.after(&Class::Data, shown(None), false, false).found_rows, "RETURNING");
        assert!(!Here::NOTHING.after(&Class::Data, shown(Some(1)), false, false).found_rows);
        assert!(!Here::NOTHING.after(&Class::SetAutocommit, shown(Some(0)), true, false).diagnostics);
        let tables = Traces { tables: true, ..Traces::default() };
        assert!(before.after(&read, tables, result, Flavor::MariaDb).clean);
        assert!(!before.after(&read, Traces::default(), result, Flavor::MariaDb).clean);
    }

    #[test]
    fn commands_leave_what_may_be_asked() {
        let before = Behind { row_count: 9, found_rows: Some(7), clean: false };
        let ok = Shown { failed: false, affected: Some(0), rows: 0, warnings: 3 };
        let check = |before: Behind, command, shown, row_count, clean| {
            let after = before.after_command(Some(command), shown, Flavor::MySql);
            assert_eq!(after, Behind { row_count, clean, ..before }, "{command:?}");
        };
        for command in [Command::Ping, Command::InitDb, Command::StmtReset] {
            check(before, command, ok, 0, false);
            check(Behind { clean: true, ..before }, command, ok, 0, true);
            check(Behind { clean: true, ..before }, command, Shown { failed: true, ..ok }, -1, false);
        }
        check(before, Command::Statistics, ok, 9, false);
        check(before, Command::SetOption, ok, -1, false);
        check(Behind { clean: true, ..before }, Command::FieldList, ok, -1, false);
        let listed =
            Behind { clean: true, ..before }.after_command(Some(Command::FieldList), ok, Flavor::MariaDb);
        assert!(listed.clean);
        let reset =
            before.after_command(Some(Command::ResetConnection), Shown { warnings: 0, ..ok }, Flavor::MySql);
        assert_eq!(reset, Behind { row_count: 0, found_rows: None, clean: true });
        assert!(!Here::NOTHING.after_command(Some(Command::Statistics)).row_count);
        let initdb = Here::NOTHING.after_command(Some(Command::InitDb));
        assert_eq!(initdb, Here { row_count: true, ..Here::NOTHING });
        let changed = before.after_command(None, Shown { affected: Some(2), ..ok }, Flavor::MySql);
        assert_eq!(changed, Behind { row_count: 2, found_rows: None, clean: false });
    }
}
