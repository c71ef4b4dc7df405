//! What a client does next, and how its session comes and goes.

use anyhow::{Result, ensure};
use headgate::wire::command::Command;

use super::guest::Guest;
use super::model::SCHEMAS;
use crate::client::Shape;

/// One action of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Insert,
    InsertSeveral,
    Duplicate,
    Update,
    Delete,
    Truncate,
    ReadRows,
    ReadShared,
    Count,
    ReadBooks,
    Variables,
    Behaviour,
    Set,
    Use,
    Begin,
    End,
    Savepoint,
    Autocommit,
    ReadOnly,
    Transfer,
    Bank,
    CallFails,
    CallSets,
    Trigger,
    Warnings,
    Mistakes,
    Several,
    Large,
    Ping,
    Prepare,
    Execute,
    CloseStatement,
    Cursor,
    LongData,
    Pin,
    Pinned,
    Unpinned,
    SharedLock,
    LockTables,
    Reset,
    ChangeUser,
    Return,
    Vanish,
    VanishInStatement,
    VanishInResult,
    Sleep,
    Kill,
}
use Act::*;

/// Actions and how often they come.
const ACTS: &[(Act, usize)] = &[
    (Insert, 10),
    (InsertSeveral, 5),
    (Duplicate, 3),
    (Update, 8),
    (Delete, 4),
    (Truncate, 1),
    (ReadRows, 14),
    (ReadShared, 8),
    (Count, 3),
    (ReadBooks, 2),
    (Variables, 8),
    (Behaviour, 10),
    (Set, 10),
    (Use, 6),
    (Begin, 5),
    (End, 12),
    (Savepoint, 8),
    (Autocommit, 2),
    (ReadOnly, 3),
    (Transfer, 4),
    (Bank, 6),
    (CallFails, 3),
    (CallSets, 3),
    (Trigger, 3),
    (Warnings, 4),
    (Mistakes, 4),
    (Several, 3),
    (Large, 2),
    (Ping, 2),
    (Prepare, 7),
    (Execute, 16),
    (CloseStatement, 3),
    (Cursor, 3),
    (LongData, 2),
    (Pin, 2),
    (Pinned, 20),
    (Unpinned, 4),
    (SharedLock, 1),
    (LockTables, 1),
    (Reset, 2),
    (ChangeUser, 1),
    (Return, 1),
    (Vanish, 1),
    (VanishInStatement, 1),
    (VanishInResult, 1),
    (Sleep, 1),
    (Kill, 2),
];

impl Act {
    fn draw(guest: &mut Guest) -> Self {
        let sum: usize = ACTS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = guest.chance.below(sum);
        for (act, weight) in ACTS {
            if drawn < *weight {
                return *act;
            }
            drawn -= weight;
        }
        Insert
    }

    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        ACTS.iter().map(|(act, _)| *act)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Insert => "insert",
            InsertSeveral => "insert several",
            Duplicate => "duplicate",
            Update => "update",
            Delete => "delete",
            Truncate => "truncate",
            ReadRows => "read rows",
            ReadShared => "read shared",
            Count => "count",
            ReadBooks => "read books",
            Variables => "variables",
            Behaviour => "behaviour",
            Set => "set",
            Use => "use",
            Begin => "begin",
            End => "end",
            Savepoint => "savepoint",
            Autocommit => "autocommit",
            ReadOnly => "read only",
            Transfer => "transfer",
            Bank => "bank",
            CallFails => "call fails",
            CallSets => "call sets",
            Trigger => "trigger",
            Warnings => "warnings",
            Mistakes => "mistakes",
            Several => "several",
            Large => "large",
            Ping => "ping",
            Prepare => "prepare",
            Execute => "execute",
            CloseStatement => "close statement",
            Cursor => "cursor",
            LongData => "long data",
            Pin => "pin",
            Pinned => "pinned",
            Unpinned => "unpinned",
            SharedLock => "shared lock",
            LockTables => "lock tables",
            Reset => "reset",
            ChangeUser => "change user",
            Return => "return",
            Vanish => "vanish",
            VanishInStatement => "vanish in statement",
            VanishInResult => "vanish in result",
            Sleep => "sleep",
            Kill => "kill",
        }
    }

    /// Whether it can be done now.
    fn fits(self, guest: &mut Guest) -> bool {
        let open = guest.model.in_transaction();
        let explicit = open && guest.model.autocommits();
        let plain = !open && guest.pins.is_empty();
        match self {
            End => open,
            Savepoint => explicit,
            Execute | CloseStatement => !guest.statements.is_empty(),
            Pinned => !guest.pins.is_empty(),
            // What is undone with a transaction is not known of temporary tables, and locks stay after it.
            Transfer | ReadOnly => !open,
            Begin | Autocommit => guest.may_hold(),
            Pin => !open && guest.may_hold(),
            Cursor | LongData | SharedLock | LockTables => plain && guest.may_hold(),
            Unpinned => guest.pins.is_empty(),
            _ => true,
        }
    }
}

