//! opensrv-mysql: from statements to calls, and from answers to packets.

use std::io;
use std::sync::Arc;

use opensrv_mysql::{
    AsyncMysqlIntermediary, AsyncMysqlShim, Column, ColumnFlags, ColumnType, ErrorKind, InitWriter,
    IntermediaryOptions, OkResponse, ParamParser, QueryResultWriter, StatementMetaWriter, StatusFlags,
};
use tokio::io::{AsyncWrite, DuplexStream, split};

use super::answer::{Answer, ConsoleError, Value};
use super::login::VERSION;
use super::request::Asker;
use super::server::Console;

/// Serves one console session over a pipe.
pub(super) async fn serve(pipe: DuplexStream, asker: Asker, console: Arc<Console>) {
    let (read, write) = split(pipe);
    let options = IntermediaryOptions {
        // USE comes as a statement like any other.
        process_use_statement_on_query: true,
        reject_connection_on_dbname_absence: false,
    };
    let shim = Shim { asker, console };
    if let Err(error) = AsyncMysqlIntermediary::run_with_options(shim, read, write, &options).await {
        tracing::debug!(%error, "the console's server has ended");
    }
}

struct Shim {
    asker: Asker,
    console: Arc<Console>,
}

#[async_trait::async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Shim {
    type Error = io::Error;

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn connect_id(&self) -> u32 {
        self.asker.id
    }

    async fn on_prepare<'a>(&'a mut self, _: &'a str, info: StatementMetaWriter<'a, W>) -> io::Result<()> {
        info.error(ErrorKind::ER_UNSUPPORTED_PS, NOT_PREPARED).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        _: ParamParser<'a>,
        results: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        results.error(ErrorKind::ER_UNSUPPORTED_PS, NOT_PREPARED).await
    }

    async fn on_close<'a>(&'a mut self, _: u32)
    where
        W: 'async_trait,
    {
    }

    async fn on_query<'a>(&'a mut self, text: &'a str, results: QueryResultWriter<'a, W>) -> io::Result<()> {
        match self.console.ask(text, &self.asker).await {
            Ok(answer) => send(answer, results).await,
            Err(error) => results.error(kind(&error), error.to_string().as_bytes()).await,
        }
    }

    async fn on_init<'a>(&'a mut self, schema: &'a str, writer: InitWriter<'a, W>) -> io::Result<()> {
        let answer = self.console.ask(&format!("USE `{}`", schema.replace('`', "``")), &self.asker).await;
        match answer {
            Ok(_) => writer.ok().await,
            Err(error) => writer.error(kind(&error), error.to_string().as_bytes()).await,
        }
    }
}

const NOT_PREPARED: &[u8] = b"the console prepares no statements";

async fn send<W: AsyncWrite + Send + Unpin>(
    answer: Answer,
    results: QueryResultWriter<'_, W>,
) -> io::Result<()> {
    if answer.columns.is_empty() {
        let status_flags = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        return results.completed(OkResponse { status_flags, ..OkResponse::default() }).await;
    }
    let columns: Vec<Column> =
        answer.columns.iter().enumerate().map(|(at, name)| column(at, name, &answer)).collect();
    let mut rows = results.start(&columns).await?;
    for row in &answer.rows {
        for value in row {
            match value {
                Value::Null => rows.write_col(None::<i64>)?,
                Value::Integer(number) => rows.write_col(*number)?,
                Value::Real(number) => rows.write_col(*number)?,
                Value::Text(text) => rows.write_col(text.as_str())?,
            }
        }
        rows.end_row().await?;
    }
    rows.finish().await
}

/// A column's type is that of its values: SQLite has none for what is computed.
fn column(at: usize, name: &str, answer: &Answer) -> Column {
    let values = || answer.rows.iter().filter_map(|row| row.get(at)).filter(|value| **value != Value::Null);
    let all = |matches: fn(&Value) -> bool| values().next().is_some() && values().all(matches);
    let coltype = if all(|value| matches!(value, Value::Integer(_))) {
        ColumnType::MYSQL_TYPE_LONGLONG
    } else if all(|value| matches!(value, Value::Integer(_) | Value::Real(_))) {
        ColumnType::MYSQL_TYPE_DOUBLE
    } else {
        ColumnType::MYSQL_TYPE_VAR_STRING
    };
    Column { table: String::new(), column: name.to_owned(), coltype, colflags: ColumnFlags::empty() }
}

/// The server's number for an error.
const fn kind(error: &ConsoleError) -> ErrorKind {
    match error {
        ConsoleError::UnknownCommand { .. } | ConsoleError::Usage { .. } | ConsoleError::Several => {
            ErrorKind::ER_PARSE_ERROR
        }
        ConsoleError::UnknownTable { .. } => ErrorKind::ER_NO_SUCH_TABLE,
        ConsoleError::UnknownSchema { .. } => ErrorKind::ER_BAD_DB_ERROR,
        ConsoleError::Servers { .. } | ConsoleError::NotEnded { .. } | ConsoleError::Declined { .. } => {
            ErrorKind::ER_UNKNOWN_ERROR
        }
        ConsoleError::NoSession { .. } => ErrorKind::ER_NO_SUCH_THREAD,
        ConsoleError::UnknownVariable { .. } => ErrorKind::ER_UNKNOWN_SYSTEM_VARIABLE,
        ConsoleError::Sql { .. } => ErrorKind::ER_PARSE_ERROR,
        ConsoleError::ReadOnly => ErrorKind::ER_OPTION_PREVENTS_STATEMENT,
        ConsoleError::Late { .. } => ErrorKind::ER_QUERY_INTERRUPTED,
        ConsoleError::TooLarge { .. } => ErrorKind::ER_TOO_BIG_SELECT,
    }
}
