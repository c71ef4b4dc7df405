//! What one statement is, by its verb.

use super::bond::{bond, selects, temporary};
use super::comment::hints;
use super::found::Scan;
use super::lexer::{Kind, Lexer, Token};
use super::scan::{Begin, scan};
use super::several::several;
use super::show::inspect;
use super::transaction::transaction;
use super::{Bond, Class, Dialect, Kill, LexMode, NotPlain, Statement, Unclear, set};

/// What a statement is, from its bytes, in the mode of the session that sends it.
///
/// Total over any bytes. What it does not understand is [`Class::Other`]. A plain read is recognised
/// without allocation.
pub fn classify(text: &[u8], mode: LexMode) -> Statement {
    if !is_readable(text, mode) {
        return other(Unclear::Charset);
    }
    let statement = without_end(text);
    let found = match memchr::memchr(b';', statement) {
        Some(_) => several(statement, mode),
        None => one(statement, mode),
    };
    Statement { hints: hints(text, mode), ..found }
}

/// Whether quotes and backslashes can be told from the other bytes of characters.
pub(super) fn is_readable(text: &[u8], mode: LexMode) -> bool {
    mode.charset_safe || !text.iter().any(|&byte| byte >= 0x80 || byte == b'\\')
}

/// The server cuts semicolons and white space off the end before it reads a text, so that they begin no
/// second statement (sql_parse.cc, alloc_query).
pub(super) fn without_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b';' | b' ' | b'\t'..=b'\r'));
    end.and_then(|end| text.get(..=end)).unwrap_or(&[])
}

/// The first question of every replica, word for word: how far its clock is from its source's.
const CLOCK_OF_SOURCE: &[u8] = b"SELECT UNIX_TIMESTAMP()";

/// What one statement is. Its hints are not read.
pub(super) fn one(text: &[u8], mode: LexMode) -> Statement {
    if text == CLOCK_OF_SOURCE {
        return known(Class::PrimaryRead(NotPlain::Function));
    }
    let Some(first) = First::read(text, mode) else { return known(Class::Inspect) };
    let verb = first.verb;
    match verb.kind {
        Kind::Word => {}
        Kind::VersionComment => return other(Unclear::VersionComment),
        Kind::Hint | Kind::ForeignWord | Kind::QuotedName => return other(Unclear::Verb),
        Kind::Text | Kind::Number | Kind::Symbol(_) | Kind::Broken => return other(Unclear::Unreadable),
    }
    if first.depth > 0 && !verb.is_word(b"SELECT") && !verb.is_word(b"WITH") {
        return other(Unclear::Verb);
    }
    let mut upper = [0; 16];
    let Some(folded) = upper.get_mut(..verb.text.len()) else { return other(Unclear::Verb) };
    folded.copy_from_slice(verb.text);
    folded.make_ascii_uppercase();
    by_verb(folded, first, mode)
}

/// The first word of a statement, and what follows it.
#[derive(Clone, Debug)]
pub(super) struct First<'a> {
    pub(super) verb: Token<'a>,
    /// Parentheses before it.
    pub(super) depth: u32,
    pub(super) rest: Lexer<'a>,
}

impl<'a> First<'a> {
    /// `None` for an empty statement.
    pub(super) fn read(text: &'a [u8], mode: LexMode) -> Option<Self> {
        let mut rest = Lexer::new(text, mode);
        let mut depth = 0;
        loop {
            let verb = rest.next()?;
            if !verb.is_symbol(b'(') {
                return Some(Self { verb, depth, rest });
            }
            depth += 1;
        }
    }
}

fn by_verb(verb: &[u8], first: First<'_>, mode: LexMode) -> Statement {
    let First { depth, rest: lexer, .. } = first;
    match verb {
        b"SELECT" => read(scan(lexer, mode, Begin::Any, &mut ())),
        b"WITH" => with(lexer, depth, mode),
        b"TABLE" => read(scan(lexer, mode, Begin::Table, &mut ())),
        b"VALUES" => read(scan(lexer, mode, Begin::Any, &mut ())),
        b"DO" => perform(lexer, mode),
        b"INSERT" | b"REPLACE" => data(lexer, mode, Begin::Head),
        b"UPDATE" | b"DELETE" => data(lexer, mode, Begin::Any),
        b"LOAD" => load(lexer, mode),
        b"SHOW" | b"EXPLAIN" | b"DESCRIBE" | b"DESC" | b"HELP" | b"CHECKSUM" => inspect(verb, lexer, mode),
        b"USE" => set::use_schema(lexer),
        b"SET" => set::set(lexer, mode),
        b"BEGIN" | b"START" | b"COMMIT" | b"ROLLBACK" | b"SAVEPOINT" | b"RELEASE" => transaction(verb, lexer),
        b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" => definition(verb, lexer, mode),
        b"TRUNCATE" | b"ANALYZE" | b"OPTIMIZE" | b"CHECK" | b"REPAIR" => maintenance(verb, lexer),
        b"GRANT" | b"REVOKE" => account(lexer),
        b"FLUSH" => flush(lexer),
        b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" | b"HANDLER" | b"LOCK" | b"UNLOCK" | b"XA" => {
            match one_readable(lexer.clone()) {
                Ok(()) => bond(verb, lexer, mode)
                    .map_or_else(|| other(Unclear::Effects), |bond| known(Class::Bond(bond))),
                Err(why) => other(why),
            }
        }
        b"KILL" => kill(lexer, mode),
        b"CALL" | b"SIGNAL" | b"RESIGNAL" | b"RESET" | b"PURGE" | b"CHANGE" | b"STOP" | b"INSTALL"
        | b"UNINSTALL" | b"CACHE" | b"CLONE" | b"BINLOG" | b"IMPORT" | b"SHUTDOWN" | b"RESTART"
        | b"BACKUP" => other(Unclear::Effects),
        b"GET" => Statement { looks_back: true, ..other(Unclear::Effects) },
        _ => other(Unclear::Verb),
    }
}

