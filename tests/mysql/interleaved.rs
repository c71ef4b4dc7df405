//! Sessions in any order over few connections: each is answered as if it had the server for itself.
//!
//! A seed makes the statements of every session and the order in which they come. `HEADGATE_SEEDS=N` tries more seeds,
//! `HEADGATE_SEED=S` one of them. What differs is made smaller before it is shown.

use anyhow::{Context, Result};
use headgate::lab::{Cluster, Flavor};

use crate::chance::Chance;
use crate::client::{Connection, Options};
use crate::headgate::Headgate;
use crate::servers::{SCRIPT_USER, cluster, root};

/// Sessions of a run; as many connections, so that those which keep theirs leave one for everybody else.
const SESSIONS: usize = 4;

/// Statements of each.
const LENGTH: usize = 24;

/// Seeds tried by default.
const SEEDS: u64 = 40;

/// Attempts at making a difference smaller.
const ATTEMPTS: usize = 60;

const FLAGS: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "4", "--pool-wait-timeout", "10s"];

/// A statement and whose it is, in the order of sending.
type Step = (usize, String);

/// `#` is a small number, `<own>` and `<other>` schemas of the session.
const STATEMENTS: &[&str] = &[
    "INSERT INTO <own>.t (a, b) VALUES (#, 'x#')",
    "INSERT INTO <own>.t (a) VALUES (#), (# + 1)",
    "INSERT INTO <own>.t (id, a) VALUES (100#, #)",
    "REPLACE INTO <own>.t (id, a) VALUES (#, #)",
    "UPDATE <own>.t SET a = a + 1 WHERE id % 3 = 1",
    "DELETE FROM <own>.t WHERE id = #",
    "SELECT LAST_INSERT_ID()",
    "SELECT ROW_COUNT()",
    "SELECT COUNT(*), SUM(a) FROM <own>.t",
    "SELECT GROUP_CONCAT(b ORDER BY id) FROM <own>.t",
    "SELECT missing FROM <own>.t",
    "INSERT INTO <own>.t (id) VALUES (NULL), (NULL), (1)",
    "SET @v = #",
    "SELECT @v",
    "SET time_zone = '+0#:00'",
    "SELECT @@time_zone",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = DEFAULT",
    "SELECT @@sql_mode",
    "SET NAMES latin1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
    "SET character_set_results = NULL",
    "SELECT @@character_set_client, @@collation_connection, @@character_set_results",
    "USE <own>",
    "USE <other>",
    "SELECT DATABASE()",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SELECT @@autocommit",
    "CREATE TEMPORARY TABLE IF NOT EXISTS <own>.tmp (a INT)",
    "INSERT INTO <own>.tmp VALUES (#)",
    "DROP TEMPORARY TABLE IF EXISTS <own>.tmp",
    "SELECT 1 / 0, CAST('x' AS SIGNED)",
    "SHOW COUNT(*) WARNINGS",
    "SET foreign_key_checks = 0",
    "SET foreign_key_checks = 1",
    "SET unique_checks = 0",
    "SELECT @@foreign_key_checks, @@unique_checks",
    "SET group_concat_max_len = 1#",
    "SET SESSION group_concat_max_len = DEFAULT",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION READ ONLY",
    "DO GET_LOCK('<own>', 0)",
    "SELECT IS_FREE_LOCK('<own>')",
    "DO RELEASE_ALL_LOCKS()",
    "SET sql_select_limit = #",
    "SET sql_select_limit = DEFAULT",
];

fn plan(seed: u64) -> Vec<Step> {
    let mut chance = Chance::new(seed);
    (0..SESSIONS * LENGTH)
        .map(|_| {
            let session = chance.below(SESSIONS);
            let template = STATEMENTS[chance.below(STATEMENTS.len())];
            let number = (1 + chance.below(9)).to_string();
            // Reads run on the primary: what replicas do to them is for other tests.
            let sql = template.replace('#', &number).replace("<own>", &schema(session, "own"));
            let sql = sql.replace("<other>", &schema(session, "other"));
            (session, format!("/* headgate: primary */ {sql}"))
        })
        .collect()
}

