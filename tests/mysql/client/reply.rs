//! Replies, decoded into the lines of a transcript.

use anyhow::{Context, Result, bail};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::cursor::Cursor;
use headgate::wire::err::{ERR, ErrPacket};
use headgate::wire::frame::MAX_PAYLOAD;
use headgate::wire::ok::{EOF, OK};
use headgate::wire::status::StatusFlags;

use super::command::Shape;
use super::connection::{Connection, Packet};
use super::values::{binary_row, quoted, text_row};

/// First byte of a request for the client's file.
const LOCAL_INFILE: u8 = 0xFB;

/// The result holds the OUT parameters of a CALL that was prepared.
const PS_OUT_PARAMS: StatusFlags = StatusFlags(0x1000);

pub(crate) type Row = Vec<Option<Vec<u8>>>;

/// A whole reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Every packet, one a line, sequence number first.
    pub(crate) lines: Vec<String>,
    /// The rows of each result set.
    pub(crate) results: Vec<Vec<Row>>,
    /// Where it ended in an ERR.
    pub(crate) error: Option<ErrPacket>,
    /// The flags of the last OK or EOF behind rows.
    pub(crate) status: Option<StatusFlags>,
    /// What the last OK without rows says of rows changed and of the id made for them.
    pub(crate) affected: u64,
    pub(crate) insert_id: u64,
    /// The statement's id, where one was prepared.
    pub(crate) statement: Option<u32>,
    /// The statement's result columns, type and unsignedness, where one was prepared or executed.
    pub(crate) types: Vec<(u8, bool)>,
}

impl Reply {
    /// The first value of the first row as text; `None` for NULL and for no rows.
    pub(crate) fn value(&self) -> Option<String> {
        let value = self.results.first()?.first()?.first()?.as_deref()?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn note(&mut self, packet: &Packet, what: &str) {
        let parts = if packet.parts > 1 { format!(" (in {} packets)", packet.parts) } else { String::new() };
        self.lines.push(format!("{:>3} {what}{parts}", packet.seq));
    }
}

/// What is being read.
struct Reading {
    reply: Reply,
    capabilities: Capabilities,
    binary: bool,
    /// A cursor was asked for. Procedures with cursors of their own report one as well.
    cursor: bool,
}

impl Connection {
    /// Reads a reply. `file` is what a LOAD DATA LOCAL gets.
    pub(crate) async fn read_reply(
        &mut self,
        shape: Shape,
        file: &[u8],
        types: &[(u8, bool)],
    ) -> Result<Reply> {
        let binary = matches!(shape, Shape::Execute | Shape::OpenCursor | Shape::Fetch);
        let cursor = shape == Shape::OpenCursor;
        let mut reading =
            Reading { reply: Reply::default(), capabilities: self.capabilities, binary, cursor };
        let read = match shape {
            Shape::Query | Shape::Execute | Shape::OpenCursor => self.results(&mut reading, file).await,
            Shape::Prepare => self.prepared(&mut reading).await,
            Shape::Fetch => {
                reading.reply.types = types.to_vec();
                self.rows(&mut reading).await.map(drop)
            }
            Shape::Fields => self.fields(&mut reading).await,
            Shape::Text => self.text(&mut reading).await,
            Shape::Nothing => Ok(()),
        };
        read.with_context(|| format!("after {:#?}", reading.reply.lines))?;
        Ok(reading.reply)
    }

    async fn results(&mut self, reading: &mut Reading, file: &[u8]) -> Result<()> {
        loop {
            let packet = self.receive().await?;
            let more = match packet.payload.first() {
                Some(&OK) => {
                    reading.reply.note(&packet, &describe_ok(&packet.payload, reading.capabilities)?);
                    reading.reply.results.push(Vec::new());
                    let status = reading.ok(&packet.payload)?;
                    status.contains(StatusFlags::MORE_RESULTS)
                }
                Some(&ERR) => return reading.error(&packet),
                // COM_SET_OPTION is answered so.
                Some(&EOF) if packet.payload.len() < 9 => {
                    let line = if packet.payload.len() == 5 {
                        describe_eof(&packet.payload)?.0
                    } else {
                        describe_ok(&packet.payload, reading.capabilities)?
                    };
                    reading.reply.note(&packet, &line);
                    false
                }
                Some(&LOCAL_INFILE) => {
                    reading.reply.note(&packet, &format!("file wanted {}", quoted(&packet.payload[1..])));
                    self.send_file(file).await?;
                    true
                }
                _ => {
                    let mut cursor = Cursor::new(&packet.payload);
                    let columns = cursor.lenenc("column count")?;
                    reading
                        .reply
                        .note(&packet, &format!("{columns} columns, rest {}", quoted(cursor.rest())));
                    reading.reply.types.clear();
                    self.definitions(reading, columns).await?;
                    let mut out_parameters = false;
                    if !reading.capabilities.contains(Capabilities::DEPRECATE_EOF) {
                        let status = self.eof(reading, "columns end").await?;
                        if reading.cursor && status.contains(StatusFlags::CURSOR_EXISTS) {
                            return Ok(());
                        }
                        // MySQL says only here, and not behind the row, that an OK follows.
                        out_parameters = status.contains(PS_OUT_PARAMS);
                    }
                    self.rows(reading).await? || out_parameters
                }
            };
            if !more {
                return Ok(());
            }
            self.next_result();
        }
    }

