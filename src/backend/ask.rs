//! Questions of our own: a command, its whole answer, at most a deadline.

use std::time::Duration;

use super::connection::{Connection, WRITE_LIMIT};
use super::error::BackendError;
use crate::runtime::clock;
use crate::wire::Malformed;
use crate::wire::answer::{Answer, Row};
use crate::wire::capabilities::Capabilities;
use crate::wire::column;
use crate::wire::command::Command;
use crate::wire::cursor::Cursor;
use crate::wire::err::{ERR, ErrPacket};
use crate::wire::frame::{HEADER, put_packet, split_packet};
use crate::wire::ok::{EOF, OK, OkPacket};
use crate::wire::prepared::Prepared;
use crate::wire::reply::{ClientForm, Progress, Shape, Tracker};
use crate::wire::session_track::{Change, Wish};

/// The longest packet of an answer to a question of our own.
const MAX_PACKET: usize = 8 * 1024 * 1024;

/// The most rows of such an answer.
const MAX_ROWS: usize = 1_000_000;

/// Variables and their new values, as an OK reports them.
pub(super) type Reported = Vec<(Vec<u8>, Vec<u8>)>;

impl Connection {
    /// Runs one statement of Headgate's own and reads the whole answer.
    ///
    /// # Errors
    /// The server's own refusal, or a failure after which the connection is of no further use.
    pub async fn query(&mut self, sql: &str, limit: Duration) -> Result<Answer, BackendError> {
        self.command(Command::Query, sql.as_bytes(), limit).await
    }

    /// Sends a command and reads the whole answer, keeping track of schema and status.
    pub async fn command(
        &mut self,
        command: Command,
        argument: &[u8],
        limit: Duration,
    ) -> Result<Answer, BackendError> {
        clock::within(limit, self.command_unbounded(command, argument, &mut |_| {})).await?
    }

