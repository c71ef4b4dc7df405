//! What a statement leaves on its connection, or asks of it, that no server reports (HAZARDS 1).

use super::LexMode;
use super::class::is_readable;
use super::lexer::{Kind, Lexer, Token};

/// Marks of the state of a connection that session tracking does not cover. For statements of every class but
/// [`Class::Other`](super::Class::Other), whose effects have no name at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// It names a user variable, and may set it.
    pub user_variables: bool,
    /// It takes a named lock.
    pub takes_lock: bool,
    /// It gives all named locks back: RELEASE_ALL_LOCKS().
    pub releases_locks: bool,
    /// It asks which connection it is on, or whose a lock is.
    pub connection: bool,
    /// It uses a sequence, whose last value LASTVAL() tells (MariaDB).
    pub sequences: bool,
    /// It asks for LAST_INSERT_ID(), or a variable that tells it.
    pub insert_id: bool,
    /// It may set it: LAST_INSERT_ID(value).
    pub sets_insert_id: bool,
    /// SQL_CALC_FOUND_ROWS: the next statement asks how many there were.
    pub counts_rows: bool,
    /// It may name a table.
    pub tables: bool,
    /// It finds other rows than it shows: OFFSET, UNION and their like.
    pub finds_others: bool,
}

impl Traces {
    /// What nothing is known of.
    pub const ALL: Self = Self {
        user_variables: true,
        takes_lock: true,
        releases_locks: false,
        connection: true,
        sequences: true,
        insert_id: true,
        sets_insert_id: true,
        counts_rows: true,
        finds_others: true,
        tables: true,
    };
}

/// Looks for them among the words of a text.
pub fn traces(text: &[u8], mode: LexMode) -> Traces {
    if !is_readable(text, mode) {
        return Traces::ALL;
    }
    let mut found = Traces::default();
    let mut tokens = Lexer::new(text, mode).peekable();
    let mut before: Option<Token<'_>> = None;
    while let Some(token) = tokens.next() {
        let next = tokens.peek().copied();
        let touching = next.is_some_and(|next| next.is_symbol(b'('));
        // What MariaDB's RETURNING inserts is in no OK.
        found.sets_insert_id |= token.is_word(b"RETURNING");
        if touching && token.is_word(b"LAST_INSERT_ID") {
            let mut inside = tokens.clone().skip(1);
            found.sets_insert_id |= !inside.next().is_some_and(|inside| inside.is_symbol(b')'));
        }
        if token.is_word(b"LIMIT") {
            // LIMIT offset, rows
            found.finds_others |= tokens.clone().nth(1).is_some_and(|behind| behind.is_symbol(b','));
        }
        match token.kind {
            Kind::Word => word(token, next, &mut found),
            Kind::Symbol(b'@') => {
                let system = [before, next].into_iter().flatten().any(|beside| beside.is_symbol(b'@'));
                found.user_variables |= !system;
            }
            Kind::VersionComment | Kind::Broken => return Traces::ALL,
            _ => {}
        }
        before = Some(token);
    }
    found
}

fn word(token: Token<'_>, next: Option<Token<'_>>, found: &mut Traces) {
    let Some(trace) = TRACES.iter().find(|(word, _)| token.is_word(word)).map(|(_, trace)| *trace) else {
        return;
    };
    let called = next.is_some_and(|next| next.is_symbol(b'('));
    match trace {
        Trace::TakesLock => found.takes_lock |= called,
        Trace::ReleasesLocks => found.releases_locks |= called,
        Trace::Connection => found.connection = true,
        Trace::Sequence => found.sequences |= called,
        // NEXT VALUE FOR s, PREVIOUS VALUE FOR s.
        Trace::Value => found.sequences |= next.is_some_and(|next| next.is_word(b"FOR")),
        Trace::InsertId => found.insert_id = true,
        Trace::CountsRows => found.counts_rows = true,
        Trace::FindsOthers => found.finds_others = true,
        Trace::Tables => found.tables = true,
    }
}

#[derive(Clone, Copy)]
enum Trace {
    TakesLock,
    ReleasesLocks,
    Connection,
    Sequence,
    Value,
    InsertId,
    CountsRows,
    FindsOthers,
    Tables,
}

const TRACES: [(&[u8], Trace); 20] = [
    (b"FROM", Trace::Tables),
    (b"TABLE", Trace::Tables),
    (b"OFFSET", Trace::FindsOthers),
    (b"UNION", Trace::FindsOthers),
    (b"INTERSECT", Trace::FindsOthers),
    (b"EXCEPT", Trace::FindsOthers),
    (b"LAST_INSERT_ID", Trace::InsertId),
    (b"IDENTITY", Trace::InsertId),
    (b"INSERT_ID", Trace::InsertId),
    (b"SQL_CALC_FOUND_ROWS", Trace::CountsRows),
    (b"CONNECTION_ID", Trace::Connection),
    (b"PSEUDO_THREAD_ID", Trace::Connection),
    (b"PS_CURRENT_THREAD_ID", Trace::Connection),
    (b"IS_USED_LOCK", Trace::Connection),
    (b"GET_LOCK", Trace::TakesLock),
    (b"RELEASE_ALL_LOCKS", Trace::ReleasesLocks),
    (b"NEXTVAL", Trace::Sequence),
    (b"LASTVAL", Trace::Sequence),
    (b"SETVAL", Trace::Sequence),
    (b"VALUE", Trace::Value),
];

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::*;

    #[test]
    fn what_no_server_reports_is_seen_in_the_text() {
        let check = |text: &str, expected: Traces| {
            let mode = LexMode::new("", "utf8mb4", Dialect::MariaDb);
            assert_eq!(traces(text.as_bytes(), LexMode { charset_safe: true, ..mode }), expected, "{text}");
        };
        let none = Traces::default();
        check("INSERT INTO t VALUES (1, 'GET_LOCK(1)') -- CONNECTION_ID()", none);
        check("SELECT @@identity", Traces { insert_id: true, ..none });
        check("SET @@session.sql_mode = ''", none);
        check("SET @a = 1", Traces { user_variables: true, ..none });
        check("SET sql_mode = @`a b`, @@time_zone = '+00:00'", Traces { user_variables: true, ..none });
        check("select Last_Insert_Id ( )", Traces { insert_id: true, ..none });
        check(
            "UPDATE t SET a = LAST_INSERT_ID(a + 1)",
            Traces { insert_id: true, sets_insert_id: true, ..none },
        );
        check("SELECT GET_LOCK('a', 1)", Traces { takes_lock: true, ..none });
        check("DO RELEASE_ALL_LOCKS()", Traces { releases_locks: true, ..none });
        check("SELECT value FROM t FOR UPDATE", Traces { tables: true, ..none });
        check("SELECT NEXT VALUE FOR s", Traces { sequences: true, ..none });
        check("SELECT connection_id()", Traces { connection: true, ..none });
        check("SELECT SQL_CALC_FOUND_ROWS a FROM t", Traces { counts_rows: true, tables: true, ..none });
        check("SELECT a FROM t LIMIT 3", Traces { tables: true, ..none });
        check("SELECT a FROM t LIMIT 1, 3", Traces { finds_others: true, tables: true, ..none });
        check("SELECT a FROM t LIMIT 3 OFFSET 1", Traces { finds_others: true, tables: true, ..none });
        check("SELECT 'a", Traces::ALL);
    }
}
