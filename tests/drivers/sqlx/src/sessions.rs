//! What the tests of sqlx leave out: options of a connection, transactions within transactions, statements that
//! are evicted, streams that are not read to their end, errors in the middle, pools under work.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt};
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Row};
use sqlx_test::new;

fn options() -> Result<MySqlConnectOptions> {
    Ok(MySqlConnectOptions::from_str(&env::var("DATABASE_URL")?)?)
}

/// The server's number for an error.
fn number<T: std::fmt::Debug>(result: sqlx::Result<T>) -> Result<u16> {
    match result {
        Err(sqlx::Error::Database(error)) => {
            Ok(error.downcast_ref::<sqlx::mysql::MySqlDatabaseError>().number())
        }
        other => bail!("no error of the server: {other:?}"),
    }
}

async fn scalar<T>(conn: &mut MySqlConnection, sql: &'static str) -> sqlx::Result<T>
where
    T: Send + Unpin + sqlx::Type<MySql> + for<'r> sqlx::Decode<'r, MySql>,
{
    sqlx::query_scalar(sql).fetch_one(conn).await
}

/// A table of its own for each test; they run side by side.
async fn table(conn: &mut MySqlConnection, name: &str, columns: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns})")))
        .execute(conn)
        .await?;
    Ok(())
}

#[sqlx::test]
async fn modes_of_tls() -> Result<()> {
    for mode in [MySqlSslMode::Disabled, MySqlSslMode::Preferred, MySqlSslMode::Required] {
        let mut conn = options()?.ssl_mode(mode).connect().await.with_context(|| format!("{mode:?}"))?;
        ensure!(scalar::<i64>(&mut conn, "SELECT 1").await? == 1, "{mode:?}");
    }
    // Its certificate is from no authority that the system knows.
    let verified = options()?.ssl_mode(MySqlSslMode::VerifyIdentity).connect().await;
    ensure!(matches!(verified, Err(sqlx::Error::Tls(_) | sqlx::Error::Io(_))), "{verified:?}");
    Ok(())
}

#[sqlx::test]
async fn refused_logins() -> Result<()> {
    ensure!(number(options()?.password("wrong").connect().await)? == 1045);
    ensure!(number(options()?.username("nobody_at_all").connect().await)? == 1045);
    ensure!(number(options()?.database("no_such_schema").connect().await)? == 1049);
    Ok(())
}

#[sqlx::test]
async fn options_of_the_session() -> Result<()> {
    let mut conn = options()?
        .timezone("+05:30".to_owned())
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .set_names(true)
        .connect()
        .await?;
    ensure!(scalar::<String>(&mut conn, "SELECT @@time_zone").await? == "+05:30");
    ensure!(scalar::<String>(&mut conn, "SELECT @@collation_connection").await? == "utf8mb4_bin");
    let mode: String = scalar(&mut conn, "SELECT @@sql_mode").await?;
    ensure!(mode.contains("PIPES_AS_CONCAT") && mode.contains("NO_ENGINE_SUBSTITUTION"), "{mode}");
    ensure!(scalar::<String>(&mut conn, "SELECT 'a' || 'b'").await? == "ab");

    let mut conn = options()?
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .connect()
        .await?;
    ensure!(scalar::<String>(&mut conn, "SELECT @@time_zone").await? == "SYSTEM");
    ensure!(scalar::<i64>(&mut conn, "SELECT '1' || '0'").await? == 1);
    Ok(())
}

#[sqlx::test]
async fn time_zones_of_timestamps() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_zones", "id INT, at TIMESTAMP(6) NULL").await?;
    let now = sqlx::types::chrono::DateTime::from_timestamp(1_700_000_000, 123_456_000).context("a time")?;
    sqlx::query("INSERT INTO s_zones VALUES (1, ?)").bind(now).execute(&mut conn).await?;
    let read: sqlx::types::chrono::DateTime<sqlx::types::chrono::Utc> =
        scalar(&mut conn, "SELECT at FROM s_zones").await?;
    ensure!(read == now, "{read}");
    conn.execute("SET time_zone = '-08:00'").await?;
    let text: String = scalar(&mut conn, "SELECT CAST(at AS CHAR) FROM s_zones").await?;
    ensure!(text == "2023-11-14 14:13:20.123456", "{text}");
    Ok(())
}

