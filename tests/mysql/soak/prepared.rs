//! Statements of the binary protocol: ids of the session's own, over connections that others use too.

use anyhow::{Context, Result, ensure};
use headgate::wire::command::Command;

use super::guest::{Guest, told};
use super::model::SCHEMAS;
use super::stage::SHARED;
use crate::client::{CURSOR_READ_ONLY, Param, Reply};

/// Most statements of a client.
const MOST: usize = 6;

const LONGLONG: u8 = 0x08;
const VAR_STRING: u8 = 0xFD;
const BLOB: u8 = 0xFC;

/// What a statement does, as it was understood when it was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rows of the client's table in this schema.
    Rows(usize),
    Insert(usize),
    Update(usize),
    /// Of the table that all clients read.
    Shared(usize),
    /// `||`, which puts text together or not.
    Concat(bool),
    TimeZone,
}

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    id: u32,
    kind: Kind,
}

fn number(value: i64) -> Param {
    let value = Some(value.to_le_bytes().to_vec());
    Param { name: String::new(), kind: LONGLONG, unsigned: false, value }
}

fn text(bytes: &[u8]) -> Param {
    let mut value = vec![u8::try_from(bytes.len()).unwrap()];
    value.extend_from_slice(bytes);
    Param { name: String::new(), kind: VAR_STRING, unsigned: false, value: Some(value) }
}

impl Guest {
    async fn prepare_text(&mut self, sql: &str) -> Result<u32> {
        let prepared = self.connection().prepare(sql.as_bytes()).await;
        let reply = self.heard(&format!("(prepare) {sql}"), prepared)?;
        reply.statement.with_context(|| format!("{sql} cannot be prepared: {:?}", reply.error))
    }

    async fn run(&mut self, id: u32, params: &[Param]) -> Result<Reply> {
        let values: Vec<String> = params
            .iter()
            .map(|param| param.value.as_deref().unwrap_or_default().escape_ascii().to_string())
            .collect();
        let executed = self.connection().execute(id, 0, params, &[]).await;
        let reply = self.heard(&format!("(execute {id}) {}", values.join(", ")), executed)?;
        ensure!(reply.error.is_none(), "an execution fails: {:?}", reply.error);
        Ok(reply)
    }

    async fn close(&mut self, id: u32) -> Result<()> {
        let closed = self.connection().statement_command(Command::StmtClose, id).await;
        self.heard(&format!("(close {id})"), closed).map(drop)
    }

    pub(super) async fn prepare(&mut self) -> Result<()> {
        if self.statements.len() == MOST {
            return self.close_one().await;
        }
        let (own, schema) = (self.own(), self.model.schema);
        let hint = self.anywhere();
        let (sql, kind) = match self.chance.below(6) {
            0 => (format!("{hint}SELECT id, k, a FROM {own} WHERE k >= ? ORDER BY k"), Kind::Rows(schema)),
            1 => (format!("INSERT INTO {own} (k, a, b) VALUES (?, ?, ?)"), Kind::Insert(schema)),
            2 => (format!("UPDATE {own} SET a = a + ? WHERE k >= ?"), Kind::Update(schema)),
            3 => (format!("{hint}SELECT v FROM shared WHERE id = ?"), Kind::Shared(schema)),
            4 => (format!("{hint}SELECT 'x' || ?"), Kind::Concat(self.model.has_mode("PIPES_AS_CONCAT"))),
            _ => (format!("{hint}SELECT @@session.time_zone, ?"), Kind::TimeZone),
        };
        let id = self.prepare_text(&sql).await?;
        ensure!(self.statements.iter().all(|other| other.id != id), "the id {id} is given twice");
        self.statements.push(Statement { id, kind });
        Ok(())
    }

    pub(super) async fn close_one(&mut self) -> Result<()> {
        let at = self.chance.below(self.statements.len());
        let statement = self.statements.swap_remove(at);
        self.close(statement.id).await?;
        if self.chance.once_in(2) {
            let params = [number(1)];
            let executed = self.connection().execute(statement.id, 0, &params, &[]).await;
            let reply = self.heard(&format!("(execute {}, closed)", statement.id), executed)?;
            ensure!(told(&reply) == "error 1243", "a closed statement says {}", told(&reply));
        }
        Ok(())
    }

