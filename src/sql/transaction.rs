//! Transactions and savepoints.

use super::class::{ends, known, other};
use super::lexer::{Kind, Lexer};
use super::{Class, Statement, Then, TransactionKind, Unclear};

pub(super) fn transaction(verb: &[u8], mut lexer: Lexer<'_>) -> Statement {
    let lexer = &mut lexer;
    let kind = match verb {
        b"BEGIN" => {
            word(lexer, b"WORK");
            Some(TransactionKind::Begin)
        }
        b"START" => start(lexer),
        b"COMMIT" => {
            word(lexer, b"WORK");
            then(lexer).map(TransactionKind::Commit)
        }
        b"ROLLBACK" => {
            word(lexer, b"WORK");
            if word(lexer, b"TO") {
                word(lexer, b"SAVEPOINT");
                name(lexer).then_some(TransactionKind::RollbackToSavepoint)
            } else {
                then(lexer).map(TransactionKind::Rollback)
            }
        }
        b"SAVEPOINT" => name(lexer).then_some(TransactionKind::Savepoint),
        b"RELEASE" => (word(lexer, b"SAVEPOINT") && name(lexer)).then_some(TransactionKind::ReleaseSavepoint),
        _ => None,
    };
    match kind {
        // Everything after the words that were understood must be the end.
        Some(kind) if ends(lexer.clone()) => known(Class::Transaction(kind)),
        _ => other(Unclear::Effects),
    }
}

/// Takes the next word if it is this one.
pub(super) fn word(lexer: &mut Lexer<'_>, word: &[u8]) -> bool {
    let mut ahead = lexer.clone();
    let found = ahead.next().is_some_and(|token| token.is_word(word));
    if found {
        *lexer = ahead;
    }
    found
}

fn name(lexer: &mut Lexer<'_>) -> bool {
    lexer.next().is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName))
}

/// `TRANSACTION [WITH CONSISTENT SNAPSHOT | READ WRITE | READ ONLY, …]`
fn start(lexer: &mut Lexer<'_>) -> Option<TransactionKind> {
    if !word(lexer, b"TRANSACTION") {
        return None;
    }
    let (mut only, mut write, mut now) = (false, false, false);
    if ends(lexer.clone()) {
        return Some(TransactionKind::Begin);
    }
    loop {
        if word(lexer, b"READ") {
            only |= word(lexer, b"ONLY");
            write |= word(lexer, b"WRITE");
            if only == write {
                return None;
            }
        } else {
            now = word(lexer, b"WITH") && word(lexer, b"CONSISTENT") && word(lexer, b"SNAPSHOT");
            now.then_some(())?;
        }
        match lexer.next() {
            None => break,
            Some(token) if token.is_symbol(b',') => {}
            Some(_) => return None,
        }
    }
    // A snapshot of this moment is one of the primary: backups compare theirs across sessions.
    Some(if only && !now { TransactionKind::BeginReadOnly } else { TransactionKind::Begin })
}

/// `[AND [NO] CHAIN] [[NO] RELEASE]`
fn then(lexer: &mut Lexer<'_>) -> Option<Then> {
    let mut chain = false;
    if word(lexer, b"AND") {
        chain = !word(lexer, b"NO");
        if !word(lexer, b"CHAIN") {
            return None;
        }
    }
    let no = word(lexer, b"NO");
    let release = word(lexer, b"RELEASE");
    match (chain, no, release) {
        (_, true, false) | (true, false, true) => None,
        (true, _, _) => Some(Then::Chain),
        (false, false, true) => Some(Then::Release),
        (false, _, _) => Some(Then::Nothing),
    }
}