#[sqlx::test]
async fn the_session_stays() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    conn.execute("SET @number = 41").await?;
    conn.execute("CREATE TEMPORARY TABLE s_own (a INT)").await?;
    conn.execute("INSERT INTO s_own VALUES (1), (2)").await?;
    ensure!(scalar::<i64>(&mut conn, "SELECT @number + 1").await? == 42);
    ensure!(scalar::<i64>(&mut conn, "SELECT COUNT(*) FROM s_own").await? == 2);
    ensure!(scalar::<i64>(&mut conn, "SELECT GET_LOCK('s_lock', 5)").await? == 1);
    let mut other = new::<MySql>().await?;
    ensure!(scalar::<i64>(&mut other, "SELECT IS_FREE_LOCK('s_lock')").await? == 0);
    ensure!(scalar::<i64>(&mut conn, "SELECT RELEASE_LOCK('s_lock')").await? == 1);
    ensure!(scalar::<i64>(&mut other, "SELECT IS_FREE_LOCK('s_lock')").await? == 1);
    conn.execute("USE information_schema").await?;
    ensure!(scalar::<String>(&mut conn, "SELECT DATABASE()").await? == "information_schema");
    Ok(())
}

#[sqlx::test]
async fn a_session_reads_what_it_wrote() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_written", "a INT").await?;
    for i in 1..=200_i64 {
        sqlx::query("INSERT INTO s_written VALUES (?)").bind(i).execute(&mut conn).await?;
        ensure!(scalar::<i64>(&mut conn, "SELECT COUNT(*) FROM s_written").await? == i);
    }
    Ok(())
}

#[sqlx::test]
async fn results_of_writes() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_ids", "id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT").await?;
    let done = sqlx::query("INSERT INTO s_ids (a) VALUES (1), (2), (?)").bind(3).execute(&mut conn).await?;
    ensure!((done.last_insert_id(), done.rows_affected()) == (1, 3), "{done:?}");
    ensure!(scalar::<u64>(&mut conn, "SELECT LAST_INSERT_ID()").await? == 1);
    // sqlx asks for the rows that were found, not for those that were changed.
    let done = sqlx::query("UPDATE s_ids SET a = 1 WHERE a IN (1, 2)").execute(&mut conn).await?;
    ensure!(done.rows_affected() == 2, "{done:?}");
    let done = conn.execute("INSERT INTO s_ids VALUES (18446744073709551614, 9)").await?;
    ensure!(done.last_insert_id() == 18_446_744_073_709_551_614, "{done:?}");
    Ok(())
}

#[sqlx::test]
async fn transactions_within_transactions() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_nested", "a INT").await?;
    let mut outer = conn.begin().await?;
    outer.execute("INSERT INTO s_nested VALUES (1)").await?;
    {
        let mut inner = outer.begin().await?;
        inner.execute("INSERT INTO s_nested VALUES (2)").await?;
        let mut innermost = inner.begin().await?;
        innermost.execute("INSERT INTO s_nested VALUES (4)").await?;
        innermost.rollback().await?;
        inner.commit().await?;
    }
    {
        let mut dropped = outer.begin().await?;
        dropped.execute("INSERT INTO s_nested VALUES (8)").await?;
    }
    ensure!(scalar::<i64>(&mut outer, "SELECT CAST(SUM(a) AS SIGNED) FROM s_nested").await? == 3);
    let mut other = new::<MySql>().await?;
    ensure!(scalar::<i64>(&mut other, "SELECT COUNT(*) FROM s_nested").await? == 0);
    outer.commit().await?;
    ensure!(scalar::<i64>(&mut conn, "SELECT CAST(SUM(a) AS SIGNED) FROM s_nested").await? == 3);
    Ok(())
}