    pub(super) async fn execute_one(&mut self) -> Result<()> {
        let at = self.chance.below(self.statements.len());
        let Statement { id, kind } = self.statements[at].clone();
        let (params, wanted) = match kind {
            Kind::Insert(schema) => return self.execute_insert(id, schema).await,
            Kind::Update(schema) => return self.execute_update(id, schema).await,
            Kind::Rows(schema) => {
                let from = u32::try_from(self.chance.below(100))?;
                (vec![number(i64::from(from))], self.rows_from(schema, from))
            }
            Kind::Shared(schema) => {
                let id = self.chance.below(SHARED);
                let letter = SCHEMAS[schema].trim_start_matches("soak_");
                (vec![number(i64::try_from(id)?)], format!("{letter}{id:02}"))
            }
            Kind::Concat(puts_together) => {
                (vec![text(b"y")], if puts_together { "xy" } else { "0" }.to_owned())
            }
            Kind::TimeZone => {
                let value = i64::try_from(self.chance.below(100))?;
                (vec![number(value)], format!("{}|{value}", self.model.text("time_zone")))
            }
        };
        let reply = self.run(id, &params).await?;
        ensure!(told(&reply) == wanted, "{kind:?}\n  told   {}\n  wanted {wanted}", told(&reply));
        Ok(())
    }

    fn rows_from(&self, schema: usize, from: u32) -> String {
        let mut rows: Vec<(u32, u64, i64)> = self.model.data.tables[schema]
            .iter()
            .filter(|(_, row)| row.k >= from)
            .map(|(id, row)| (row.k, *id, row.a))
            .collect();
        rows.sort_unstable();
        rows.truncate(self.model.row_limit());
        rows.iter().map(|(k, id, a)| format!("{id}|{k}|{a}")).collect::<Vec<_>>().join(";")
    }

    async fn execute_insert(&mut self, id: u32, schema: usize) -> Result<()> {
        let here = self.model.schema;
        self.model.schema = schema;
        let row = self.new_row(&[]);
        self.model.schema = here;
        if self.model.data.tables[schema].len() > 60 {
            return Ok(());
        }
        let params = [number(i64::from(row.k)), number(row.a), text(&self.model.sent(&row.b))];
        let reply = self.run(id, &params).await?;
        ensure!(reply.affected == 1, "{} rows inserted by an execution", reply.affected);
        self.inserted_into(schema, reply.insert_id, vec![row])?;
        self.ask_back(1).await
    }

    async fn execute_update(&mut self, id: u32, schema: usize) -> Result<()> {
        let (from, by) = (u32::try_from(self.chance.below(200))?, 1 + i64::try_from(self.chance.below(9))?);
        let mut changed = 0;
        for row in self.model.data.tables[schema].values_mut().filter(|row| row.k >= from) {
            row.a += by;
            changed += 1;
        }
        let reply = self.run(id, &[number(by), number(i64::from(from))]).await?;
        ensure!(reply.affected == changed, "{} rows changed, not {changed}", reply.affected);
        self.ask_back(i64::try_from(changed)?).await
    }

    /// Reads by a cursor, and does other things between its rows.
    pub(super) async fn cursor(&mut self) -> Result<()> {
        let id = self.prepare_text("SELECT id, v FROM shared ORDER BY id").await?;
        let letter = SCHEMAS[self.model.schema].trim_start_matches("soak_");
        let mut due: Vec<String> =
            (0..SHARED.min(self.model.row_limit())).map(|id| format!("{id}|{letter}{id:02}")).collect();
        let opened = self.connection().execute(id, CURSOR_READ_ONLY, &[], &[]).await;
        let reply = self.heard(&format!("(open a cursor of {id})"), opened)?;
        ensure!(reply.error.is_none(), "no cursor: {:?}", reply.error);
        let types = reply.types;
        for _ in 0..1 + self.chance.below(4) {
            let count = 1 + self.chance.below(8);
            let fetched = self.connection().fetch(id, u32::try_from(count)?, &types).await;
            let reply = self.heard(&format!("(fetch {count} of {id})"), fetched)?;
            let wanted = due.drain(..count.min(due.len())).collect::<Vec<_>>().join(";");
            ensure!(told(&reply) == wanted, "a cursor\n  told   {}\n  wanted {wanted}", told(&reply));
            if due.is_empty() {
                break;
            }
            match self.chance.below(3) {
                0 => self.insert(1).await?,
                1 => self.read_rows(false).await?,
                _ => self.think().await,
            }
        }
        self.close(id).await
    }

    /// A parameter that is sent ahead in pieces.
    pub(super) async fn long_data(&mut self) -> Result<()> {
        let id = self.prepare_text("SELECT LENGTH(?), ?").await?;
        let mut length = 0;
        for _ in 0..1 + self.chance.below(3) {
            let piece = vec![b'p'; 1 + self.chance.below(30_000)];
            let sent = self.connection().send_long_data(id, 0, &piece).await;
            self.heard(&format!("(send {} bytes ahead to {id})", piece.len()), sent)?;
            length += piece.len();
            if self.chance.once_in(3) {
                self.read_rows(false).await?;
            }
        }
        let ahead = Param { name: String::new(), kind: BLOB, unsigned: false, value: Some(Vec::new()) };
        let reply = self.run(id, &[ahead, number(7)]).await?;
        ensure!(told(&reply) == format!("{length}|7"), "{} of {length} bytes sent ahead", told(&reply));
        self.close(id).await
    }
}
