//! The mirror of one session.
//!
//! Two witnesses move it: the lexer, which says what a statement may do, and the server's session
//! tracking, which says what it did. What neither can name pins the session to its primary connection
//! until the next reset (HAZARDS 1, 2).

use std::sync::Arc;
use std::time::Instant;

use crate::sql::{Class, charset_is_safe, is_local_schema};
use crate::topology::{Collations, ServerId};
use crate::wire::session_track::Change;
use crate::wire::status::StatusFlags;

/// Why a session's reads stay on its primary connection until it is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A statement that may change anything was sent.
    Statement,
    /// The server reported a variable that is not mirrored.
    Variable,
    /// The server reported that something changed.
    Reported,
    /// A command other than COM_QUERY that may change anything.
    Command,
}

/// Where a reply came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The session's own connection.
    Primary,
    /// A replica.
    Replica(ServerId),
}

/// What a statement may have done with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// Nothing: a ping, a prepare.
    Nothing,
    /// It may have shown some.
    Saw,
    /// It may have changed some.
    Wrote,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Status flags of the last OK.
    pub status: StatusFlags,
    /// The error number, if it ended in one.
    pub error: Option<u16>,
    /// Who answered.
    pub source: Source,
    /// What the session may have done.
    pub touched: Touched,
    /// When the last byte of the reply had come.
    pub now: Instant,
}

/// What routing needs to know of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionView {
    /// A transaction is open.
    pub in_transaction: bool,
    /// `autocommit` is on.
    pub autocommit: bool,
    /// Something that is not mirrored has changed.
    pub changed: Option<Changed>,
    /// The character sets can be made on another connection.
    pub charset_known: bool,
    /// The schema is one that every server has its own of.
    pub local_schema: bool,
    /// An ERR may have hidden a change that the server has had no occasion to report yet.
    pub unreported: bool,
    /// The generation of defaults that the session began with.
    pub generation: u64,
    /// When the session last did something that may have written.
    pub wrote: Option<Instant>,
    /// When the session last saw data anywhere.
    pub seen: Option<Instant>,
    /// The replica that showed it, if it was one. It cannot have gone back since.
    pub last_replica: Option<ServerId>,
    /// When the session last changed the schema.
    pub defined: Option<Instant>,
}

impl SessionView {
    /// A session that has just begun, with `utf8mb4` and the defaults of `generation`.
    #[must_use]
    pub const fn fresh(generation: u64) -> Self {
        Self {
            in_transaction: false,
            autocommit: true,
            changed: None,
            charset_known: true,
            local_schema: false,
            unreported: false,
            generation,
            wrote: None,
            seen: None,
            last_replica: None,
            defined: None,
        }
    }
}

/// The mirror of one session.
#[derive(Debug, Clone)]
pub struct State {
    schema: Option<Box<[u8]>>,
    /// The statement that makes the session's character sets on any connection.
    names: Option<Arc<str>>,
    charset_safe: bool,
    /// A SET NAMES that the server has not answered yet.
    pending: Option<Names>,
    /// All that the command in progress can change has a name here. Both servers report a change without a
    /// name beside that of a schema, a character set and autocommit.
    named: bool,
    set_trackers: bool,
    /// How many more replies may report what an ERR could not.
    unreported: u8,
    view: SessionView,
}

/// After an ERR a change is reported with the next OK, on MariaDB with the one after that (HAZARDS 2).
const REPLIES_UNTIL_REPORTED: u8 = 2;

/// ER_PARSE_ERROR: raised before anything ran.
const PARSE_ERROR: u16 = 1064;

#[derive(Debug, Clone)]
struct Names {
    sql: Arc<str>,
    safe: bool,
}

impl State {
    /// A session right after its login, with the collation id of its login request.
    #[must_use]
    pub fn new(
        schema: Option<Box<[u8]>>,
        collation: u16,
        collations: &Collations,
        status: StatusFlags,
        generation: u64,
    ) -> Self {
        let known = collations.get(collation);
        let local_schema = schema.as_deref().is_some_and(is_local_schema);
        Self {
            schema,
            names: known
                .map(|(charset, collation)| format!("SET NAMES {charset} COLLATE {collation}").into()),
            charset_safe: known.is_some_and(|(charset, _)| charset_is_safe(charset)),
            pending: None,
            named: false,
            set_trackers: false,
            unreported: 0,
            view: SessionView {
                in_transaction: status.contains(StatusFlags::IN_TRANSACTION),
                autocommit: status.contains(StatusFlags::AUTOCOMMIT),
                changed: None,
                charset_known: known.is_some(),
                local_schema,
                unreported: false,
                generation,
                wrote: None,
                seen: None,
                last_replica: None,
                defined: None,
            },
        }
    }

