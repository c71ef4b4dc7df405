//! What becomes of each command byte of a console session.

use crate::wire::command::Command;
use crate::wire::reply::Shape;

/// What the front end does with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// A statement: relay it.
    Query,
    /// Its text must be UTF-8: relay it.
    Text(Shape),
    /// Relay it.
    Relay(Shape),
    /// There is nothing to do: OK.
    Done,
    /// COM_SET_OPTION: nothing to do, but the answer is an EOF.
    SetOption,
    /// COM_STATISTICS.
    Statistics,
    /// The protocol has no reply to it.
    Silent,
    /// Close.
    Quit,
    /// Refuse it: error number and text.
    Refuse(u16, &'static str),
}

/// ER_UNKNOWN_COM_ERROR.
const UNKNOWN: Plan = Plan::Refuse(1047, "the console does not know this command");
/// ER_UNSUPPORTED_PS: drivers then send the statement as text.
const NO_PREPARED: Plan = Plan::Refuse(1295, "the console prepares no statements; send them as text");

impl Plan {
    /// The plan for a command byte.
    pub(super) fn of(byte: u8) -> Self {
        use Command as C;
        let Some(command) = Command::of(byte) else { return UNKNOWN };
        match command {
            C::Quit => Self::Quit,
            C::Query => Self::Query,
            C::InitDb => Self::Text(Shape::Results),
            C::FieldList => Self::Text(Shape::Fields),
            C::Ping => Self::Relay(Shape::Results),
            // A console session has no state.
            C::ResetConnection => Self::Done,
            C::SetOption => Self::SetOption,
            C::Statistics => Self::Statistics,
            C::StmtPrepare | C::StmtExecute | C::StmtFetch | C::StmtReset | C::StmtBulkExecute => NO_PREPARED,
            C::StmtClose | C::StmtSendLongData => Self::Silent,
            // opensrv-mysql would let everybody in with any password.
            C::ChangeUser => Self::Refuse(1235, "the console has one user; open a new connection"),
            C::ProcessKill => Self::Refuse(1235, "send KILL as a statement"),
            C::Sleep
            | C::CreateDb
            | C::DropDb
            | C::Refresh
            | C::Shutdown
            | C::ProcessInfo
            | C::Connect
            | C::Debug
            | C::Time
            | C::DelayedInsert
            | C::BinlogDump
            | C::TableDump
            | C::ConnectOut
            | C::RegisterReplica
            | C::Daemon
            | C::BinlogDumpGtid => UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// opensrv-mysql answers OK to every byte it does not know, COM_CHANGE_USER among them.
    #[test]
    fn only_what_opensrv_understands_is_relayed() {
        let relayed: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| matches!(Plan::of(*byte), Plan::Query | Plan::Text(_) | Plan::Relay(_)))
            .collect();
        let understood = [Command::InitDb, Command::Query, Command::FieldList, Command::Ping];
        assert_eq!(relayed, understood.map(|command| command as u8));
        assert!(matches!(Plan::of(Command::ChangeUser as u8), Plan::Refuse(..)));
        assert_eq!(Plan::of(0x42), UNKNOWN);
    }
}
