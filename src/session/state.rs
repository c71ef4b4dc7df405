use std::time::Instant;

use super::{Charset, Floors, Why};
use crate::sql::{Class, Kill, LexMode, Name, Statement};
use crate::topology::{Epoch, ServerId};
use crate::wire::session_track::Change;
use crate::wire::status::StatusFlags;

/// The mirror of one session.
///
/// For each command: [`begin`](State::begin) or [`begin_command`](State::begin_command), then
/// [`observe`](State::observe) for each change its replies report, then [`settle`](State::settle) once.
#[derive(Clone, Debug)]
pub struct State {
    start: Started,
    schema: Option<Name>,
    charset: Charset,
    autocommit: bool,
    in_transaction: bool,
    /// The next transaction's characteristics were set, or the open one's are not the default.
    characteristics: bool,
    changed: Option<Why>,
    /// How many more replies of the primary may report what an error packet could not.
    unreported: u8,
    prepared_unclear: bool,
    pending: Pending,
    floors: Floors,
}

/// What does not change until a reset.
#[derive(Clone, Copy, Debug)]
struct Started {
    epoch: Epoch,
    generation: u64,
    mode: LexMode,
}

/// What the command in progress does once it succeeds.
#[derive(Clone, Debug, Default)]
struct Pending {
    plain_read: bool,
    schema: Option<Name>,
    charset: Option<Charset>,
    /// The lexer knows all that this command can change, so an unnamed change is that one.
    named: bool,
}

/// How a session begins, at login and after each reset.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The epoch of the primary that its connection belongs to.
    pub epoch: Epoch,
    /// The generation of the defaults it began with, [`crate::topology::Defaults::generation`].
    pub generation: u64,
    /// The schema, empty for none.
    pub schema: &'a [u8],
    pub charset: Charset,
    /// Quoting by the default `sql_mode`. Whether the character set is safe follows from `charset`.
    pub mode: LexMode,
}

/// A command other than a statement's text.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// COM_PING, COM_STATISTICS, COM_SET_OPTION, COM_FIELD_LIST, COM_STMT_CLOSE, COM_STMT_RESET,
    /// COM_STMT_SEND_LONG_DATA: nothing a plain read could see.
    Harmless,
    /// COM_INIT_DB.
    InitDb(&'a [u8]),
    /// COM_STMT_PREPARE of a text, classified.
    Prepare(&'a Statement),
    /// COM_STMT_EXECUTE, COM_STMT_FETCH and bulk execution, of any statement prepared so far.
    Execute,
    /// Any other command.
    Unknown,
}

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub from: Source,
    pub outcome: Outcome,
    /// When the last packet of the reply had arrived.
    pub now: Instant,
}

/// Which server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Primary,
    Replica(ServerId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// OK or rows; the status flags of the last packet. `None` for replies without flags.
    Done { status: Option<StatusFlags> },
    /// An error packet. It carries no flags and no session state.
    Failed { error: u16 },
}

/// What routing sees of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a> {
    pub epoch: Epoch,
    pub generation: u64,
    pub mode: LexMode,
    pub schema: Option<&'a Name>,
    pub charset: &'a Charset,
    pub autocommit: bool,
    pub in_transaction: bool,
    pub characteristics: bool,
    pub changed: Option<Why>,
    /// A change may have happened that the server has not had an occasion to report.
    pub unreported: bool,
    pub floors: Floors,
}

/// After an error a change is reported with the next OK, on MariaDB with the one after (HAZARDS.md 2).
const REPLIES_UNTIL_REPORTED: u8 = 2;

/// ER_PARSE_ERROR: raised before anything ran.
const PARSE_ERROR: u16 = 1064;

/// Reported with every statement, or told better by the status flags, or set along with the schema.
const NOISE: &[&[u8]] =
    &[b"statement_id", b"last_gtid", b"autocommit", b"character_set_database", b"collation_database"];

const CHARSET_VARIABLES: &[&[u8]] =
    &[b"character_set_client", b"character_set_connection", b"character_set_results"];

impl State {
    pub fn new(start: Start<'_>) -> Self {
        let mut state = Self {
            start: Started { epoch: start.epoch, generation: start.generation, mode: start.mode },
            schema: None,
            charset: start.charset,
            autocommit: true,
            in_transaction: false,
            characteristics: false,
            changed: None,
            unreported: 0,
            prepared_unclear: false,
            pending: Pending::default(),
            floors: Floors::default(),
        };
        state.set_schema(start.schema);
        state
    }

    /// The session was reset or changed its user. What it has written and seen it has still written and
    /// seen.
    pub fn reset(&mut self, start: Start<'_>) {
        let floors = self.floors;
        *self = Self { floors, ..Self::new(start) };
    }

    /// How the session's next text is to be read.
    pub fn lex_mode(&self) -> LexMode {
        LexMode { charset_safe: self.charset.is_safe(), ..self.start.mode }
    }

    /// The flags of the OK packet that ended the login or the reset.
    pub fn logged_in(&mut self, status: StatusFlags) {
        self.read_status(status);
    }

    pub fn schema(&self) -> Option<&Name> {
        self.schema.as_ref()
    }

    pub fn charset(&self) -> &Charset {
        &self.charset
    }

