//! The mirror of one session.
//!
//! Two witnesses move it: the lexer, which says what a statement may do, and the server's session
//! tracking, which says what it did. What neither can name pins the session to its primary connection
//! until the next reset (HAZARDS 1, 2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bonds::Bonds;
use super::charset::{Charsets, ReadBack};
use super::hold::Hold;
use super::left::Left;
use super::outcome::{End, Source, Touched};
use super::user_variables::UserVariables;
use super::variables::{Handling, Variables};
use super::view::{Changed, SessionView};
use crate::sql::{LexMode, Name, is_local_schema};
use crate::topology::{Collations, Facts, Floor};
use crate::wire::status::StatusFlags;

/// The mirror of one session.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) schema: Option<Box<[u8]>>,
    pub(super) charsets: Charsets,
    pub(super) variables: Variables,
    /// How the session's own `sql_mode` has its texts read, where it has set one.
    pub(super) quoting: Option<LexMode>,
    /// Variables of the SET in progress that the server has yet to report.
    pub(super) awaited: Vec<Name>,
    /// All that the command in progress can change has a name here. Both servers report a change without a
    /// name beside that of a schema, a variable and autocommit.
    pub(super) named: bool,
    /// The last command could hide in an ERR nothing but what has a name.
    pub(super) told: bool,
    /// The command in progress may open a transaction.
    pub(super) may_open: bool,
    pub(super) set_trackers: bool,
    /// The reply under way reports changes.
    pub(super) reports: bool,
    /// The command in progress may change the session and fail all the same.
    pub(super) may_hide: bool,
    /// The command in progress may end a transaction by itself.
    pub(super) may_end: bool,
    /// The statement in progress ends what savepoints there are.
    pub(super) ends_savepoints: bool,
    /// It is a text of several statements.
    pub(super) several: bool,
    /// The last statement on the primary ended in an ERR.
    pub(super) failed: bool,
    /// A transaction is open on a replica.
    pub(super) reads_elsewhere: bool,
    /// The session's own `wait_timeout`, where it has set one.
    pub(super) wait_timeout: Option<Duration>,
    /// What it has set that matters on the primary alone.
    pub(super) home: Variables,
    /// The command in progress changes the schema.
    pub(super) uses_schema: bool,
    pub(super) left: Left,
    pub(super) bonds: Bonds,
    pub(super) user_variables: UserVariables,
    pub(super) view: SessionView,
}

