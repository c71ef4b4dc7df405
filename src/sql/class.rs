use super::lexer::{Kind, Lexer, Token};
use super::scan::scan;
use super::{Class, Kill, LexMode, NotPlain, Statement, Then, TransactionKind, Unclear, set};

/// What a statement is, from its bytes, in the mode of the session that sends it.
///
/// Total over any bytes. What it does not understand is [`Class::Other`]. A plain read is recognised
/// without allocation.
pub fn classify(text: &[u8], mode: LexMode) -> Statement {
    if !mode.charset_safe && text.iter().any(|&byte| byte >= 0x80 || byte == b'\\') {
        return other(Unclear::Charset);
    }
    let mut lexer = Lexer::new(without_end(text), mode);
    let mut first = lexer.next();
    let mut nested = false;
    while first.is_some_and(|token| token.is_symbol(b'(')) {
        nested = true;
        first = lexer.next();
    }
    let Some(verb) = first else {
        return known(Class::Inspect);
    };
    match verb.kind {
        Kind::Word => {}
        Kind::VersionComment => return other(Unclear::VersionComment),
        Kind::Hint | Kind::ForeignWord | Kind::QuotedName => return other(Unclear::Verb),
        Kind::Text | Kind::Number | Kind::Symbol(_) | Kind::Broken => return other(Unclear::Unreadable),
    }
    if nested && !verb.is_word(b"SELECT") && !verb.is_word(b"WITH") {
        return other(Unclear::Verb);
    }
    let mut upper = [0; 16];
    let Some(folded) = upper.get_mut(..verb.text.len()) else { return other(Unclear::Verb) };
    folded.copy_from_slice(verb.text);
    folded.make_ascii_uppercase();
    by_verb(folded, lexer, mode)
}

/// The server cuts semicolons and white space off the end before it reads a text, so that they begin no
/// second statement (sql_parse.cc, alloc_query).
fn without_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b';' | b' ' | b'\t'..=b'\r'));
    end.and_then(|end| text.get(..=end)).unwrap_or(&[])
}