    /// What routing needs to know.
    #[must_use]
    #[inline]
    pub const fn view(&self) -> &SessionView {
        &self.view
    }

    /// The current schema.
    #[must_use]
    pub fn schema(&self) -> Option<&[u8]> {
        self.schema.as_deref()
    }

    /// The statement that makes the session's character sets, if it is known.
    #[must_use]
    pub const fn names(&self) -> Option<&Arc<str>> {
        self.names.as_ref()
    }

    /// In the client's character set no byte of a longer character looks like a quote or backslash.
    #[must_use]
    pub const fn charset_safe(&self) -> bool {
        self.charset_safe
    }

    /// The session has asked for session tracking of its own.
    #[must_use]
    pub const fn has_set_trackers(&self) -> bool {
        self.set_trackers
    }

    /// A statement is about to be sent to the primary.
    pub fn begin(&mut self, class: &Class) {
        self.pending = None;
        self.named = matches!(class, Class::Use(_) | Class::SetNames { .. } | Class::SetAutocommit);
        match class {
            Class::Other(_) | Class::SetGlobal => self.pin(Changed::Statement),
            Class::SetNames { charset, collation } => {
                let collation = collation.as_ref().map(|name| format!(" COLLATE {name}"));
                let charset = charset.to_string();
                // Without COLLATE the server picks: variables that tell it what are compared.
                let sql = format!("SET NAMES {charset}{}", collation.unwrap_or_default());
                self.pending = Some(Names { sql: sql.into(), safe: charset_is_safe(&charset) });
            }
            // Not supported yet: as good as unknown.
            Class::Calls
            | Class::SetCharset
            | Class::SetVariables(_)
            | Class::SetTransaction
            | Class::Several(_) => self.pin(Changed::Statement),
            Class::PlainRead
            | Class::PrimaryRead(_)
            | Class::Use(_)
            | Class::SetAutocommit
            | Class::Data
            | Class::Transaction(_)
            | Class::Inspect
            | Class::Describe
            | Class::Ddl
            | Class::Account
            | Class::Kill(_) => {}
        }
    }

    /// COM_INIT_DB is about to be sent.
    pub fn begin_schema(&mut self) {
        self.pending = None;
        self.named = true;
    }

    /// Something is about to be sent whose effects have no name here.
    pub fn begin_unknown(&mut self) {
        self.pending = None;
        self.named = false;
        self.pin(Changed::Command);
    }

    /// The primary reported a change.
    pub fn observe(&mut self, change: Change<'_>) {
        match change {
            Change::Schema(name) => {
                self.view.local_schema = is_local_schema(name);
                self.schema = (!name.is_empty()).then(|| name.into());
            }
            Change::Variable { name, .. } if self.pending.is_some() && is_charset(name) => {}
            Change::Variable { name, .. } if is_mirrored(name) => {}
            Change::Variable { name, .. } => {
                self.set_trackers |= name.starts_with(b"session_track_");
                self.pin(Changed::Variable);
            }
            Change::StateChanged if self.named => {}
            Change::StateChanged | Change::Unnamed(_) => self.pin(Changed::Reported),
            // Transactions are followed by the status flags.
            Change::Gtids(_) | Change::TransactionCharacteristics(_) | Change::TransactionState(_) => {}
        }
    }

