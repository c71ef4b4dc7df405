//! Questions about the statement before, of a session that has given the connection back on which that ran.
//!
//! Where nobody has used that connection since, it is taken again. Else another one is made to answer as that would
//! have: its diagnostics are cleared, FOUND_ROWS() is made by a statement of our own that finds as many, ROW_COUNT() by
//! one that changes as many. Warnings are answered from a copy, made before their connection was given back.

use std::sync::Arc;

use bytes::BytesMut;

use super::checkout::CLEAR_WARNINGS;
use super::own::LIMIT;
use super::relay::{self, RelayError};
use super::replica;
use super::session::{Closing, Session};
use super::standing;
use crate::backend::{BackendError, Connection};
use crate::routing::{Reason, Target};
use crate::session::{Behind, Here, Hold, Shown};
use crate::sql::{self, Class, LexMode, Lexer, Statement, Traces};
use crate::topology::Flavor;
use crate::wire::command::Command;
use crate::wire::frame::Header;
use crate::wire::reply::{self, Progress, Shape, Tracker};

/// Words that ask about the statement before, wherever they stand.
const BACK: [&[u8]; 5] = [b"ROW_COUNT", b"FOUND_ROWS", b"WARNING_COUNT", b"ERROR_COUNT", b"LAST_GTID"];

/// What clients ask about warnings and errors. None of them changes what the others answer.
const QUESTIONS: [&str; 4] =
    ["SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW COUNT(*) ERRORS"];

/// The longest copy of warnings that is kept. With more the session keeps its connection.
const LONGEST_COPY: usize = 64 * 1024;

/// More rows than this are not found again for the sake of FOUND_ROWS().
const MOST_FOUND: u64 = 100_000;

/// What a statement asks about the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Asks {
    row_count: bool,
    found_rows: bool,
    diagnostics: bool,
    /// LAST_INSERT_ID(), which has to be carried first.
    insert_id: bool,
    /// `@@last_gtid`, which cannot be carried.
    last_gtid: bool,
    /// It is one of [`QUESTIONS`].
    question: Option<&'static str>,
}

impl Session {
    /// Makes the session's connection answer a question about the statement before. False where the client has been
    /// answered.
    pub(super) async fn prepare_to_look_back(
        &mut self,
        statement: &Statement,
        header: Header,
    ) -> Result<bool, Closing> {
        // From now on connections are kept for such questions, for a while.
        self.looks_back = true;
        // Whoever waits for another primary finds out first that there is one.
        if let Err(error) = self.enter_reign().await {
            return self.refuse(&error).await.map(|()| false);
        }
        let pooled = self.login.primary.is_pooled();
        let mut asks = self.asks(statement, header);
        let single = !matches!(statement.class, Class::Several(_));
        let copy = self.copied_warnings.clone().filter(|_| asks.diagnostics && !self.behind.clean);
        let answer = copy.as_deref().and_then(|copies| {
            let (_, reply) = copies.iter().find(|(question, _)| asks.question == Some(*question))?;
            Some(reply.clone())
        });
        match copy {
            Some(_) if let Some(reply) = answer => return self.answer_from(&reply).await.map(|()| false),
            None if self.is_known_here(asks) && self.lease_again() => return Ok(true),
            _ if asks.last_gtid && pooled => return self.refuse_to_look_back().await,
            _ if asks.diagnostics && !self.behind.clean => return self.refuse_to_look_back().await,
            _ => {}
        }
        // What stays has the text that it was prepared with.
        let may_splice = single && !self.executing.as_ref().is_some_and(|execution| execution.stays);
        if asks.row_count && self.behind.row_count > 0 && may_splice && self.splice_row_count(header) {
            asks.row_count = false;
        }
        let Some(made) = Recipe::of(self.behind, asks) else { return self.refuse_to_look_back().await };
        if let Err(error) = self.lease().await {
            return self.refuse(&error).await.map(|()| false);
        }
        // These leave other answers behind, so they come first.
        if let Err(error) = self.address_execution().await? {
            return self.refuse(&error).await.map(|()| false);
        }
        self.carry_insert_id().await?;
        match self.make_answer(&made).await {
            Ok(()) => Ok(true),
            // The client's own settings (max_join_size, …) may forbid it.
            Err(BackendError::Refused { .. }) => self.refuse_to_look_back().await,
            Err(error) => Err(error.into()),
        }
    }

