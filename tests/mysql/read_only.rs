//! Transactions that are declared read only: on a replica, of one snapshot, and what the primary must do
//! for them.

use std::time::Duration;

use anyhow::Result;
use headgate::lab::{Cluster, Flavor};
use headgate::wire::status::StatusFlags;

use crate::client::{CURSOR_READ_ONLY, Connection, Options, Reply};
use crate::headgate::Headgate;
use crate::servers::cluster;

struct Scene {
    cluster: &'static Cluster,
    headgate: Headgate,
}

impl Scene {
    async fn set(flavor: Flavor, table: &'static str) -> Self {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let scene = Self { cluster, headgate };
        let mut setup = scene.session().await;
        setup.run(&format!("DROP TABLE IF EXISTS {table}")).await;
        setup.run(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, a INT)")).await;
        setup.run(&format!("INSERT INTO {table} VALUES (1, 10), (2, 20)")).await;
        cluster.wait_caught_up(Duration::from_secs(30)).await.unwrap();
        scene
    }

    async fn session(&self) -> Session {
        let app = self.cluster.accounts().app;
        let options = Options::new(self.headgate.address(), app.user, app.password).schema("app");
        Session(options.connect().await.unwrap())
    }

    /// Statements that replicas ran as parts of such transactions.
    async fn on_replicas(&self) -> u64 {
        let metrics = self.headgate.metrics().await.unwrap();
        let wanted = "headgate_statements_total{target=\"replica\",reason=\"read_only_transaction\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(wanted)?.parse().ok()).unwrap()
    }

    /// Begins one on a replica. How soon a replica is known to have what the session wrote depends on what
    /// other tests do to it meanwhile.
    async fn begin(&self, session: &mut Session) {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let before = self.on_replicas().await;
            let status = session.run("START TRANSACTION READ ONLY").await;
            assert!(status.contains(StatusFlags::IN_TRANSACTION));
            if self.on_replicas().await > before {
                return;
            }
            session.run("COMMIT").await;
        }
        panic!("no read-only transaction begins on a replica");
    }
}

struct Session(Connection);

impl Session {
    async fn ask(&mut self, sql: &str) -> Result<Reply> {
        self.0.query(sql).await
    }

    async fn run(&mut self, sql: &str) -> StatusFlags {
        let reply = self.ask(sql).await.unwrap();
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        reply.status.unwrap()
    }

    async fn number(&mut self, sql: &str) -> i64 {
        let reply = self.ask(sql).await.unwrap();
        reply.value().unwrap_or_else(|| panic!("{sql}: {:?}", reply.error)).parse().unwrap()
    }

    async fn fails(&mut self, sql: &str, code: u16) {
        let error = self.ask(sql).await.unwrap().error.unwrap_or_else(|| panic!("{sql} did not fail"));
        assert_eq!(error.code, code, "{sql}: {error}");
    }
}

async fn one_snapshot(flavor: Flavor) {
    let scene = Scene::set(flavor, "ro_snapshot").await;
    let (mut reader, mut writer) = (scene.session().await, scene.session().await);
    reader.run("UPDATE ro_snapshot SET a = 11 WHERE id = 1").await;
    scene.begin(&mut reader).await;
    let question = "SELECT a FROM ro_snapshot WHERE id = 1";
    assert_eq!(reader.number(question).await, 11, "its own write");
    writer.run("UPDATE ro_snapshot SET a = 12 WHERE id = 1").await;
    scene.cluster.wait_caught_up(Duration::from_secs(30)).await.unwrap();
    assert_eq!(reader.number(question).await, 11, "the snapshot");
    // What the primary answers meanwhile belongs to a transaction too.
    let status = reader.run("SELECT @@server_id").await;
    assert!(status.contains(StatusFlags::IN_TRANSACTION));
    reader.fails("INSERT INTO ro_snapshot VALUES (9, 9)", 1792).await;
    assert_eq!(reader.number(question).await, 11);
    let before = scene.on_replicas().await;
    assert!(!reader.run("COMMIT").await.contains(StatusFlags::IN_TRANSACTION));
    assert_eq!(reader.number(question).await, 12);
    assert_eq!(scene.on_replicas().await, before, "COMMIT was for both, and the primary answered");
    // One that stays on the replica ends there, and the connection serves again.
    scene.begin(&mut reader).await;
    assert_eq!(reader.number(question).await, 12);
    let before = scene.on_replicas().await;
    assert!(!reader.run("ROLLBACK").await.contains(StatusFlags::IN_TRANSACTION));
    assert_eq!(scene.on_replicas().await, before + 1);
}