    /// The reply is over.
    pub fn settle(&mut self, end: End) {
        let pending = self.pending.take();
        self.named = false;
        if end.touched != Touched::Nothing {
            self.view.seen = Some(end.now);
            self.view.last_replica = None;
        }
        if end.touched == Touched::Wrote {
            self.view.wrote = Some(end.now);
        }
        match end.source {
            Source::Replica(server) => self.view.last_replica = Some(server),
            Source::Primary => {
                // An ERR carries no flags; the last known ones can only err towards the primary: no
                // single statement that is not pinned opens a transaction and fails. Nor does it carry
                // session state: what a trigger had changed before it failed comes with later replies.
                match end.error {
                    Some(PARSE_ERROR) => {}
                    Some(_) if end.touched == Touched::Wrote => self.unreported = REPLIES_UNTIL_REPORTED,
                    Some(_) => {}
                    None => self.unreported = self.unreported.saturating_sub(1),
                }
                self.view.unreported = self.unreported > 0;
                if end.error.is_none() {
                    self.view.in_transaction = end.status.contains(StatusFlags::IN_TRANSACTION);
                    self.view.autocommit = end.status.contains(StatusFlags::AUTOCOMMIT);
                    if let Some(names) = pending {
                        self.view.charset_known = true;
                        self.names = Some(names.sql);
                        self.charset_safe = names.safe;
                    }
                }
            }
        }
    }

    /// The session has changed the schema, and was told so at `now`.
    pub fn define(&mut self, now: Instant) {
        self.view.defined = Some(now);
    }

    /// COM_RESET_CONNECTION was answered with OK: nothing is left but the schema, and the character sets
    /// are the server's own choice.
    pub fn reset(&mut self, status: StatusFlags, generation: u64, now: Instant) {
        self.names = None;
        self.charset_safe = false;
        self.pending = None;
        self.named = false;
        self.set_trackers = false;
        self.unreported = 0;
        self.view = SessionView {
            in_transaction: status.contains(StatusFlags::IN_TRANSACTION),
            autocommit: status.contains(StatusFlags::AUTOCOMMIT),
            // A reset keeps the active role (HAZARDS 3), and what is not understood may have set one.
            changed: self.view.changed.filter(|why| matches!(why, Changed::Statement | Changed::Command)),
            charset_known: false,
            local_schema: self.view.local_schema,
            unreported: false,
            generation,
            // A transaction may have been rolled back or its locks released: as good as a write.
            wrote: Some(now),
            seen: Some(now),
            last_replica: None,
            defined: self.view.defined,
        };
    }

    fn pin(&mut self, why: Changed) {
        self.view.changed.get_or_insert(why);
    }
}

/// Variables that `SET NAMES` sets, and that are reported then.
fn is_charset(name: &[u8]) -> bool {
    matches!(
        name,
        b"character_set_client"
            | b"character_set_connection"
            | b"character_set_results"
            | b"collation_connection"
    )
}