    async fn send_file(&mut self, file: &[u8]) -> Result<()> {
        for piece in file.chunks(16 * 1024) {
            self.send(piece).await?;
        }
        self.send(&[]).await
    }

    async fn definitions(&mut self, reading: &mut Reading, count: u64) -> Result<()> {
        for _ in 0..count {
            let packet = self.receive().await?;
            let (line, kind) = describe_column(&packet.payload, self.capabilities)?;
            reading.reply.note(&packet, &line);
            reading.reply.types.push(kind);
        }
        Ok(())
    }

    async fn eof(&mut self, reading: &mut Reading, what: &str) -> Result<StatusFlags> {
        let packet = self.receive().await?;
        let (line, status) = describe_eof(&packet.payload)?;
        reading.reply.note(&packet, &format!("{what}, {line}"));
        Ok(status)
    }

    /// Reads rows up to their end; says whether another result follows.
    async fn rows(&mut self, reading: &mut Reading) -> Result<bool> {
        let mut rows = Vec::new();
        let deprecate_eof = reading.capabilities.contains(Capabilities::DEPRECATE_EOF);
        let more = loop {
            let packet = self.receive().await?;
            let limit = if deprecate_eof { MAX_PAYLOAD } else { 9 };
            match packet.payload.first() {
                Some(&ERR) => {
                    reading.error(&packet)?;
                    break false;
                }
                Some(&EOF) if packet.payload.len() < limit => {
                    let (line, status) = if deprecate_eof {
                        (describe_ok(&packet.payload, reading.capabilities)?, ok_status(&packet.payload)?)
                    } else {
                        describe_eof(&packet.payload)?
                    };
                    reading.reply.note(&packet, &line);
                    reading.reply.status = Some(status);
                    break status.contains(StatusFlags::MORE_RESULTS);
                }
                _ => rows.push(reading.row(&packet)?),
            }
        };
        reading.reply.results.push(rows);
        Ok(more)
    }

    async fn prepared(&mut self, reading: &mut Reading) -> Result<()> {
        let packet = self.receive().await?;
        if packet.payload.first() == Some(&ERR) {
            return reading.error(&packet);
        }
        // MySQL answers a SET GLOBAL that the account may not run so, and has no statement.
        if packet.payload.len() < 12 {
            reading.reply.note(&packet, &describe_ok(&packet.payload, reading.capabilities)?);
            return Ok(());
        }
        let mut cursor = Cursor::new(&packet.payload);
        cursor.u8("head")?;
        let id = cursor.u32("statement id")?;
        let columns = cursor.u16("columns")?;
        let parameters = cursor.u16("parameters")?;
        let line = format!(
            "prepared id={id} columns={columns} parameters={parameters} rest {}",
            quoted(cursor.remaining())
        );
        reading.reply.note(&packet, &line);
        reading.reply.statement = Some(id);
        for count in [parameters, columns] {
            reading.reply.types.clear();
            self.definitions(reading, u64::from(count)).await?;
            if count > 0 && !reading.capabilities.contains(Capabilities::DEPRECATE_EOF) {
                self.eof(reading, "definitions end").await?;
            }
        }
        Ok(())
    }

    async fn fields(&mut self, reading: &mut Reading) -> Result<()> {
        loop {
            let packet = self.receive().await?;
            match packet.payload.first() {
                Some(&ERR) => return reading.error(&packet),
                Some(&EOF) if reading.capabilities.contains(Capabilities::DEPRECATE_EOF) => {
                    reading.reply.note(&packet, &describe_ok(&packet.payload, reading.capabilities)?);
                    return Ok(());
                }
                Some(&EOF) => {
                    reading.reply.note(&packet, &describe_eof(&packet.payload)?.0);
                    return Ok(());
                }
                _ => reading.reply.note(&packet, &describe_column(&packet.payload, reading.capabilities)?.0),
            }
        }
    }

