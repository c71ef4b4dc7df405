//! What is sent to the primary, and what is known of it.

use std::time::Duration;

use crate::routing::Reason;
use crate::session::{Abandoned, Touched};
use crate::sql::{Class, Statement, TransactionKind};
use crate::wire::command::Command;
use crate::wire::reply::Shape;

/// A command for the primary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand<'a> {
    /// The statement, where it is one.
    pub(super) statement: Option<&'a Statement>,
    /// What the reply looks like.
    pub(super) shape: Shape,
    /// What the command may do with data.
    pub(super) touched: Touched,
    /// Why it runs there.
    pub(super) reason: Reason,
    /// What becomes of it when its client goes.
    pub(super) abandoned: Abandoned,
    /// How long it may take.
    pub(super) limit: Option<Duration>,
    /// What the client is to call the statement that it prepares.
    pub(super) called: Option<u32>,
    /// The command, where it neither is nor runs a statement.
    pub(super) command: Option<Command>,
    /// It stays in the inbox until it is done, so that it can be sent again.
    pub(super) stands: bool,
    /// It was sent before, to a server that was lost.
    pub(super) sent_before: bool,
}

impl Errand<'_> {
    /// A command other than a statement: no limit, and nothing more is known of it.
    pub(super) const fn command(shape: Shape, touched: Touched) -> Self {
        let abandoned = Abandoned::command(touched);
        Self {
            statement: None,
            shape,
            touched,
            reason: Reason::Command,
            abandoned,
            limit: None,
            called: None,
            command: None,
            stands: false,
            sent_before: false,
        }
    }

    /// Whether it may run twice where no transaction is open: a ping, a plain read, or what begins a transaction. Not more
    /// often: it may be what its servers die of. Without autocommit a read opens one, in which others have to follow.
    pub(super) fn may_run_again(&self, autocommit: bool) -> bool {
        let reads = |statement: &Statement| statement.class == Class::PlainRead;
        let harmless = self.shape == Shape::Prepare || self.statement.is_some_and(reads) || self.begins();
        self.stands && !self.sent_before && (self.command == Some(Command::Ping) || (harmless && autocommit))
    }

    /// Whether it begins a transaction, and commits the one that is open.
    pub(super) fn begins(&self) -> bool {
        let begins = |statement: &Statement| statement.class == Class::Transaction(TransactionKind::Begin);
        self.statement.is_some_and(begins)
    }

    /// Whether it may change data.
    pub(super) const fn may_write(&self) -> bool {
        matches!(self.touched, Touched::Wrote | Touched::Turned)
    }

    /// Whether the transaction that it belongs to may be committed by it.
    pub(super) fn may_commit(&self) -> bool {
        let keeps = |statement: &Statement| {
            use TransactionKind as Kind;
            matches!(
                statement.class,
                Class::PlainRead
                    | Class::PrimaryRead(_)
                    | Class::Data
                    | Class::Inspect
                    | Class::Transaction(
                        Kind::Rollback(_)
                            | Kind::Savepoint
                            | Kind::RollbackToSavepoint
                            | Kind::ReleaseSavepoint
                    )
            )
        };
        self.may_write() && !self.statement.is_some_and(keeps)
    }
}