async fn the_primary_when_it_must(flavor: Flavor) {
    let scene = Scene::set(flavor, "ro_primary").await;
    let mut session = scene.session().await;
    session.run("DROP PROCEDURE IF EXISTS ro_look").await;
    session.run("CREATE PROCEDURE ro_look() SELECT COUNT(*) FROM ro_primary").await;
    // The session that made a procedure is none that replicas serve; another is.
    let mut session = scene.session().await;
    scene.begin(&mut session).await;
    // Nothing was read yet: the primary takes over, and nobody notices.
    let statement = session.0.prepare(b"SELECT a FROM ro_primary WHERE id = 1").await.unwrap();
    let before = scene.on_replicas().await;
    let id = statement.statement.unwrap();
    let reply = session.0.execute(id, CURSOR_READ_ONLY, &[], &[]).await.unwrap();
    assert!(reply.error.is_none(), "{:?}", reply.error);
    assert_eq!(session.number("SELECT a FROM ro_primary WHERE id = 2").await, 20);
    assert!(!session.run("COMMIT").await.contains(StatusFlags::IN_TRANSACTION));
    assert_eq!(scene.on_replicas().await, before, "all on the primary");
    // A second snapshot would be read: as after a deadlock.
    let mut session = scene.session().await;
    scene.begin(&mut session).await;
    assert_eq!(session.number("SELECT a FROM ro_primary WHERE id = 2").await, 20);
    session.fails("CALL ro_look()", 1213).await;
    session.fails("ROLLBACK TO SAVEPOINT nowhere", 1305).await;
    session.run("START TRANSACTION READ ONLY").await;
    assert_eq!(session.number("SELECT a FROM ro_primary WHERE id = 2").await, 20);
    session.run("CALL ro_look()").await;
    assert!(!session.run("COMMIT").await.contains(StatusFlags::IN_TRANSACTION));
}

/// Statements that look as if they could not read a second snapshot, or as if a replica had the same to show.
async fn nothing_else_is_shown(flavor: Flavor) {
    let scene = Scene::set(flavor, "ro_else").await;
    let (question, mut writer) = ("SELECT a FROM ro_else WHERE id = 1", scene.session().await);
    // No server prepares several statements at once, and the primary would run them all the same.
    let mut session = scene.session().await;
    scene.begin(&mut session).await;
    assert_eq!(session.number(question).await, 10);
    writer.run("UPDATE ro_else SET a = 11 WHERE id = 1").await;
    session.fails(&format!("{question}; SELECT 2"), 1213).await;
    // Every server has its own of some schemas.
    let mut session = scene.session().await;
    scene.begin(&mut session).await;
    session.run("USE information_schema").await;
    let before = scene.on_replicas().await;
    assert!(session.number("SELECT COUNT(*) FROM PLUGINS").await > 0);
    assert_eq!(scene.on_replicas().await, before, "the schema is the primary's own");
    session.run("COMMIT").await;
    // What the primary has shown counts as seen.
    let mut session = scene.session().await;
    scene.begin(&mut session).await;
    session.run("SELECT GET_LOCK('ro_else', 0)").await;
    let before = scene.on_replicas().await;
    assert_eq!(session.number(question).await, 11);
    assert_eq!(scene.on_replicas().await, before, "the replica may lack what the lock stood for");
    session.run("COMMIT").await;
    // Who ran the end of it knows what came before.
    let mut session = scene.session().await;
    session.run("INSERT IGNORE INTO ro_else VALUES (1, 1)").await;
    scene.begin(&mut session).await;
    session.run("SELECT a FROM ro_else").await;
    session.run("COMMIT").await;
    assert_eq!(session.number("SELECT FOUND_ROWS()").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warnings_of_other_sessions_are_not_shown_on_mariadb() {
    let scene = Scene::set(Flavor::MariaDb, "ro_warned").await;
    let mut others = vec![scene.session().await, scene.session().await];
    for session in &mut others {
        scene.begin(session).await;
    }
    for session in &mut others {
        session.run("SELECT id, CAST('secret' AS SIGNED) FROM ro_warned").await;
        session.run("COMMIT").await;
    }
    drop(others);
    for _ in 0..4 {
        let mut session = scene.session().await;
        scene.begin(&mut session).await;
        assert!(session.ask("SHOW WARNINGS").await.unwrap().value().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_take_turns() {
    let scene = Scene::set(Flavor::MySql, "ro_turns").await;
    let root = scene.cluster.accounts().root;
    let at = |address| Options::new(address, root.user, root.password);
    let schema = "ro_turns_schema";
    let mut setup = Session(at(scene.headgate.address()).connect().await.unwrap());
    setup.run(&format!("CREATE DATABASE IF NOT EXISTS {schema}")).await;
    scene.cluster.wait_caught_up(Duration::from_secs(30)).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let connection = at(scene.headgate.address()).schema(schema).connect().await.unwrap();
        sessions.push(Session(connection));
        scene.begin(sessions.last_mut().unwrap()).await;
    }
    for node in scene.cluster.replicas() {
        let mut look = Session(at(node.address()).connect().await.unwrap());
        let count = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{schema}'");
        assert_eq!(look.number(&count).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_shown_on_mysql() {
    nothing_else_is_shown(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_shown_on_mariadb() {
    nothing_else_is_shown(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_snapshot_on_mysql() {
    one_snapshot(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_snapshot_on_mariadb() {
    one_snapshot(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_when_it_must_on_mysql() {
    the_primary_when_it_must(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_when_it_must_on_mariadb() {
    the_primary_when_it_must(Flavor::MariaDb).await;
}
