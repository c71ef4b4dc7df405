//! What a statement leaves on its connection, or asks of it, that no server reports (HAZARDS 1).

use super::class::{is_readable, without_end};
use super::lexer::{Kind, Lexer, Token};
use super::{Dialect, LexMode};

/// Marks of the state of a connection that session tracking does not cover. For statements of every class but
/// [`Class::Other`](super::Class::Other), whose effects have no name at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// It names a user variable.
    pub user_variables: bool,
    /// It may set one, whatever verb it has: `:=`, INTO, LOAD DATA.
    pub assigns: bool,
    /// It takes a named lock.
    pub takes_lock: bool,
    /// It gives all named locks back: RELEASE_ALL_LOCKS().
    pub releases_locks: bool,
    /// It may give one back: RELEASE_LOCK().
    pub releases_lock: bool,
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
    /// It inserts what it says itself: an INSERT or REPLACE without SELECT.
    pub inserts_values: bool,
    /// It names a system variable.
    pub system_variables: bool,
    /// It names `last_gtid`.
    pub last_gtid: bool,
    /// It may name a table.
    pub tables: bool,
    /// It may define stored code.
    pub defines: bool,
}

impl Traces {
    /// What nothing is known of.
    pub const ALL: Self = Self {
        user_variables: true,
        assigns: true,
        takes_lock: true,
        releases_locks: false,
        releases_lock: true,
        connection: true,
        sequences: true,
        insert_id: true,
        sets_insert_id: true,
        counts_rows: true,
        inserts_values: false,
        system_variables: true,
        last_gtid: true,
        tables: true,
        defines: true,
    };
}

/// Looks for them among the words of a text.
pub fn traces(text: &[u8], mode: LexMode) -> Traces {
    if !is_readable(text, mode) {
        return Traces::ALL;
    }
    let mut found = Traces::default();
    let mut words = 0;
    let mut tokens = Lexer::new(text, mode).peekable();
    let mut before: Option<Token<'_>> = None;
    while let Some(token) = tokens.next() {
        let next = tokens.peek().copied();
        let touching = next.is_some_and(|next| next.is_symbol(b'('));
        if before.is_none() {
            found.inserts_values = token.is_word(b"INSERT") || token.is_word(b"REPLACE");
        }
        found.inserts_values &=
            [&b"SELECT"[..], b"TABLE", b"RETURNING"].iter().all(|word| !token.is_word(word));
        // What MariaDB's RETURNING inserts is in no OK, nor what LOAD DATA does.
        found.sets_insert_id |= token.is_word(b"RETURNING") || (before.is_none() && token.is_word(b"LOAD"));
        if touching && is_name(token, b"LAST_INSERT_ID") {
            let mut inside = tokens.clone().skip(1);
            found.sets_insert_id |= !inside.next().is_some_and(|inside| inside.is_symbol(b')'));
        }
        found.assigns |= token.is_symbol(b':')
            || (token.is_word(b"INTO") && next.is_some_and(|next| next.is_symbol(b'@')))
            || (before.is_none() && token.is_word(b"LOAD"));
        found.last_gtid |= token.is_word(b"LAST_GTID");
        words += usize::from(!token.is_symbol(b';'));
        match token.kind {
            Kind::Word => word(token.text, next, &mut found),
            // In quotes too it is a built-in function before a parenthesis, and a variable after `@@`.
            Kind::QuotedName if touching || found.system_variables => {
                let name = token.content().unwrap_or_default();
                if Trace::of(name).is_some_and(Trace::is_function) {
                    word(name, next, &mut found);
                }
            }
            Kind::Symbol(b'@') => {
                let system = [before, next].into_iter().flatten().any(|beside| beside.is_symbol(b'@'));
                found.user_variables |= !system;
                found.system_variables |= system;
            }
            Kind::VersionComment | Kind::Broken => return Traces::ALL,
            _ => {}
        }
        before = Some(token);
    }
    found.assigns &= found.user_variables;
    // Anywhere else it may not be evaluated.
    found.releases_locks &= words == BARE_CALL;
    found
}

