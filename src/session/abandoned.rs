//! What becomes of a statement whose client has gone (HAZARDS 8).

use super::outcome::Touched;
use super::view::SessionView;
use crate::sql::{Class, NotPlain};

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It is ended: it only reads, or what it writes would be rolled back with its transaction.
    Ended,
    /// It runs to its end, as on a server whose client has gone.
    RunOut,
}

impl Abandoned {
    /// Of a COM_QUERY.
    #[must_use]
    pub fn statement(class: &Class, touched: Touched, session: &SessionView) -> Self {
        let in_transaction = session.in_transaction || !session.autocommit;
        match class {
            Class::Data if in_transaction => Self::Ended,
            // It may write a file.
            Class::PrimaryRead(NotPlain::Into) => Self::RunOut,
            _ => Self::command(touched),
        }
    }

    /// Of a command whose effects are known in general only.
    #[must_use]
    pub const fn command(touched: Touched) -> Self {
        match touched {
            Touched::Nothing | Touched::Saw => Self::Ended,
            Touched::Wrote | Touched::Turned => Self::RunOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Then, TransactionKind};

    #[test]
    fn writes_that_would_stay_run_to_their_end() {
        let check = |class: Class, touched, in_transaction, autocommit, expected| {
            let session = SessionView { in_transaction, autocommit, ..SessionView::fresh(1) };
            assert_eq!(Abandoned::statement(&class, touched, &session), expected, "{class:?}");
        };
        check(Class::PlainRead, Touched::Saw, false, true, Abandoned::Ended);
        check(Class::PlainRead, Touched::Saw, true, true, Abandoned::Ended);
        check(Class::Data, Touched::Wrote, false, true, Abandoned::RunOut);
        check(Class::Data, Touched::Wrote, true, true, Abandoned::Ended);
        check(Class::Data, Touched::Wrote, false, false, Abandoned::Ended);
        check(Class::Ddl, Touched::Wrote, true, true, Abandoned::RunOut);
        let commit = Class::Transaction(TransactionKind::Commit(Then::Nothing));
        check(commit, Touched::Wrote, true, true, Abandoned::RunOut);
        check(Class::Calls, Touched::Wrote, true, true, Abandoned::RunOut);
    }
}