#[sqlx::test]
async fn transactions_with_words() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_words", "a INT").await?;
    let mut tx = conn.begin_with("START TRANSACTION READ ONLY").await?;
    ensure!(number(tx.execute("INSERT INTO s_words VALUES (1)").await)? == 1792);
    ensure!(scalar::<i64>(&mut tx, "SELECT COUNT(*) FROM s_words").await? == 0);
    tx.commit().await?;
    conn.execute("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await?;
    let mut tx = conn.begin_with("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    tx.execute("INSERT INTO s_words VALUES (1)").await?;
    tx.commit().await?;
    conn.execute("SET autocommit = 0").await?;
    conn.execute("INSERT INTO s_words VALUES (2)").await?;
    conn.execute("ROLLBACK").await?;
    ensure!(scalar::<i64>(&mut conn, "SELECT CAST(SUM(a) AS SIGNED) FROM s_words").await? == 1);
    Ok(())
}

#[sqlx::test]
async fn locks_that_are_waited_for() -> Result<()> {
    let (mut one, mut two) = (new::<MySql>().await?, new::<MySql>().await?);
    table(&mut one, "s_locks", "a INT PRIMARY KEY, b INT").await?;
    one.execute("INSERT INTO s_locks VALUES (1, 0), (2, 0)").await?;
    two.execute("SET innodb_lock_wait_timeout = 1").await?;
    let mut holder = one.begin().await?;
    holder.execute("UPDATE s_locks SET b = 1 WHERE a = 1").await?;
    ensure!(number(two.execute("UPDATE s_locks SET b = 2 WHERE a = 1").await)? == 1205);
    holder.rollback().await?;

    two.execute("SET innodb_lock_wait_timeout = 30").await?;
    let (mut first, mut second) = (one.begin().await?, two.begin().await?);
    first.execute("UPDATE s_locks SET b = 1 WHERE a = 1").await?;
    second.execute("UPDATE s_locks SET b = 2 WHERE a = 2").await?;
    let (left, right) = tokio::join!(
        first.execute("UPDATE s_locks SET b = 1 WHERE a = 2"),
        second.execute("UPDATE s_locks SET b = 2 WHERE a = 1"),
    );
    let victims =
        [left, right].into_iter().filter(Result::is_err).map(number).collect::<Result<Vec<u16>>>()?;
    ensure!(victims == [1213], "{victims:?}");
    Ok(())
}

#[sqlx::test]
async fn more_statements_than_are_kept() -> Result<()> {
    let mut conn = options()?.statement_cache_capacity(3).connect().await?;
    for round in 0..3 {
        for i in 0..10_i64 {
            let sum: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT CAST(? AS SIGNED) + {i}")))
                .bind(round)
                .fetch_one(&mut conn)
                .await?;
            ensure!(sum == round + i);
            ensure!(conn.cached_statements_size() <= 3);
        }
    }
    Ok(())
}

#[sqlx::test]
async fn a_statement_outlives_a_change_of_its_table() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_changed", "a INT").await?;
    conn.execute("INSERT INTO s_changed VALUES (7)").await?;
    let read = "SELECT a FROM s_changed WHERE a = ?";
    ensure!(sqlx::query(read).bind(7).fetch_one(&mut conn).await?.len() == 1);
    conn.execute("ALTER TABLE s_changed ADD COLUMN b INT DEFAULT 5").await?;
    let value: i32 = sqlx::query_scalar(read).bind(7).fetch_one(&mut conn).await?;
    ensure!(value == 7);
    conn.execute("DROP TABLE s_changed").await?;
    ensure!(number(sqlx::query(read).bind(7).fetch_one(&mut conn).await)? == 1146);
    Ok(())
}

#[sqlx::test]
async fn a_long_stream() -> Result<()> {
    const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
        SELECT a.i FROM n a JOIN n b ON b.i <= 50";
    let mut conn = new::<MySql>().await?;
    let (mut text, mut prepared) = (0_u32, 0_u32);
    let mut rows = sqlx::raw_sql(ROWS).fetch(&mut conn);
    while rows.try_next().await?.is_some() {
        text += 1;
    }
    drop(rows);
    let mut rows = sqlx::query(ROWS).fetch(&mut conn);
    while rows.try_next().await?.is_some() {
        prepared += 1;
    }
    drop(rows);
    ensure!((text, prepared) == (45_000, 45_000), "{text} {prepared}");
    // One that is left in the middle: the rest is read before the next statement.
    let few = sqlx::query(ROWS).fetch(&mut conn).take(10).try_collect::<Vec<_>>().await?;
    ensure!(few.len() == 10);
    ensure!(scalar::<i64>(&mut conn, "SELECT 5").await? == 5);
    Ok(())
}