/// SELECT or DO, a name and two parentheses.
const BARE_CALL: usize = 4;

/// What stored code leaves behind on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaves {
    /// What servers report by name: schema and session variables.
    Named,
    /// Also what they report without a name: user variables, temporary tables.
    Unnamed,
    /// Also what they do not report.
    Unreported,
}

/// What a body of stored code may leave behind once it has run. Unreported are a named lock, a
/// user variable that a SELECT sets, a role, characteristics of the next transaction, other trackers, the last value of
/// a sequence, a statement prepared by text, locked tables. `SET @a = …` is reported, and so are session variables, but
/// for `SET @@a = …` on MariaDB. RENAME may give a temporary table of the session another name.
pub fn leaves_traces(body: &[u8], mode: LexMode) -> Leaves {
    const WORDS: [&[u8]; 17] = [
        b"GET_LOCK",
        b"RELEASE_LOCK",
        b"RELEASE_ALL_LOCKS",
        b"ROLE",
        b"DIAGNOSTICS",
        b"NEXTVAL",
        b"SETVAL",
        b"SQL_CALC_FOUND_ROWS",
        b"PREPARE",
        b"EXECUTE",
        b"LOCK",
        b"UNLOCK",
        b"FLUSH",
        b"XA",
        b"BACKUP",
        b"GROUP_REPLICATION",
        b"RESOURCE",
    ];
    let (mut variable, mut assigns, mut temporary) = (false, false, false);
    let mut before = None::<Token<'_>>;
    let mut tokens = Lexer::new(body, mode).peekable();
    while let Some(token) = tokens.next() {
        let after = |word| before.is_some_and(|before| before.is_word(word));
        match token.kind {
            Kind::Word => {
                let sequence = token.is_word(b"FOR") && after(b"VALUE");
                let next_transaction = token.is_word(b"TRANSACTION") && !after(b"START");
                let tracker =
                    token.text.get(..13).is_some_and(|head| head.eq_ignore_ascii_case(b"session_track"));
                // Not that of conditions.
                let handler = after(b"HANDLER") && !token.is_word(b"FOR");
                let known = handler || WORDS.iter().any(|word| token.is_word(word));
                if sequence || next_transaction || tracker || known {
                    return Leaves::Unreported;
                }
                assigns |= token.is_word(b"INTO");
                temporary |= token.is_word(b"TEMPORARY") || token.is_word(b"RENAME");
            }
            Kind::QuotedName => {
                let called = tokens.peek().is_some_and(|next| next.is_symbol(b'('));
                if called && WORDS.iter().any(|word| is_name(token, word)) {
                    return Leaves::Unreported;
                }
            }
            Kind::Symbol(b'@') => {
                let system = before.is_some_and(|before| before.is_symbol(b'@'));
                if system && mode.dialect == Dialect::MariaDb {
                    return Leaves::Unreported;
                }
                variable = true;
            }
            Kind::Symbol(b':') => assigns = true,
            Kind::VersionComment | Kind::Broken => return Leaves::Unreported,
            _ => {}
        }
        before = Some(token);
    }
    match (variable && assigns, variable || temporary) {
        (true, _) => Leaves::Unreported,
        (false, true) => Leaves::Unnamed,
        (false, false) => Leaves::Named,
    }
}

/// Whether a text is one CALL that sets no user variable.
pub fn is_plain_call(text: &[u8], mode: LexMode) -> bool {
    let mut tokens = Lexer::new(without_end(text), mode);
    is_readable(text, mode)
        && tokens.next().is_some_and(|token| token.is_word(b"CALL"))
        && tokens.all(|token| {
            !matches!(token.kind, Kind::VersionComment | Kind::Broken | Kind::Symbol(b';' | b'@' | b':'))
        })
}

