//! Replies as a server would send them, and what each client must get of them.
//!
//! The bytes of the fuzzer choose a reply. It is written down twice, by code that shares nothing with
//! the tracker: as the server sends it, and as a server would send it to this client directly. The
//! tracker must turn one into the other. Then a few bytes are spoilt, and it must keep its head.

use headgate::wire::reply::{ClientForm, Progress, Shape, Tracker};
use headgate::wire::session_track::Wish;
use headgate::wire::status::StatusFlags;

use super::reply::{SHAPES, chunks_change_nothing, form};
use super::source::Source;

const MORE_RESULTS: u16 = 0x0008;
const CURSOR: u16 = 0x0040;
const STATE_CHANGED: u16 = 0x4000;
/// Open transaction, autocommit, NO_BACKSLASH_ESCAPES, read-only transaction. The other flags speak of a
/// statement that is over; a client that saw CURSOR_EXISTS behind columns would expect no rows.
const OF_SESSION: u16 = 0x2203;

/// Choices, then bytes to spoil the reply with.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let (shape, form) = (source.choose(&SHAPES), form(&mut source));
    let before = StatusFlags(u16::from(source.byte()));
    let chunks = [usize::from(source.byte()) + 1, usize::from(source.below(7)) + 1];
    let mut writer = Writer::new(form, before.0);
    writer.reply(shape, &mut source);
    let tracker = Tracker::new(shape, form, before);
    let relayed = chunks_change_nothing(&tracker, &writer.server, &chunks);
    assert_eq!(relayed.out, writer.client);
    assert_eq!((relayed.changes.len(), relayed.files, relayed.left), (writer.changes, writer.files, 0));
    match relayed.progress {
        Some(Progress::Complete(end)) => {
            assert_eq!((end.status.0, end.error), (writer.status, writer.error));
            assert_eq!(end.at_once, writer.error.is_some() && writer.packets == 1);
        }
        other => panic!("a whole reply is complete: {other:?}"),
    }
    let mut spoilt = writer.server;
    while !source.is_empty() {
        let at = usize::from(source.byte()) << 8 | usize::from(source.byte());
        let at = at % spoilt.len();
        spoilt[at] ^= source.byte();
    }
    chunks_change_nothing(&tracker, &spoilt, &chunks);
}

/// Writes a reply in both forms.
struct Writer {
    form: ClientForm,
    server: Vec<u8>,
    client: Vec<u8>,
    server_seq: u8,
    client_seq: u8,
    /// Packets of the server's.
    packets: usize,
    /// What the client knows of the status.
    status: u16,
    error: Option<u16>,
    changes: usize,
    files: usize,
}

impl Writer {
    fn new(form: ClientForm, status: u16) -> Self {
        Self {
            form,
            server: Vec::new(),
            client: Vec::new(),
            server_seq: 1,
            client_seq: 1,
            packets: 0,
            status,
            error: None,
            changes: 0,
            files: 0,
        }
    }

    fn reply(&mut self, shape: Shape, source: &mut Source<'_>) {
        if source.below(8) == 7 {
            return self.err(source);
        }
        match shape {
            Shape::Results | Shape::Executed => self.results(source),
            Shape::Prepare => self.prepare(source),
            Shape::Rows => self.rows(0, false, source),
            Shape::Fields => {
                self.definitions(source.below(4));
                self.ok(0xFE, 0, false, source);
            }
            Shape::Text => self.both(&text(source)),
        }
    }

    fn results(&mut self, source: &mut Source<'_>) {
        for left in (0..=source.below(4)).rev() {
            let more = if left > 0 { MORE_RESULTS } else { 0 };
            match source.below(6) {
                0 | 1 => self.ok(0, more, false, source),
                2 => self.file(more, source),
                3 if left == 0 => return self.err(source),
                kind => {
                    let columns = source.below(5) + 1;
                    self.both(&[columns]);
                    self.definitions(columns);
                    if kind == 4 && left == 0 {
                        // The only EOF of a reply that opens a cursor stands behind its columns.
                        return self.ok(0xFE, CURSOR, false, source);
                    }
                    if source.below(8) == 7 && left == 0 {
                        self.eof_for_old_clients(self.status);
                        return self.err(source);
                    }
                    self.rows(more, true, source);
                }
            }
        }
    }

    /// Rows and the OK behind them. `after_columns`: old clients get an EOF before the first.
    fn rows(&mut self, more: u16, after_columns: bool, source: &mut Source<'_>) {
        let rows = source.below(6);
        if after_columns && rows > 0 {
            self.eof_for_old_clients(self.status);
        }
        for _ in 0..rows {
            let value = source.chunk();
            // A text row of one value, or a binary row.
            let row = match u8::try_from(value.len()) {
                Ok(len @ ..0xFB) => [&[len], value].concat(),
                _ => [&[0, 0], value].concat(),
            };
            self.both(&row);
        }
        self.ok(0xFE, more, after_columns && rows == 0, source);
    }

    fn prepare(&mut self, source: &mut Source<'_>) {
        let (columns, parameters) = (source.below(4), source.below(4));
        self.both(&[0, 1, 0, 0, 0, columns, 0, parameters, 0, 0, 0, 0]);
        for count in [parameters, columns] {
            self.definitions(count);
            if count > 0 {
                self.eof_for_old_clients(self.status);
            }
        }
    }