impl Guest {
    /// Does one thing.
    pub(super) async fn act(&mut self) -> Result<()> {
        if !self.pins.is_empty() {
            self.pinned_for = self.pinned_for.saturating_sub(1);
            if self.pinned_for == 0 {
                return self.unpin().await;
            }
        }
        let act = loop {
            let act = Act::draw(self);
            if act.fits(self) {
                break act;
            }
        };
        self.stage.count(act.name());
        match act {
            Insert => self.insert(1).await,
            InsertSeveral => self.insert_several().await,
            Duplicate => self.insert_duplicate().await,
            Update => self.update().await,
            Delete => self.delete().await,
            Truncate => self.truncate().await,
            ReadRows => self.read_rows(false).await,
            ReadShared => self.read_shared().await,
            Count => self.count_up().await,
            ReadBooks => self.read_books().await,
            Variables => self.read_variables().await,
            Behaviour => self.behave().await,
            Set => self.set().await,
            Use => self.use_other().await,
            Begin => self.begin().await,
            End => self.end_transaction().await,
            Savepoint => self.savepoint().await,
            Autocommit => self.switch_autocommit().await,
            ReadOnly => self.read_only().await,
            Transfer => self.transfer().await,
            Bank => self.look_at_bank().await,
            CallFails => self.call_fails().await,
            CallSets => self.call_sets().await,
            Trigger => self.trigger().await,
            Warnings => self.warnings().await,
            Mistakes => self.mistakes().await,
            Several => self.several().await,
            Large => self.large().await,
            Ping => self.ping().await,
            Prepare => self.prepare().await,
            Execute => self.execute_one().await,
            CloseStatement => self.close_one().await,
            Cursor => self.cursor().await,
            LongData => self.long_data().await,
            Pin => self.pin().await,
            Pinned => self.check_pins().await,
            Unpinned => self.check_unpinned().await,
            SharedLock => self.shared_lock().await,
            LockTables => self.lock_tables().await,
            Reset => self.reset().await,
            ChangeUser => self.change_user().await,
            Return => self.leave_and_return(true).await,
            Vanish => self.leave_and_return(false).await,
            VanishInStatement => self.vanish_in_statement().await,
            VanishInResult => self.vanish_in_result().await,
            Sleep => self.sleep().await,
            Kill => self.kill().await,
        }
    }

    /// Gives up what keeps its session on a connection.
    async fn unpin(&mut self) -> Result<()> {
        match self.chance.below(4) {
            0 => self.change_user().await,
            1 => self.leave_and_return(true).await,
            2 => self.leave_and_return(false).await,
            _ => self.reset().await,
        }
    }

    /// COM_RESET_CONNECTION.
    pub(super) async fn reset(&mut self) -> Result<()> {
        let reply = self.connection().command(&[0x1F], Shape::Query).await;
        let reply = self.heard("(COM_RESET_CONNECTION)", reply)?;
        ensure!(reply.error.is_none(), "COM_RESET_CONNECTION is refused: {:?}", reply.error);
        self.begin_anew(self.stage.begins.reset.clone());
        Ok(())
    }

    async fn ping(&mut self) -> Result<()> {
        let (command, shape) = match self.chance.below(3) {
            0 => (Command::Statistics, Shape::Text),
            _ => (Command::Ping, Shape::Query),
        };
        let reply = self.connection().command(&[command as u8], shape).await;
        let reply = self.heard(&format!("({command:?})"), reply)?;
        ensure!(reply.error.is_none(), "{command:?} is refused: {:?}", reply.error);
        Ok(())
    }

    async fn use_other(&mut self) -> Result<()> {
        let schema = self.chance.below(2);
        self.use_schema(schema).await?;
        self.expect("SELECT DATABASE()", SCHEMAS[schema]).await
    }

    /// USE, or COM_INIT_DB.
    pub(super) async fn use_schema(&mut self, schema: usize) -> Result<()> {
        let name = SCHEMAS[schema];
        if self.chance.once_in(2) {
            self.ok(format!("USE {name}")).await?;
        } else {
            let payload = [&[Command::InitDb as u8], name.as_bytes()].concat();
            let reply = self.connection().command(&payload, Shape::Query).await;
            let reply = self.heard(&format!("(COM_INIT_DB {name})"), reply)?;
            ensure!(reply.error.is_none(), "COM_INIT_DB is refused: {:?}", reply.error);
        }
        self.model.schema = schema;
        Ok(())
    }
}