/// Whether it is this name, in quotes or not.
fn is_name(token: Token<'_>, name: &[u8]) -> bool {
    let is_quoted = token.kind == Kind::QuotedName;
    token.is_word(name)
        || (is_quoted && token.content().is_some_and(|quoted| quoted.eq_ignore_ascii_case(name)))
}

fn word(text: &[u8], next: Option<Token<'_>>, found: &mut Traces) {
    let Some(trace) = Trace::of(text) else { return };
    let called = next.is_some_and(|next| next.is_symbol(b'('));
    match trace {
        Trace::TakesLock => found.takes_lock |= called,
        Trace::ReleasesLock => found.releases_lock |= called,
        Trace::ReleasesLocks => found.releases_locks |= called,
        Trace::Connection => found.connection = true,
        Trace::Sequence => found.sequences |= called,
        // NEXT VALUE FOR s, PREVIOUS VALUE FOR s.
        Trace::Value => found.sequences |= next.is_some_and(|next| next.is_word(b"FOR")),
        Trace::InsertId => found.insert_id = true,
        Trace::CountsRows => found.counts_rows = true,
        Trace::Tables => found.tables = true,
        Trace::Defines => found.defines = true,
    }
}

#[derive(Clone, Copy)]
enum Trace {
    TakesLock,
    ReleasesLocks,
    ReleasesLock,
    Connection,
    Sequence,
    Value,
    InsertId,
    CountsRows,
    Tables,
    Defines,
}

impl Trace {
    fn of(text: &[u8]) -> Option<Self> {
        TRACES.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, trace)| *trace)
    }

    /// Whether it stands for a function or a variable, and not for a keyword.
    const fn is_function(self) -> bool {
        matches!(
            self,
            Self::TakesLock
                | Self::ReleasesLocks
                | Self::ReleasesLock
                | Self::Connection
                | Self::Sequence
                | Self::InsertId
        )
    }
}