pub(super) fn other(why: Unclear) -> Statement {
    known(Class::Other(why))
}

pub(super) fn known(class: Class) -> Statement {
    Statement::of(class)
}

/// What a walk over a SELECT says of it.
pub(super) fn read(found: Scan) -> Statement {
    let class = match (found.unclear, found.not_plain) {
        (Some(why), _) => Class::Other(why),
        (None, Some(_)) if found.function => Class::Other(Unclear::Function),
        (None, _) if found.function && found.into => Class::Other(Unclear::Function),
        (None, _) if found.into => Class::PrimaryRead(NotPlain::Into),
        (None, _) if found.assigns_user_variable() => Class::PrimaryRead(NotPlain::Assignment),
        (None, None) if found.function => Class::Calls,
        (None, Some(why)) => Class::PrimaryRead(why),
        (None, None) => Class::PlainRead,
    };
    let reads = matches!(class, Class::PrimaryRead(_));
    let only_looks_back = reads && found.only_looks_back();
    let Scan { looks_back, finds_others, .. } = found;
    Statement { looks_back, only_looks_back, finds_others, ..Statement::of(class) }
}

/// A statement that begins with WITH reads unless it updates or deletes.
fn with(lexer: Lexer<'_>, depth: u32, mode: LexMode) -> Statement {
    let writes = lexer.clone().any(|token| token.is_word(b"UPDATE") || token.is_word(b"DELETE"));
    let begin = Begin::With(depth);
    if writes { data(lexer, mode, begin) } else { read(scan(lexer, mode, begin, &mut ())) }
}

/// DO: expressions whose values nobody sees.
fn perform(lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let found = scan(lexer, mode, Begin::Any, &mut ());
    let class = match found.unclear_or_function() {
        Some(why) => Class::Other(why),
        None => Class::PrimaryRead(found.not_plain.unwrap_or(NotPlain::Verb)),
    };
    Statement { looks_back: found.looks_back, ..Statement::of(class) }
}

fn data(lexer: Lexer<'_>, mode: LexMode, begin: Begin) -> Statement {
    let found = scan(lexer, mode, begin, &mut ());
    let class = match found.unclear_or_function() {
        Some(why) => Class::Other(why),
        None => Class::Data,
    };
    Statement { looks_back: found.looks_back, ..Statement::of(class) }
}

fn load(lexer: Lexer<'_>, mode: LexMode) -> Statement {
    if !lexer.clone().next().is_some_and(|token| token.is_word(b"DATA") || token.is_word(b"XML")) {
        return other(Unclear::Effects);
    }
    let found = scan(lexer, mode, Begin::Any, &mut ());
    match found.unclear_or_function() {
        Some(why) => other(why),
        None => Statement { looks_back: found.looks_back, ..Statement::of(Class::Data) },
    }
}

/// CREATE, ALTER, DROP, RENAME.
fn definition(verb: &[u8], lexer: Lexer<'_>, mode: LexMode) -> Statement {
    if let Err(why) = one_readable(lexer.clone()) {
        return other(why);
    }
    // What is defined stands within the first words: CREATE OR REPLACE ALGORITHM = MERGE SQL SECURITY … VIEW.
    let object = lexer.clone().find_map(|token| OBJECTS.iter().find(|(word, _)| token.is_word(word)));
    match (object, verb) {
        (Some((_, Object::Account)), _) => known(Class::Account),
        (Some((_, Object::Temporary)), _) => temporary(verb, lexer, mode),
        (Some((_, Object::Table)), b"CREATE") => {
            // TABLE itself would begin a query.
            let mut behind = lexer;
            behind.by_ref().find(|token| token.is_word(b"TABLE"));
            match selects(behind, mode) {
                Ok(query) => {
                    let looks_back = query.is_some_and(|query| query.looks_back);
                    Statement { looks_back, ..known(Class::Ddl) }
                }
                Err(why) => other(why),
            }
        }
        (Some((_, Object::Schema)), b"DROP") => other(Unclear::DropsSchema),
        (Some((_, Object::Table | Object::Schema | Object::Stored)), _) => known(Class::Ddl),
        (Some((_, Object::Statement)), b"DROP") => {
            bond(verb, lexer, mode).map_or_else(|| other(Unclear::Effects), |bond| known(Class::Bond(bond)))
        }
        (Some((_, Object::Statement)), _) | (None, _) => other(Unclear::Effects),
    }
}

