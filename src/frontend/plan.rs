//! What is done with each command.

use crate::wire::command::Command;
use crate::wire::reply::Shape;

/// What the front end does with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Classify its text, then relay it.
    Query,
    /// Read its text, prepare it at the primary, and remember it.
    Prepare,
    /// Run a prepared statement where it would run as text.
    Execute,
    /// Relay it to the primary and expect a reply of this shape.
    Relay(Shape),
    /// Relay it to the primary; the protocol has no reply to it.
    Silent,
    /// Relay it, then make the connection ready again: it has lost its trackers.
    Reset,
    /// Run a KILL, its id made the server's.
    Kill,
    /// Log in anew.
    ChangeUser,
    /// Relay it to the primary, and the stream of events that answers it.
    Dump,
    /// Close.
    Quit,
    /// A byte that no server knows.
    Unknown,
}

impl Plan {
    /// The plan for a command byte.
    #[must_use]
    pub fn of(byte: u8) -> Self {
        use Command as C;
        let Some(command) = Command::of(byte) else { return Self::Unknown };
        match command {
            C::Quit => Self::Quit,
            C::Query => Self::Query,
            C::InitDb
            | C::Ping
            | C::ProcessInfo
            | C::Debug
            | C::Refresh
            | C::Shutdown
            | C::SetOption
            | C::RegisterReplica
            | C::StmtReset => Self::Relay(Shape::Results),
            C::StmtExecute | C::StmtBulkExecute => Self::Execute,
            C::FieldList => Self::Relay(Shape::Fields),
            C::Statistics => Self::Relay(Shape::Text),
            C::StmtPrepare => Self::Prepare,
            C::StmtFetch => Self::Relay(Shape::Rows),
            C::StmtSendLongData | C::StmtClose => Self::Silent,
            C::ResetConnection => Self::Reset,
            C::ChangeUser => Self::ChangeUser,
            C::ProcessKill => Self::Kill,
            C::BinlogDump | C::BinlogDumpGtid => Self::Dump,
            C::Sleep
            | C::TableDump
            | C::CreateDb
            | C::DropDb
            | C::Connect
            | C::Time
            | C::DelayedInsert
            | C::ConnectOut
            | C::Daemon => Self::Unknown,
        }
    }
}

/// The text of a COM_QUERY payload, behind the command byte and, where they were negotiated, the
/// attributes. Nothing where attributes are present: finding the text behind them means reading values
/// of every type, and such a statement goes to the primary unread.
#[must_use]
pub fn query_text(payload: &[u8], attributes: bool) -> Option<&[u8]> {
    let text = payload.get(1..)?;
    if !attributes {
        return Some(text);
    }
    // int<lenenc> parameter_count, int<lenenc> parameter_set_count (always 1), then the text.
    match text {
        [0, 1, text @ ..] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_plan_and_only_quit_closes() {
        for byte in 0..=u8::MAX {
            let plan = Plan::of(byte);
            assert_eq!(plan == Plan::Quit, byte == Command::Quit as u8);
        }
        assert_eq!((Plan::of(0x16), Plan::of(0x17)), (Plan::Prepare, Plan::Execute));
        assert_eq!(Plan::of(0x12), Plan::Dump);
        assert_eq!(Plan::of(0x42), Plan::Unknown);
    }

    #[test]
    fn the_text_is_found_behind_empty_attributes_only() {
        assert_eq!(query_text(b"\x03SELECT 1", false), Some(&b"SELECT 1"[..]));
        assert_eq!(query_text(b"\x03\x00\x01SELECT 1", true), Some(&b"SELECT 1"[..]));
        assert_eq!(query_text(b"\x03\x01\x01\x00SELECT 1", true), None);
        assert_eq!(query_text(b"", true), None);
    }
}