const TRACES: [(&[u8], Trace); 23] = [
    (b"TRIGGER", Trace::Defines),
    (b"FUNCTION", Trace::Defines),
    (b"PROCEDURE", Trace::Defines),
    (b"PACKAGE", Trace::Defines),
    (b"EVENT", Trace::Defines),
    (b"VIEW", Trace::Defines),
    (b"FROM", Trace::Tables),
    (b"TABLE", Trace::Tables),
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
    (b"RELEASE_LOCK", Trace::ReleasesLock),
    (b"NEXTVAL", Trace::Sequence),
    (b"LASTVAL", Trace::Sequence),
    (b"SETVAL", Trace::Sequence),
    (b"VALUE", Trace::Value),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_leave_something_behind_are_told() {
        let check = |body: &str, expected| {
            let mode = LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MariaDb) };
            assert_eq!(leaves_traces(body.as_bytes(), mode), expected, "{body}");
        };
        check("SET NEW.a = 1, @seen = 1", Leaves::Unnamed);
        check("CREATE TEMPORARY TABLE t (a INT)", Leaves::Unnamed);
        check("ALTER TABLE t RENAME TO u", Leaves::Unnamed);
        check("DO `get_lock`('a', 0)", Leaves::Unreported);
        check("SELECT `lock`, `role` FROM t", Leaves::Named);
        check("BEGIN INSERT INTO log SELECT * FROM t; RETURN 1; END", Leaves::Named);
        check("DO get_lock('a', 0)", Leaves::Unreported);
        check("SELECT a INTO @x FROM t", Leaves::Unreported);
        check("SET @a = @b := 1", Leaves::Unreported);
        check("SET ROLE r", Leaves::Unreported);
        check("SET session_track_schema = 0", Leaves::Unreported);
        check("SET NEW.a = NEXT VALUE FOR s", Leaves::Unreported);
        check("RETURN 'GET_LOCK'", Leaves::Named);
        check(
            "BEGIN START TRANSACTION; INSERT INTO t VALUES (1); COMMIT; SIGNAL SQLSTATE '45000'; END",
            Leaves::Named,
        );
        check("SET TRANSACTION READ ONLY", Leaves::Unreported);
        check("DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1", Leaves::Named);
        check("HANDLER t OPEN", Leaves::Unreported);
        check("OPEN cur; FETCH cur INTO a; CLOSE cur", Leaves::Named);
        check("SET SESSION sql_mode = ''", Leaves::Named);
        check("SET @@sql_mode = ''", Leaves::Unreported);
    }

    #[test]
    fn plain_calls_are_told() {
        let check = |text: &str, expected| {
            let mode = LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MySql) };
            assert_eq!(is_plain_call(text.as_bytes(), mode), expected, "{text}");
        };
        check("CALL p(1, 'a;b')", true);
        check(" call s.p ;", true);
        check("CALL p(@out)", false);
        check("CALL p(1); SELECT 2", false);
        check("SELECT 1", false);
    }

    #[test]
    fn what_no_server_reports_is_seen_in_the_text() {
        let check = |text: &str, expected: Traces| {
            let mode = LexMode::new("", "utf8mb4", Dialect::MariaDb);
            assert_eq!(traces(text.as_bytes(), LexMode { charset_safe: true, ..mode }), expected, "{text}");
        };
        let none = Traces::default();
        let inserts = Traces { inserts_values: true, ..none };
        check("INSERT INTO t VALUES (1, 'GET_LOCK(1)') -- CONNECTION_ID()", inserts);
        check("SELECT @@identity", Traces { insert_id: true, system_variables: true, ..none });
        check("SET @@session.sql_mode = ''", Traces { system_variables: true, ..none });
        check("SET @a = 1", Traces { user_variables: true, ..none });
        check(
            "SET sql_mode = @`a b`, @@time_zone = '+00:00'",
            Traces { user_variables: true, system_variables: true, ..none },
        );
        check("select Last_Insert_Id ( )", Traces { insert_id: true, ..none });
        check(
            "UPDATE t SET a = LAST_INSERT_ID(a + 1)",
            Traces { insert_id: true, sets_insert_id: true, ..none },
        );
        check("SELECT GET_LOCK('a', 1)", Traces { takes_lock: true, ..none });
        check("CALL p(`Get_Lock`('a', 1))", Traces { takes_lock: true, ..none });
        check("CALL p(`last_insert_id`(5))", Traces { insert_id: true, sets_insert_id: true, ..none });
        check("CALL p(`connection_id` ())", Traces { connection: true, ..none });
        check("SELECT @@`identity`", Traces { insert_id: true, system_variables: true, ..none });
        check("SELECT `identity`, `get_lock` FROM t", Traces { tables: true, ..none });
        check("CREATE TABLE `event`(a INT)", Traces { tables: true, ..none });
        check("DO RELEASE_ALL_LOCKS();", Traces { releases_locks: true, ..none });
        check("SELECT IF(0, RELEASE_ALL_LOCKS(), 1)", none);
        check("SELECT RELEASE_LOCK('a')", Traces { releases_lock: true, ..none });
        let assigns = Traces { user_variables: true, assigns: true, ..none };
        check("SELECT @a := 1", assigns);
        check("SELECT 1 INTO @a", assigns);
        let reads = Traces { user_variables: true, inserts_values: true, ..none };
        check("INSERT INTO t VALUES (@a)", reads);
        check("SELECT 1 INTO OUTFILE 'x'", none);
        check("SELECT value FROM t FOR UPDATE", Traces { tables: true, ..none });
        check("SELECT NEXT VALUE FOR s", Traces { sequences: true, ..none });
        check("SELECT connection_id()", Traces { connection: true, ..none });
        check("SELECT SQL_CALC_FOUND_ROWS a FROM t", Traces { counts_rows: true, tables: true, ..none });
        check("SELECT a FROM t LIMIT 3", Traces { tables: true, ..none });
        check("SELECT 'a", Traces::ALL);
    }
}
