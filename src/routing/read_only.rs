//! Where the statements of a transaction run that was declared read only and has begun on a replica.
//!
//! Its reads are of one snapshot, which the first of them takes. What needs the primary runs there in a
//! transaction of the same kind beside it, as long as no second snapshot would be read: two servers cannot
//! be made to take theirs at the same moment. Where one would be, the transaction ends as after a deadlock,
//! which every client must expect, and the session's next ones run on the primary.

use crate::sql::{Class, RouteHint, Statement, Then, TransactionKind};

/// How far such a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Who holds the snapshot that has been read, if one has.
    pub snapshot: Option<Holder>,
    /// A transaction is open on the primary beside it.
    pub joined: bool,
}

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The replica.
    Replica,
    /// The primary.
    Primary,
}

/// What is done with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It runs on the replica; `reads` says whether it reads the snapshot.
    Replica {
        /// It reads the snapshot.
        reads: bool,
    },
    /// It runs on the primary, in the transaction beside.
    Primary {
        /// It reads the snapshot.
        reads: bool,
    },
    /// It ends the transaction, which only the replica knows of; with AND CHAIN another follows there.
    EndThere,
    /// The transaction ends on the replica, then the statement runs on the primary.
    EndHere,
    /// As [`Self::EndHere`], and the primary must know that a transaction of this kind is open: what BEGIN
    /// makes of it is the primary's business (MySQL begins another that is read only).
    HandOver,
    /// The statement begins another transaction of the kind: this one is over, and the statement is looked
    /// at afresh.
    Over,
    /// It would read a second snapshot.
    Abort,
}

/// What is known of a statement beside its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// It may read tables.
    pub tables: bool,
    /// All that it calls and names is known to be plain.
    pub plain: bool,
}

/// What is done with a statement of such a transaction.
#[must_use]
pub fn step(statement: &Statement, sight: Sight, progress: Progress) -> Step {
    let on_primary = |reads| match progress.snapshot {
        Some(Holder::Replica) if reads => Step::Abort,
        _ => Step::Primary { reads },
    };
    let vouched = statement.hints.route == Some(RouteHint::Replica);
    let wants_primary = statement.hints.route == Some(RouteHint::Primary) || statement.hints.unreadable;
    match &statement.class {
        Class::PlainRead | Class::Calls if !wants_primary && (sight.plain || vouched) => {
            read(progress, sight.tables)
        }
        Class::PrimaryRead(why) if vouched && why.yields_to_hint() => read(progress, sight.tables),
        Class::PlainRead | Class::PrimaryRead(_) => on_primary(sight.tables),
        Class::Transaction(kind) => match kind {
            TransactionKind::Commit(then) | TransactionKind::Rollback(then)
                if !progress.joined && *then != Then::Release =>
            {
                Step::EndThere
            }
            TransactionKind::Commit(_) | TransactionKind::Rollback(_) => Step::EndHere,
            TransactionKind::Begin => Step::HandOver,
            TransactionKind::BeginReadOnly => Step::Over,
            // Where they were all set.
            TransactionKind::Savepoint
            | TransactionKind::RollbackToSavepoint
            | TransactionKind::ReleaseSavepoint => Step::Replica { reads: false },
        },
        // The primary refuses what is no read, and changes of the session belong there.
        Class::Data
        | Class::Ddl
        | Class::Account
        | Class::Use(_)
        | Class::SetNames { .. }
        | Class::SetCharset
        | Class::SetTransaction
        | Class::SetGlobal
        | Class::Describe => on_primary(false),
        // CHECKSUM TABLE and EXPLAIN ANALYZE read tables.
        Class::Inspect => on_primary(sight.tables),
        Class::SetVariables(names) => on_primary(names.iter().any(|name| name.as_bytes() == b"autocommit")),
        Class::Calls
        | Class::SetAutocommit
        | Class::Kill(_)
        | Class::Bond(_)
        | Class::Several(_)
        | Class::Other(_) => on_primary(true),
    }
}

/// A plain read goes where the snapshot is. The first one takes it where the session has looked last: the
/// replica was fresh enough when the transaction began, and may lack what the primary has shown since.
const fn read(progress: Progress, tables: bool) -> Step {
    match progress {
        Progress { snapshot: Some(Holder::Primary), .. } | Progress { snapshot: None, joined: true } => {
            Step::Primary { reads: tables }
        }
        Progress { snapshot: Some(Holder::Replica), .. } | Progress { snapshot: None, joined: false } => {
            Step::Replica { reads: tables }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, LexMode, classify};

    const MODE: LexMode = LexMode::usual(Dialect::MySql, 90704);
    const FRESH: Progress = Progress { snapshot: None, joined: false };
    const READ: Progress = Progress { snapshot: Some(Holder::Replica), joined: false };
    const JOINED: Progress = Progress { snapshot: Some(Holder::Replica), joined: true };
    const MOVED: Progress = Progress { snapshot: Some(Holder::Primary), joined: true };

    #[test]
    fn no_second_snapshot_is_read() {
        let check = |text: &str, expected: [Step; 4]| {
            let statement = classify(text.as_bytes(), MODE);
            let tables = text.contains("FROM") || text.contains("CALL");
            let sight = Sight { tables, plain: true };
            let found = [FRESH, READ, JOINED, MOVED].map(|progress| step(&statement, sight, progress));
            assert_eq!(found, expected, "{text}");
        };
        let replica = |reads| Step::Replica { reads };
        let primary = |reads| Step::Primary { reads };
        check("SELECT a FROM t", [replica(true), replica(true), replica(true), primary(true)]);
        check("SELECT 1", [replica(false), replica(false), replica(false), primary(false)]);
        check("SELECT @@version", [primary(false); 4]);
        check("SELECT CONNECTION_ID() FROM t", [primary(true), Step::Abort, Step::Abort, primary(true)]);
        check("SELECT a FROM t FOR UPDATE", [primary(true), Step::Abort, Step::Abort, primary(true)]);
        check("CALL p()", [primary(true), Step::Abort, Step::Abort, primary(true)]);
        check("INSERT INTO t VALUES (1)", [primary(false); 4]);
        check("USE shop", [primary(false); 4]);
        check("COMMIT", [Step::EndThere, Step::EndThere, Step::EndHere, Step::EndHere]);
        check("SAVEPOINT a", [replica(false); 4]);
        check("BEGIN", [Step::HandOver; 4]);
        check("START TRANSACTION READ ONLY", [Step::Over; 4]);
    }

    #[test]
    fn what_the_primary_has_shown_is_not_missed_by_the_first_read() {
        let joined = Progress { snapshot: None, joined: true };
        let sight = Sight { tables: true, plain: true };
        let read = |text: &[u8]| step(&classify(text, MODE), sight, joined);
        assert_eq!(read(b"SELECT a FROM t"), Step::Primary { reads: true });
        assert_eq!(read(b"SAVEPOINT a"), Step::Replica { reads: false });
    }

    #[test]
    fn a_hint_does_not_make_user_variables_known_on_the_replica() {
        let mut statement = classify(b"SELECT @a", MODE);
        statement.hints.route = Some(RouteHint::Replica);
        let sight = Sight { tables: false, plain: false };
        assert_eq!(step(&statement, sight, FRESH), Step::Primary { reads: false });
    }

    #[test]
    fn what_may_be_a_view_is_not_read_on_the_replica() {
        let statement = classify(b"SELECT a FROM v", MODE);
        let sight = Sight { tables: true, plain: false };
        assert_eq!(step(&statement, sight, FRESH), Step::Primary { reads: true });
        assert_eq!(step(&statement, sight, READ), Step::Abort);
    }
}