    pub fn changed(&self) -> Option<Why> {
        self.changed
    }

    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    pub fn view(&self) -> SessionView<'_> {
        SessionView {
            epoch: self.start.epoch,
            generation: self.start.generation,
            mode: self.lex_mode(),
            schema: self.schema.as_ref(),
            charset: &self.charset,
            autocommit: self.autocommit,
            in_transaction: self.in_transaction,
            characteristics: self.characteristics,
            changed: self.changed,
            unreported: self.unreported > 0,
            floors: self.floors,
        }
    }

    /// A statement is about to be sent.
    pub fn begin(&mut self, statement: &Statement) {
        self.pending = Pending::default();
        if statement.looks_back {
            self.change(Why::LooksBack);
        }
        match &statement.class {
            Class::PlainRead => self.pending.plain_read = true,
            Class::Use(schema) => {
                self.pending.schema = Some(schema.clone());
                self.pending.named = true;
            }
            Class::SetNames { charset, collation } => {
                let (charset, collation) = (charset.clone(), collation.clone());
                self.pending.charset = Some(Charset::Names { charset, collation });
                self.pending.named = true;
            }
            Class::SetAutocommit => self.pending.named = true,
            // An error may hide what such a statement had done, so it counts from its beginning.
            Class::Other(unclear) => self.change(Why::Statement(*unclear)),
            Class::SetGlobal => self.change(Why::SetGlobal),
            Class::Kill(Kill::Elsewise) => self.change(Why::Kill),
            Class::Kill(Kill::Connection(_) | Kill::Query(_))
            | Class::PrimaryRead(_)
            | Class::Data
            | Class::Transaction(_)
            | Class::Inspect
            | Class::Ddl
            | Class::Account => {}
        }
    }

    /// A command other than a statement's text is about to be sent.
    pub fn begin_command(&mut self, act: Act<'_>) {
        self.pending = Pending::default();
        match act {
            Act::Harmless => self.pending.named = true,
            Act::InitDb(schema) => {
                self.pending.named = true;
                match Name::new(schema) {
                    Some(schema) => self.pending.schema = Some(schema),
                    None => self.change(Why::Command),
                }
            }
            Act::Prepare(statement) => self.prepared_unclear |= !leaves_no_trace(&statement.class),
            Act::Execute if self.prepared_unclear => self.change(Why::Prepared),
            Act::Execute => {}
            Act::Unknown => self.change(Why::Command),
        }
    }

    /// The primary reported a change.
    pub fn observe(&mut self, change: Change<'_>) {
        match change {
            Change::Variable { name, .. } if is_one_of(name, NOISE) => {}
            Change::Variable { name, value } if is_one_of(name, CHARSET_VARIABLES) => {
                let expected = self.pending.charset.as_ref().is_some_and(|charset| charset.is_called(value));
                if !expected {
                    self.change(Why::CharacterSet);
                }
            }
            Change::Variable { .. } => self.change(Why::Variable),
            Change::Schema(schema) => {
                // The report has the last word: it is what the name became.
                self.pending.schema = None;
                self.set_schema(schema);
            }
            Change::StateChanged if self.pending.named => {}
            Change::StateChanged | Change::Unnamed(_) => self.change(Why::State),
            Change::TransactionCharacteristics(text) => self.characteristics = !text.is_empty(),
            Change::Gtids(_) | Change::TransactionState(_) => {}
        }
    }

    /// The last packet of the reply has arrived.
    pub fn settle(&mut self, end: End) {
        let pending = std::mem::take(&mut self.pending);
        match end.from {
            Source::Replica(id) => return self.floors.saw(Some(id), end.now),
            Source::Primary if pending.plain_read => self.floors.saw(None, end.now),
            Source::Primary => self.floors.wrote(end.now),
        }
        match end.outcome {
            Outcome::Done { status } => {
                self.unreported = self.unreported.saturating_sub(1);
                if let Some(status) = status {
                    self.read_status(status);
                }
                if let Some(schema) = pending.schema {
                    self.set_schema(schema.as_bytes());
                }
                if let Some(charset) = pending.charset {
                    self.charset = charset;
                }
            }
            Outcome::Failed { error: PARSE_ERROR } => {}
            Outcome::Failed { .. } if pending.plain_read => {}
            Outcome::Failed { .. } => self.unreported = REPLIES_UNTIL_REPORTED,
        }
    }

    fn read_status(&mut self, status: StatusFlags) {
        self.autocommit = status.contains(StatusFlags::AUTOCOMMIT);
        self.in_transaction = status.contains(StatusFlags::IN_TRANSACTION);
        let no_escapes = status.contains(StatusFlags::NO_BACKSLASH_ESCAPES);
        if no_escapes != self.start.mode.no_backslash_escapes {
            self.change(Why::Quoting);
        }
    }

    fn set_schema(&mut self, schema: &[u8]) {
        // The report is in UTF-8 and the client's own text in its character set; only ASCII is the same.
        if !schema.is_ascii() || schema.len() > Name::LONGEST {
            self.change(Why::SchemaName);
        }
        self.schema = Name::new(schema);
    }

    /// The first reason is kept.
    fn change(&mut self, why: Why) {
        self.changed.get_or_insert(why);
    }
}

/// Whether executing a statement of this class leaves nothing in the session that a plain read could see.
fn leaves_no_trace(class: &Class) -> bool {
    matches!(class, Class::PlainRead | Class::PrimaryRead(_) | Class::Data | Class::Inspect | Class::Ddl)
}

fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