fn by_verb(verb: &[u8], lexer: Lexer<'_>, mode: LexMode) -> Statement {
    match verb {
        b"SELECT" => read(lexer, mode, None),
        b"WITH" => with(lexer, mode),
        b"TABLE" | b"VALUES" => read(lexer, mode, Some(NotPlain::Verb)),
        b"INSERT" | b"REPLACE" => data(lexer, mode, true),
        b"UPDATE" | b"DELETE" => data(lexer, mode, false),
        b"LOAD" => load(lexer, mode),
        b"SHOW" | b"EXPLAIN" | b"DESCRIBE" | b"DESC" | b"HELP" | b"CHECKSUM" => inspect(verb, lexer, mode),
        b"USE" => set::use_schema(lexer),
        b"SET" => set::set(lexer),
        b"BEGIN" | b"START" | b"COMMIT" | b"ROLLBACK" | b"SAVEPOINT" | b"RELEASE" => transaction(verb, lexer),
        b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" => definition(verb, lexer),
        b"TRUNCATE" | b"ANALYZE" | b"OPTIMIZE" | b"CHECK" | b"REPAIR" => maintenance(verb, lexer),
        b"GRANT" | b"REVOKE" => account(lexer),
        b"FLUSH" => flush(lexer),
        b"KILL" => kill(lexer),
        b"CALL" | b"DO" | b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" | b"HANDLER" | b"LOCK" | b"UNLOCK"
        | b"XA" | b"SIGNAL" | b"RESIGNAL" | b"RESET" | b"PURGE" | b"CHANGE" | b"STOP" | b"INSTALL"
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

fn read(lexer: Lexer<'_>, mode: LexMode, not_plain: Option<NotPlain>) -> Statement {
    let found = scan(lexer, mode, false);
    let class = match (found.unclear, found.not_plain.or(not_plain)) {
        (Some(why), _) => Class::Other(why),
        (None, _) if found.into => Class::Other(Unclear::Into),
        (None, _) if found.assigns_user_variable() => Class::Other(Unclear::Assignment),
        (None, Some(why)) => Class::PrimaryRead(why),
        (None, None) => Class::PlainRead,
    };
    let reads = matches!(class, Class::PrimaryRead(_));
    let only_looks_back = reads && found.only_looks_back();
    Statement { looks_back: found.looks_back, only_looks_back, ..Statement::of(class) }
}

/// A statement that begins with WITH reads unless it updates or deletes.
fn with(lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let writes = lexer.clone().any(|token| token.is_word(b"UPDATE") || token.is_word(b"DELETE"));
    if writes { data(lexer, mode, false) } else { read(lexer, mode, None) }
}

fn data(lexer: Lexer<'_>, mode: LexMode, head: bool) -> Statement {
    let found = scan(lexer, mode, head);
    let class = match found.unclear {
        Some(why) => Class::Other(why),
        None if found.assigns_user_variable() => Class::Other(Unclear::Assignment),
        None => Class::Data,
    };
    Statement { looks_back: found.looks_back, ..Statement::of(class) }
}

/// LOAD DATA assigns every user variable it names in its column list.
fn load(lexer: Lexer<'_>, mode: LexMode) -> Statement {
    if !lexer.clone().next().is_some_and(|token| token.is_word(b"DATA") || token.is_word(b"XML")) {
        return other(Unclear::Effects);
    }
    let found = scan(lexer, mode, false);
    match found.unclear {
        Some(why) => other(why),
        None if found.user_variable => other(Unclear::Assignment),
        None => Statement { looks_back: found.looks_back, ..Statement::of(Class::Data) },
    }
}

/// SHOW and EXPLAIN take expressions, and EXPLAIN ANALYZE runs them.
fn inspect(verb: &[u8], lexer: Lexer<'_>, mode: LexMode) -> Statement {
    let diagnostics = verb == b"SHOW" && shows_diagnostics(lexer.clone());
    let found = scan(lexer, mode, false);
    let class = match found.unclear {
        Some(why) => Class::Other(why),
        None if found.user_variable && found.into => Class::Other(Unclear::Into),
        None if found.assigns_user_variable() => Class::Other(Unclear::Assignment),
        None => Class::Inspect,
    };
    let only_looks_back = diagnostics && class == Class::Inspect;
    Statement { looks_back: diagnostics || found.looks_back, only_looks_back, ..Statement::of(class) }
}

/// SHOW WARNINGS, SHOW ERRORS, SHOW COUNT(*) WARNINGS or ERRORS.
fn shows_diagnostics(mut lexer: Lexer<'_>) -> bool {
    lexer
        .next()
        .is_some_and(|token| [&b"WARNINGS"[..], b"ERRORS", b"COUNT"].iter().any(|word| token.is_word(word)))
}

fn transaction(verb: &[u8], mut lexer: Lexer<'_>) -> Statement {
    let words: [Option<Token<'_>>; 6] = std::array::from_fn(|_| lexer.next());
    let is =
        |at: usize, word: &[u8]| words.get(at).copied().flatten().is_some_and(|token| token.is_word(word));
    let name = |at: usize| {
        words
            .get(at)
            .copied()
            .flatten()
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName))
    };
    // Everything after the words that were understood must be the end.
    let ends = |at: usize| words.get(at).copied().flatten().is_none();
    let kind = match verb {
        b"BEGIN" if ends(0) || (is(0, b"WORK") && ends(1)) => TransactionKind::Begin,
        b"START" if is(0, b"TRANSACTION") => match () {
            () if ends(1) => TransactionKind::Begin,
            () if is(1, b"READ") && is(2, b"ONLY") && ends(3) => TransactionKind::BeginReadOnly,
            () if is(1, b"READ") && is(2, b"WRITE") && ends(3) => TransactionKind::Begin,
            () if is(1, b"WITH") && is(2, b"CONSISTENT") && is(3, b"SNAPSHOT") && ends(4) => {
                TransactionKind::Begin
            }
            () => return other(Unclear::Effects),
        },
        b"COMMIT" if ends(0) || (is(0, b"WORK") && ends(1)) => TransactionKind::Commit(Then::Nothing),
        b"ROLLBACK" if ends(0) || (is(0, b"WORK") && ends(1)) => TransactionKind::Rollback(Then::Nothing),
        b"ROLLBACK" => {
            let at = usize::from(is(0, b"WORK"));
            let savepoint = at + 1 + usize::from(is(at + 1, b"SAVEPOINT"));
            if !is(at, b"TO") || !name(savepoint) || !ends(savepoint + 1) {
                return other(Unclear::Effects);
            }
            TransactionKind::RollbackToSavepoint
        }
        b"SAVEPOINT" if name(0) && ends(1) => TransactionKind::Savepoint,
        b"RELEASE" if is(0, b"SAVEPOINT") && name(1) && ends(2) => TransactionKind::ReleaseSavepoint,
        _ => return other(Unclear::Effects),
    };
    known(Class::Transaction(kind))
}

/// CREATE, ALTER, DROP, RENAME.
fn definition(verb: &[u8], lexer: Lexer<'_>) -> Statement {
    if let Err(why) = one_readable(lexer.clone()) {
        return other(why);
    }
    // What is defined stands within the first words: CREATE OR REPLACE ALGORITHM = MERGE SQL SECURITY … VIEW.
    let object = lexer.clone().find_map(|token| OBJECTS.iter().find(|(word, _)| token.is_word(word)));
    let has = |word: &[u8]| lexer.clone().any(|token| token.is_word(word));
    match (object, verb) {
        (Some((_, Object::Account)), _) => known(Class::Account),
        (Some((_, Object::Temporary)), _) => other(Unclear::TemporaryTable),
        (Some((_, Object::Table)), b"CREATE") if has(b"SELECT") || (has(b"VALUES") && has(b"ROW")) => {
            other(Unclear::TemporaryTable)
        }
        (Some((_, Object::Schema)), b"DROP") => other(Unclear::DropsSchema),
        (Some((_, Object::Table | Object::Schema | Object::Stored)), _) => known(Class::Ddl),
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
    let privileges = next.is_some_and(|token| token.is_word(b"PRIVILEGES"));
    if privileges && ends(lexer) { known(Class::Account) } else { other(Unclear::Effects) }
}

fn kill(mut lexer: Lexer<'_>) -> Statement {
    let mut next = lexer.next();
    let query = next.is_some_and(|token| token.is_word(b"QUERY"));
    if query || next.is_some_and(|token| token.is_word(b"CONNECTION")) {
        next = lexer.next();
    }
    let id = next.and_then(|token| std::str::from_utf8(token.text).ok()?.parse().ok());
    match id {
        Some(id) if ends(lexer) => {
            known(Class::Kill(if query { Kill::Query(id) } else { Kill::Connection(id) }))
        }
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

/// Whether a plain read names something for which `known` answers true, such as a view.
///
/// `known` is given each name in turn, without its quotes. A name that cannot be told from its bytes counts
/// as known.
pub fn mentions(text: &[u8], mode: LexMode, mut known: impl FnMut(&[u8]) -> bool) -> bool {
    Lexer::new(text, mode).any(|token| match token.kind {
        Kind::Word | Kind::ForeignWord | Kind::QuotedName => token.content().is_none_or(&mut known),
        _ => false,
    })
}

/// Whether every function that a [`Class::Calls`] calls and that is not built in is one for which `pure`
/// answers true. It is given the schema, if one is written, and the name, both without quotes.
pub fn calls(text: &[u8], mode: LexMode, mut pure: impl FnMut(Option<&[u8]>, &[u8]) -> bool) -> bool {
    let _ = (text, mode, &mut pure);
    false
}
