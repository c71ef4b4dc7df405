//! Runs one statement.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql};

use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::login::VERSION;
use crate::admin::request::Asker;
use crate::admin::tables::{self, TABLES, Table};
use crate::admin::view::View;
use crate::runtime::clock;

use super::translate::translate;

/// How long a statement may run.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// Rows of a result.
const MOST_ROWS: usize = 100_000;
/// Bytes of text in a result.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Memory of SQLite, over all statements that run.
const HEAP_LIMIT: u32 = 128 * 1024 * 1024;
/// Instructions of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Bounds of a single statement. The longest value also bounds functions, within which nobody looks at the
/// clock.
const LIMITS: [(Limit, i32); 6] = [
    (Limit::SQLITE_LIMIT_LENGTH, 64 * 1024),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 128 * 1024),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
];

/// Runs a statement that reads.
pub(in crate::admin) fn run(sql: &str, asker: &Asker, view: &View) -> Result<Answer, ConsoleError> {
    run_on(sql, asker, &|table| (table.rows)(view))
}

pub(super) fn run_on(
    sql: &str,
    asker: &Asker,
    rows: &dyn Fn(&Table) -> Vec<Vec<Value>>,
) -> Result<Answer, ConsoleError> {
    let (sql, renamed) = translate(sql)?;
    let mut database = open(asker)?;
    let read = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&read);
    database.authorizer(Some(move |context: AuthContext<'_>| {
        if let AuthAction::Read { table_name, .. } = context.action {
            seen.lock().insert(table_name.to_lowercase());
        }
        authorize(context)
    }))?;
    {
        let statement = database.prepare(&sql)?;
        if !statement.readonly() {
            return Err(ConsoleError::ReadOnly);
        }
        // SQLite takes `$$` and `?` for parameters; the mysql command line asks `select $$` to get an error.
        if statement.parameter_count() > 0 {
            return Err(ConsoleError::Sql { problem: "the statement has parameters".to_owned() });
        }
    }
    database.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    for table in TABLES {
        if read.lock().contains(table.name) {
            fill(&database, table, &rows(table))?;
        }
    }
    database.authorizer(Some(authorize))?;
    let end = clock::now() + TIME_LIMIT;
    database.progress_handler(STEPS, Some(move || clock::now() > end))?;
    let mut answer = collect(&database, &sql)?;
    for column in &mut answer.columns {
        if let Some((_, name)) = renamed.iter().find(|(literal, _)| literal == column) {
            column.clone_from(name);
        }
    }
    Ok(answer)
}

/// An empty database with the tables and the functions that client programs call.
fn open(asker: &Asker) -> Result<Connection, ConsoleError> {
    let database = Connection::open_in_memory()?;
    // Sorting that does not fit shall fail and not go to the disk.
    database.pragma_update(None, "temp_store", "MEMORY")?;
    database.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_LIMIT}"), [], |_| Ok(()))?;
    for (limit, most) in LIMITS {
        database.set_limit(limit, most)?;
    }
    for table in TABLES {
        let columns = table.columns.iter().map(|column| format!("{} {}", column.name, column.kind.sql()));
        let columns: Vec<_> = columns.collect();
        database.execute(&format!("CREATE TABLE {} ({})", table.name, columns.join(", ")), [])?;
    }
    let constant = |name: &str, value: Value| {
        database.create_scalar_function(name, 0, FunctionFlags::SQLITE_UTF8, move |_| Ok(value.clone()))
    };
    constant("version", Value::text(VERSION))?;
    constant("connection_id", Value::count(asker.id))?;
    for name in ["user", "current_user", "session_user"] {
        constant(name, Value::text(&*asker.name))?;
    }
    for name in ["database", "schema"] {
        constant(name, Value::text("headgate"))?;
    }
    Ok(database)
}

fn fill(database: &Connection, table: &Table, rows: &[Vec<Value>]) -> Result<(), ConsoleError> {
    let places = vec!["?"; table.columns.len()].join(", ");
    database.execute_batch("BEGIN")?;
    let mut insert = database.prepare(&format!("INSERT INTO {} VALUES ({places})", table.name))?;
    for row in rows {
        insert.execute(rusqlite::params_from_iter(row))?;
    }
    database.execute_batch("COMMIT")?;
    Ok(())
}

/// What a statement may do: read the tables.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
        // Names of subqueries and WITH come here too; SQLite's own tables begin like this.
        AuthAction::Read { table_name, .. } if !table_name.starts_with("sqlite_") => Authorization::Allow,
        AuthAction::Function { function_name } if !is_dangerous(function_name) => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

fn is_dangerous(function: &str) -> bool {
    ["load_extension", "fts3_tokenizer", "fts5"].iter().any(|name| function.eq_ignore_ascii_case(name))
}

fn collect(database: &Connection, sql: &str) -> Result<Answer, ConsoleError> {
    let mut statement = database.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = Answer { columns, rows: Vec::new() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(answer.columns.len());
        for at in 0..answer.columns.len() {
            let value = value(row.get_ref(at)?);
            if let Value::Text(text) = &value {
                bytes += text.len();
            }
            values.push(value);
        }
        // What an empty value takes, too.
        bytes += size_of::<Value>() * values.len();
        answer.rows.push(values);
        if answer.rows.len() > MOST_ROWS {
            return Err(ConsoleError::TooLarge { most: "100,000 rows" });
        }
        if bytes > MOST_BYTES {
            return Err(ConsoleError::TooLarge { most: "16 MiB" });
        }
    }
    Ok(answer)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::from_bytes(bytes),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl From<rusqlite::Error> for ConsoleError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => return Self::ReadOnly,
            Some(ErrorCode::OperationInterrupted) => return Self::Late { limit: TIME_LIMIT },
            Some(ErrorCode::OutOfMemory) => return Self::TooLarge { most: "128 MiB of memory" },
            _ => {}
        }
        let problem = match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            rusqlite::Error::SqliteFailure(_, Some(text)) => text,
            other => other.to_string(),
        };
        if problem.starts_with("not authorized") {
            return Self::ReadOnly;
        }
        match problem.strip_prefix("no such table: ").map(tables::find) {
            Some(Err(unknown)) => unknown,
            _ => Self::Sql { problem },
        }
    }
}