fn schema(session: usize, which: &str) -> String {
    format!("d_interleaved_{which}_{session}")
}

async fn fresh(admin: &mut Connection) -> Result<()> {
    for session in 0..SESSIONS {
        for which in ["own", "other"] {
            let name = schema(session, which);
            for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
                let reply = admin.query(sql).await?;
                anyhow::ensure!(reply.error.is_none(), "{:?}", reply.error);
            }
        }
        let table = "(id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))";
        admin.query(format!("CREATE TABLE {}.t {table}", schema(session, "own"))).await?;
    }
    Ok(())
}

fn options(at: std::net::SocketAddr, session: usize) -> Options {
    Options::new(at, SCRIPT_USER.0, SCRIPT_USER.1).tls(true).schema(&schema(session, "own"))
}

/// What every step is answered.
async fn run(steps: &[Step], at: std::net::SocketAddr) -> Result<Vec<String>> {
    let mut sessions = Vec::new();
    for session in 0..SESSIONS {
        sessions.push(options(at, session).connect().await?);
    }
    let mut answers = Vec::new();
    for (session, sql) in steps {
        let reply = sessions[*session].query(sql.as_str()).await.with_context(|| sql.clone())?;
        let answer = match reply.error {
            Some(error) => format!("error {}", error.code),
            None => reply.lines.iter().filter(|line| line.contains(" row ")).cloned().collect::<String>(),
        };
        answers.push(answer);
    }
    for session in sessions {
        session.quit().await?;
    }
    Ok(answers)
}

/// The first step that is answered otherwise.
async fn difference(
    steps: &[Step],
    cluster: &Cluster,
    headgate: &Headgate,
    admin: &mut Connection,
) -> Result<Option<String>> {
    fresh(admin).await?;
    let direct = run(steps, cluster.primary().address()).await?;
    fresh(admin).await?;
    let shared = run(steps, headgate.address()).await?;
    let differs = direct.iter().zip(&shared).position(|(direct, shared)| direct != shared);
    Ok(differs.map(|at| {
        let (session, sql) = &steps[at];
        format!("session {session}: {sql}\n  direct:  {}\n  sharing: {}", direct[at], shared[at])
    }))
}

/// Leaves out what the difference does not need.
async fn smaller(
    mut steps: Vec<Step>,
    cluster: &Cluster,
    headgate: &Headgate,
    admin: &mut Connection,
) -> Result<Vec<Step>> {
    let (mut piece, mut attempts) = (steps.len() / 2, 0);
    while piece > 0 && attempts < ATTEMPTS {
        let mut at = 0;
        while at < steps.len() && attempts < ATTEMPTS {
            attempts += 1;
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(steps.len()));
            if difference(&fewer, cluster, headgate, admin).await?.is_some() {
                steps = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    Ok(steps)
}

async fn interleaved(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let headgate = Headgate::start(cluster, FLAGS).await.unwrap();
    let mut admin = root(cluster).connect().await.unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("HEADGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADGATE_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let steps = plan(seed);
        if difference(&steps, cluster, &headgate, &mut admin).await.unwrap().is_none() {
            continue;
        }
        let steps = smaller(steps, cluster, &headgate, &mut admin).await.unwrap();
        let found = difference(&steps, cluster, &headgate, &mut admin).await.unwrap();
        let script: Vec<String> = steps.iter().map(|(session, sql)| format!("{session}: {sql}")).collect();
        panic!("seed {seed}:\n{}\n{}", script.join("\n"), found.unwrap_or_default());
    }
    assert!(headgate.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_on_mysql() {
    interleaved(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_on_mariadb() {
    interleaved(Flavor::MariaDb).await;
}
