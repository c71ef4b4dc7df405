//! What a session has tied to its connection to the primary, and has not let go of yet.
//!
//! Every name that is taken counts from the moment at which the statement is sent, and is given up only when the server has
//! answered with OK. Names are compared byte by byte: where the server takes two for the same that are none here, the
//! session keeps its connection longer than it needs to, and nothing worse.

use super::hold::Hold;
use crate::sql::{Bond, LexMode, Name, TableName, Temporaries, mentions};

/// Of each kind. Nobody needs more at once, and each is looked at with every statement.
const MOST: usize = 64;

/// The bonds of one session.
#[derive(Debug, Clone, Default)]
pub(super) struct Bonds {
    /// Temporary tables, with their schemas.
    temporary: Vec<(Option<Box<[u8]>>, Name)>,
    tables_locked: bool,
    /// Statements that were prepared by text, and whether running them leaves nothing behind.
    prepared: Vec<(Name, bool)>,
    handlers: Vec<Name>,
    in_xa: bool,
    /// What the statement in progress lets go of.
    going: Option<Going>,
}

#[derive(Debug, Clone)]
enum Going {
    Temporary(Vec<(Option<Box<[u8]>>, Name)>),
    TableLocks,
    Prepared(Name),
    Handler(Name),
    Xa,
    /// Nothing goes if the statement succeeds. Where it fails, one of that name that was prepared before may be there
    /// still.
    NothingBut(Name),
}

/// More than can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

impl Bonds {
    /// A statement is about to be sent.
    pub(super) fn begin(&mut self, bond: &Bond, schema: Option<&[u8]>) -> Result<(), Lost> {
        match bond {
            Bond::CreatesTemporary { table, .. } => put(&mut self.temporary, whole(table, schema))?,
            Bond::DropsTemporary(tables) => self.drop_temporary(tables, schema),
            Bond::LocksTables => self.tables_locked = true,
            Bond::UnlocksTables => self.going = Some(Going::TableLocks),
            Bond::Prepares { statement, simple } => {
                self.prepared.retain(|(known, _)| known != statement);
                put(&mut self.prepared, (statement.clone(), *simple))?;
                self.going = Some(Going::NothingBut(statement.clone()));
            }
            // What it runs may do anything.
            Bond::Executes(name) if !self.is_simple(name) => return Err(Lost),
            Bond::Deallocates(name) => self.going = Some(Going::Prepared(name.clone())),
            Bond::OpensHandler(name) => put(&mut self.handlers, name.clone())?,
            Bond::ClosesHandler(name) if !name.as_bytes().is_ascii() => {}
            Bond::ClosesHandler(name) => self.going = Some(Going::Handler(name.clone())),
            Bond::BeginsXa => self.in_xa = true,
            Bond::EndsXa => self.going = Some(Going::Xa),
            Bond::Executes(_) | Bond::ReadsHandler | Bond::StaysInXa => {}
        }
        Ok(())
    }

    /// A change of the schema is about to be sent.
    pub(super) fn begin_ddl(&mut self, then: &Temporaries, schema: Option<&[u8]>) -> Result<(), Lost> {
        match then {
            Temporaries::Go(tables) => self.drop_temporary(tables, schema),
            Temporaries::Unknown if !self.temporary.is_empty() => return Err(Lost),
            Temporaries::Unknown | Temporaries::Stay => {}
        }
        Ok(())
    }

    fn drop_temporary(&mut self, tables: &[TableName], schema: Option<&[u8]>) {
        // In another character set other bytes have the same name, and the same bytes another.
        let is_certain = |table: &(Option<Box<[u8]>>, Name)| {
            let (schema, name) = table;
            name.as_bytes().is_ascii() && schema.as_ref().is_none_or(|schema| schema.is_ascii())
        };
        let tables = tables.iter().map(|table| whole(table, schema)).filter(is_certain).collect();
        self.going = Some(Going::Temporary(tables));
    }

    /// Whatever was about to be let go of was not.
    pub(super) fn begin_other(&mut self) {
        self.settle(false);
    }

