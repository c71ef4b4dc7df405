//! Stored code that leaves something behind on its connection which servers do not report.
//!
//! A trigger may take a named lock, and so may a function that a view calls. Where a connection serves many sessions,
//! one that may have run such code must not be passed on (HAZARDS 1, 3). What a CALL does is not followed at all.

use std::collections::HashMap;

use crate::sql::{self, Dialect, Leaves, LexMode};

/// A piece of stored code, and the name by which statements reach it: a routine's, a view's, or that of the table whose
/// trigger it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCode {
    /// The name, without a schema.
    pub name: String,
    /// Its text; nothing where it may not be seen.
    pub body: Option<String>,
    /// The `sql_mode` it is read in.
    pub sql_mode: String,
}

impl StoredCode {
    fn mode(&self, dialect: Dialect) -> LexMode {
        LexMode::new(&self.sql_mode, "utf8mb4", dialect)
    }
}

/// What is known of all stored code: names by which a statement may reach code that leaves something behind, in lower
/// case and without their schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traps {
    names: HashMap<Box<[u8]>, Leaves>,
    asks_insert_id: bool,
}

impl Traps {
    /// Follows who reaches whom.
    #[must_use]
    pub fn new(code: &[StoredCode], dialect: Dialect) -> Self {
        let mut traps = Self::default();
        let own = |code: &StoredCode| {
            let leaves = |body: &String| sql::leaves_traces(body.as_bytes(), code.mode(dialect));
            code.body.as_ref().map_or(Leaves::Unreported, leaves)
        };
        let asks = |code: &StoredCode| {
            code.body.as_ref().is_none_or(|body| {
                sql::mentions(body.as_bytes(), code.mode(dialect), |name| {
                    name.eq_ignore_ascii_case(b"LAST_INSERT_ID") || name.eq_ignore_ascii_case(b"IDENTITY")
                })
            })
        };
        traps.asks_insert_id = code.iter().any(asks);
        let mut found = false;
        for code in code {
            found |= traps.add(&code.name, own(code));
        }
        while std::mem::take(&mut found) {
            for code in code {
                let body = code.body.as_deref().unwrap_or_default().as_bytes();
                let reached = traps.reached(body, code.mode(dialect));
                found |= traps.add(&code.name, reached);
            }
        }
        traps
    }

    /// True where that is more than was known.
    fn add(&mut self, name: &str, leaves: Leaves) -> bool {
        if leaves == Leaves::Named {
            return false;
        }
        let known = self.names.entry(name.to_ascii_lowercase().into_bytes().into()).or_insert(Leaves::Named);
        let more = leaves > *known;
        *known = leaves.max(*known);
        more
    }

    /// Whether some of the code asks for LAST_INSERT_ID().
    #[must_use]
    pub const fn asks_insert_id(&self) -> bool {
        self.asks_insert_id
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What a text may reach.
    #[must_use]
    pub fn reached(&self, text: &[u8], mode: LexMode) -> Leaves {
        let mut most = Leaves::Named;
        if !self.names.is_empty() {
            let unclear = sql::mentions(text, mode, |name| {
                most = most.max(self.of(name));
                false
            });
            if unclear {
                return Leaves::Unreported;
            }
        }
        most
    }

    /// What a name, as a client sent it, may lead to. One outside ASCII may be anybody's.
    fn of(&self, name: &[u8]) -> Leaves {
        if !name.is_ascii() {
            return Leaves::Unreported;
        }
        self.names.get(name.to_ascii_lowercase().as_slice()).copied().unwrap_or(Leaves::Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, body: Option<&str>) -> StoredCode {
        code_in("", name, body)
    }

    fn code_in(sql_mode: &str, name: &str, body: Option<&str>) -> StoredCode {
        StoredCode { name: name.to_owned(), body: body.map(str::to_owned), sql_mode: sql_mode.to_owned() }
    }

    #[test]
    fn what_reaches_a_trap_is_one() {
        let traps = Traps::new(
            &[
                code("orders", Some("BEGIN CALL audit(NEW.id); END")),
                code("audit", Some("BEGIN SELECT helper(1) INTO x; END")),
                code("Helper", Some("BEGIN DO GET_LOCK('a', 0); RETURN 1; END")),
                code("hidden", None),
                code("counts", Some("SET NEW.a = 'GET_LOCK', @seen = 1")),
                code("stock", Some("INSERT INTO counts VALUES (NEW.id)")),
                code("customers", Some("INSERT INTO log VALUES (NEW.id)")),
                code("quoted", Some("DO `get_lock`('a', 0)")),
                code_in("REAL_AS_FLOAT,ANSI_QUOTES", "ansi", Some(r#"DO "get_lock"('a', 0)"#)),
                code_in("ANSI_QUOTES", "calls_ansi", Some(r#"CALL "audit"(1)"#)),
                code_in("NO_BACKSLASH_ESCAPES", "slashes", Some(r"SELECT '\', GET_LOCK('a', 0), '\'")),
                code("text", Some(r#"SELECT "audit", 'it\'s'"#)),
            ],
            Dialect::MySql,
        );
        let mode = LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MySql) };
        let check =
            |text: &str, expected| assert_eq!(traps.reached(text.as_bytes(), mode), expected, "{text}");
        for name in ["orders", "AUDIT", "helper", "hidden", "é", "quoted", "ansi", "calls_ansi", "slashes"] {
            check(&format!("INSERT INTO {name} VALUES (1)"), Leaves::Unreported);
        }
        check("INSERT INTO stock VALUES (1)", Leaves::Unnamed);
        check("INSERT INTO customers VALUES (1)", Leaves::Named);
        check("INSERT INTO text VALUES (1)", Leaves::Named);
        assert!(Traps::new(&[], Dialect::MariaDb).is_empty());
        assert_eq!(Traps::default().reached("INSERT INTO é".as_bytes(), mode), Leaves::Named);
    }
}