    async fn command_unbounded(
        &mut self,
        command: Command,
        argument: &[u8],
        see: &mut (dyn FnMut(Change<'_>) + Send),
    ) -> Result<Answer, BackendError> {
        let payload = match command {
            Command::Query => self.query_payload(argument),
            command => [&[command as u8], argument].concat(),
        };
        // Until the whole answer is there, a deadline that cuts this leaves the connection of no use.
        self.begin();
        self.send_payload(&payload).await?;
        let answer = self.read_answer(see).await;
        if matches!(answer, Ok(_) | Err(BackendError::Refused { .. })) {
            self.finish(self.status);
        }
        answer
    }

    /// As [`Self::query`], and tells `see` every change of session state that the answer reports.
    pub async fn query_seeing(
        &mut self,
        sql: &str,
        limit: Duration,
        see: &mut (dyn FnMut(Change<'_>) + Send),
    ) -> Result<Answer, BackendError> {
        self.command_seeing(Command::Query, sql.as_bytes(), limit, see).await
    }

    /// As [`Self::command`], and tells `see` every change of session state that the answer reports.
    pub async fn command_seeing(
        &mut self,
        command: Command,
        argument: &[u8],
        limit: Duration,
        see: &mut (dyn FnMut(Change<'_>) + Send),
    ) -> Result<Answer, BackendError> {
        clock::within(limit, self.command_unbounded(command, argument, see)).await?
    }

    /// Runs a statement of our own and gives the bytes of its reply back. Nothing where they are more than `most`; they
    /// are read all the same.
    ///
    /// # Errors
    /// A failure of the connection. A refusal is a reply.
    pub async fn raw(
        &mut self,
        sql: &str,
        most: usize,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, BackendError> {
        clock::within(limit, self.raw_unbounded(sql, most)).await?
    }

    async fn raw_unbounded(&mut self, sql: &str, most: usize) -> Result<Option<Vec<u8>>, BackendError> {
        self.begin();
        self.send_payload(&self.query_payload(sql.as_bytes())).await?;
        let form = ClientForm { deprecate_eof: true, wish: Wish::Nothing };
        let mut tracker = Tracker::new(Shape::Results, form, self.status);
        let mut reply = Vec::new();
        loop {
            let step = tracker.advance(&mut self.link.inbox, &mut |_| {})?;
            if reply.len() <= most {
                reply.extend_from_slice(self.link.inbox.get(..step.ready).unwrap_or_default());
            }
            self.link.consume(step.ready);
            match step.progress {
                Progress::Complete(end) => {
                    self.finish(end.status);
                    return Ok((reply.len() <= most).then_some(reply));
                }
                Progress::NextResult => {}
                Progress::More if self.link.fill().await? > 0 => {}
                Progress::More | Progress::FileWanted => return Err(BackendError::Closed),
            }
        }
    }

    fn query_payload(&self, sql: &[u8]) -> Vec<u8> {
        let mut payload = vec![Command::Query as u8];
        if self.capabilities.contains(Capabilities::QUERY_ATTRIBUTES) {
            // No attributes, one set of them: the form that was negotiated for the client's sake.
            payload.extend_from_slice(&[0, 1]);
        }
        payload.extend_from_slice(sql);
        payload
    }

    /// Whether the server would run a statement: it prepares it and forgets it again.
    ///
    /// # Errors
    /// [`BackendError::Refused`] with the server's reason, or a failure of the connection.
    pub async fn would_run(&mut self, sql: &[u8], limit: Duration) -> Result<(), BackendError> {
        clock::within(limit, self.try_to_prepare(sql)).await?
    }

    async fn try_to_prepare(&mut self, sql: &[u8]) -> Result<(), BackendError> {
        if let Some(Prepared { id, .. }) = self.prepare_statement(sql).await? {
            self.send_command(Command::StmtClose, &id.to_le_bytes()).await?;
        }
        Ok(())
    }

    /// Prepares a statement. An OK may come without one.
    pub(super) async fn prepare_statement(&mut self, sql: &[u8]) -> Result<Option<Prepared>, BackendError> {
        self.begin();
        self.send_command(Command::StmtPrepare, sql).await?;
        let head = self.packet().await?;
        if head.first() == Some(&ERR) {
            self.finish(self.status);
            return Err(BackendError::Refused { error: ErrPacket::parse(&head)? });
        }
        let prepared = Prepared::parse(&head);
        let definitions =
            prepared.map_or(0, |prepared| u32::from(prepared.columns) + u32::from(prepared.parameters));
        for _ in 0..definitions {
            self.packet().await?;
        }
        self.finish(self.status);
        Ok(prepared)
    }

    /// Reads one result and refuses a second one.
    pub(super) async fn read_answer(
        &mut self,
        see: &mut (dyn FnMut(Change<'_>) + Send),
    ) -> Result<Answer, BackendError> {
        let head = self.packet().await?;
        let columns = match head.first() {
            Some(&OK | &EOF) => {
                let variables = self.note_ok(&head, see)?;
                return Ok(Answer { variables, ..Answer::default() });
            }
            Some(&ERR) => return Err(BackendError::Refused { error: ErrPacket::parse(&head)? }),
            _ => Cursor::new(&head).lenenc("column count")?,
        };
        let mut answer = Answer::default();
        for _ in 0..columns.min(4096) {
            let definition = self.packet().await?;
            answer.columns.push(text(column::name(&definition)?));
        }
        loop {
            let packet = self.packet().await?;
            match packet.first() {
                Some(&EOF) if packet.len() < MAX_PACKET => {
                    self.note_ok(&packet, see)?;
                    return Ok(answer);
                }
                Some(&ERR) => return Err(BackendError::Refused { error: ErrPacket::parse(&packet)? }),
                _ if answer.rows.len() == MAX_ROWS => {
                    return Err(Malformed::new("answer (more rows than were asked for)").into());
                }
                _ => answer.rows.push(row(&packet, answer.columns.len())?),
            }
        }
    }

    pub(super) async fn send_command(
        &mut self,
        command: Command,
        argument: &[u8],
    ) -> Result<(), BackendError> {
        self.send_payload(&[&[command as u8], argument].concat()).await
    }

    async fn send_payload(&mut self, payload: &[u8]) -> Result<(), BackendError> {
        let mut out = Vec::with_capacity(payload.len() + HEADER);
        put_packet(&mut out, &mut 0, payload);
        self.link.send(&out, WRITE_LIMIT).await?;
        Ok(())
    }

    /// Takes in what an OK says of the connection's own state. Gives the variables back that it reports.
    pub(super) fn note_ok(
        &mut self,
        payload: &[u8],
        see: &mut (dyn FnMut(Change<'_>) + Send),
    ) -> Result<Reported, BackendError> {
        let ok = OkPacket::parse(payload)?;
        self.status = ok.status;
        let schema = &mut self.schema;
        let mut variables = Reported::new();
        ok.for_each_change(|change| {
            see(change);
            match change {
                Change::Schema(name) => *schema = (!name.is_empty()).then(|| name.into()),
                Change::Variable { name, value } => variables.push((name.to_vec(), value.to_vec())),
                _ => {}
            }
        })?;
        Ok(variables)
    }

    async fn packet(&mut self) -> Result<Vec<u8>, BackendError> {
        loop {
            if let Some((header, payload)) = split_packet(&self.link.inbox, MAX_PACKET)? {
                let payload = payload.to_vec();
                self.link.consume(HEADER + header.len);
                return Ok(payload);
            }
            if self.link.fill().await? == 0 {
                return Err(BackendError::Closed);
            }
        }
    }
}

fn row(packet: &[u8], columns: usize) -> Result<Row, Malformed> {
    let mut cursor = Cursor::new(packet);
    (0..columns).map(|_| Ok(cursor.nullable_bytes("value")?.map(text))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
