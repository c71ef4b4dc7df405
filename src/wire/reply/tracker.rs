//! The state machine that follows a reply.

use bytes::BytesMut;

use super::edit;
use super::progress::{End, Progress, Step};
use super::shape::{ClientForm, Shape};
use super::stage::{Passing, State, prepared_state};
use crate::wire::cursor::{Cursor, Malformed};
use crate::wire::err::{ERR, ErrPacket};
use crate::wire::frame::{HEADER, Header, MAX_PAYLOAD};
use crate::wire::ok::{EOF, OK, OkPacket, eof_payload};
use crate::wire::prepared::Prepared;
use crate::wire::session_track::Change;
use crate::wire::status::StatusFlags;

/// First byte of a request for the client's file (LOAD DATA LOCAL INFILE).
const LOCAL_INFILE: u8 = 0xFB;

/// Follows one reply.
#[derive(Debug, Clone)]
pub struct Tracker {
    shape: Shape,
    state: State,
    form: ClientForm,
    passing: Passing,
    /// Client's sequence number minus server's.
    shift: u8,
    /// The client's number of the packet that comes next, where it does not follow from the last one.
    next_seq: Option<u8>,
    /// Last sequence number of the server's.
    last_seq: u8,
    /// Stops between results.
    pauses: bool,
    /// Something was made ready.
    begun: bool,
    status: StatusFlags,
    warnings: u16,
    insert_id: u64,
    affected: Option<u64>,
    /// Rows of the result under way.
    rows: u64,
    /// The statement that was prepared.
    prepared: Option<Prepared>,
    /// What the client is to call it.
    called: Option<u32>,
    /// An ERR with this number is told in other words.
    reworded: Option<(u16, Box<ErrPacket>)>,
    /// Whether a transaction is open and autocommit on, where the client is told something else than the server says.
    shown: Option<StatusFlags>,
}

impl Tracker {
    /// Starts before the first packet. `status` is what the connection last reported.
    #[must_use]
    pub fn new(shape: Shape, form: ClientForm, status: StatusFlags) -> Self {
        let state = match shape {
            Shape::Results | Shape::Executed | Shape::Prepare => State::Head,
            Shape::Rows => State::Rows { eof_owed: false },
            Shape::Fields => State::Fields,
            Shape::Text => State::Text,
        };
        Self {
            shape,
            state,
            form,
            passing: Passing::default(),
            shift: 0,
            next_seq: None,
            last_seq: 0,
            pauses: false,
            begun: false,
            status,
            warnings: 0,
            insert_id: 0,
            affected: None,
            rows: 0,
            prepared: None,
            called: None,
            reworded: None,
            shown: None,
        }
    }

    /// Should the reply end in an ERR with this number, the client gets another in its place.
    pub fn reword(&mut self, code: u16, instead: ErrPacket) {
        self.reworded = Some((code, Box::new(instead)));
    }

    /// The client is told of its session's transaction and autocommit by these flags, whatever the server says of the
    /// connection that answers.
    pub fn show(&mut self, session: StatusFlags) {
        self.shown = Some(session.and(StatusFlags::OF_TRANSACTION));
    }

    fn as_shown(&self, status: StatusFlags) -> StatusFlags {
        self.shown
            .map_or(status, |shown| StatusFlags(status.without(StatusFlags::OF_TRANSACTION).0 | shown.0))
    }

    /// The client is to call the statement that is prepared by this id, whatever the server calls it.
    pub const fn call_statement(&mut self, id: u32) {
        self.called = Some(id);
    }

    /// The statement that the server has answered a prepare with.
    #[must_use]
    pub const fn prepared(&self) -> Option<Prepared> {
        self.prepared
    }

    /// Stops at the end of each result, so that the next one can be given [another number](Self::number).
    pub const fn pause(&mut self) {
        self.pauses = true;
    }

    /// Gives the packet that comes next this number for the client, and counts on from there.
    pub const fn number(&mut self, seq: u8) {
        self.next_seq = Some(seq);
    }

    /// Difference between the client's and the server's sequence numbers, for the packets of a file
    /// that the client sends in the middle of a reply.
    #[must_use]
    pub const fn shift(&self) -> u8 {
        self.shift
    }

    /// The sequence number of the packet that comes next on the server's side, whoever sends it.
    #[must_use]
    pub const fn next_server_seq(&self) -> u8 {
        self.last_seq.wrapping_add(1)
    }

    /// The sequence number of an ERR of Headgate's own that would end this reply for the client.
    #[must_use]
    pub const fn next_client_seq(&self) -> u8 {
        match self.next_seq {
            Some(seq) => seq,
            None => self.next_server_seq().wrapping_add(self.shift),
        }
    }

    /// True while nothing of this reply has been made ready for the client.
    #[must_use]
    pub const fn untouched(&self) -> bool {
        !self.begun
    }

