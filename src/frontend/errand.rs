//! What is sent to the primary, and what is known of it.

use std::time::Duration;

use crate::routing::Reason;
use crate::session::{Abandoned, Touched};
use crate::sql::{Class, Statement};
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
    /// It stays in the inbox until it is done, so that it can be sent again.
    pub(super) stands: bool,
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
            stands: false,
        }
    }

    /// Whether it is a plain read, which may run twice.
    pub(super) fn is_plain_read(&self) -> bool {
        let reads = |statement: &Statement| statement.class == Class::PlainRead;
        self.shape == Shape::Prepare || self.statement.is_some_and(reads)
    }

    /// Whether it may change data.
    pub(super) const fn may_write(&self) -> bool {
        matches!(self.touched, Touched::Wrote | Touched::Turned)
    }

    /// Whether the transaction that it belongs to may be committed by it.
    pub(super) fn may_commit(&self) -> bool {
        let keeps = |statement: &Statement| {
            matches!(statement.class, Class::PlainRead | Class::PrimaryRead(_) | Class::Data | Class::Inspect)
        };
        self.may_write() && !self.statement.is_some_and(keeps)
    }
}
