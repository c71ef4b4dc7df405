//! Statements of the binary protocol run where they would run as text, and answer what they answer on one server.

use std::collections::HashSet;
use std::time::Duration;

use headgate::lab::{Cluster, Flavor};
use headgate::wire::command::Command;
use headgate::wire::status::StatusFlags;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::client::{CURSOR_READ_ONLY, Connection, Options, Param, Reply, Shape};
use crate::headgate::Headgate;
use crate::servers::{cluster, quiet_cluster};

/// For a replica to get what was written.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Field types: MYSQL_TYPE_LONGLONG, MYSQL_TYPE_VAR_STRING.
const NUMBER: u8 = 8;
const STRING: u8 = 0xFD;

pub(crate) struct Scene {
    pub(crate) cluster: &'static Cluster,
    pub(crate) headgate: Headgate,
    pub(crate) user: &'static str,
}

impl Scene {
    /// A user with a schema of that name, which has a table.
    pub(crate) async fn set(flavor: Flavor, user: &'static str) -> Self {
        Self::set_on(quiet_cluster(flavor).await, user).await
    }

    /// The same, where replicas may be kept from their work for a moment without anybody minding.
    pub(crate) async fn set_apart(flavor: Flavor, user: &'static str) -> Self {
        Self::set_on(cluster(flavor).await, user).await
    }