    async fn refuse_to_look_back(&mut self) -> Result<bool, Closing> {
        if !self.login.primary.is_pooled() {
            // From now on the session reads from the primary, so that running both again helps.
            self.login.state.begin_unknown();
        }
        self.refuse(&replica::gone()).await.map(|()| false)
    }

    /// Whether the connection on which the statement before ran knows the answers. One that has to be given the session's
    /// LAST_INSERT_ID() first, knows nothing else any more then.
    fn is_known_here(&mut self, asks: Asks) -> bool {
        let wanted = self.login.state.insert_id();
        let carries =
            asks.insert_id && self.login.primary.held().is_some_and(|held| held.insert_id != wanted);
        let Here { row_count, found_rows, diagnostics, last_gtid } = self.here;
        // A connection that nobody else has, has the session's last.
        let last_gtid = last_gtid || !self.login.primary.is_shared();
        !carries
            && !self.is_to_move()
            && (row_count || !asks.row_count)
            && (found_rows || !asks.found_rows)
            && (diagnostics || !asks.diagnostics)
            && (last_gtid || !asks.last_gtid)
    }

    /// Whether the connection has to become what the session was for an execution to be prepared there.
    fn is_to_move(&self) -> bool {
        let state = &self.login.state;
        self.executing.as_ref().is_some_and(|execution| {
            self.statements.home(execution.id).is_none() && !state.still_binds(&execution.prepared)
        })
    }

    /// Puts what is known of ROW_COUNT() into the text at the front of the inbox.
    fn splice_row_count(&mut self, header: Header) -> bool {
        let Some(text) = self.text(header) else { return false };
        let kept = header.len.saturating_sub(text.len());
        let rows = u64::try_from(self.behind.row_count).unwrap_or(0);
        let Some(spliced) = sql::with_row_count(text, self.lex_mode(), rows) else { return false };
        match &mut self.executing {
            Some(execution) => {
                execution.prepared = Arc::new(execution.prepared.with_text(&spliced));
                true
            }
            None => standing::put_text(&mut self.client, kept, &spliced),
        }
    }

    async fn make_answer(&mut self, made: &Recipe) -> Result<(), BackendError> {
        let connection = self.login.primary.get()?;
        // ROW_COUNT() is -1 after it.
        connection.query(CLEAR_WARNINGS, LIMIT).await?;
        if let Some(sql) = &made.found_rows {
            connection.query(sql, LIMIT).await?;
        }
        if made.row_count == Count::Zero {
            connection.command(Command::Ping, &[], LIMIT).await?;
        }
        Ok(())
    }

    /// Whether a statement asks about the one before, be it no read.
    pub(super) fn asks_back(&self, statement: &Statement, header: Header) -> bool {
        let sets = matches!(
            statement.class,
            Class::SetVariables(_)
                | Class::SetCharset
                | Class::SetGlobal
                | Class::Other(_)
                | Class::PrimaryRead(_)
        );
        let is_back = |name: &[u8]| BACK.iter().any(|word| name.eq_ignore_ascii_case(word));
        let text = if sets && !statement.looks_back { self.text(header) } else { None };
        statement.looks_back || text.is_some_and(|text| sql::mentions(text, self.lex_mode(), is_back))
    }