    /// True between packets: an ERR of Headgate's own may be put here without tearing one apart.
    #[must_use]
    pub const fn between_packets(&self) -> bool {
        self.passing.left == 0 && !self.passing.continued
    }

    /// Goes as far as it can through `buf`, whose front is the first byte not yet made ready.
    /// `see` is told every session-state change.
    ///
    /// # Errors
    /// Where the server's bytes are no reply; the connection is then of no further use.
    pub fn advance(
        &mut self,
        buf: &mut BytesMut,
        see: &mut impl FnMut(Change<'_>),
    ) -> Result<Step, Malformed> {
        let mut at = 0;
        loop {
            at = self.pass_on(buf, at);
            if self.between_packets() && self.state == State::Over {
                return Ok(Step { ready: at, progress: Progress::Complete(self.end(None, false)) });
            }
            let more = Ok(Step { ready: at, progress: Progress::More });
            let (0, Some(header)) = (self.passing.left, buf.get(at..).and_then(Header::read)) else {
                return more;
            };
            if let Some(seq) = self.next_seq.take() {
                self.shift = seq.wrapping_sub(header.seq);
            }
            if self.passing.continued {
                self.start_packet(buf, at, header);
                at += HEADER;
                continue;
            }
            if header.len == 0 {
                return Err(Malformed::new("reply (an empty packet)"));
            }
            let Some(&first) = buf.get(at + HEADER) else { return more };
            if !self.is_head(first, header.len) {
                if matches!(self.state, State::Rows { eof_owed: true }) {
                    at = self.insert_eof(buf, at, header.seq.wrapping_sub(1));
                }
                self.count_packet();
                self.start_packet(buf, at, header);
                at += HEADER;
                continue;
            }
            if header.continues() {
                return Err(Malformed::new("reply head (16 MiB or longer)"));
            }
            if buf.len() - at < HEADER + header.len {
                return more;
            }
            if let Some(done) = self.head(buf, &mut at, header, first, see)? {
                return Ok(done);
            }
        }
    }

    /// Passes on what has come of the packet in the middle of which `at` stands.
    #[inline]
    fn pass_on(&mut self, buf: &mut BytesMut, at: usize) -> usize {
        let n = self.passing.left.min(buf.len() - at);
        self.passing.left -= n;
        if self.passing.then_eof && self.between_packets() {
            self.passing.then_eof = false;
            return self.insert_eof(buf, at + n, self.last_seq);
        }
        at + n
    }

    /// Makes the header of a streamed packet ready; its payload follows through [`Self::pass_on`].
    #[inline]
    fn start_packet(&mut self, buf: &mut BytesMut, at: usize, header: Header) {
        edit::shift_sequence(buf, at, header, self.shift);
        self.passing.left = header.len;
        self.passing.continued = header.continues();
        self.last_seq = header.seq;
        self.begun = true;
    }

    /// Whether the packet must be read whole. What is not a head is streamed.
    #[inline]
    fn is_head(&self, first: u8, len: usize) -> bool {
        match self.state {
            State::Head | State::Text | State::Over => true,
            // A row of 16 MiB may begin with 0xFE as well: an 8-byte length.
            State::Rows { .. } | State::Fields => first == ERR || (first == EOF && len < MAX_PAYLOAD),
            State::Columns(_) | State::Parameters(..) | State::PreparedColumns(_) => false,
        }
    }

    /// Counts a definition, and knows what comes behind the last one.
    #[inline]
    fn count_packet(&mut self) {
        let old_client = !self.form.deprecate_eof;
        match self.state {
            State::Columns(left) if left > 1 => self.state = State::Columns(left - 1),
            State::Columns(_) => self.state = State::Rows { eof_owed: old_client },
            State::Parameters(left, columns) if left > 1 => self.state = State::Parameters(left - 1, columns),
            State::Parameters(_, columns) => {
                self.state = if columns > 0 { State::PreparedColumns(columns) } else { State::Over };
                self.passing.then_eof = old_client;
            }
            State::PreparedColumns(left) if left > 1 => self.state = State::PreparedColumns(left - 1),
            State::PreparedColumns(_) => {
                self.state = State::Over;
                self.passing.then_eof = old_client;
            }
            State::Rows { .. } => self.rows += 1,
            State::Head | State::Fields | State::Text | State::Over => {}
        }
    }

    /// Puts in the EOF that an old client wants behind definitions. Its flags belong to a moment of
    /// which the server no longer speaks, so they are the last known ones of the session. Those of the
    /// last statement would mislead: a client that reads CURSOR_EXISTS here waits for no rows.
    fn insert_eof(&mut self, buf: &mut BytesMut, at: usize, server_seq: u8) -> usize {
        if let State::Rows { eof_owed } = &mut self.state {
            *eof_owed = false;
        }
        let seq = server_seq.wrapping_add(self.shift).wrapping_add(1);
        self.shift = self.shift.wrapping_add(1);
        let status = self.as_shown(self.status).and(StatusFlags::OF_SESSION);
        edit::insert(buf, at, seq, &eof_payload(0, status))
    }

    /// Reads a packet that has come whole. Says so where the reply pauses or ends with it.
    fn head(
        &mut self,
        buf: &mut BytesMut,
        at: &mut usize,
        header: Header,
        first: u8,
        see: &mut impl FnMut(Change<'_>),
    ) -> Result<Option<Step>, Malformed> {
        let start = *at;
        self.last_seq = header.seq;
        let at_once = !std::mem::replace(&mut self.begun, true);
        let payload = buf.get(start + HEADER..start + HEADER + header.len).unwrap_or_default();
        let mut len = header.len;
        let mut progress = None;
        match (self.state, first) {
            (State::Over, _) => return Err(Malformed::new("reply (packets behind its end)")),
            (_, ERR) => {
                let mut code = ErrPacket::parse(payload)?.code;
                if self.state == (State::Rows { eof_owed: true }) {
                    *at = self.insert_eof(buf, start, header.seq.wrapping_sub(1));
                }
                if let Some((_, instead)) = self.reworded.take_if(|(replaced, _)| *replaced == code) {
                    code = instead.code;
                    len = edit::replace(buf, *at, header, &instead.payload());
                }
                progress = Some(Progress::Complete(self.end(Some(code), at_once)));
            }
            (State::Text, _) => progress = Some(Progress::Complete(self.end(None, false))),
            (State::Head, OK)
                if self.shape == Shape::Prepare
                    && let Some(prepared) = Prepared::parse(payload) =>
            {
                self.prepared = Some(prepared);
                if let Some(id) = self.called {
                    edit::overwrite_at(buf, start, Prepared::ID, &id.to_le_bytes());
                }
                self.state = prepared_state(prepared);
                if self.state == State::Over {
                    progress = Some(Progress::Complete(self.end(None, false)));
                }
            }
            (State::Head, LOCAL_INFILE) => progress = Some(Progress::FileWanted),
            (State::Head, OK | EOF) | (State::Rows { .. } | State::Fields, _) => {
                let ok = OkPacket::parse(payload)?;
                ok.for_each_change(&mut *see)?;
                (self.status, self.warnings) = (ok.status, ok.warnings);
                self.affected = (ok.header == OK).then_some(ok.affected_rows);
                if ok.last_insert_id != 0 {
                    self.insert_id = ok.last_insert_id;
                }
                let cursor = self.shape == Shape::Executed && ok.status.contains(StatusFlags::CURSOR_EXISTS);
                let more = ok.status.contains(StatusFlags::MORE_RESULTS);
                if self.state == (State::Rows { eof_owed: true }) && !cursor {
                    let next = self.insert_eof(buf, start, header.seq.wrapping_sub(1));
                    *at = next;
                }
                len = self.put_ok(buf, *at, header)?;
                self.state = if more { State::Head } else { State::Over };
                progress = match more {
                    true => self.pauses.then_some(Progress::NextResult),
                    false => Some(Progress::Complete(self.end(None, false))),
                };
            }
            (State::Head, _) => {
                self.rows = 0;
                self.state = match Cursor::new(payload).lenenc("column count")? {
                    0 => return Err(Malformed::new("column count")),
                    n => State::Columns(n),
                };
            }
            (State::Columns(_) | State::Parameters(..) | State::PreparedColumns(_), _) => {
                return Err(Malformed::new("definition"));
            }
        }
        edit::shift_sequence(buf, *at, header, self.shift);
        *at += HEADER + len;
        Ok(progress.map(|progress| Step { ready: *at, progress }))
    }

    /// Turns the OK packet at `at` into what the client wants; returns its new length.
    fn put_ok(&self, buf: &mut BytesMut, at: usize, header: Header) -> Result<usize, Malformed> {
        let payload = buf.get(at + HEADER..at + HEADER + header.len).unwrap_or_default();
        let ok = OkPacket::parse(payload)?;
        let ok = OkPacket { status: self.as_shown(ok.status), ..ok };
        if ok.header == EOF && !self.form.deprecate_eof {
            let eof = ok.eof_payload();
            edit::overwrite(buf, at, &eof);
            edit::shorten(buf, at, header, eof.len());
            return Ok(eof.len());
        }
        if !ok.status.contains(StatusFlags::SESSION_STATE_CHANGED) && self.shown.is_none() {
            return Ok(header.len);
        }
        let mut edited = Vec::with_capacity(header.len);
        ok.put_for_client(&mut edited, self.form.wish)?;
        edit::overwrite(buf, at, &edited);
        edit::shorten(buf, at, header, edited.len());
        Ok(edited.len().min(header.len))
    }

    const fn end(&self, error: Option<u16>, at_once: bool) -> End {
        let Self { status, warnings, insert_id, affected, rows, .. } = *self;
        End { status, error, warnings, insert_id, affected, rows, at_once }
    }
}
