//! What was under way on a primary that is lost, or ends, and is known to have done nothing that stays.

use super::errand::Errand;
use super::session::Session;
use crate::sql::{self, Class, Then, TransactionKind};
use crate::wire::command::Command;
use crate::wire::frame::{HEADER, Header};

impl Session {
    /// Whether a command that was under way may run on the next primary.
    pub(super) fn may_run_elsewhere(&self, errand: &Errand<'_>) -> bool {
        let view = self.login.state.view();
        !view.in_transaction && !view.fate_unknown && errand.may_run_again(view.autocommit)
    }

    /// Whether what was under way is known to be undone, with the transaction that it belongs to. Without autocommit the
    /// first statement opens it. What begins one commits nothing if none is open.
    pub(super) fn is_undone(&self, errand: &Errand<'_>) -> bool {
        let view = self.login.state.view();
        let opens = !view.autocommit && errand.statement.is_some();
        let undone = match view.in_transaction || opens {
            true => !errand.may_commit() || (!view.in_transaction && errand.begins()),
            false => errand.begins(),
        };
        // What an error has ended is no transaction any more, and a write after it is its own.
        let alone = view.maybe_open && view.autocommit && errand.may_write();
        undone && !alone && !view.fate_unknown && !view.in_xa
    }

    /// Whether the command at the front of the inbox is a ROLLBACK and nothing else.
    pub(super) fn rolls_back(&self) -> bool {
        let Some(header) = Header::read(&self.client.inbox) else { return false };
        let query = self.client.inbox.get(HEADER) == Some(&(Command::Query as u8));
        let text = self.text(header).filter(|_| query && !header.continues());
        let rollback = Class::Transaction(TransactionKind::Rollback(Then::Nothing));
        text.is_some_and(|text| sql::classify(text, self.lex_mode()).class == rollback)
    }
}
