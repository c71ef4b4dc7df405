//! What the tests of sqlx import as `sqlx_test`. The published crate carries its tests but not the crate that
//! connects them to a server, so this one has the same names.

use std::env;

use sqlx::{Connection, Database, Pool};

/// Upstream reads a file of variables here; ours come from whoever starts the tests.
pub fn setup_if_needed() {}

/// A connection to the server under test.
pub async fn new<DB: Database>() -> sqlx::Result<DB::Connection> {
    DB::Connection::connect(&server()).await
}

/// A pool of connections to it.
pub async fn pool<DB: Database>() -> sqlx::Result<Pool<DB>> {
    Pool::connect(&server()).await
}

fn server() -> String {
    env::var("DATABASE_URL").expect("DATABASE_URL names the server")
}

/// A test, called as its first argument, that each value equals its SQL: read from text, read from a prepared
/// statement, compared by the server as a parameter, and given back by it.
#[macro_export]
macro_rules! test_type {
    ($name:ident<$type:ty>($db:ident, $query:literal, $($sql:literal == $value:expr),+ $(,)?)) => {
        #[sqlx::test]
        async fn $name() -> anyhow::Result<()> {
            let mut conn = $crate::new::<$db>().await?;
            $(
                $crate::from_text!(conn, $type, $sql, $value);
                $crate::from_prepared!(conn, $type, $query, $sql, $value);
            )+
            Ok(())
        }
    };
    ($name:ident<$type:ty>($db:ident, $($sql:literal == $value:expr),+ $(,)?)) => {
        $crate::test_type!($name<$type>($db, "SELECT CAST({0} <=> ? AS SIGNED), {0}, ?", $($sql == $value),+));
    };
    ($name:ident($db:ident, $($sql:literal == $value:expr),+ $(,)?)) => {
        $crate::test_type!($name<$name>($db, $($sql == $value),+));
    };
}

/// As [`test_type`], without reading from text.
#[macro_export]
macro_rules! test_prepared_type {
    ($name:ident<$type:ty>($db:ident, $($sql:literal == $value:expr),+ $(,)?)) => {
        #[sqlx::test]
        async fn $name() -> anyhow::Result<()> {
            let mut conn = $crate::new::<$db>().await?;
            $($crate::from_prepared!(conn, $type, "SELECT CAST({0} <=> ? AS SIGNED), {0}, ?", $sql, $value);)+
            Ok(())
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! from_text {
    ($conn:ident, $type:ty, $sql:literal, $value:expr) => {{
        let row = sqlx::Executor::fetch_one(&mut $conn, concat!("SELECT ", $sql)).await?;
        let read: $type = sqlx::Row::try_get(&row, 0)?;
        assert_eq!(read, $value, "as text: {}", $sql);
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! from_prepared {
    ($conn:ident, $type:ty, $query:expr, $sql:literal, $value:expr) => {{
        let query = $query.replace("{0}", $sql);
        let row =
            sqlx::query(sqlx::AssertSqlSafe(query)).bind($value).bind($value).fetch_one(&mut $conn).await?;
        let equal: i32 = sqlx::Row::try_get(&row, 0)?;
        let read: $type = sqlx::Row::try_get(&row, 1)?;
        let returned: $type = sqlx::Row::try_get(&row, 2)?;
        assert_ne!(equal, 0, "the server does not find it equal to {}", $sql);
        assert_eq!(read, $value, "prepared: {}", $sql);
        assert_eq!(returned, $value, "as a parameter: {}", $sql);
    }};
}