/// ER_PARSE_ERROR: raised before anything ran.
const PARSE_ERROR: u16 = 1064;

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
        let charsets = Charsets::of_login(collation, collations);
        let view = SessionView {
            in_transaction: status.contains(StatusFlags::IN_TRANSACTION),
            autocommit: status.contains(StatusFlags::AUTOCOMMIT),
            charset_known: charsets.sql().is_some(),
            local_schema: schema.as_deref().is_some_and(is_local_schema),
            ..SessionView::fresh(generation)
        };
        Self::with(schema, charsets, view)
    }

    fn with(schema: Option<Box<[u8]>>, charsets: Charsets, view: SessionView) -> Self {
        Self {
            schema,
            charsets,
            variables: Variables::DEFAULT,
            quoting: None,
            awaited: Vec::new(),
            named: false,
            told: false,
            may_open: true,
            set_trackers: false,
            reports: false,
            may_hide: false,
            may_end: true,
            ends_savepoints: false,
            several: false,
            failed: false,
            reads_elsewhere: false,
            wait_timeout: None,
            home: Variables::DEFAULT,
            uses_schema: false,
            left: Left::default(),
            bonds: Bonds::default(),
            user_variables: UserVariables::NONE,
            view,
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
    pub fn names(&self) -> Option<&Arc<str>> {
        self.charsets.sql()
    }

    /// The variables that the session has set.
    #[must_use]
    pub const fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The variables that it has set and that matter on the primary alone.
    #[must_use]
    pub const fn home(&self) -> &Variables {
        &self.home
    }

    /// How long the primary lets the session's connection idle, where the session has said so.
    #[must_use]
    pub const fn wait_timeout(&self) -> Option<Duration> {
        self.wait_timeout
    }

    /// How the session's texts are read.
    #[must_use]
    #[inline]
    pub fn lex_mode(&self, facts: &Facts) -> LexMode {
        let usual = facts.lex_mode(self.charsets.is_safe());
        match self.quoting {
            None => usual,
            Some(LexMode { ansi_quotes, no_backslash_escapes, .. }) => {
                LexMode { ansi_quotes, no_backslash_escapes, ..usual }
            }
        }
    }

    /// The character sets must be read back from the primary before anything can run elsewhere.
    #[must_use]
    pub const fn must_read_charsets(&self) -> bool {
        self.charsets.is_stale()
    }

    /// What the primary says of the character sets.
    pub fn read_charsets(&mut self, found: ReadBack<'_>) {
        self.charsets.read_back(found);
        self.view.charset_known = self.charsets.sql().is_some();
    }

    /// The session has asked for session tracking of its own.
    #[must_use]
    pub const fn has_set_trackers(&self) -> bool {
        self.set_trackers
    }

    /// A statement that was foreseen to fail did so: what it might have done, it did not.
    pub fn unpin_failed(&mut self, before: Option<Changed>) {
        if self.failed {
            self.view.changed = before;
        }
    }

    /// What the session has could not be made on another connection.
    pub fn give_up_carrying(&mut self) {
        self.pin(Changed::NotCarried);
    }

    /// The current schema is there no more.
    pub fn lose_schema(&mut self) {
        self.schema = None;
        self.view.local_schema = false;
    }

    /// A question of Headgate's own was answered on the session's connection, and what it reported observed.
    pub fn settle_own(&mut self) {
        self.view.unreported &= !std::mem::take(&mut self.reports);
    }

    /// The server has had the occasion to report whatever an ERR has hidden.
    pub fn reported_all(&mut self) {
        self.view.unreported = false;
    }

    /// The reply is over.
    pub fn settle(&mut self, end: End) {
        let touched = match end.touched {
            Touched::Turned if self.view.only_read => Touched::Nothing,
            Touched::Turned => Touched::Wrote,
            touched => touched,
        };
        let end = End { touched, ..end };
        if touched != Touched::Nothing {
            self.view.seen = Floor::of(end.mark.filter(|_| touched == Touched::Wrote), end.now);
            self.view.last_replica = None;
        }
        if touched == Touched::Wrote {
            self.view.wrote = self.view.seen;
            self.view.only_read = false;
        }
        match end.source {
            // A ping there shows nothing, and the primary may have shown something since.
            Source::Replica(_) if end.touched == Touched::Nothing => {}
            Source::Replica(server) => self.view.last_replica = Some(server),
            Source::Primary => self.settle_primary(&end),
        }
        self.named = false;
        self.may_open = true;
        self.uses_schema = false;
    }

    /// An ERR carries no flags; the last known ones can only err towards the primary: no single statement
    /// that is not pinned opens a transaction and fails. Nor does it carry session state: what a trigger had
    /// changed before it failed comes with the next OK that reports anything: on MySQL that is the next one, on
    /// MariaDB one with a change of its own, however many reads come first (HAZARDS 2).
    fn settle_primary(&mut self, end: &End) {
        self.failed = end.error.is_some();
        self.settle_left(end);
        self.bonds.settle(!self.failed);
        self.show_bonds();
        self.charsets.settle(!self.failed);
        self.view.charset_known = self.charsets.sql().is_some();
        let reports = std::mem::take(&mut self.reports);
        match end.error {
            Some(PARSE_ERROR) => {}
            Some(_) => self.view.unreported |= end.touched == Touched::Wrote || self.may_hide,
            None => self.view.unreported &= !reports,
        }
        if let Some(error) = end.error {
            // A text of several is parsed one by one: those before have run.
            self.view.fate_unknown |= self.may_end && (error != PARSE_ERROR || self.several);
            self.view.maybe_open |= self.view.in_transaction && error != PARSE_ERROR;
            // Of several statements one before may have begun a transaction.
            self.view.in_transaction |= end.status.contains(StatusFlags::IN_TRANSACTION);
            let pins = |name: &Name| Handling::of(name.as_bytes()) == Handling::Pins;
            if std::mem::take(&mut self.awaited).iter().any(pins) && !refuses_set(error) {
                self.pin(Changed::Variable);
            }
            return;
        }
        for name in std::mem::take(&mut self.awaited) {
            // MariaDB does not report `SET @@name = …`.
            match Handling::of(name.as_bytes()) {
                Handling::Local => self.hold_for(Hold::Changed(Changed::Unconfirmed)),
                _ => self.pin(Changed::Unconfirmed),
            }
        }
        self.view.fate_unknown = false;
        self.view.maybe_open = false;
        let open = end.status.contains(StatusFlags::IN_TRANSACTION);
        let foreseen = self.may_open || self.view.in_transaction || self.bonds.in_xa();
        if open && !foreseen && self.view.autocommit {
            self.pin(Changed::Transaction);
        }
        self.view.in_transaction = open || self.reads_elsewhere;
        self.view.only_read |= !open;
        self.view.autocommit = end.status.contains(StatusFlags::AUTOCOMMIT);
        self.view.savepoint &= !self.view.autocommit && !std::mem::take(&mut self.ends_savepoints);
    }

    /// A transaction has begun on a replica, or ended there.
    pub fn read_elsewhere(&mut self, open: bool, primary: StatusFlags) {
        self.reads_elsewhere = open;
        self.view.in_transaction = open || primary.contains(StatusFlags::IN_TRANSACTION);
    }

    /// A transaction that was declared read only needed the primary after all.
    pub fn keep_transactions(&mut self) {
        self.view.declared_in_vain = true;
        // The primary may have shown more beside than that replica has.
        self.view.last_replica = None;
    }

    /// Whether a text may read a temporary table of the session, which is on its connection to the primary alone.
    #[must_use]
    pub fn may_read_temporary(&self, text: Option<&[u8]>, mode: LexMode) -> bool {
        self.bonds.may_read_temporary(text, mode)
    }

    /// Tells routing what the session has tied to its connection.
    pub(super) fn show_bonds(&mut self) {
        self.view.temporary_tables = self.bonds.has_temporary();
        self.view.tables_locked = self.bonds.tables_locked();
        self.view.in_xa = self.bonds.in_xa();
    }

    /// The session has changed the schema, and was told so at `now`.
    pub fn define(&mut self, now: Instant) {
        self.view.defined = Some(now);
    }

    /// The client was another user before, and does not forget what it saw and wrote as that.
    pub fn goes_on(&mut self, now: Instant) {
        (self.view.wrote, self.view.seen) = (Floor::of(None, now), Floor::of(None, now));
        self.view.defined = Some(now);
    }

    /// A transaction was begun on the primary for a read that runs elsewhere.
    pub const fn begun(&mut self, primary: StatusFlags) {
        self.view.in_transaction = primary.contains(StatusFlags::IN_TRANSACTION);
    }

    /// The connection to the primary was lost, and with it what was under way there. What the client was told of before,
    /// it goes on to find; of the rest it knows nothing.
    pub fn lose_primary(&mut self) {
        self.view.in_transaction = self.reads_elsewhere;
        (self.view.only_read, self.view.unreported, self.view.fate_unknown) = (true, false, false);
        self.view.savepoint = false;
        self.view.transaction_named = false;
        self.awaited.clear();
        self.reports = false;
        self.lose_left();
    }

    /// COM_RESET_CONNECTION was answered with OK: nothing is left but the schema, and the character sets
    /// are the server's own choice.
    pub fn reset(&mut self, status: StatusFlags, generation: u64, now: Instant) {
        let view = SessionView {
            in_transaction: status.contains(StatusFlags::IN_TRANSACTION),
            autocommit: status.contains(StatusFlags::AUTOCOMMIT),
            // A reset keeps the active role (HAZARDS 3), and what is not understood may have set one. Nor does
            // it undo COM_REGISTER_SLAVE.
            changed: self.view.changed.filter(|why| {
                use Changed::{Command, Expired, Replication, Statement};
                matches!(why, Statement | Command | Expired | Replication)
            }),
            charset_known: false,
            local_schema: self.view.local_schema,
            declared_in_vain: self.view.declared_in_vain,
            // A transaction may have been rolled back or its locks released: as good as a write.
            wrote: Floor::of(None, now),
            seen: Floor::of(None, now),
            defined: self.view.defined,
            ..SessionView::fresh(generation)
        };
        // Read back when they are needed.
        let mut charsets = Charsets::default();
        charsets.distrust();
        let left = self.left_by_reset();
        *self = Self { left, ..Self::with(self.schema.take(), charsets, view) };
    }

    /// The session begins with the defaults of this generation.
    pub const fn begin_with(&mut self, generation: u64) {
        self.view.generation = generation;
    }

    pub(super) fn pin(&mut self, why: Changed) {
        self.view.changed.get_or_insert(why);
    }
}

/// Whether an error in a SET is raised while all of its assignments are checked, before the first of them is made
/// (`sql_set_variables` of either server): a variable that is not there, the server's alone or read only; no right to set
/// it; a wrong value or type; no such time zone, engine or locale.
const fn refuses_set(error: u16) -> bool {
    matches!(error, PARSE_ERROR | 1193 | 1227 | 1228 | 1229 | 1231 | 1232 | 1238 | 1286 | 1298 | 1621 | 1649)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]
mod tests {
    use super::super::left::Said;
    use super::super::view::Isolation;
    use super::*;
    use crate::sql::{Class, Dialect, Name, Then, TransactionKind, Unclear, classify, literals, traces};
    use crate::topology::ServerId;
    use crate::wire::session_track::Change;

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
        End { status, error: None, insert_id: 0, source, touched, mark: None, now }
    }

    #[test]
    fn the_handshake_collation_becomes_a_set_names() {
        let utf8 = fresh(255);
        assert_eq!(utf8.names().map(|sql| &**sql), Some("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci"));
        assert!(utf8.charsets.is_safe() && !fresh(28).charsets.is_safe());
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
        check(Change::Variable { name: b"timestamp", value: b"1" }, Some(Changed::Variable));
        check(Change::Variable { name: b"sql_mode", value: b"ORACLE" }, Some(Changed::Variable));
        check(Change::Variable { name: b"sql_mode", value: b"" }, None);
        check(Change::Variable { name: b"character_set_client", value: b"gbk" }, None);
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
    fn what_was_never_sent_lets_go_of_nothing() {
        let (now, mode) = (Instant::now(), LexMode::usual(Dialect::MySql, 0));
        let check = |before: &[&str], unsent: &str, expected: Hold| {
            let mut state = fresh(255);
            let begin = |state: &mut State, text: &str| {
                let (statement, traces) = (classify(text.as_bytes(), mode), traces(text.as_bytes(), mode));
                let literals = literals(text.as_bytes(), mode);
                state.begin_traces(&statement, traces, Said { literals, locks: None }, false);
                state.begin(&statement.class);
            };
            for text in before {
                begin(&mut state, text);
                state.settle(end(StatusFlags(2), Source::Primary, Touched::Wrote, now));
            }
            begin(&mut state, unsent);
            state.sent_nothing();
            // A ping.
            state.settle(end(StatusFlags(2), Source::Primary, Touched::Nothing, now));
            assert_eq!(state.hold(StatusFlags(2)), Some(expected), "{unsent}");
            assert_eq!(state.user_variables(), &UserVariables::NONE, "{unsent}");
        };
        let create = "CREATE TEMPORARY TABLE t (a INT)";
        check(&[create], "DROP TEMPORARY TABLE t", Hold::TemporaryTable);
        check(&[create], "SET @a = 1", Hold::TemporaryTable);
        check(&["LOCK TABLES t READ"], "UNLOCK TABLES", Hold::TablesLocked);
        check(&["SELECT GET_LOCK('a', 0)"], "DO RELEASE_ALL_LOCKS()", Hold::NamedLock);
        // The statement of that name is still the one before.
        let mut state = fresh(255);
        for (text, sent) in [("PREPARE s FROM 'CALL p()'", true), ("PREPARE s FROM 'SELECT 1'", false)] {
            state.begin(&classify(text.as_bytes(), mode).class);
            if !sent {
                state.sent_nothing();
            }
            state.settle(end(StatusFlags(2), Source::Primary, Touched::Nothing, now));
        }
        state.begin(&classify(b"EXECUTE s", mode).class);
        assert_eq!(state.view().changed, Some(Changed::Statement));
    }

    #[test]
    fn without_autocommit_only_what_touches_something_keeps_the_connection() {
        let (now, mode) = (Instant::now(), LexMode::usual(Dialect::MySql, 0));
        let hold = |statements: &[(&str, u16)]| {
            let mut state = fresh(255);
            let mut status = StatusFlags(0);
            for (text, flags) in [("SET autocommit = 0", 0)].iter().chain(statements) {
                let (statement, traces) = (classify(text.as_bytes(), mode), traces(text.as_bytes(), mode));
                state.begin_traces(&statement, traces, Said::default(), false);
                state.begin(&statement.class);
                status = StatusFlags(*flags);
                state.settle(end(status, Source::Primary, Touched::Wrote, now));
            }
            state.hold(status)
        };
        let off = Some(Hold::AutocommitOff);
        assert_eq!(hold(&[]), None);
        for text in ["SELECT 1", "SELECT @@version", "SHOW WARNINGS", "CREATE TABLE t (a INT)", "USE s"] {
            assert_eq!(hold(&[(text, 0)]), None, "{text}");
            assert_eq!(hold(&[("SELECT a FROM t", 0), (text, 1)]), Some(Hold::Transaction), "{text}");
        }
        for text in ["SELECT a FROM t", "TABLE t", "INSERT INTO t VALUES (1)", "SHOW TABLES"] {
            assert_eq!(hold(&[(text, 0)]), off, "{text}");
            for end in ["COMMIT", "ROLLBACK", "TRUNCATE TABLE t", "GRANT ALL ON t TO u"] {
                assert_eq!(hold(&[(text, 0), (end, 0)]), None, "{text}; {end}");
            }
            assert_eq!(hold(&[(text, 0), ("SELECT 1", 0)]), off, "{text}");
        }
    }

    #[test]
    fn a_savepoint_stands_without_autocommit_until_the_transaction_ends() {
        let (now, mode) = (Instant::now(), LexMode::usual(Dialect::MySql, 0));
        let stands = |statements: &[(&str, u16)]| {
            let mut state = fresh(255);
            for (text, flags) in statements {
                state.begin(&classify(text.as_bytes(), mode).class);
                state.settle(end(StatusFlags(*flags), Source::Primary, Touched::Wrote, now));
            }
            state.view().savepoint
        };
        let off = ("SET autocommit = 0", 0);
        assert!(!stands(&[("SAVEPOINT a", 2)]));
        for text in ["SAVEPOINT a", "SELECT 1; SAVEPOINT a"] {
            assert!(stands(&[off, (text, 0)]), "{text}");
            for keeps in ["SELECT 1", "RELEASE SAVEPOINT a", "ROLLBACK TO a"] {
                assert!(stands(&[off, (text, 0), (keeps, 0)]), "{keeps}");
            }
            for ends in ["COMMIT", "ROLLBACK", "BEGIN"] {
                assert!(!stands(&[off, (text, 0), (ends, 0)]), "{ends}");
            }
            assert!(!stands(&[off, (text, 0), ("SET autocommit = 1", 2)]));
        }
    }

    #[test]
    fn several_statements_may_rename_a_temporary_table() {
        let mode = LexMode::usual(Dialect::MySql, 0);
        let check = |before: &str, expected| {
            let mut state = fresh(255);
            state.begin(&classify(before.as_bytes(), mode).class);
            state.begin(&classify(b"SELECT 1; ALTER TABLE t RENAME TO u", mode).class);
            assert_eq!(state.view().changed, expected, "{before}");
        };
        check("CREATE TEMPORARY TABLE t (a INT)", Some(Changed::Statement));
        check("SELECT 1", None);
    }

    /// A server's own 1213 ends the transaction and says nothing of flags: what follows may be committed by itself.
    #[test]
    fn an_error_in_a_transaction_leaves_open_whether_it_is() {
        let (now, open) = (Instant::now(), StatusFlags(StatusFlags::AUTOCOMMIT.0 | 1));
        let mut state = fresh(255);
        state.begin(&Class::Data);
        state.settle(end(open, Source::Primary, Touched::Wrote, now));
        assert!(state.view().in_transaction && !state.view().maybe_open);
        state.begin(&Class::Data);
        let failed = End { error: Some(1213), ..end(StatusFlags(0), Source::Primary, Touched::Wrote, now) };
        state.settle(failed);
        let view = state.view();
        assert!(view.in_transaction && view.maybe_open && !view.fate_unknown);
        state.begin(&Class::Data);
        state.settle(end(StatusFlags::AUTOCOMMIT, Source::Primary, Touched::Wrote, now));
        assert!(!state.view().in_transaction && !state.view().maybe_open);
    }

    #[test]
    fn a_text_of_several_that_fails_may_have_committed() {
        let (now, open) = (Instant::now(), StatusFlags(StatusFlags::AUTOCOMMIT.0 | 1));
        let commit = Class::Transaction(TransactionKind::Commit(Then::Nothing));
        for error in [1146, PARSE_ERROR] {
            let mut state = fresh(255);
            state.begin(&Class::Data);
            state.settle(end(open, Source::Primary, Touched::Wrote, now));
            state.begin(&Class::Several([Class::Data, commit.clone(), Class::PlainRead].into()));
            state.settle(End { error: Some(error), ..end(open, Source::Primary, Touched::Wrote, now) });
            assert!(state.view().fate_unknown, "{error}");
        }
    }

    #[test]
    fn user_variables_keep_no_read_at_home() {
        let now = Instant::now();
        let mut state = fresh(255);
        state.begin(&Class::SetVariables(Box::default()));
        state.observe(Change::StateChanged);
        state.settle(end(StatusFlags::AUTOCOMMIT, Source::Primary, Touched::Nothing, now));
        assert_eq!(state.view().changed, None);
        // What sets one unseen is as it was.
        state.begin(&Class::Data);
        state.observe(Change::StateChanged);
        assert_eq!(state.view().changed, Some(Changed::Reported));
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
    fn after_an_error_the_next_report_brings_what_it_hid() {
        let now = Instant::now();
        let mut state = fresh(255);
        let failed =
            |touched, error| End { error: Some(error), ..end(StatusFlags(2), Source::Primary, touched, now) };
        state.settle(failed(Touched::Wrote, 1064));
        state.settle(failed(Touched::Saw, 1146));
        assert!(!state.view().unreported, "nothing ran that could change anything");
        state.settle(failed(Touched::Wrote, 1062));
        for _ in 0..3 {
            state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, now));
            assert!(state.view().unreported, "a reply without a report brings nothing");
        }
        state.observe(Change::Variable { name: b"last_gtid", value: b"0-1-2" });
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Wrote, now));
        assert!(!state.view().unreported);
    }

    #[test]
    fn a_ping_on_a_replica_shows_nothing() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let replica = Source::Replica(ServerId(2));
        let mut state = fresh(255);
        state.settle(end(StatusFlags(2), replica, Touched::Saw, start));
        state.settle(end(StatusFlags(2), replica, Touched::Nothing, later));
        assert_eq!(
            (state.view().seen, state.view().last_replica),
            (Floor::of(None, start), Some(ServerId(2)))
        );
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, start));
        state.settle(end(StatusFlags(2), replica, Touched::Nothing, later));
        assert_eq!((state.view().seen, state.view().last_replica), (Floor::of(None, start), None));
    }

    #[test]
    fn what_decides_elsewhere_is_noted() {
        let report = |name: &'static str, value: &'static str| Change::Variable {
            name: name.as_bytes(),
            value: value.as_bytes(),
        };
        let mut state = fresh(255);
        state.observe(report("wait_timeout", "7"));
        assert_eq!((state.wait_timeout(), state.view().changed), (Some(Duration::from_secs(7)), None));
        for name in ["transaction_isolation", "tx_isolation"] {
            state.observe(report(name, "SERIALIZABLE"));
            assert_eq!(state.view().isolation, Some(Isolation::Serializable));
            state.observe(report(name, "REPEATABLE-READ"));
            assert_eq!(state.view().isolation, Some(Isolation::RepeatableRead));
        }
        state.reset(StatusFlags(2), 1, Instant::now());
        assert_eq!((state.wait_timeout(), state.view().isolation), (None, None));
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
        assert_eq!((state.view().wrote, state.view().seen), (Floor::of(None, start), Floor::of(None, later)));
        state.settle(end(StatusFlags(0), Source::Replica(ServerId(2)), Touched::Saw, later));
        assert_eq!((state.view().autocommit, state.view().last_replica), (true, Some(ServerId(2))));
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Saw, later));
        assert_eq!(state.view().last_replica, None);
    }

    fn set(names: &[&str]) -> Class {
        Class::SetVariables(names.iter().map(|name| Name::new(name.as_bytes()).unwrap()).collect())
    }

    #[test]
    fn variables_are_carried_once_the_server_has_reported_them() {
        let now = Instant::now();
        let mut state = fresh(255);
        state.begin(&set(&["sql_mode", "time_zone"]));
        state.observe(Change::Variable { name: b"sql_mode", value: b"ANSI_QUOTES" });
        state.observe(Change::Variable { name: b"time_zone", value: b"+01:00" });
        state.observe(Change::StateChanged);
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Wrote, now));
        assert_eq!(state.view().changed, None);
        assert_eq!(state.variables().get("time_zone"), Some("+01:00"));
        assert!(state.quoting.is_some_and(|mode| mode.ansi_quotes && mode.dialect == Dialect::MySql));
        state.begin(&set(&["time_zone"]));
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Wrote, now));
        assert_eq!(state.view().changed, Some(Changed::Unconfirmed));
        state.reset(StatusFlags::AUTOCOMMIT, 1, now);
        assert!(state.variables().list().is_empty() && state.quoting.is_none());
    }

    #[test]
    fn variables_that_cannot_be_carried_pin() {
        let now = Instant::now();
        let ok = end(StatusFlags(2), Source::Primary, Touched::Wrote, now);
        let mut state = fresh(255);
        state.begin(&set(&["timestamp"]));
        state.observe(Change::Variable { name: b"timestamp", value: b"1.000000" });
        assert_eq!(state.view().changed, Some(Changed::Variable));
        let mut state = fresh(255);
        state.begin(&set(&["timestamp"]));
        state.settle(ok);
        assert_eq!(state.view().changed, Some(Changed::Unconfirmed));
        let report = |value: &'static [u8]| Change::Variable { name: b"sql_auto_is_null", value };
        let mut state = fresh(255);
        state.observe(report(b"OFF"));
        assert_eq!(state.view().changed, None);
        state.observe(report(b"ON"));
        assert_eq!(state.view().changed, Some(Changed::Variable));
        let mut state = fresh(255);
        state.begin(&Class::Several([set(&["sql_mode"]), Class::PlainRead].into()));
        assert_eq!(state.view().changed, Some(Changed::Statement), "the second was read the old way");
        let mut state = fresh(255);
        state.begin(&Class::Several([Class::Data, Class::PlainRead].into()));
        assert_eq!(state.view().changed, None);
    }

    #[test]
    fn a_set_that_was_refused_pins_nothing() {
        let now = Instant::now();
        let check = |names: &[&str], error, expected| {
            let mut state = fresh(255);
            state.begin(&set(names));
            let end = end(StatusFlags(2), Source::Primary, Touched::Wrote, now);
            state.settle(End { error: Some(error), ..end });
            assert_eq!(state.view().changed, expected, "{names:?} {error}");
        };
        check(&["query_cache_type"], 1193, None);
        check(&["sql_log_bin"], 1227, None);
        check(&["time_zone", "timestamp"], 1231, None);
        // It may have been raised while one was set, after others.
        check(&["timestamp", "gtid_next"], 1840, Some(Changed::Variable));
        check(&["time_zone"], 1840, None);
    }

    #[test]
    fn character_sets_are_read_back_where_reports_say_too_little() {
        let now = Instant::now();
        let mut state = fresh(255);
        state.begin(&Class::SetCharset);
        state.observe(Change::Variable { name: b"character_set_results", value: b"" });
        state.settle(end(StatusFlags(2), Source::Primary, Touched::Nothing, now));
        assert!(state.must_read_charsets() && !state.view().charset_known);
        state.read_charsets(ReadBack { client: "utf8mb4", collation: "latin1_bin", results: None });
        assert!(!state.must_read_charsets() && state.view().charset_known);
        let sql = "SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci, character_set_results=NULL, \
                   collation_connection=latin1_bin";
        assert_eq!(state.names().map(|sql| &**sql), Some(sql), "what was not set is as SET NAMES made it");
        state.reset(StatusFlags::AUTOCOMMIT, 1, now);
        state.read_charsets(ReadBack { client: "latin1", collation: "latin1_bin", results: None });
        let sql =
            "SET character_set_client=latin1, character_set_results=NULL, collation_connection=latin1_bin";
        assert_eq!(state.names().map(|sql| &**sql), Some(sql));
        state.begin(&Class::SetCharset);
        state.read_charsets(ReadBack { client: "x' OR", collation: "latin1_bin", results: None });
        assert!(state.must_read_charsets(), "no name");
    }

    #[test]
    fn a_transaction_that_nobody_opened_pins() {
        let now = Instant::now();
        let mut state = fresh(255);
        state.begin(&Class::Data);
        state.settle(end(StatusFlags(3), Source::Primary, Touched::Wrote, now));
        assert_eq!(state.view().changed, Some(Changed::Transaction));
        let mut state = fresh(255);
        state.begin(&Class::Transaction(TransactionKind::Begin));
        state.settle(end(StatusFlags(3), Source::Primary, Touched::Wrote, now));
        state.begin(&Class::Data);
        state.settle(end(StatusFlags(3), Source::Primary, Touched::Wrote, now));
        assert_eq!(state.view().changed, None);
    }

    #[test]
    fn the_next_transaction_may_have_characteristics_of_its_own() {
        let mut state = fresh(255);
        state.begin(&Class::SetTransaction);
        state.observe(Change::TransactionCharacteristics(b"SET TRANSACTION READ ONLY;"));
        assert!(state.view().next_transaction_set);
        state.observe(Change::TransactionCharacteristics(b""));
        assert!(!state.view().next_transaction_set && state.view().changed.is_none());
    }
}
