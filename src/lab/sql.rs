//! Statements on a node, as its root.

use std::path::Path;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};

use super::accounts::ACCOUNTS;

/// A row of a result, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl Row {
    /// The value of a column by its name, in any case; `None` for NULL and for no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.at(index)
    }

    /// The value of a column by its place, from 0.
    pub fn at(&self, index: usize) -> Option<&str> {
        self.values.get(index)?.as_deref()
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn values(&self) -> &[Option<String>] {
        &self.values
    }
}

/// Logs in through the unix socket, which no link stands before and where passwords need no TLS.
pub(super) async fn connect(socket: &Path) -> mysql_async::Result<Conn> {
    let options = OptsBuilder::default()
        .socket(Some(socket.display().to_string()))
        .user(Some(ACCOUNTS.root.user))
        .pass(Some(ACCOUNTS.root.password))
        // Given here, the driver does not ask for them, and general logs stay readable.
        .max_allowed_packet(Some(64 << 20))
        .wait_timeout(Some(28_800));
    Conn::new(options).await
}

/// Runs one statement text and returns the rows of its first result.
pub(super) async fn query(conn: &mut Conn, statement: &str) -> mysql_async::Result<Vec<Row>> {
    let mut result = conn.query_iter(statement).await?;
    let columns: Arc<[String]> =
        result.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
    let rows: Vec<mysql_async::Row> = result.collect().await?;
    result.drop_result().await?;
    Ok(rows
        .into_iter()
        .map(|row| Row {
            columns: Arc::clone(&columns),
            values: row.unwrap().into_iter().map(text).collect(),
        })
        .collect())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}
