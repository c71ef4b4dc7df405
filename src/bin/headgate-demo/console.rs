//! What Headgate's console says: how old each server's data is, and where a statement would go.

use std::collections::HashMap;

use anyhow::{Context, Result};
use headgate::lab::Headgate;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};

use crate::customers::EXAMPLES;

pub(crate) struct Console {
    conn: Conn,
}

/// A server as the console shows it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) role: String,
    /// In milliseconds; `None`: not known.
    pub(crate) age: Option<i64>,
}

/// A statement of the traffic, and what Headgate says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) statement: &'static str,
    pub(crate) target: String,
    pub(crate) why: String,
}

impl Console {
    pub(crate) async fn open(headgate: &Headgate) -> Result<Self> {
        let address = headgate.console_address();
        let opts = OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some("admin"))
            .pass(Some(headgate.console_password()?))
            .prefer_socket(false)
            // Otherwise the driver asks for them, and the console does not know them all.
            .max_allowed_packet(Some(1 << 20))
            .wait_timeout(Some(3600));
        Ok(Self { conn: Conn::new(opts).await.context("cannot log in to the console")? })
    }

    /// By address.
    pub(crate) async fn servers(&mut self) -> Result<HashMap<String, Shown>> {
        let rows: Vec<(String, String, Option<i64>)> =
            self.conn.query("SELECT address, role, age_ms FROM servers").await.context("the console")?;
        Ok(rows.into_iter().map(|(address, role, age)| (address, Shown { role, age })).collect())
    }

    /// The one number that a question is answered with.
    pub(crate) async fn number(&mut self, question: &str) -> Result<i64> {
        let found: Option<i64> = self.conn.query_first(question).await.context("the console")?;
        Ok(found.unwrap_or(0))
    }

    /// The one text that a question is answered with, if there is an answer.
    pub(crate) async fn maybe_text(&mut self, question: &str) -> Result<Option<String>> {
        self.conn.query_first(question).await.context("the console")
    }

    /// The one text that a question is answered with.
    pub(crate) async fn text(&mut self, question: &str) -> Result<String> {
        Ok(self.maybe_text(question).await?.unwrap_or_default())
    }

    /// What the failover machine did after an entry: when, in which phase, what.
    pub(crate) async fn timeline(&mut self, after: i64) -> Result<Vec<(String, String, String)>> {
        let question =
            format!("SELECT at, phase, what FROM failovers WHERE number > {after} ORDER BY number");
        self.conn.query(question).await.context("SHOW FAILOVERS")
    }

    pub(crate) async fn examples(&mut self) -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for statement in EXAMPLES {
            let quoted = statement.replace('\'', "''");
            let rows: Vec<Row> =
                self.conn.query(format!("EXPLAIN ROUTE FOR '{quoted}'")).await.context("EXPLAIN ROUTE")?;
            let text = |row: &Row, column| row.get::<String, _>(column).unwrap_or_default();
            let Some(row) = rows.iter().find(|row| text(row, 0) == "Target") else { continue };
            // `replica 127.0.0.1:21012`: the next one may go to the other.
            let target = text(row, 1).split(' ').next().unwrap_or_default().to_owned();
            examples.push(Example { statement, target, why: text(row, 2) });
        }
        Ok(examples)
    }
}