#[sqlx::test]
async fn megabytes_both_ways() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    let text = "é".repeat(1_500_000);
    let back: String = sqlx::query_scalar("SELECT ?").bind(&text).fetch_one(&mut conn).await?;
    ensure!(back == text);
    let back: String =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT '{text}'"))).fetch_one(&mut conn).await?;
    ensure!(back == text);
    Ok(())
}

#[sqlx::test]
async fn several_results() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_many", "a INT PRIMARY KEY").await?;
    let mut seen = Vec::new();
    let mut results = sqlx::raw_sql(
        "SELECT 1 AS a; INSERT INTO s_many VALUES (1), (2); SELECT a FROM s_many; DELETE FROM s_many; DO 0",
    )
    .fetch_many(&mut conn);
    while let Some(part) = results.try_next().await? {
        seen.push(match part {
            Either::Left(done) => format!("{} rows", done.rows_affected()),
            Either::Right(row) => row.try_get::<i64, _>(0)?.to_string(),
        });
    }
    drop(results);
    ensure!(seen == ["1", "0 rows", "2 rows", "1", "2", "0 rows", "2 rows", "0 rows"], "{seen:?}");

    let broken =
        sqlx::raw_sql("INSERT INTO s_many VALUES (5); INSERT INTO s_many VALUES (5); DELETE FROM s_many")
            .execute(&mut conn)
            .await;
    ensure!(number(broken)? == 1062);
    ensure!(scalar::<i64>(&mut conn, "SELECT COUNT(*) FROM s_many").await? == 1);
    Ok(())
}

#[sqlx::test]
async fn procedures() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    conn.execute("DROP PROCEDURE IF EXISTS s_two").await?;
    conn.execute("CREATE PROCEDURE s_two(IN n INT) BEGIN SELECT n AS a; SELECT n * 2 AS b; END").await?;
    let rows = sqlx::raw_sql("CALL s_two(4)").fetch_all(&mut conn).await?;
    ensure!(rows.len() == 2 && rows[1].try_get::<i64, _>("b")? == 8);
    let rows = sqlx::query("CALL s_two(?)").bind(5).fetch_all(&mut conn).await?;
    ensure!(rows.len() == 2 && rows[0].try_get::<i64, _>("a")? == 5);
    ensure!(scalar::<i64>(&mut conn, "SELECT 6").await? == 6);
    Ok(())
}

#[sqlx::test]
async fn errors_say_what_the_server_says() -> Result<()> {
    let mut conn = new::<MySql>().await?;
    table(&mut conn, "s_errors", "a INT PRIMARY KEY").await?;
    conn.execute("INSERT INTO s_errors VALUES (1)").await?;
    for (sql, expected, state) in [
        ("SELECT * FROM no_such_table", 1146, "42S02"),
        ("SELECT no_such_column", 1054, "42S22"),
        ("SELEC 1", 1064, "42000"),
        ("INSERT INTO s_errors VALUES (1)", 1062, "23000"),
    ] {
        for prepared in [false, true] {
            let result = if prepared {
                sqlx::query(sql).execute(&mut conn).await
            } else {
                sqlx::raw_sql(sql).execute(&mut conn).await
            };
            let error = result.err().context(sql)?;
            let error = error.as_database_error().context(sql)?;
            ensure!(error.code().as_deref() == Some(state), "{sql}: {error}");
            let server = error.downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
            ensure!(server.number() == expected, "{sql}: {error}");
        }
    }
    ensure!(scalar::<i64>(&mut conn, "SELECT 1").await? == 1);
    Ok(())
}

