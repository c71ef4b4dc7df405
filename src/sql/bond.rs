//! What statements tie to their connection under a name, and let go of again: temporary tables, locked tables,
//! statements prepared by text, handlers, XA transactions.

use super::class::{ends, is_readable, known, one, other, without_end};
use super::found::Scan;
use super::lexer::{Kind, Lexer, Token};
use super::scan::{Begin, scan};
use super::traces::traces;
use super::transaction::word;
use super::value::value;
use super::{Bond, Class, LexMode, Name, Statement, TableName, Traces, Unclear};

/// After CREATE or DROP, where TEMPORARY stands among the first words.
pub(super) fn temporary(verb: &[u8], mut lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let found = match verb {
        b"CREATE" => creates(&mut lexer, mode),
        b"DROP" => drops(&mut lexer).map(|bond| known(Class::Bond(bond))),
        _ => None,
    };
    found.unwrap_or_else(|| other(Unclear::TemporaryTable))
}

/// `[OR REPLACE] TEMPORARY TABLE [IF NOT EXISTS] name …`
fn creates(lexer: &mut Lexer<'_>, mode: LexMode) -> Option<Statement> {
    if word(lexer, b"OR") {
        word(lexer, b"REPLACE").then_some(())?;
    }
    (word(lexer, b"TEMPORARY") && word(lexer, b"TABLE")).then_some(())?;
    if word(lexer, b"IF") {
        (word(lexer, b"NOT") && word(lexer, b"EXISTS")).then_some(())?;
    }
    let table = table(lexer)?;
    let query = selects(lexer.clone(), mode).ok()?;
    let looks_back = query.as_ref().is_some_and(|query| query.looks_back);
    let bond = Bond::CreatesTemporary { table, selects: query.is_some() };
    Some(Statement { looks_back, ..known(Class::Bond(bond)) })
}

/// What a walk over the query finds that fills a table; nothing where there is none. An error where it may do more than
/// read: it calls a function that is not built in, or cannot be understood.
pub(super) fn selects(mut lexer: Lexer<'_>, mode: LexMode) -> Result<Option<Scan>, Unclear> {
    const QUERIES: [&[u8]; 4] = [b"SELECT", b"WITH", b"VALUES", b"TABLE"];
    /// Of WITH PARSER, WITH SYSTEM VERSIONING, VALUES LESS THAN, VALUES IN.
    const NO_QUERIES: [&[u8]; 4] = [b"PARSER", b"SYSTEM", b"LESS", b"IN"];
    let query = loop {
        let Some(token) = lexer.next() else { return Ok(None) };
        let is_query = QUERIES.iter().any(|query| token.is_word(query));
        let next = lexer.clone().next();
        if is_query && !next.is_some_and(|next| NO_QUERIES.iter().any(|word| next.is_word(word))) {
            break token;
        }
    };
    let begin = match query {
        query if query.is_word(b"WITH") => Begin::With(0),
        query if query.is_word(b"TABLE") => Begin::Table,
        _ => Begin::Any,
    };
    let found = scan(lexer, mode, begin, &mut ());
    match found.unclear_or_function() {
        Some(why) => Err(why),
        None => Ok(Some(found)),
    }
}

/// `TEMPORARY TABLE[S] [IF EXISTS] name, … [RESTRICT | CASCADE]`
fn drops(lexer: &mut Lexer<'_>) -> Option<Bond> {
    word(lexer, b"TEMPORARY").then_some(())?;
    tables(lexer).map(Bond::DropsTemporary)
}

/// What a change of the schema does to temporary tables: without TEMPORARY a name means the temporary table where there
/// is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Temporaries {
    /// They are what they were.
    Stay,
    /// Those of these names are gone.
    Go(Box<[TableName]>),
    /// They may have other names.
    Unknown,
}

impl Temporaries {
    /// After a statement that is a [`Class::Ddl`].
    pub fn after(text: &[u8], mode: LexMode) -> Self {
        let mut lexer = Lexer::new(without_end(text), mode);
        match lexer.next() {
            Some(verb) if verb.is_word(b"DROP") => tables(&mut lexer).map_or(Self::Stay, Self::Go),
            Some(_) if lexer.any(|token| token.is_word(b"RENAME")) => Self::Unknown,
            Some(verb) if verb.is_word(b"RENAME") => Self::Unknown,
            Some(_) => Self::Stay,
            None => Self::Unknown,
        }
    }
}

