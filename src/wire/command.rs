//! The commands of the command phase.
//!
//! Source: MySQL `include/my_command.h`; MariaDB's bulk execute from its protocol documentation.

/// A command byte that Headgate knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub enum Command {
    Sleep = 0x00,
    Quit = 0x01,
    InitDb = 0x02,
    Query = 0x03,
    FieldList = 0x04,
    CreateDb = 0x05,
    DropDb = 0x06,
    Refresh = 0x07,
    Shutdown = 0x08,
    Statistics = 0x09,
    ProcessInfo = 0x0A,
    Connect = 0x0B,
    ProcessKill = 0x0C,
    Debug = 0x0D,
    Ping = 0x0E,
    Time = 0x0F,
    DelayedInsert = 0x10,
    ChangeUser = 0x11,
    BinlogDump = 0x12,
    TableDump = 0x13,
    ConnectOut = 0x14,
    RegisterReplica = 0x15,
    StmtPrepare = 0x16,
    StmtExecute = 0x17,
    StmtSendLongData = 0x18,
    StmtClose = 0x19,
    StmtReset = 0x1A,
    SetOption = 0x1B,
    StmtFetch = 0x1C,
    Daemon = 0x1D,
    BinlogDumpGtid = 0x1E,
    ResetConnection = 0x1F,
    StmtBulkExecute = 0xFA,
}

impl Command {
    /// The command of the byte, if it has a name.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        use Command as C;
        const NAMED: [Command; 32] = [
            C::Sleep,
            C::Quit,
            C::InitDb,
            C::Query,
            C::FieldList,
            C::CreateDb,
            C::DropDb,
            C::Refresh,
            C::Shutdown,
            C::Statistics,
            C::ProcessInfo,
            C::Connect,
            C::ProcessKill,
            C::Debug,
            C::Ping,
            C::Time,
            C::DelayedInsert,
            C::ChangeUser,
            C::BinlogDump,
            C::TableDump,
            C::ConnectOut,
            C::RegisterReplica,
            C::StmtPrepare,
            C::StmtExecute,
            C::StmtSendLongData,
            C::StmtClose,
            C::StmtReset,
            C::SetOption,
            C::StmtFetch,
            C::Daemon,
            C::BinlogDumpGtid,
            C::ResetConnection,
        ];
        match byte {
            0xFA => Some(Self::StmtBulkExecute),
            _ => NAMED.get(usize::from(byte)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_at_its_byte() {
        for byte in 0..=u8::MAX {
            if let Some(command) = Command::of(byte) {
                assert_eq!(command as u8, byte);
            }
        }
        assert_eq!(Command::of(0x20), None);
    }
}