#[sqlx::test]
async fn a_statement_is_killed() -> Result<()> {
    let (mut victim, mut killer) = (new::<MySql>().await?, new::<MySql>().await?);
    let id: u64 = scalar(&mut victim, "SELECT CONNECTION_ID()").await?;
    table(&mut killer, "s_asleep", "a INT").await?;
    killer.execute("INSERT INTO s_asleep VALUES (1)").await?;
    // A write, so that it runs where its session's id is known.
    let sleeping = async { sqlx::query("UPDATE s_asleep SET a = a + SLEEP(60)").execute(&mut victim).await };
    let kill = async {
        // Until it sleeps, so that the KILL does not come before the statement.
        let asleep = async {
            let count = "SELECT COUNT(*) FROM information_schema.processlist \
                WHERE id = ? AND info LIKE 'UPDATE s_asleep%'";
            while sqlx::query_scalar::<_, i64>(count).bind(id).fetch_one(&mut killer).await? == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<(), sqlx::Error>(())
        };
        tokio::time::timeout(Duration::from_secs(30), asleep).await.context("it does not sleep")??;
        killer.execute(AssertSqlSafe(format!("KILL QUERY {id}"))).await.context("KILL")
    };
    let (slept, killed) = tokio::join!(sleeping, kill);
    killed?;
    ensure!(number(slept)? == 1317);
    ensure!(scalar::<i64>(&mut victim, "SELECT 1").await? == 1);

    sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&mut killer).await?;
    ensure!(scalar::<i64>(&mut victim, "SELECT 1").await.is_err());
    Ok(())
}

#[sqlx::test]
async fn a_connection_left_in_a_statement() -> Result<()> {
    let pool = MySqlPoolOptions::new().max_connections(1).connect_with(options()?).await?;
    let slow = sqlx::query("SELECT SLEEP(1)").fetch_one(&pool);
    ensure!(tokio::time::timeout(Duration::from_millis(100), slow).await.is_err());
    // The pool's one connection is in the middle of an answer; the pool has to find that out.
    let (one,): (i64,) = sqlx::query_as("SELECT 1").fetch_one(&pool).await?;
    ensure!(one == 1);
    Ok(())
}

#[sqlx::test]
async fn a_pool_with_more_work_than_connections() -> Result<()> {
    let pool = MySqlPoolOptions::new()
        .max_connections(3)
        .after_connect(|conn, _| Box::pin(async move { conn.execute("SET @given = 5").await.map(drop) }))
        .before_acquire(|conn, _| Box::pin(async move { conn.ping().await.map(|()| true) }))
        .after_release(|conn, _| {
            Box::pin(async move { Ok(scalar::<i64>(conn, "SELECT @given").await? == 5) })
        })
        .connect_with(options()?)
        .await?;
    table(&mut *pool.acquire().await?, "s_work", "a INT PRIMARY KEY").await?;
    let work = futures_util::future::try_join_all((0..60_i64).map(|i| {
        let pool = pool.clone();
        async move {
            sqlx::query("INSERT INTO s_work VALUES (?)").bind(i).execute(&pool).await?;
            let mut tx = pool.begin().await?;
            let mine: i64 = sqlx::query_scalar("SELECT CAST(a AS SIGNED) FROM s_work WHERE a = ? FOR UPDATE")
                .bind(i)
                .fetch_one(&mut *tx)
                .await?;
            if i % 2 == 0 {
                sqlx::query("DELETE FROM s_work WHERE a = ?").bind(i).execute(&mut *tx).await?;
                tx.commit().await?;
            }
            Ok::<i64, sqlx::Error>(mine)
        }
    }));
    ensure!(work.await? == (0..60).collect::<Vec<_>>());
    let mut conn = pool.acquire().await?;
    ensure!(scalar::<i64>(&mut conn, "SELECT COUNT(*) FROM s_work FOR UPDATE").await? == 30);
    drop(conn);
    pool.close().await;
    Ok(())
}

#[sqlx::test]
async fn a_hundred_connections_at_once() -> Result<()> {
    let mut conns = futures_util::future::try_join_all((0..100).map(|_| new::<MySql>())).await?;
    let mut ids = Vec::new();
    for conn in &mut conns {
        ids.push(scalar::<u64>(conn, "SELECT CONNECTION_ID()").await?);
    }
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == 100, "{}", ids.len());
    for conn in conns {
        conn.close().await?;
    }
    Ok(())
}