    async fn text(&mut self, reading: &mut Reading) -> Result<()> {
        let packet = self.receive().await?;
        if packet.payload.first() == Some(&ERR) {
            return reading.error(&packet);
        }
        reading.reply.note(&packet, &format!("text {}", packet.payload.escape_ascii()));
        Ok(())
    }
}

impl Reading {
    fn error(&mut self, packet: &Packet) -> Result<()> {
        let error = ErrPacket::parse(&packet.payload)?;
        self.reply.note(packet, &format!("error {error}"));
        self.reply.error = Some(error);
        Ok(())
    }

    fn ok(&mut self, payload: &[u8]) -> Result<StatusFlags> {
        let mut cursor = Cursor::new(payload);
        cursor.u8("head")?;
        self.reply.affected = cursor.lenenc("affected rows")?;
        self.reply.insert_id = cursor.lenenc("last insert id")?;
        let status = StatusFlags(cursor.u16("status")?);
        self.reply.status = Some(status);
        Ok(status)
    }

    fn row(&mut self, packet: &Packet) -> Result<Row> {
        let row = if self.binary {
            binary_row(&packet.payload, &self.reply.types)?
        } else {
            text_row(&packet.payload, self.reply.types.len())?
        };
        let shown: Vec<String> =
            row.iter().map(|value| value.as_deref().map_or_else(|| "NULL".to_owned(), quoted)).collect();
        self.reply.note(packet, &format!("row {}", shown.join(", ")));
        Ok(row)
    }
}

/// An OK packet as a line, everything in it named.
pub(super) fn describe_ok(payload: &[u8], capabilities: Capabilities) -> Result<String> {
    let mut cursor = Cursor::new(payload);
    let head = cursor.u8("head")?;
    let affected = cursor.lenenc("affected rows")?;
    let id = cursor.lenenc("last insert id")?;
    let status = StatusFlags(cursor.u16("status")?);
    let warnings = cursor.u16("warnings")?;
    let mut line =
        format!("ok head={head:02x} affected={affected} last={id} {} warnings={warnings}", flags(status));
    if !cursor.is_empty() {
        line += &format!(" info={}", quoted(cursor.lenenc_bytes("info")?));
    }
    if capabilities.contains(Capabilities::SESSION_TRACK)
        && status.contains(StatusFlags::SESSION_STATE_CHANGED)
        && !cursor.is_empty()
    {
        let mut changes = Cursor::new(cursor.lenenc_bytes("session state")?);
        while !changes.is_empty() {
            let kind = changes.u8("kind of change")?;
            line += &format!(" track {kind}:{}", quoted(changes.lenenc_bytes("change")?));
        }
    }
    if !cursor.is_empty() {
        line += &format!(" rest={}", quoted(cursor.rest()));
    }
    Ok(line)
}

fn ok_status(payload: &[u8]) -> Result<StatusFlags> {
    let mut cursor = Cursor::new(payload);
    cursor.u8("head")?;
    cursor.lenenc("affected rows")?;
    cursor.lenenc("last insert id")?;
    Ok(StatusFlags(cursor.u16("status")?))
}

fn describe_eof(payload: &[u8]) -> Result<(String, StatusFlags)> {
    let mut cursor = Cursor::new(payload);
    if cursor.u8("head")? != EOF {
        bail!("an EOF packet was expected, not {payload:02x?}");
    }
    let warnings = cursor.u16("warnings")?;
    let status = StatusFlags(cursor.u16("status")?);
    let rest = if cursor.is_empty() { String::new() } else { format!(" rest={}", quoted(cursor.rest())) };
    Ok((format!("eof {} warnings={warnings}{rest}", flags(status)), status))
}

fn flags(status: StatusFlags) -> String {
    format!("status={:04x}", status.0)
}

fn describe_column(payload: &[u8], capabilities: Capabilities) -> Result<(String, (u8, bool))> {
    let mut cursor = Cursor::new(payload);
    let mut names = Vec::new();
    for what in ["catalog", "schema", "table", "original table", "name", "original name"] {
        names.push(cursor.lenenc_bytes(what)?.escape_ascii().to_string());
    }
    let mut extended = String::new();
    if capabilities.contains(Capabilities::EXTENDED_METADATA) {
        extended = format!(" extended={}", quoted(cursor.lenenc_bytes("extended metadata")?));
    }
    let fixed = cursor.lenenc("length of the fixed part")?;
    let charset = cursor.u16("character set")?;
    let length = cursor.u32("length")?;
    let kind = cursor.u8("type")?;
    let flags = cursor.u16("flags")?;
    let decimals = cursor.u8("decimals")?;
    let line = format!(
        "column {} type={kind:02x} charset={charset} length={length} flags={flags:04x} decimals={decimals} \
         fixed={fixed}{extended} rest={}",
        names.join("|"),
        quoted(cursor.rest())
    );
    Ok((line, (kind, flags & 0x20 != 0)))
}