    /// The client sends two packets of its file, and an empty one.
    fn file(&mut self, more: u16, source: &mut Source<'_>) {
        self.both(&[&[0xFB], source.chunk()].concat());
        self.files += 1;
        self.server_seq = self.server_seq.wrapping_add(3);
        self.client_seq = self.client_seq.wrapping_add(3);
        self.ok(0, more, false, source);
    }

    fn definitions(&mut self, count: u8) {
        for _ in 0..count {
            self.both(b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0");
        }
    }

    fn err(&mut self, source: &mut Source<'_>) {
        let code = u16::from(source.byte()) + 1000;
        let [low, high] = code.to_le_bytes();
        self.both(&[&[0xFF, low, high], &b"#42000"[..], source.chunk()].concat());
        self.error = Some(code);
    }

    /// An OK with this first byte and these flags, and whatever else a statement leaves behind. Where it
    /// stands directly behind columns, the EOF of old clients says what it says.
    fn ok(&mut self, header: u8, flags: u16, after_columns: bool, source: &mut Source<'_>) {
        // Also flags that the tracker has no name for: no index, slow, NO_BACKSLASH_ESCAPES.
        let status = flags | source.choose(&[0, 1, 2, 3, 0x0222, 0x2003, 0x0811]);
        let warnings = source.byte();
        let info = text(source);
        let info = if header == 0 { &info[1..] } else { &[] };
        let (all, wanted, count) = self.session_state(source);
        let payload = |status: u16, state: &[u8], always_info: bool| {
            let mut out = vec![header, 1, 2];
            out.extend_from_slice(&status.to_le_bytes());
            out.extend_from_slice(&[warnings, 0]);
            if always_info || !info.is_empty() || !state.is_empty() {
                put(&mut out, info);
            }
            if !state.is_empty() {
                put(&mut out, state);
            }
            out
        };
        let changed = |state: &[u8]| if state.is_empty() { 0 } else { STATE_CHANGED };
        let server = payload(status | changed(&all), &all, true);
        let [low, high] = status.to_le_bytes();
        let client = if header == 0xFE && !self.form.deprecate_eof {
            vec![0xFE, warnings, 0, low, high]
        } else if all.is_empty() {
            server.clone()
        } else {
            payload(status | changed(&wanted), &wanted, false)
        };
        if after_columns {
            self.eof_for_old_clients(status);
        }
        self.server_packet(&server);
        self.client_packet(&client);
        self.changes += count;
        self.status = status | changed(&all);
    }

    /// All entries, those that the client wants, and the number of changes in all.
    fn session_state(&self, source: &mut Source<'_>) -> (Vec<u8>, Vec<u8>, usize) {
        let (mut all, mut wanted, mut count) = (Vec::new(), Vec::new(), 0);
        for _ in 0..source.below(4) {
            let value = source.chunk();
            let value = &value[..value.len().min(40)];
            let pair = |name: &[u8]| {
                let mut out = Vec::new();
                put(&mut out, name);
                put(&mut out, value);
                out
            };
            let alone = |before: &[u8]| {
                let mut out = before.to_vec();
                put(&mut out, value);
                out
            };
            let (kind, body, by_default, changes) = match source.below(8) {
                0 => (0, pair(b"autocommit"), true, 1),
                1 => (0, pair(b"sql_mode"), false, 1),
                2 => (0, [pair(b"sql_mode"), pair(b"time_zone")].concat(), true, 2),
                3 => (1, alone(&[]), true, 1),
                4 => (2, b"\x011".to_vec(), false, 1),
                5 => (3, alone(&[0]), false, 1),
                6 => (4, alone(&[]), false, 1),
                _ => (5, alone(&[]), false, 1),
            };
            let mut entry = vec![kind];
            put(&mut entry, &body);
            all.extend_from_slice(&entry);
            count += changes;
            if self.form.wish == Wish::Everything || (self.form.wish == Wish::Defaults && by_default) {
                wanted.extend_from_slice(&entry);
            }
        }
        (all, wanted, count)
    }

    fn eof_for_old_clients(&mut self, status: u16) {
        if !self.form.deprecate_eof {
            let [low, high] = (status & OF_SESSION).to_le_bytes();
            self.client_packet(&[0xFE, 0, 0, low, high]);
        }
    }

    fn both(&mut self, payload: &[u8]) {
        self.server_packet(payload);
        self.client_packet(payload);
    }

    fn server_packet(&mut self, payload: &[u8]) {
        packet(&mut self.server, &mut self.server_seq, payload);
        self.packets += 1;
    }

    fn client_packet(&mut self, payload: &[u8]) {
        packet(&mut self.client, &mut self.client_seq, payload);
    }
}

fn packet(out: &mut Vec<u8>, seq: &mut u8, payload: &[u8]) {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    out.extend_from_slice(&[a, b, c, *seq]);
    out.extend_from_slice(payload);
    *seq = seq.wrapping_add(1);
}

/// string<lenenc>
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len @ ..0xFB) => out.push(len),
        _ => {
            let [low, high, ..] = bytes.len().to_le_bytes();
            out.extend_from_slice(&[0xFC, low, high]);
        }
    }
    out.extend_from_slice(bytes);
}

/// A text that is not empty and cannot be taken for an ERR.
fn text(source: &mut Source<'_>) -> Vec<u8> {
    [b"u", source.chunk()].concat()
}