    fn asks(&self, statement: &Statement, header: Header) -> Asks {
        let Some(text) = self.text(header) else {
            return Asks {
                row_count: true,
                found_rows: true,
                diagnostics: true,
                insert_id: true,
                ..Asks::default()
            };
        };
        let mode = self.lex_mode();
        let traces = sql::traces(text, mode);
        let stored_code = self.may_reach_stored_code(statement, Some(text), traces);
        let insert_id = self.wants_insert_id(statement, traces, stored_code);
        let mut asks = Asks { insert_id, ..Asks::default() };
        // What stands behind a semicolon asks about what stands before it.
        for token in Lexer::new(text, mode).take_while(|token| !token.is_symbol(b';')) {
            asks.last_gtid |= token.is_word(b"LAST_GTID");
            asks.row_count |= token.is_word(b"ROW_COUNT");
            asks.found_rows |= token.is_word(b"FOUND_ROWS");
            asks.diagnostics |= token.is_word(b"WARNING_COUNT") || token.is_word(b"ERROR_COUNT");
        }
        // SHOW WARNINGS and its like, GET DIAGNOSTICS.
        asks.diagnostics |= statement.only_looks_back && statement.class == Class::Inspect;
        asks.diagnostics |= matches!(statement.class, Class::Other(_));
        if self.executing.is_none() {
            asks.question =
                QUESTIONS.into_iter().find(|question| reads_the_same(text, question.as_bytes(), mode));
        }
        asks
    }

    /// Notes what the client may ask about a statement on a replica. The primary knows nothing of it.
    pub(super) fn look_behind_elsewhere(
        &mut self,
        statement: Option<&Statement>,
        end: &reply::End,
        flavor: Flavor,
    ) {
        let Some(statement) = statement.filter(|statement| !statement.looks_back) else { return };
        let (failed, warnings) = (end.error.is_some(), end.warnings);
        let shown = Shown { failed, affected: end.affected, rows: end.rows, warnings };
        // Whatever warnings the primary may have kept, that replica has its own.
        let traces = Traces { tables: true, ..Traces::default() };
        self.behind = self.behind.after(statement, traces, shown, flavor);
        (self.asked_own, self.copied_warnings) = (true, None);
    }

    /// Has a replica connection on which the statement before has run say what commands beside it have made of ROW_COUNT(),
    /// where this asks about it.
    pub(super) async fn tell_row_count(
        &mut self,
        statement: Option<&Statement>,
        connection: &mut Connection,
    ) -> Result<(), BackendError> {
        if statement.is_some_and(|statement| statement.looks_back) {
            if self.behind.row_count == 0 {
                connection.command(Command::Ping, &[], LIMIT).await?;
            }
            // What comes next is a result, or a ping, which does not ask.
            self.behind.row_count = -1;
        }
        Ok(())
    }

    /// Copies what the client may ask for about the statement before, and gives the connection back.
    pub(super) async fn copy_diagnostics(&mut self) -> Result<(), Closing> {
        if self.login.primary.keeps() != Some(Hold::Diagnostics) {
            return Ok(());
        }
        // Our own questions would hear of it, and nobody else.
        self.flush_reports().await?;
        let server = self.login.primary.server();
        if self.context.pool.limits().waiting(server) == 0 {
            // Nobody needs it, and the server's own answers are the best.
            return Ok(());
        }
        let copies = self.knows_diagnostics();
        self.asked_own = true;
        if copies {
            let mut copies = Vec::new();
            for question in QUESTIONS {
                match self.login.primary.get()?.raw(question, LONGEST_COPY, LIMIT).await? {
                    Some(copy) => copies.push((question, copy)),
                    None => {
                        // Too much: its connection knows it.
                        self.login.primary.keep_on();
                        return Ok(());
                    }
                }
            }
            self.copied_warnings = Some(copies.into());
        }
        // After those questions it would tell of them.
        if self.behind.clean
            && self.here.found_rows
            && self.behind.found_rows.is_none()
            && let Ok(answer) = self.ask_primary("SELECT FOUND_ROWS() AS found").await?
        {
            self.behind.found_rows = answer.value("found").and_then(|found| found.parse().ok());
        }
        self.give_back(true).await
    }