fn tables(lexer: &mut Lexer<'_>) -> Option<Box<[TableName]>> {
    (word(lexer, b"TABLE") || word(lexer, b"TABLES")).then_some(())?;
    if word(lexer, b"IF") {
        word(lexer, b"EXISTS").then_some(())?;
    }
    let mut tables = Vec::new();
    loop {
        tables.push(table(lexer)?);
        match lexer.next() {
            Some(token) if token.is_symbol(b',') => {}
            Some(token) if token.is_word(b"RESTRICT") || token.is_word(b"CASCADE") => {
                return ends(lexer.clone()).then_some(tables.into());
            }
            Some(_) => return None,
            None => return Some(tables.into()),
        }
    }
}

/// `name` or `schema.name`.
fn table(lexer: &mut Lexer<'_>) -> Option<TableName> {
    let first = name(lexer.next()?)?;
    let mut ahead = lexer.clone();
    if !ahead.next().is_some_and(|token| token.is_symbol(b'.')) {
        return Some(TableName { schema: None, name: first });
    }
    let second = name(ahead.next()?)?;
    *lexer = ahead;
    Some(TableName { schema: Some(first), name: second })
}

fn name(token: Token<'_>) -> Option<Name> {
    let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
    token.content().filter(|_| is_name).and_then(Name::new)
}

/// The verbs whose bonds stand behind them: LOCK, UNLOCK, PREPARE, EXECUTE, DEALLOCATE, HANDLER, XA. `rest` has been
/// found to be one readable statement.
pub(super) fn bond(verb: &[u8], rest: Lexer<'_>, mode: LexMode) -> Option<Bond> {
    let mut lexer = rest;
    match verb {
        b"LOCK" => (word(&mut lexer, b"TABLES") || word(&mut lexer, b"TABLE")).then_some(Bond::LocksTables),
        b"UNLOCK" => {
            let unlocks = word(&mut lexer, b"TABLES") || word(&mut lexer, b"TABLE");
            (unlocks && ends(lexer)).then_some(Bond::UnlocksTables)
        }
        b"PREPARE" => prepares(lexer, mode),
        b"EXECUTE" => {
            let statement = folded(lexer.next()?)?;
            let using = ends(lexer.clone()) || word(&mut lexer, b"USING");
            (using && !statement.as_bytes().eq_ignore_ascii_case(b"IMMEDIATE"))
                .then_some(Bond::Executes(statement))
        }
        b"DEALLOCATE" | b"DROP" => {
            word(&mut lexer, b"PREPARE").then_some(())?;
            let statement = folded(lexer.next()?)?;
            ends(lexer).then_some(Bond::Deallocates(statement))
        }
        b"HANDLER" => handler(lexer, mode),
        b"XA" => xa(lexer),
        _ => None,
    }
}

/// The names of statements are the same in any case. By which collation others are compared, the server knows: `é` and
/// `É` are one there, and on MySQL a blank at the end is none.
fn folded(token: Token<'_>) -> Option<Name> {
    let name = name(token).filter(is_plain)?;
    Name::new(&name.as_bytes().to_ascii_lowercase())
}

/// Whether a name is the same to the server as it is to us, whatever the character sets.
fn is_plain(name: &Name) -> bool {
    name.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
}

/// `name FROM 'text' | @variable`
fn prepares(mut lexer: Lexer<'_>, mode: LexMode) -> Option<Bond> {
    let statement = folded(lexer.next()?)?;
    word(&mut lexer, b"FROM").then_some(())?;
    let text = lexer.next()?;
    let simple = text.kind == Kind::Text
        && ends(lexer)
        && text.content().is_some_and(|text| {
            let mode = LexMode { parameters: true, ..mode };
            is_simple(text, mode)
        });
    Some(Bond::Prepares { statement, simple })
}

/// Whether running a text leaves nothing with the connection that its reply does not tell.
fn is_simple(text: &[u8], mode: LexMode) -> bool {
    if text.contains(&b';') {
        return false;
    }
    let statement = one(text, mode);
    let marks = traces(text, mode);
    let plain = Traces { inserts_values: marks.inserts_values, tables: marks.tables, ..Traces::default() };
    matches!(statement.class, Class::PlainRead | Class::Data) && !statement.looks_back && marks == plain
}

