//! Commands.

use anyhow::Result;
use headgate::wire::capabilities::Capabilities;
use headgate::wire::command::Command;
use headgate::wire::encode::{put_lenenc, put_lenenc_bytes};
use headgate::wire::err::ErrPacket;

use super::connection::Connection;
use super::reply::Reply;

/// What kind of reply is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Query,
    Execute,
    /// Execute, asking for a cursor.
    OpenCursor,
    Prepare,
    Fetch,
    Fields,
    Text,
    Nothing,
}

/// Flag of COM_STMT_EXECUTE: open a cursor.
pub(crate) const CURSOR_READ_ONLY: u8 = 1;
/// Flag of COM_STMT_EXECUTE: the number of parameters is given, as clients with query attributes do.
const PARAMETER_COUNT_GIVEN: u8 = 8;

/// Flag of COM_STMT_BULK_EXECUTE: the types of the parameters come first.
const TYPES_GIVEN: u16 = 128;

/// A parameter's value, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) unsigned: bool,
    /// `None` for NULL.
    pub(crate) value: Option<Vec<u8>>,
}

fn put_params(out: &mut Vec<u8>, params: &[Param], named: bool) {
    let mut nulls = vec![0_u8; params.len().div_ceil(8)];
    for (i, _) in params.iter().enumerate().filter(|(_, param)| param.value.is_none()) {
        nulls[i / 8] |= 1 << (i % 8);
    }
    out.extend_from_slice(&nulls);
    out.push(1); // types follow
    for param in params {
        out.extend_from_slice(&[param.kind, if param.unsigned { 0x80 } else { 0 }]);
        if named {
            put_lenenc_bytes(out, param.name.as_bytes());
        }
    }
    for value in params.iter().filter_map(|param| param.value.as_ref()) {
        out.extend_from_slice(value);
    }
}

impl Connection {
    /// Sends any command and reads the reply.
    pub(crate) async fn command(&mut self, payload: &[u8], shape: Shape) -> Result<Reply> {
        self.command_with(payload, shape, &[], &[]).await
    }

    async fn command_with(
        &mut self,
        payload: &[u8],
        shape: Shape,
        file: &[u8],
        types: &[(u8, bool)],
    ) -> Result<Reply> {
        self.begin_command();
        self.send(payload).await?;
        self.read_reply(shape, file, types).await
    }

    /// Sends a COM_QUERY and does not wait for the reply.
    pub(crate) async fn send_query(&mut self, sql: &str) -> Result<()> {
        self.seq = 0;
        self.send(&[&[Command::Query as u8], sql.as_bytes()].concat()).await
    }

    /// Takes so many packets, whatever they are; fewer where the connection ends before.
    pub(crate) async fn receive_packets(&mut self, count: usize) {
        for _ in 0..count {
            if self.receive().await.is_err() {
                return;
            }
        }
    }

    /// An ERR that comes unasked.
    pub(crate) async fn receive_error(&mut self) -> Result<ErrPacket> {
        Ok(ErrPacket::parse(&self.receive().await?.payload)?)
    }

    fn has_attributes(&self) -> bool {
        self.capabilities.contains(Capabilities::QUERY_ATTRIBUTES)
    }

    /// COM_QUERY.
    pub(crate) async fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<Reply> {
        self.query_with(sql.as_ref(), &[], &[]).await
    }

    /// COM_QUERY with attributes (dropped where they were not agreed on) and a file for LOAD DATA LOCAL.
    pub(crate) async fn query_with(
        &mut self,
        sql: &[u8],
        attributes: &[Param],
        file: &[u8],
    ) -> Result<Reply> {
        let mut payload = vec![Command::Query as u8];
        if self.has_attributes() {
            put_lenenc(&mut payload, attributes.len() as u64);
            put_lenenc(&mut payload, 1);
            if !attributes.is_empty() {
                put_params(&mut payload, attributes, true);
            }
        }
        payload.extend_from_slice(sql);
        self.command_with(&payload, Shape::Query, file, &[]).await
    }

    /// COM_STMT_PREPARE.
    pub(crate) async fn prepare(&mut self, sql: &[u8]) -> Result<Reply> {
        self.command(&[&[Command::StmtPrepare as u8], sql].concat(), Shape::Prepare).await
    }

    /// COM_STMT_EXECUTE.
    pub(crate) async fn execute(
        &mut self,
        id: u32,
        cursor: u8,
        params: &[Param],
        file: &[u8],
    ) -> Result<Reply> {
        let attributes = self.has_attributes();
        let mut payload = vec![Command::StmtExecute as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        payload.push(if attributes { cursor | PARAMETER_COUNT_GIVEN } else { cursor });
        payload.extend_from_slice(&1_u32.to_le_bytes());
        if attributes {
            put_lenenc(&mut payload, params.len() as u64);
        }
        if !params.is_empty() {
            put_params(&mut payload, params, attributes);
        }
        let shape = if cursor == 0 { Shape::Execute } else { Shape::OpenCursor };
        self.command_with(&payload, shape, file, &[]).await
    }

    /// MariaDB's COM_STMT_BULK_EXECUTE, with the types of the first row.
    pub(crate) async fn execute_bulk(&mut self, id: u32, rows: &[Vec<Param>]) -> Result<Reply> {
        let mut payload = vec![Command::StmtBulkExecute as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        payload.extend_from_slice(&TYPES_GIVEN.to_le_bytes());
        for param in rows.first().into_iter().flatten() {
            payload.extend_from_slice(&[param.kind, if param.unsigned { 0x80 } else { 0 }]);
        }
        for param in rows.iter().flatten() {
            // An indicator before each value: 0 for a value, 1 for NULL.
            payload.push(u8::from(param.value.is_none()));
            payload.extend_from_slice(param.value.as_deref().unwrap_or_default());
        }
        self.command(&payload, Shape::Execute).await
    }

    /// COM_STMT_FETCH of a statement whose columns have these types.
    pub(crate) async fn fetch(&mut self, id: u32, rows: u32, types: &[(u8, bool)]) -> Result<Reply> {
        let mut payload = vec![Command::StmtFetch as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        payload.extend_from_slice(&rows.to_le_bytes());
        self.command_with(&payload, Shape::Fetch, &[], types).await
    }

    /// COM_STMT_SEND_LONG_DATA, which has no reply.
    pub(crate) async fn send_long_data(&mut self, id: u32, parameter: u16, data: &[u8]) -> Result<Reply> {
        let mut payload = vec![Command::StmtSendLongData as u8];
        payload.extend_from_slice(&id.to_le_bytes());
        payload.extend_from_slice(&parameter.to_le_bytes());
        payload.extend_from_slice(data);
        self.command(&payload, Shape::Nothing).await
    }

    /// COM_STMT_RESET, or COM_STMT_CLOSE, which has no reply.
    pub(crate) async fn statement_command(&mut self, command: Command, id: u32) -> Result<Reply> {
        let shape = if command == Command::StmtClose { Shape::Nothing } else { Shape::Query };
        self.command(&[&[command as u8][..], &id.to_le_bytes()].concat(), shape).await
    }

    /// COM_QUIT, and waits for the end.
    pub(crate) async fn quit(mut self) -> Result<()> {
        self.command(&[Command::Quit as u8], Shape::Nothing).await?;
        self.is_closed().await;
        Ok(())
    }
}