    /// The statement has ended.
    pub(super) fn settle(&mut self, ok: bool) {
        let going = self.going.take();
        if let Some(Going::NothingBut(name)) = going.as_ref().filter(|_| !ok) {
            self.prepared
                .iter_mut()
                .filter(|(known, _)| known == name)
                .for_each(|(_, simple)| *simple = false);
        }
        match going.filter(|_| ok) {
            None | Some(Going::NothingBut(_)) => {}
            Some(Going::Temporary(tables)) => self.temporary.retain(|table| !tables.contains(table)),
            Some(Going::TableLocks) => self.tables_locked = false,
            Some(Going::Prepared(name)) => self.prepared.retain(|(known, _)| *known != name),
            Some(Going::Handler(name)) => self.handlers.retain(|known| *known != name),
            Some(Going::Xa) => self.in_xa = false,
        }
    }

    fn is_simple(&self, statement: &Name) -> bool {
        self.prepared.iter().any(|(known, simple)| known == statement && *simple)
    }

    /// Why the connection is kept.
    pub(super) fn hold(&self) -> Option<Hold> {
        let checks = [
            (self.in_xa, Hold::Xa),
            (self.tables_locked, Hold::TablesLocked),
            (self.has_temporary(), Hold::TemporaryTable),
            (!self.handlers.is_empty(), Hold::Handler),
            (!self.prepared.is_empty(), Hold::PreparedByText),
        ];
        checks.iter().find_map(|(holds, why)| holds.then_some(*why))
    }

    pub(super) const fn has_temporary(&self) -> bool {
        !self.temporary.is_empty()
    }

    pub(super) const fn tables_locked(&self) -> bool {
        self.tables_locked
    }

    pub(super) const fn in_xa(&self) -> bool {
        self.in_xa
    }

    /// Whether a text may read one of the temporary tables.
    pub(super) fn may_read_temporary(&self, text: Option<&[u8]>, mode: LexMode) -> bool {
        let is_one = |word: &[u8]| {
            // Which letters outside ASCII are the same, the server knows.
            self.temporary
                .iter()
                .any(|(_, name)| !name.as_bytes().is_ascii() || name.as_bytes().eq_ignore_ascii_case(word))
        };
        self.has_temporary() && text.is_none_or(|text| mentions(text, mode, is_one))
    }
}

fn whole(table: &TableName, current: Option<&[u8]>) -> (Option<Box<[u8]>>, Name) {
    let schema = table.schema.as_ref().map(Name::as_bytes).or(current);
    (schema.map(Into::into), table.name.clone())
}