/// `table OPEN [[AS] alias]`, `name READ …`, `name CLOSE`
fn handler(mut lexer: Lexer<'_>, mode: LexMode) -> Option<Bond> {
    let table = table(&mut lexer)?;
    let what = lexer.next()?;
    if what.is_word(b"OPEN") {
        let _ = word(&mut lexer, b"AS");
        let alias = match lexer.next() {
            Some(alias) => name(alias)?,
            None => table.name,
        };
        return ends(lexer).then_some(Bond::OpensHandler(alias));
    }
    if what.is_word(b"CLOSE") {
        return ends(lexer).then_some(Bond::ClosesHandler(table.name));
    }
    let found = scan(lexer, mode, Begin::Any, &mut ());
    let plain = found.unclear_or_function().is_none() && !found.user_variable;
    (what.is_word(b"READ") && plain).then_some(Bond::ReadsHandler)
}

fn xa(mut lexer: Lexer<'_>) -> Option<Bond> {
    let what = lexer.next()?;
    let is = |words: &[&[u8]]| words.iter().any(|word| what.is_word(word));
    if is(&[b"START", b"BEGIN"]) {
        Some(Bond::BeginsXa)
    } else if is(&[b"END", b"PREPARE", b"RECOVER"]) {
        Some(Bond::StaysInXa)
    } else {
        is(&[b"COMMIT", b"ROLLBACK"]).then_some(Bond::EndsXa)
    }
}

/// The names that a text gives to GET_LOCK, as they stand there, with their quotes. Nothing where one is no plain string.
pub fn lock_names(text: &[u8], mode: LexMode) -> Option<Vec<Box<[u8]>>> {
    if !is_readable(text, mode) {
        return None;
    }
    let mut names = Vec::new();
    let mut lexer = Lexer::new(text, mode);
    while let Some(token) = lexer.next() {
        if matches!(token.kind, Kind::VersionComment | Kind::Broken) {
            return None;
        }
        if !token.is_word(b"GET_LOCK") {
            continue;
        }
        lexer.next().filter(|token| token.is_symbol(b'('))?;
        let name = lexer.next().filter(|name| name.kind == Kind::Text && name.text.starts_with(b"'"))?;
        // In another character set the same bytes would ask about another lock.
        name.content().filter(|name| name.len() <= LONGEST_LOCK && name.is_ascii())?;
        lexer.clone().next().filter(|token| token.is_symbol(b','))?;
        names.push(name.text.into());
    }
    (!names.is_empty()).then_some(names)
}

/// A user variable and what it is set to, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// In lower case, without quotes.
    pub name: Box<[u8]>,
    /// A number, TRUE, FALSE, or a string in its quotes.
    pub value: Box<[u8]>,
    pub is_string: bool,
}

/// What a SET gives to user variables. Nothing where one of them is given more than a literal that means the same in any
/// `sql_mode`.
pub fn literals(text: &[u8], mode: LexMode) -> Option<Vec<Literal>> {
    let mut lexer = Lexer::new(without_end(text), mode);
    (is_readable(text, mode) && word(&mut lexer, b"SET")).then_some(())?;
    let mut literals = Vec::new();
    loop {
        let mut ahead = lexer.clone();
        let is_user = ahead.next()?.is_symbol(b'@') && !ahead.next()?.is_symbol(b'@');
        if is_user {
            lexer.next();
            literals.push(literal(&mut lexer)?);
        } else {
            // Up to the sign stands the name of a variable of the server, behind it what it is set to.
            lexer.by_ref().find(|token| token.is_symbol(b'='))?;
            value(&mut lexer, mode)?;
        }
        match lexer.next() {
            Some(token) if token.is_symbol(b',') => {}
            Some(_) => return None,
            None => return Some(literals),
        }
    }
}