    async fn set_on(cluster: &'static Cluster, user: &'static str) -> Self {
        for statement in [
            format!("DROP DATABASE IF EXISTS {user}"),
            format!("CREATE DATABASE {user}"),
            format!("DROP USER IF EXISTS {user}@'%'"),
            format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}'"),
            format!("GRANT ALL ON {user}.* TO {user}@'%'"),
            format!("CREATE TABLE {user}.t (id INT PRIMARY KEY, a INT, s VARCHAR(99))"),
            format!("INSERT INTO {user}.t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, 30, 'three')"),
        ] {
            cluster.primary().sql(statement).await.unwrap();
        }
        cluster.wait_caught_up(PATIENCE).await.unwrap();
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        Self { cluster, headgate, user }
    }

    pub(crate) async fn session(&self) -> Session {
        let options = Options::new(self.headgate.address(), self.user, self.user).tls(true);
        Session(options.schema(self.user).connect().await.unwrap())
    }

    /// Whether a replica ran what `run` does.
    pub(crate) async fn moves<T>(&self, run: impl Future<Output = T>) -> (T, bool) {
        let before = self.headgate.on_replicas().await;
        let done = run.await;
        (done, self.headgate.on_replicas().await > before)
    }

    /// Runs something while replicas have no room for statements. One test at a time.
    pub(crate) async fn while_replicas_prepare_nothing<T>(&self, run: impl Future<Output = T>) -> T {
        static ONE: Mutex<()> = Mutex::const_new(());
        let _one = ONE.lock().await;
        self.on_each_replica("SET GLOBAL max_prepared_stmt_count = 0").await;
        let done = run.await;
        self.on_each_replica("SET GLOBAL max_prepared_stmt_count = 16382").await;
        done
    }

    pub(crate) async fn on_each_replica(&self, statement: &str) {
        for replica in self.cluster.replicas() {
            replica.sql(statement).await.unwrap();
        }
    }

    /// Executes until a replica does it: one may have to be looked at first, or be slow for a moment.
    pub(crate) async fn until_moves(&self, session: &mut Session, id: u32, params: &[Param]) -> Reply {
        let end = Instant::now() + PATIENCE;
        loop {
            let (reply, moved) = self.moves(session.execute(id, params)).await;
            if moved {
                return reply;
            }
            assert!(Instant::now() < end, "no execution goes to a replica");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until replicas have what the session has seen and written.
    pub(crate) async fn until_split(&self, session: &mut Session) {
        let end = Instant::now() + PATIENCE;
        while !self.moves(session.text("SELECT COUNT(*) FROM t")).await.1 {
            assert!(Instant::now() < end, "no read goes to a replica");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn end(self) {
        self.headgate.stop().await.unwrap();
        self.cluster.primary().sql(format!("DROP DATABASE {}", self.user)).await.unwrap();
    }
}

pub(crate) struct Session(pub(crate) Connection);

impl Session {
    pub(crate) async fn text(&mut self, sql: &str) -> Reply {
        let reply = self.0.query(sql).await.unwrap();
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        reply
    }

    pub(crate) async fn prepare(&mut self, sql: &str) -> u32 {
        let reply = self.0.prepare(sql.as_bytes()).await.unwrap();
        reply.statement.unwrap_or_else(|| panic!("{sql}: {:?}", reply.error))
    }

    pub(crate) async fn execute(&mut self, id: u32, params: &[Param]) -> Reply {
        let reply = self.0.execute(id, 0, params, &[]).await.unwrap();
        assert!(reply.error.is_none(), "{:?}", reply.error);
        reply
    }

    /// Executes with values alone: their types are those of before.
    pub(crate) async fn execute_again(&mut self, id: u32, values: &[u8]) -> Reply {
        let head = [&[Command::StmtExecute as u8][..], &id.to_le_bytes(), &[0, 1, 0, 0, 0]].concat();
        self.0.command(&[&head[..], &[0, 0], values].concat(), Shape::Execute).await.unwrap()
    }
}

pub(crate) fn number(value: i64) -> Param {
    Param { name: String::new(), kind: NUMBER, unsigned: false, value: Some(value.to_le_bytes().to_vec()) }
}

pub(crate) fn string(value: &str) -> Param {
    let mut bytes = vec![u8::try_from(value.len()).unwrap()];
    bytes.extend_from_slice(value.as_bytes());
    Param { name: String::new(), kind: STRING, unsigned: false, value: Some(bytes) }
}

pub(crate) fn value(reply: &Reply) -> String {
    reply.value().unwrap_or_else(|| panic!("no value: {:#?}", reply.lines))
}

async fn where_text_would_run(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_runs").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a, s FROM t WHERE id = ?").await;
    let write = session.prepare("UPDATE t SET a = a + ? WHERE id = 1").await;
    let reply = scene.until_moves(&mut session, read, &[number(2)]).await;
    assert_eq!(value(&reply), "20".to_owned());
    // Both replicas have it, and know nothing of the types that the client has sent once.
    for id in [1, 2, 3, 2, 1] {
        let (reply, moved) = scene.moves(session.execute_again(read, &i64::to_le_bytes(id))).await;
        assert_eq!((value(&reply), moved), ((id * 10).to_string(), true));
    }
    // Other types, and not by number.
    let reply = scene.until_moves(&mut session, read, &[string("3")]).await;
    assert_eq!(value(&reply), "30".to_owned());
    assert_eq!(value(&session.execute_again(read, b"\x011").await), "10");
    // What it writes it sees.
    for round in 1..=20 {
        // The read before is counted when its reply has been sent.
        sleep(Duration::from_millis(5)).await;
        let (_, moved) = scene.moves(session.execute(write, &[number(1)])).await;
        assert!(!moved);
        assert_eq!(value(&session.execute(read, &[number(1)]).await), (10 + round).to_string());
    }
    // MySQL holds a parameter to the type that it had first; that is nobody's business but its session's.
    // A session stays on the replica it has read from, so it takes some to be at both.
    let mut sessions = Vec::new();
    for _ in 0..8 {
        let mut session = scene.session().await;
        scene.until_split(&mut session).await;
        let shared = session.prepare("SELECT ? /* shared */").await;
        sessions.push((session, shared));
    }
    for _ in 0..3 {
        for (at, (session, shared)) in sessions.iter_mut().enumerate() {
            let (param, expected) = if at < 4 { (number(7), "7") } else { (string("bar"), "bar") };
            let reply = scene.until_moves(session, *shared, &[param]).await;
            assert_eq!(value(&reply), expected);
        }
    }
    // The primary has not heard the types that were sent to replicas alone.
    let fresh = session.prepare("SELECT s FROM t WHERE id = ? /* again */").await;
    scene.until_split(&mut session).await;
    scene.until_moves(&mut session, fresh, &[number(2)]).await;
    session.text("BEGIN").await;
    let (reply, moved) = scene.moves(session.execute_again(fresh, &i64::to_le_bytes(3))).await;
    assert_eq!((value(&reply), moved), ("three".to_owned(), false));
    session.text("ROLLBACK").await;
    scene.end().await;
}

async fn bound_to_what_the_session_was(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_bound").await;
    let other = format!("{}_other", scene.user);
    for statement in [
        format!("CREATE DATABASE IF NOT EXISTS {other}"),
        format!("GRANT ALL ON {other}.* TO {}@'%'", scene.user),
        format!("CREATE OR REPLACE VIEW {other}.unused AS SELECT 1 AS one"),
        format!("CREATE TABLE IF NOT EXISTS {other}.t (id INT, a INT)"),
    ] {
        scene.cluster.primary().sql(statement).await.unwrap();
    }
    scene.cluster.wait_caught_up(PATIENCE).await.unwrap();
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let quoted = session.prepare("SELECT \"a\", COUNT(*) FROM t").await;
    let reply = scene.until_moves(&mut session, quoted, &[]).await;
    assert_eq!(value(&reply), "a".to_owned());
    // A column by now, were it read anew.
    session.text("SET SESSION sql_mode = 'ANSI_QUOTES'").await;
    let (reply, moved) = scene.moves(session.execute(quoted, &[])).await;
    assert_eq!((value(&reply), moved), ("a".to_owned(), false));
    let ansi = session.prepare("SELECT SUM(\"a\") FROM t").await;
    scene.until_moves(&mut session, ansi, &[]).await;
    session.text(&format!("USE {other}")).await;
    let (reply, moved) = scene.moves(session.execute(ansi, &[])).await;
    assert!(!moved && reply.value().is_some(), "the table of the schema it was prepared in");
    scene.cluster.primary().sql(format!("DROP DATABASE {other}")).await.unwrap();
    scene.end().await;
}

async fn what_keeps_it_at_home(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_home").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT COUNT(*) FROM t WHERE s = ?").await;
    scene.until_moves(&mut session, read, &[string("one")]).await;
    // A parameter that was sent ahead is where it was sent.
    session.0.send_long_data(read, 0, b"t").await.unwrap();
    session.0.send_long_data(read, 0, b"wo").await.unwrap();
    let nothing = Param { value: Some(Vec::new()), ..string("") };
    let (reply, moved) = scene.moves(session.execute(read, &[nothing])).await;
    assert_eq!((value(&reply), moved), ("1".to_owned(), false));
    scene.until_split(&mut session).await;
    scene.until_moves(&mut session, read, &[string("one")]).await;
    session.0.send_long_data(read, 0, b"nobody").await.unwrap();
    session.0.statement_command(Command::StmtReset, read).await.unwrap();
    scene.until_moves(&mut session, read, &[string("one")]).await;
    // A cursor is where it was opened, and stays there.
    let rows = session.prepare("SELECT id FROM t ORDER BY id").await;
    scene.until_moves(&mut session, rows, &[]).await;
    let opened = session.0.execute(rows, CURSOR_READ_ONLY, &[], &[]).await.unwrap();
    let fetched = session.0.fetch(rows, 2, &opened.types).await.unwrap();
    assert_eq!(fetched.results[0].len(), 2);
    let again = session.0.execute(rows, CURSOR_READ_ONLY, &[], &[]);
    let (opened, moved) = scene.moves(again).await;
    assert!(opened.unwrap().error.is_none() && !moved);
    // What was closed is gone, for the session and nobody else.
    session.0.statement_command(Command::StmtClose, read).await.unwrap();
    let error = session.0.execute(read, 0, &[string("one")], &[]).await.unwrap().error.unwrap();
    assert_eq!(error.code, 1243);
    scene.end().await;
}

async fn in_read_only_transactions(flavor: Flavor) {
    let scene = Scene::set(flavor, "prepared_snapshot").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a FROM t WHERE id = ?").await;
    let status = session.text("START TRANSACTION READ ONLY").await.status.unwrap();
    assert!(status.contains(StatusFlags::IN_TRANSACTION));
    for round in 0..3 {
        let reply = scene.until_moves(&mut session, read, &[number(1)]).await;
        assert_eq!(value(&reply), "10".to_owned(), "round {round}: one snapshot");
        let update = format!("UPDATE {}.t SET a = a + 1 WHERE id = 1", scene.user);
        scene.cluster.primary().sql(update).await.unwrap();
        scene.cluster.wait_caught_up(PATIENCE).await.unwrap();
    }
    // Prepared in the middle of it, and read of the same snapshot.
    let late = session.prepare("SELECT a FROM t WHERE id = 1").await;
    let reply = scene.until_moves(&mut session, late, &[]).await;
    assert_eq!(value(&reply), "10".to_owned());
    let refused = session.0.prepare(b"UPDATE t SET a = 0").await.unwrap();
    assert_eq!(refused.error.unwrap().code, 1792);
    session.text("COMMIT").await;
    assert_eq!(value(&session.execute(read, &[number(1)]).await), "13");
    scene.end().await;
}

/// However many statements sessions prepare, servers keep a bounded number for each connection of Headgate's.
async fn servers_keep_few(flavor: Flavor) {
    const TEXTS: usize = 200;
    let scene = Scene::set(flavor, "prepared_many").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let mut moved = 0;
    for text in 0..TEXTS {
        let id = session.prepare(&format!("SELECT a + {text} FROM t WHERE id = 1")).await;
        let (reply, on_replica) = scene.moves(session.execute(id, &[])).await;
        assert_eq!(value(&reply), (10 + text).to_string());
        moved += usize::from(on_replica);
        session.0.statement_command(Command::StmtClose, id).await.unwrap();
    }
    assert!(moved > TEXTS / 2, "{moved} went to replicas");
    for replica in scene.cluster.replicas() {
        let rows = replica.sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").await.unwrap();
        let kept: usize = rows[0].get("Value").unwrap().parse().unwrap();
        assert!(kept < TEXTS, "{kept} of {TEXTS} are kept");
    }
    // Who comes later finds what is there, whatever it was called for others.
    let sessions = [scene.session().await, scene.session().await, scene.session().await];
    let mut seen = HashSet::new();
    for mut session in sessions {
        scene.until_split(&mut session).await;
        for text in [TEXTS - 1, 3] {
            let id = session.prepare(&format!("SELECT a + {text} FROM t WHERE id = 1")).await;
            seen.insert(value(&session.execute(id, &[]).await));
        }
    }
    assert_eq!(seen, HashSet::from(["209".to_owned(), "13".to_owned()]));
    scene.end().await;
}

/// A replica that will not prepare it is no reason for the client to hear of it.
async fn where_a_replica_refuses(flavor: Flavor) {
    let scene = Scene::set_apart(flavor, "prepared_refused").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a FROM t WHERE id = 1").await;
    let executed = scene.moves(session.execute(read, &[]));
    let (reply, moved) = scene.while_replicas_prepare_nothing(executed).await;
    assert_eq!((value(&reply), moved), ("10".to_owned(), false));
    scene.until_split(&mut session).await;
    scene.until_moves(&mut session, read, &[]).await;
    scene.end().await;
}

/// MariaDB's drivers execute what they have just prepared without waiting for its id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_last() {
    let scene = Scene::set(Flavor::MariaDb, "prepared_last").await;
    let mut session = scene.session().await;
    scene.until_split(&mut session).await;
    let read = session.prepare("SELECT a FROM t WHERE id = ?").await;
    scene.until_moves(&mut session, read, &[number(1)]).await;
    // By no name, with other types, which are the ones from now on.
    assert_eq!(value(&session.execute(u32::MAX, &[string("2")]).await), "20");
    assert_eq!(value(&session.execute_again(read, b"\x013").await), "30");
    // What it does counts as if it had been named.
    scene.until_split(&mut session).await;
    session.prepare("CREATE TEMPORARY TABLE t (id INT)").await;
    session.execute(u32::MAX, &[]).await;
    let (reply, moved) = scene.moves(session.text("SELECT COUNT(*) FROM t")).await;
    assert_eq!((value(&reply), moved), ("0".to_owned(), false), "the temporary table");
    scene.end().await;
}

on! { MySql on_mysql:
    where_text_would_run bound_to_what_the_session_was what_keeps_it_at_home in_read_only_transactions
    servers_keep_few where_a_replica_refuses
}
on! { MariaDb on_mariadb:
    where_text_would_run bound_to_what_the_session_was what_keeps_it_at_home in_read_only_transactions
    servers_keep_few where_a_replica_refuses
}
