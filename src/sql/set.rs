//! USE and SET.

use super::class::{ends, known, one_readable, other};
use super::lexer::{Kind, Lexer, Token};
use super::transaction::word;
use super::value::{value, variable};
use super::{Class, LexMode, Name, Statement, Unclear};

pub(super) fn use_schema(mut lexer: Lexer<'_>) -> Statement {
    let schema = lexer.next().filter(|token| token.kind != Kind::Text).and_then(|token| token.content());
    match schema.and_then(Name::new) {
        Some(schema) if ends(lexer) => known(Class::Use(schema)),
        _ => other(Unclear::Effects),
    }
}

pub(super) fn set(lexer: Lexer<'_>, mode: LexMode) -> Statement {
    if let Err(why) = one_readable(lexer.clone()) {
        return other(why);
    }
    let mut ahead = lexer.clone();
    let first = ahead.next();
    let role = first.is_some_and(|first| first.is_word(b"DEFAULT")) && word(&mut ahead.clone(), b"ROLE");
    if first.is_some_and(|first| first.is_word(b"PASSWORD")) || role {
        // MariaDB takes further assignments after it.
        let alone = !ahead.any(|token| token.is_symbol(b','));
        return known(if alone { Class::Account } else { Class::SetGlobal });
    }
    let class = names(lexer.clone())
        .or_else(|| characteristics(lexer.clone()))
        .or_else(|| assignments(lexer.clone(), mode));
    match class {
        Some(class) => known(class),
        // Whatever else it does, it may reach beyond the session.
        None if lexer.clone().any(is_global) => known(Class::SetGlobal),
        None => other(Unclear::Set),
    }
}

fn is_global(token: Token<'_>) -> bool {
    [&b"GLOBAL"[..], b"PERSIST", b"PERSIST_ONLY"].iter().any(|word| token.is_word(word))
}

fn is_session(token: Token<'_>) -> bool {
    token.is_word(b"SESSION") || token.is_word(b"LOCAL")
}

/// `NAMES charset [COLLATE collation]`, and nothing else.
fn names(mut lexer: Lexer<'_>) -> Option<Class> {
    if !word(&mut lexer, b"NAMES") {
        return None;
    }
    let charset = plain_name(lexer.next()?)?;
    let mut collation = None;
    if word(&mut lexer, b"COLLATE") {
        collation = Some(plain_name(lexer.next()?)?);
    }
    ends(lexer).then_some(Class::SetNames { charset, collation })
}

/// The name of a character set or collation, bare or quoted, in lower case. Letters, digits and `_` only,
/// so that it may be put into a statement of our own.
fn plain_name(token: Token<'_>) -> Option<Name> {
    let name = token.content()?;
    let usual = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !usual || (token.kind == Kind::Word && token.is_word(b"DEFAULT")) {
        return None;
    }
    Name::new(&name.to_ascii_lowercase())
}

/// `[SESSION | LOCAL] TRANSACTION ISOLATION LEVEL … | READ ONLY | READ WRITE, …`
fn characteristics(mut lexer: Lexer<'_>) -> Option<Class> {
    let _ = word(&mut lexer, b"SESSION") || word(&mut lexer, b"LOCAL");
    if !word(&mut lexer, b"TRANSACTION") {
        return None;
    }
    loop {
        if word(&mut lexer, b"ISOLATION") {
            let level = word(&mut lexer, b"LEVEL")
                && (word(&mut lexer, b"SERIALIZABLE")
                    || (word(&mut lexer, b"REPEATABLE") && word(&mut lexer, b"READ"))
                    || (word(&mut lexer, b"READ")
                        && (word(&mut lexer, b"COMMITTED") || word(&mut lexer, b"UNCOMMITTED"))));
            level.then_some(())?;
        } else {
            let access =
                word(&mut lexer, b"READ") && (word(&mut lexer, b"ONLY") || word(&mut lexer, b"WRITE"));
            access.then_some(())?;
        }
        match lexer.next() {
            None => return Some(Class::SetTransaction),
            Some(token) if token.is_symbol(b',') => {}
            Some(_) => return None,
        }
    }
}

/// More than anybody sets at once.
const MOST: usize = 64;