    /// Answers the command at the front of the inbox with a reply that a server has given before.
    async fn answer_from(&mut self, copy: &[u8]) -> Result<(), Closing> {
        self.count(Target::Primary, Reason::Inspect);
        self.behind.row_count = -1;
        relay::discard_command(&mut self.client).await?;
        let mut reply = BytesMut::from(copy);
        let mut tracker = Tracker::new(Shape::Results, self.login.form, self.login.primary.status());
        if let Some(seq) = self.client.number_inside() {
            tracker.number(seq);
        }
        let step = tracker.advance(&mut reply, &mut |_| {}).map_err(BackendError::from)?;
        if !matches!(step.progress, Progress::Complete(_)) {
            return Err(Closing::Told("a copy of warnings is broken"));
        }
        let limit = self.context.shared.limits().client_write_timeout;
        let ready = reply.get(..step.ready).unwrap_or_default();
        self.client.send(ready, limit).await.map_err(|error| RelayError::Client(error).into())
    }
}

/// Whether two texts are the same but for case, white space and comments.
fn reads_the_same(text: &[u8], question: &[u8], mode: LexMode) -> bool {
    let mut tokens = Lexer::new(text, mode);
    let mut wanted = Lexer::new(question, mode);
    loop {
        match (tokens.next(), wanted.next()) {
            (Some(token), Some(wanted)) if token.text.eq_ignore_ascii_case(wanted.text) => {}
            (rest, None) => return rest.is_none_or(|token| token.is_symbol(b';')),
            _ => return false,
        }
    }
}

/// How a connection is made to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recipe {
    found_rows: Option<String>,
    row_count: Count,
}

/// What ROW_COUNT() is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// -1, as after every statement with a result.
    AfterResult,
    Zero,
}

impl Recipe {
    /// Nothing where a connection cannot be made to answer so.
    fn of(behind: Behind, asks: Asks) -> Option<Self> {
        let found_rows = match (asks.found_rows, behind.found_rows) {
            (false, _) => None,
            (true, Some(found)) if found <= MOST_FOUND => Some(finds(found)),
            (true, _) => return None,
        };
        let row_count = match (asks.row_count, behind.row_count) {
            (false, _) | (true, -1) => Count::AfterResult,
            (true, 0) => Count::Zero,
            (true, _) => return None,
        };
        Some(Self { found_rows, row_count })
    }
}

/// A SELECT without warnings that finds so many rows, of which every account may run it.
fn finds(rows: u64) -> String {
    match rows {
        0 => "SELECT 1 FROM (SELECT 1) AS nothing WHERE FALSE".to_owned(),
        // The session may have set sql_select_limit, which holds where no LIMIT stands.
        rows => format!(
            "SELECT 1 FROM JSON_TABLE(CONCAT('[1', REPEAT(',1', {}), ']'), '$[*]' COLUMNS (a INT PATH '$')) AS ones \
             LIMIT {rows}",
            rows - 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_made_to_answer_where_that_is_possible() {
        let both = Asks { row_count: true, found_rows: true, ..Asks::default() };
        let check = |row_count, found_rows, asks, expected: Option<Count>| {
            let recipe = Recipe::of(Behind { row_count, found_rows, clean: true }, asks);
            assert_eq!(recipe.map(|recipe| recipe.row_count), expected, "{row_count} {found_rows:?}");
        };
        check(-1, Some(3), both, Some(Count::AfterResult));
        check(0, Some(0), both, Some(Count::Zero));
        check(1, Some(3), both, None);
        check(1, None, Asks { row_count: true, ..Asks::default() }, None);
        check(5, None, Asks { row_count: true, ..Asks::default() }, None);
        check(5, None, Asks { diagnostics: true, ..Asks::default() }, Some(Count::AfterResult));
        check(-1, None, both, None);
        check(-1, Some(MOST_FOUND + 1), both, None);
    }
}