fn put<T: PartialEq>(list: &mut Vec<T>, item: T) -> Result<(), Lost> {
    if list.contains(&item) {
        return Ok(());
    }
    if list.len() == MOST {
        return Err(Lost);
    }
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Class, Dialect, classify};

    fn mode() -> LexMode {
        LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MySql) }
    }

    fn run(bonds: &mut Bonds, text: &str, ok: bool) -> Result<(), Lost> {
        let begun = match classify(text.as_bytes(), mode()).class {
            Class::Bond(bond) => bonds.begin(&bond, Some(b"app")),
            Class::Ddl => bonds.begin_ddl(&Temporaries::after(text.as_bytes(), mode()), Some(b"app")),
            class => panic!("{text}: {class:?}"),
        };
        bonds.settle(ok);
        begun
    }

    #[test]
    fn bonds_end_when_the_server_says_so() {
        let check = |texts: &[(&str, bool)], expected: Option<Hold>| {
            let mut bonds = Bonds::default();
            for (text, ok) in texts {
                assert_eq!(run(&mut bonds, text, *ok), Ok(()), "{text}");
            }
            assert_eq!(bonds.hold(), expected, "{texts:?}");
        };
        let create = ("CREATE TEMPORARY TABLE t (a INT)", true);
        check(&[create], Some(Hold::TemporaryTable));
        check(&[create, ("DROP TEMPORARY TABLE t", true)], None);
        check(&[create, ("DROP TABLE IF EXISTS app.t", true)], None);
        check(&[create, ("DROP TEMPORARY TABLE t", false)], Some(Hold::TemporaryTable));
        check(&[create, ("DROP TEMPORARY TABLE T", true)], Some(Hold::TemporaryTable));
        check(&[create, ("DROP TEMPORARY TABLE other.t", true)], Some(Hold::TemporaryTable));
        check(&[("CREATE TEMPORARY TABLE t (a INT)", false)], Some(Hold::TemporaryTable));
        let foreign = ("CREATE TEMPORARY TABLE `\u{e9}` (a INT)", true);
        check(&[foreign, ("DROP TEMPORARY TABLE `\u{e9}`", true)], Some(Hold::TemporaryTable));
        let foreign = ("HANDLER t OPEN AS `\u{e9}`", true);
        check(&[foreign, ("HANDLER `\u{e9}` CLOSE", true)], Some(Hold::Handler));
        check(&[("LOCK TABLES t READ", true), ("UNLOCK TABLES", true)], None);
        check(&[("LOCK TABLES t READ", true), ("UNLOCK TABLES", false)], Some(Hold::TablesLocked));
        let prepare = ("PREPARE s FROM 'SELECT 1'", true);
        check(&[prepare, ("EXECUTE s", true)], Some(Hold::PreparedByText));
        check(&[prepare, ("EXECUTE s", true), ("DEALLOCATE PREPARE S", true)], None);
        check(&[prepare, prepare, ("DROP PREPARE s", true)], None);
        check(&[("HANDLER t OPEN", true), ("HANDLER t READ FIRST", true)], Some(Hold::Handler));
        check(&[("HANDLER t OPEN h", true), ("HANDLER t CLOSE", false)], Some(Hold::Handler));
        check(&[("HANDLER t OPEN h", true), ("HANDLER h CLOSE", true)], None);
        check(&[("XA START 'x'", true), ("XA END 'x'", true)], Some(Hold::Xa));
        check(&[("XA START 'x'", true), ("XA ROLLBACK 'x'", true)], None);
    }

    #[test]
    fn what_cannot_be_followed_is_lost() {
        let mut bonds = Bonds::default();
        assert_eq!(run(&mut bonds, "EXECUTE s", true), Err(Lost));
        assert_eq!(run(&mut bonds, "PREPARE s FROM 'CALL p()'", true), Ok(()));
        assert_eq!(run(&mut bonds, "EXECUTE s", true), Err(Lost));
        assert_eq!(run(&mut bonds, "PREPARE s FROM 'SELECT 1 FROM gone'", false), Ok(()));
        assert_eq!(run(&mut bonds, "EXECUTE s", true), Err(Lost));
        assert_eq!(run(&mut bonds, "RENAME TABLE a TO b", true), Ok(()));
        assert_eq!(run(&mut bonds, "CREATE TEMPORARY TABLE t (a INT)", true), Ok(()));
        assert_eq!(run(&mut bonds, "ALTER TABLE t RENAME u", true), Err(Lost));
        for number in 0..MOST {
            let _ = run(&mut bonds, &format!("HANDLER t OPEN h{number}"), true);
        }
        assert_eq!(run(&mut bonds, "HANDLER t OPEN more", true), Err(Lost));
    }

    #[test]
    fn reads_of_temporary_tables_are_told() {
        let mut bonds = Bonds::default();
        let check = |bonds: &Bonds, text: &str, expected| {
            assert_eq!(bonds.may_read_temporary(Some(text.as_bytes()), mode()), expected, "{text}");
        };
        check(&bonds, "SELECT * FROM t", false);
        assert_eq!(run(&mut bonds, "CREATE TEMPORARY TABLE t (a INT)", true), Ok(()));
        check(&bonds, "SELECT * FROM t", true);
        check(&bonds, "SELECT * FROM app.`T`", true);
        check(&bonds, "SELECT * FROM u", false);
        assert!(bonds.may_read_temporary(None, mode()));
    }
}