/// `name = value`, after the `@`.
fn literal(lexer: &mut Lexer<'_>) -> Option<Literal> {
    let name = name(lexer.next()?).filter(is_plain)?;
    let mut sign = lexer.next()?;
    if sign.is_symbol(b':') {
        sign = lexer.next()?;
    }
    sign.is_symbol(b'=').then_some(())?;
    let mut value = Vec::new();
    let mut token = lexer.next()?;
    if token.is_symbol(b'-') {
        value.push(b'-');
        token = lexer.next().filter(|number| number.kind == Kind::Number)?;
    }
    let is_string = token.kind == Kind::Text && token.text.starts_with(b"'") && token.content().is_some();
    // A variable that is set to NULL has the type that it had before, if it had one.
    let is_word = token.is_word(b"TRUE") || token.is_word(b"FALSE");
    (is_string || is_word || token.kind == Kind::Number).then_some(())?;
    value.extend_from_slice(token.text);
    let name = name.as_bytes().to_ascii_lowercase().into();
    Some(Literal { name, value: value.into(), is_string })
}

/// The servers' limit is 64 characters.
const LONGEST_LOCK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    fn mode() -> LexMode {
        LexMode { charset_safe: true, ..LexMode::new("", "utf8mb4", Dialect::MariaDb) }
    }

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn here(table: &str) -> TableName {
        TableName { schema: None, name: name(table) }
    }

    #[test]
    fn bonds_are_told() {
        let check = |text: &str, expected: Bond| {
            assert_eq!(classify(text.as_bytes(), mode()).class, Class::Bond(expected), "{text}");
        };
        let creates = |table, selects| Bond::CreatesTemporary { table, selects };
        check("CREATE TEMPORARY TABLE t (a VARCHAR(20) DEFAULT (UUID()))", creates(here("t"), false));
        check("create or replace temporary table if not exists `T` like u;", creates(here("T"), false));
        check("CREATE TEMPORARY TABLE t AS SELECT MAX(a) FROM u", creates(here("t"), true));
        check("CREATE TEMPORARY TABLE t WITH c AS (SELECT 1 AS a) SELECT a FROM c", creates(here("t"), true));
        let there = TableName { schema: Some(name("s")), name: name("t") };
        check("CREATE TEMPORARY TABLE s.t (a INT)", creates(there.clone(), false));
        check("DROP TEMPORARY TABLE IF EXISTS a, s.t", Bond::DropsTemporary([here("a"), there].into()));
        let parser = "CREATE TEMPORARY TABLE t (a TEXT, FULLTEXT (a) WITH PARSER ngram, KEY k (a(3)))";
        check(parser, creates(here("t"), false));
        check("DROP TEMPORARY TABLE a CASCADE", Bond::DropsTemporary([here("a")].into()));
        check("LOCK TABLES t READ, u WRITE", Bond::LocksTables);
        check("FLUSH TABLES WITH READ LOCK", Bond::LocksTables);
        check("FLUSH LOCAL TABLES t FOR EXPORT", Bond::LocksTables);
        check("UNLOCK TABLES;", Bond::UnlocksTables);
        let prepares = |simple| Bond::Prepares { statement: name("s"), simple };
        check("PREPARE S FROM 'SELECT a FROM t WHERE id = ?'", prepares(true));
        check("PREPARE s FROM 'INSERT INTO t VALUES (?)'", prepares(true));
        check("PREPARE s FROM 'SELECT GET_LOCK(?, 1)'", prepares(false));
        check("PREPARE s FROM 'CALL p()'", prepares(false));
        check("PREPARE s FROM 'SELECT f(1)'", prepares(false));
        check("PREPARE s FROM 'SELECT ''a'''", prepares(false));
        check("PREPARE s FROM @text", prepares(false));
        check("EXECUTE s USING @a, @b", Bond::Executes(name("s")));
        check("DEALLOCATE PREPARE S", Bond::Deallocates(name("s")));
        check("DROP PREPARE s", Bond::Deallocates(name("s")));
        check("HANDLER s.t OPEN", Bond::OpensHandler(name("t")));
        check("HANDLER t OPEN AS H", Bond::OpensHandler(name("H")));
        check("HANDLER t READ k = (1) WHERE a > 2 LIMIT 3", Bond::ReadsHandler);
        check("HANDLER t CLOSE", Bond::ClosesHandler(name("t")));
        check("XA START 'x'", Bond::BeginsXa);
        check("XA END 'x'", Bond::StaysInXa);
        check("XA COMMIT 'x' ONE PHASE", Bond::EndsXa);
    }

    #[test]
    fn what_may_do_more_is_none() {
        let check = |text: &str| {
            let class = classify(text.as_bytes(), mode()).class;
            assert!(matches!(class, Class::Other(_)), "{text}: {class:?}");
        };
        check("CREATE TEMPORARY TABLE t AS SELECT f(1)");
        check("CREATE TEMPORARY SEQUENCE s");
        check("PREPARE `\u{e9}` FROM 'SELECT 1'");
        check("EXECUTE \u{e9}");
        check("DEALLOCATE PREPARE `a `");
        check("CREATE TEMPORARY TABLE `a``b` (a INT)");
        check("DROP TEMPORARY TABLE a b");
        check("DROP TEMPORARY SEQUENCE s");
        check("EXECUTE IMMEDIATE 'SELECT 1'");
        check("LOCK INSTANCE FOR BACKUP");
        check("UNLOCK INSTANCE");
        check("HANDLER t READ k = (f(1))");
        check("LOCK TABLES t READ; SELECT 1");
        check("FLUSH TABLES");
    }

    #[test]
    fn changes_of_the_schema_may_be_of_temporary_tables() {
        let check = |text: &str, expected| {
            assert_eq!(Temporaries::after(text.as_bytes(), mode()), expected, "{text}");
            assert_eq!(classify(text.as_bytes(), mode()).class, Class::Ddl, "{text}");
        };
        check("DROP TABLE IF EXISTS a;", Temporaries::Go([here("a")].into()));
        check("DROP INDEX i ON a", Temporaries::Stay);
        check("ALTER TABLE a ADD COLUMN b INT", Temporaries::Stay);
        check("ALTER TABLE a RENAME TO b", Temporaries::Unknown);
        check("RENAME TABLE a TO b", Temporaries::Unknown);
        check(
            "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (10))",
            Temporaries::Stay,
        );
        check("CREATE TABLE t AS SELECT MAX(a) FROM u", Temporaries::Stay);
    }

    #[test]
    fn literals_are_taken_word_for_word() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = literals(text.as_bytes(), mode());
            let found = found.map(|found| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                found.iter().map(|one| (text(&one.name), text(&one.value))).collect::<Vec<_>>()
            });
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            assert_eq!(found, expected.map(|pairs| pairs.iter().map(owned).collect()), "{text}");
        };
        check("SET @A = 1", Some(&[("a", "1")]));
        check("set @a:=-1.5e3, @`B.c$`='x y';", Some(&[("a", "-1.5e3"), ("b.c$", "'x y'")]));
        check("SET @a = 1, sql_mode = CONCAT('A', 'B'), @b = 0x41", Some(&[("a", "1"), ("b", "0x41")]));
        check("SET @@session.sql_mode = '', @a = TRUE", Some(&[("a", "TRUE")]));
        check("SET sql_mode = ''", Some(&[]));
        check("SET @a = 1 + 1", None);
        check("SET @a = (1)", None);
        check("SET @a = @b", None);
        check("SET @a = \"x\"", None);
        check("SET @a = 'it''s'", None);
        check("SET @a = 'a\\'", None);
        check("SET @a = 'a' 'b'", None);
        check("SET @a = _utf8mb4'a'", None);
        check("SET @a = 'a' COLLATE utf8mb4_bin", None);
        check("SET @\u{e4} = 1", None);
        check("SET @a = NULL", None);
        // The same as @a on MySQL.
        check("SET @`a ` = 1", None);
        let ansi = LexMode { ansi_quotes: true, ..mode() };
        assert_eq!(literals(b"SET @\"a`b\" = 1", ansi), None);
        check("SELECT 1", None);
    }

    #[test]
    fn names_of_locks_are_read_where_they_are_strings() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let names = lock_names(text.as_bytes(), mode());
            let expected =
                expected.map(|names| names.iter().map(|name| name.as_bytes().into()).collect::<Vec<_>>());
            assert_eq!(names, expected, "{text}");
        };
        check("SELECT GET_LOCK('a', 1), get_lock('b c', 0)", Some(&["'a'", "'b c'"]));
        check("SELECT GET_LOCK(?, 1)", None);
        check("SELECT GET_LOCK(CONCAT('a', 'b'), 1)", None);
        check("SELECT GET_LOCK('a' 'b', 1)", None);
        check("SELECT GET_LOCK('\u{e4}', 1)", None);
        check("SELECT GET_LOCK('a''b', 1)", None);
        check("SELECT 1", None);
        check("SELECT GET_LOCK('a', 1) /*!99999 , GET_LOCK('b', 1) /* */ */", None);
    }
}