/// What a list of assignments sets.
#[derive(Default)]
struct Targets {
    names: Vec<Name>,
    charset: bool,
    global: bool,
    /// A characteristic of the next transaction, `@@transaction_isolation` without a scope.
    next_transaction: bool,
}

/// `name = value, NAMES charset, …`; `None` where any of it is not understood.
fn assignments(mut lexer: Lexer<'_>, mode: LexMode) -> Option<Class> {
    let mut targets = Targets::default();
    loop {
        if !charset(&mut lexer, &mut targets) {
            target(&mut lexer, &mut targets)?;
            value(&mut lexer, mode)?;
        }
        if targets.names.len() > MOST {
            return None;
        }
        match lexer.next() {
            None => break,
            Some(token) if token.is_symbol(b',') => {}
            Some(_) => return None,
        }
    }
    let Targets { names, charset, global, next_transaction } = targets;
    match names.as_slice() {
        _ if global => Some(Class::SetGlobal),
        [_] if next_transaction && !charset => Some(Class::SetTransaction),
        _ if next_transaction => None,
        _ if charset => Some(Class::SetCharset),
        [name] if name.as_bytes() == b"autocommit" => Some(Class::SetAutocommit),
        _ => Some(Class::SetVariables(names.into())),
    }
}

/// Takes `NAMES charset [COLLATE collation]`, `NAMES DEFAULT`, `CHARACTER SET charset` or DEFAULT.
fn charset(lexer: &mut Lexer<'_>, targets: &mut Targets) -> bool {
    let mut ahead = lexer.clone();
    let names = word(&mut ahead, b"NAMES");
    let set = word(&mut ahead, b"CHARSET")
        || ((word(&mut ahead, b"CHARACTER") || word(&mut ahead, b"CHAR")) && word(&mut ahead, b"SET"));
    let name = |lexer: &mut Lexer<'_>| {
        word(lexer, b"DEFAULT") || lexer.next().is_some_and(|token| plain_name(token).is_some())
    };
    if names == set || !name(&mut ahead) || (names && word(&mut ahead, b"COLLATE") && !name(&mut ahead)) {
        return false;
    }
    *lexer = ahead;
    targets.charset = true;
    true
}

/// Takes `[SESSION | LOCAL | GLOBAL …] name =`, `@@[scope.]name =` or `@name =`, with either sign.
fn target(lexer: &mut Lexer<'_>, targets: &mut Targets) -> Option<()> {
    let user_variable = is_user_variable(lexer.clone());
    let mut token = lexer.next()?;
    if user_variable {
        variable(lexer)?;
        return sign(lexer);
    }
    let mut next_only = false;
    if token.is_symbol(b'@') {
        lexer.next().filter(|second| second.is_symbol(b'@') && !second.spaced)?;
        token = lexer.next()?;
        let mut ahead = lexer.clone();
        if ahead.next()?.is_symbol(b'.') {
            (is_session(token) || is_global(token)).then_some(())?;
            targets.global |= is_global(token);
            token = ahead.next()?;
            *lexer = ahead;
        } else {
            next_only = true;
        }
    } else if is_session(token) || is_global(token) {
        targets.global |= is_global(token);
        token = lexer.next()?;
    }
    if !matches!(token.kind, Kind::Word | Kind::QuotedName) || token.is_word(b"NAMES") {
        return None;
    }
    let name = plain_name(token)?;
    sign(lexer)?;
    let bytes = name.as_bytes();
    targets.charset |= bytes.starts_with(b"character_set_") || bytes.starts_with(b"collation_");
    // MariaDB takes it among others.
    targets.global |= bytes == b"password";
    let characteristic =
        [&b"transaction_isolation"[..], b"transaction_read_only", b"tx_isolation", b"tx_read_only"];
    targets.next_transaction |= next_only && characteristic.contains(&bytes);
    targets.names.push(name);
    Some(())
}

fn is_user_variable(mut lexer: Lexer<'_>) -> bool {
    lexer.next().is_some_and(|token| token.is_symbol(b'@'))
        && lexer.next().is_some_and(|token| !token.is_symbol(b'@'))
}

/// `=` or `:=`.
fn sign(lexer: &mut Lexer<'_>) -> Option<()> {
    let mut sign = lexer.next()?;
    if sign.is_symbol(b':') {
        sign = lexer.next()?;
    }
    sign.is_symbol(b'=').then_some(())
}