enum Object {
    Table,
    Schema,
    /// Views, triggers, routines, events: stored, not run.
    Stored,
    Temporary,
    Account,
    /// `DROP PREPARE`
    Statement,
}

const OBJECTS: &[(&[u8], Object)] = &[
    (b"TEMPORARY", Object::Temporary),
    (b"TABLE", Object::Table),
    (b"TABLES", Object::Table),
    (b"INDEX", Object::Table),
    (b"SEQUENCE", Object::Table),
    (b"DATABASE", Object::Schema),
    (b"SCHEMA", Object::Schema),
    (b"VIEW", Object::Stored),
    (b"TRIGGER", Object::Stored),
    (b"PROCEDURE", Object::Stored),
    (b"FUNCTION", Object::Stored),
    (b"EVENT", Object::Stored),
    (b"USER", Object::Account),
    (b"ROLE", Object::Account),
    (b"PREPARE", Object::Statement),
];

/// TRUNCATE and the table maintenance verbs. MariaDB's ANALYZE also runs statements.
fn maintenance(verb: &[u8], mut lexer: Lexer<'_>) -> Statement {
    if let Err(why) = one_readable(lexer.clone()) {
        return other(why);
    }
    let mut next = lexer.next();
    while next.is_some_and(|token| token.is_word(b"NO_WRITE_TO_BINLOG") || token.is_word(b"LOCAL")) {
        next = lexer.next();
    }
    let table = next.is_some_and(|token| token.is_word(b"TABLE") || token.is_word(b"TABLES"));
    if table || verb == b"TRUNCATE" { known(Class::Ddl) } else { other(Unclear::Effects) }
}

fn account(lexer: Lexer<'_>) -> Statement {
    // A second statement hides nothing from the pools' age, but from the session's state.
    match one_readable(lexer) {
        Ok(()) => known(Class::Account),
        Err(why) => other(why),
    }
}

fn flush(mut lexer: Lexer<'_>) -> Statement {
    let mut next = lexer.next();
    while next.is_some_and(|token| token.is_word(b"NO_WRITE_TO_BINLOG") || token.is_word(b"LOCAL")) {
        next = lexer.next();
    }
    let is = |word: &[u8]| next.is_some_and(|token| token.is_word(word));
    let has = |word: &[u8]| lexer.clone().any(|token| token.is_word(word));
    if is(b"PRIVILEGES") && ends(lexer.clone()) {
        return known(Class::Account);
    }
    let locks = has(b"LOCK") || has(b"EXPORT");
    match one_readable(lexer) {
        Ok(()) if locks && (is(b"TABLES") || is(b"TABLE")) => known(Class::Bond(Bond::LocksTables)),
        _ => other(Unclear::Effects),
    }
}

fn kill(mut lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let mut next = lexer.next();
    // MySQL knows neither.
    let says = |word| mode.dialect == Dialect::MariaDb && next.is_some_and(|token| token.is_word(word));
    let soft = says(&b"SOFT"[..]);
    if soft || says(b"HARD") {
        next = lexer.next();
    }
    let query = next.is_some_and(|token| token.is_word(b"QUERY"));
    if query || next.is_some_and(|token| token.is_word(b"CONNECTION")) {
        next = lexer.next();
    }
    let id = next.and_then(|token| std::str::from_utf8(token.text).ok()?.parse().ok());
    match id {
        Some(id) if ends(lexer) => known(Class::Kill(Kill::Id { id, query, soft })),
        _ => known(Class::Kill(Kill::Elsewise)),
    }
}

/// Whether nothing follows but white space and comments.
pub(super) fn ends(mut lexer: Lexer<'_>) -> bool {
    lexer.next().is_none()
}

/// Whether the text is one statement whose tokens can all be read.
pub(super) fn one_readable(lexer: Lexer<'_>) -> Result<(), Unclear> {
    for token in lexer {
        match token.kind {
            Kind::VersionComment => return Err(Unclear::VersionComment),
            Kind::Broken => return Err(Unclear::Unreadable),
            Kind::Symbol(b';') => return Err(Unclear::Several),
            _ => {}
        }
    }
    Ok(())
}