/// Variables whose reports are no news: they follow the schema, or the status flags tell the same, or
/// they number statements and transactions.
fn is_mirrored(name: &[u8]) -> bool {
    matches!(
        name,
        b"statement_id" | b"last_gtid" | b"autocommit" | b"character_set_database" | b"collation_database"
    )
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sql::{Class, Name, TransactionKind, Unclear};

    fn collations() -> Collations {
        Collations::new([
            (255, "utf8mb4".into(), "utf8mb4_0900_ai_ci".into()),
            (28, "gbk".into(), "gbk_chinese_ci".into()),
        ])
    }

    fn fresh(collation: u16) -> State {
        State::new(None, collation, &collations(), StatusFlags::AUTOCOMMIT, 1)
    }

    fn end(status: StatusFlags, source: Source, touched: Touched, now: Instant) -> End {
        End { status, error: None, source, touched, now }
    }

    #[test]
    fn the_handshake_collation_becomes_a_set_names() {
        let utf8 = fresh(255);
        assert_eq!(utf8.names().map(|sql| &**sql), Some("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci"));
        assert!(utf8.charset_safe());
        assert!(!fresh(28).charset_safe());
        assert!(!fresh(9999).view().charset_known);
    }

    #[test]
    fn set_names_counts_only_when_the_server_agrees() {
        let now = Instant::now();
        let class = Class::SetNames { charset: Name::new(b"latin1").unwrap(), collation: None };
        let mut state = fresh(255);
        state.begin(&class);
        state.observe(Change::Variable { name: b"character_set_client", value: b"latin1" });
        let refused = End { error: Some(1115), ..end(StatusFlags(2), Source::Primary, Touched::Wrote, now) };
        state.settle(refused);
        assert_eq!(state.names().map(|sql| &**sql), Some("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci"));
        state.begin(&class);
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Wrote, now));
        assert_eq!(state.names().map(|sql| &**sql), Some("SET NAMES latin1"));
        assert_eq!(state.view().changed, None);
    }

    #[test]
    fn reports_without_a_statement_that_predicts_them_pin() {
        let check = |change, expected| {
            let mut state = fresh(255);
            state.begin(&Class::Data);
            state.observe(change);
            assert_eq!(state.view().changed, expected, "{change:?}");
        };
        check(Change::Variable { name: b"character_set_client", value: b"gbk" }, Some(Changed::Variable));
        check(Change::Variable { name: b"sql_mode", value: b"" }, Some(Changed::Variable));
        check(Change::StateChanged, Some(Changed::Reported));
        check(Change::Variable { name: b"last_gtid", value: b"0-1-2" }, None);
        check(Change::Gtids(b"x:1"), None);
        check(Change::Schema(b"db"), None);
    }

    #[test]
    fn what_is_not_understood_pins_before_it_is_sent() {
        let mut state = fresh(255);
        state.begin(&Class::Other(Unclear::Verb));
        assert_eq!(state.view().changed, Some(Changed::Statement));
        state.reset(StatusFlags::AUTOCOMMIT, 2, Instant::now());
        assert_eq!((state.view().changed, state.view().charset_known), (Some(Changed::Statement), false));
        let mut state = fresh(255);
        state.observe(Change::StateChanged);
        state.reset(StatusFlags::AUTOCOMMIT, 2, Instant::now());
        assert_eq!(state.view().changed, None);
    }

    #[test]
    fn a_change_without_a_name_is_known_where_all_that_can_change_is() {
        let now = Instant::now();
        let name = |text: &[u8]| Name::new(text).unwrap();
        let mut state = fresh(255);
        for class in [
            Class::Use(name(b"shop")),
            Class::SetNames { charset: name(b"utf8mb4"), collation: None },
            Class::SetAutocommit,
        ] {
            state.begin(&class);
            state.observe(Change::StateChanged);
            state.settle(end(StatusFlags(2), Source::Primary, Touched::Nothing, now));
            assert_eq!(state.view().changed, None, "{class:?}");
        }
        state.begin_schema();
        state.observe(Change::StateChanged);
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, now));
        assert_eq!(state.view().changed, None);
        state.begin(&Class::PlainRead);
        state.observe(Change::StateChanged);
        assert_eq!(state.view().changed, Some(Changed::Reported), "it was known for that command only");
    }

    #[test]
    fn schemas_of_the_server_itself_are_known() {
        let mut state = State::new(Some((*b"mysql").into()), 255, &collations(), StatusFlags::AUTOCOMMIT, 1);
        assert!(state.view().local_schema);
        state.observe(Change::Schema(b"shop"));
        assert!(!state.view().local_schema);
        state.observe(Change::Schema(b"Information_Schema"));
        assert!(state.view().local_schema);
        state.observe(Change::Schema(b""));
        assert_eq!((state.view().local_schema, state.schema()), (false, None));
    }

    #[test]
    fn after_an_error_two_replies_may_report_what_it_hid() {
        let now = Instant::now();
        let mut state = fresh(255);
        let failed =
            |touched, error| End { error: Some(error), ..end(StatusFlags(2), Source::Primary, touched, now) };
        state.settle(failed(Touched::Wrote, 1064));
        state.settle(failed(Touched::Saw, 1146));
        assert!(!state.view().unreported, "nothing ran that could change anything");
        state.settle(failed(Touched::Wrote, 1062));
        for expected in [true, true, false] {
            assert_eq!(state.view().unreported, expected);
            state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, now));
        }
    }

    #[test]
    fn flags_follow_the_primary_and_floors_follow_everything() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut state = fresh(255);
        state.begin(&Class::Transaction(TransactionKind::Begin));
        state.settle(end(StatusFlags(3), Source::Primary, Touched::Wrote, start));
        assert!(state.view().in_transaction);
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, later));
        assert_eq!((state.view().wrote, state.view().seen), (Some(start), Some(later)));
        state.settle(end(StatusFlags(0), Source::Replica(ServerId(2)), Touched::Saw, later));
        assert_eq!((state.view().autocommit, state.view().last_replica), (true, Some(ServerId(2))));
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, later));
        assert_eq!(state.view().last_replica, None);
    }
}
