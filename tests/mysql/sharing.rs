//! Sessions that share one connection to the primary: what one of them does to it, the next must not feel.

use std::time::Duration;

use headgate::lab::Flavor;
use headgate::wire::capabilities::Capabilities;
use headgate::wire::command::Command;
use tokio::time::sleep;

use crate::client::{Connection, Options, PLAIN_CLIENT, Param, Shape};
use crate::headgate::Headgate;
use crate::servers::{SCRIPT_USER, cluster, root};

/// One connection a server, which everybody waits for.
const ONE: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "2s"];

/// Headgate, and a schema of the test's own.
pub(crate) struct Scene {
    headgate: Headgate,
    pub(crate) schema: String,
    flavor: Flavor,
}

impl Scene {
    async fn begin(flavor: Flavor, name: &str) -> Self {
        Self::begin_with(flavor, name, ONE).await
    }

    pub(crate) async fn begin_with(flavor: Flavor, name: &str, flags: &[&str]) -> Self {
        let cluster = cluster(flavor).await;
        let schema = format!("d_sharing_{name}");
        let mut admin = root(cluster).connect().await.unwrap();
        ok(&mut admin, &format!("DROP DATABASE IF EXISTS {schema}")).await;
        ok(&mut admin, &format!("CREATE DATABASE {schema}")).await;
        admin.quit().await.unwrap();
        Self { headgate: Headgate::start(cluster, flags).await.unwrap(), schema, flavor }
    }

    pub(crate) async fn session(&self) -> Connection {
        let (user, password) = SCRIPT_USER;
        let options = Options::new(self.headgate.address(), user, password).tls(true);
        options.schema(&self.schema).connect().await.unwrap()
    }

    pub(crate) async fn end(self) {
        assert!(self.headgate.stop().await.unwrap().success());
    }
}

/// Rows of the answer, in short.
pub(crate) async fn ok(connection: &mut Connection, sql: &str) -> String {
    let reply = connection.query(sql).await.unwrap();
    assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    let row = |line: &String| line.split_once(" row ").map(|(_, row)| row.to_owned());
    reply.lines.iter().filter_map(row).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn error_of(connection: &mut Connection, sql: &str) -> u16 {
    connection.query(sql).await.unwrap().error.map_or(0, |error| error.code)
}

/// Commands without a reply that are too short for what they say: MySQL answers them all the same.
async fn short_commands_are_nobodys(flavor: Flavor) {
    let scene = Scene::begin(flavor, "short").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    for payload in [&[0x19, 1][..], &[0x18, 1], &[0x18, 1, 0, 0, 0], &[0x19]] {
        ok(&mut one, "SELECT 1").await;
        let shape = if scene.flavor == Flavor::MySql { Shape::Query } else { Shape::Nothing };
        let reply = one.command(payload, shape).await.unwrap();
        let wanted = (scene.flavor == Flavor::MySql).then_some(1835);
        assert_eq!(reply.error.map(|error| error.code), wanted, "{payload:?}");
        for turn in 0..10 {
            assert_eq!(
                ok(&mut other, &format!("SELECT 'other', {turn}")).await,
                format!("\"other\", \"{turn}\"")
            );
            assert_eq!(ok(&mut one, &format!("SELECT 'one', {turn}")).await, format!("\"one\", \"{turn}\""));
        }
    }
    one.quit().await.unwrap();
    other.quit().await.unwrap();
    scene.end().await;
}

/// COMMIT RELEASE ends its own session and no other.
async fn released_sessions_end_alone(flavor: Flavor) {
    let scene = Scene::begin(flavor, "release").await;
    let mut other = scene.session().await;
    for release in ["COMMIT RELEASE", "ROLLBACK RELEASE", "SELECT 1; COMMIT RELEASE"] {
        let mut one = scene.session().await;
        ok(&mut one, "SELECT 1").await;
        let reply = one.query(release).await.unwrap();
        assert!(reply.error.is_none() || release.contains(';'), "{release}: {:?}", reply.error);
        for _ in 0..20 {
            assert_eq!(ok(&mut other, "SELECT 'other'").await, "\"other\"", "{release}");
        }
        if reply.error.is_none() {
            assert!(one.is_closed().await, "{release}");
        }
    }
    other.quit().await.unwrap();
    scene.end().await;
}

/// Without `autocommit` a session has its connection while something is open or locked, and no longer.
async fn autocommit_may_be_off(flavor: Flavor) {
    let scene = Scene::begin_with(
        flavor,
        "uncommitted",
        &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "1500ms"],
    )
    .await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    ok(&mut one, "SET autocommit = 0").await;
    ok(&mut one, "CREATE TABLE myisam (a INT) ENGINE = MyISAM").await;
    ok(&mut one, "CREATE TABLE t (a INT)").await;
    for free in ["SELECT 1", "SELECT a + 'x' FROM (SELECT 1 AS a) AS one", "SHOW WARNINGS", "COMMIT"] {
        ok(&mut one, free).await;
        if free.contains("FROM") {
            ok(&mut one, "ROLLBACK").await;
        }
        assert_eq!(error_of(&mut other, "SELECT 'other' FOR UPDATE").await, 0, "{free}");
    }
    for (held, end) in [
        ("SELECT a FROM myisam FOR UPDATE", "COMMIT"),
        ("SELECT a FROM t FOR UPDATE", "COMMIT"),
        ("INSERT INTO t VALUES (1)", "ROLLBACK"),
        ("INSERT INTO t VALUES (1)", "CREATE TABLE u (a INT)"),
    ] {
        ok(&mut one, held).await;
        assert_eq!(error_of(&mut other, "SELECT 'other' FOR UPDATE").await, 1040, "{held}");
        ok(&mut one, end).await;
        // Nothing is locked either.
        assert_eq!(error_of(&mut other, "ALTER TABLE t COMMENT = 'free'").await, 0, "{end}");
        assert_eq!(error_of(&mut other, "ALTER TABLE myisam COMMENT = 'free'").await, 0, "{end}");
    }
    one.quit().await.unwrap();
    other.quit().await.unwrap();
    scene.end().await;
}

/// Statements that are too many to be remembered run unread; a view that they read may take a lock.
async fn unread_executions_leave_nothing(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let mut admin = root(cluster).connect().await.unwrap();
    for sql in [
        "DROP DATABASE IF EXISTS d_unread",
        "CREATE DATABASE d_unread",
        "CREATE FUNCTION d_unread.f() RETURNS INT READS SQL DATA RETURN GET_LOCK('d_unread', 0)",
        "CREATE VIEW d_unread.v AS SELECT d_unread.f() AS x",
    ] {
        ok(&mut admin, sql).await;
    }
    let scene = Scene::begin(flavor, "unread").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    for n in 0..6 {
        let text = format!("SELECT {n} /* {} */", "x".repeat(240 * 1024));
        one.prepare(text.as_bytes()).await.unwrap();
    }
    let text = format!("SELECT x FROM d_unread.v /* {} */", "x".repeat(100 * 1024));
    let view = one.prepare(text.as_bytes()).await.unwrap().statement.unwrap();
    let reply = one.execute(view, 0, &[], &[]).await.unwrap();
    assert!(reply.error.is_none(), "{:?}", reply.error);
    for id in 1..=view {
        one.statement_command(Command::StmtClose, id).await.unwrap();
    }
    // The session has its connection still.
    assert_eq!(error_of(&mut other, "SELECT RELEASE_LOCK('d_unread')").await, 1040);
    one.quit().await.unwrap();
    other.quit().await.unwrap();
    scene.end().await;
    ok(&mut admin, "DROP DATABASE d_unread").await;
}

/// A named lock stays with its session, whatever the text names beside.
async fn named_locks_stay(flavor: Flavor) {
    let scene = Scene::begin(flavor, "locks").await;
    let mut one = scene.session().await;
    ok(&mut one, "SELECT GET_LOCK('d_sharing_lock', 0)").await;
    ok(&mut one, "SELECT IF(0, RELEASE_ALL_LOCKS(), 1)").await;
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    assert_eq!(ok(&mut admin, "SELECT IS_FREE_LOCK('d_sharing_lock')").await, "\"0\"");
    ok(&mut one, "DO RELEASE_ALL_LOCKS()").await;
    assert_eq!(ok(&mut admin, "SELECT IS_FREE_LOCK('d_sharing_lock')").await, "\"1\"");
    // Nothing keeps the only connection any more.
    let mut other = scene.session().await;
    ok(&mut other, "SELECT 1").await;
    for session in [one, other, admin] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// What ties a session to its connection, and what lets go of it: in between the other session has none.
async fn bonds_end(flavor: Flavor) {
    let scene = Scene::begin(flavor, "bonds").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    ok(&mut one, "CREATE TABLE t (a INT)").await;
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["CREATE TEMPORARY TABLE tmp (a INT)", "INSERT INTO tmp VALUES (1)"],
            &["DROP TEMPORARY TABLE tmp"],
        ),
        (&["CREATE TEMPORARY TABLE tmp SELECT a FROM t"], &["DROP TABLE tmp"]),
        (&["LOCK TABLES t WRITE"], &["UNLOCK TABLES"]),
        // No EXECUTE: other tests define stored code, and what it runs could reach that.
        (&["PREPARE s FROM 'INSERT INTO t VALUES (3)'"], &["DEALLOCATE PREPARE s"]),
        (&["HANDLER t OPEN AS h", "HANDLER h READ FIRST"], &["HANDLER h CLOSE"]),
        (
            &["XA START 'bonds'", "INSERT INTO t VALUES (4)"],
            &["XA END 'bonds'", "XA COMMIT 'bonds' ONE PHASE"],
        ),
        (
            &["SELECT GET_LOCK('bonds', 0)", "SELECT GET_LOCK('bonds', 0)", "SELECT RELEASE_LOCK('bonds')"],
            &["SELECT RELEASE_LOCK('bonds')"],
        ),
        (&["SET @a = 1 + 1"], &[]),
        (&["SELECT 1 INTO @a"], &[]),
    ];
    for (ties, lets_go) in cases {
        for sql in ties {
            ok(&mut one, sql).await;
        }
        assert_eq!(error_of(&mut other, PING).await, 1040, "{ties:?}");
        for sql in lets_go {
            ok(&mut one, sql).await;
        }
        match lets_go {
            // Nothing but a reset.
            [] => _ = one.command(&[0x1f], Shape::Query).await.unwrap(),
            _ => assert_eq!(error_of(&mut other, PING).await, 0, "{lets_go:?}"),
        }
    }
    for session in [one, other] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// On the primary, and nothing is left to be asked about.
pub(crate) const PING: &str = "/* headgate: primary */ SELECT 1 FROM (SELECT 1) AS one";

/// User variables go with their session, and nowhere else.
async fn user_variables_are_carried(flavor: Flavor) {
    let scene = Scene::begin(flavor, "user").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    let all = "SELECT @tenant, @name, COLLATION(@name), @unset, COLLATION(@unset)";
    let none = ok(&mut other, all).await;
    ok(&mut one, "SET @Tenant = 42, @`name` := 'x y'").await;
    let its = ok(&mut one, all).await;
    assert!(its.starts_with("\"42\", \"x y\", "), "{its}");
    for _ in 0..3 {
        assert_eq!(ok(&mut other, all).await, none);
        assert_eq!(ok(&mut one, all).await, its);
    }
    // Where both have the same names, one connection serves both.
    ok(&mut other, "SET @tenant = -7, @name = ''").await;
    let before = ok(&mut other, "SELECT @tenant, @name").await;
    ok(&mut one, "SET @tenant = 43").await;
    assert_eq!(ok(&mut other, "SELECT @tenant, @name").await, before);
    assert_eq!(ok(&mut one, "SELECT @tenant, @name").await, "\"43\", \"x y\"");
    // Under other character sets the string would be another.
    ok(&mut one, "SET NAMES latin1").await;
    assert_eq!(error_of(&mut other, PING).await, 1040);
    for session in [one, other] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// What a trigger has set before its statement failed belongs to the session whose statement that was.
async fn triggers_that_fail_leak_nothing(flavor: Flavor) {
    let scene = Scene::begin(flavor, "triggers").await;
    let schema = scene.schema.clone();
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    for sql in [
        format!("CREATE TABLE {schema}.t (a INT PRIMARY KEY)"),
        format!("CREATE TABLE {schema}.n (id INT AUTO_INCREMENT PRIMARY KEY)"),
        format!(
            "CREATE TRIGGER {schema}.sets BEFORE INSERT ON {schema}.t FOR EACH ROW SET SESSION sort_buffer_size = 333824"
        ),
    ] {
        ok(&mut admin, &sql).await;
    }
    admin.quit().await.unwrap();
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    let usual = ok(&mut other, "SELECT @@sort_buffer_size").await;
    let questions = ["SELECT 1", "SELECT LAST_INSERT_ID()", "SHOW WARNINGS"];
    let around = [("DO 0", "DO 0"), ("BEGIN", "COMMIT")];
    for (then, (begin, end)) in questions.iter().flat_map(|then| around.map(|around| (then, around))) {
        ok(&mut one, "DELETE FROM t").await;
        ok(&mut one, "SET SESSION sort_buffer_size = DEFAULT").await;
        ok(&mut one, "INSERT INTO n VALUES (NULL)").await;
        ok(&mut one, begin).await;
        assert_eq!(error_of(&mut one, "INSERT INTO t VALUES (1), (1)").await, 1062);
        ok(&mut one, then).await;
        ok(&mut one, end).await;
        sleep(Duration::from_millis(300)).await;
        if let Some(error) = other.query("SELECT @@sort_buffer_size").await.unwrap().error {
            // The first one keeps its connection: then nothing can leak.
            assert_eq!(error.code, 1040, "{then}");
        } else {
            assert_eq!(ok(&mut other, "SELECT @@sort_buffer_size").await, usual, "{begin}, {then}");
        }
        one.quit().await.unwrap();
        one = scene.session().await;
    }
    scene.end().await;
}

/// What FOUND_ROWS() says is the session's own, also where the statement in between leaves it as it was.
async fn found_rows_are_its_own(flavor: Flavor) {
    let scene = Scene::begin(flavor, "found").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    ok(&mut one, "CREATE TABLE t (a INT)").await;
    for between in ["SET NAMES utf8mb4", "COMMIT", "SET autocommit = 1", "INSERT INTO t VALUES (1)"] {
        ok(&mut one, "/* headgate: primary */ SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3").await;
        ok(&mut one, "/* headgate: primary */ SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_NAME = 't' AND TABLE_SCHEMA = 'mysql'").await;
        ok(&mut other, "SELECT 'x' FROM (SELECT 1) AS one").await;
        ok(&mut one, between).await;
        let reply = one.query("SELECT FOUND_ROWS()").await.unwrap();
        match reply.error {
            // It is not known any more, and says so.
            Some(error) => assert_eq!(error.code, 1235, "{between}"),
            None => assert!(
                reply.lines.iter().any(|line| line.contains("row \"0\"")),
                "{between}: {:?}",
                reply.lines
            ),
        }
    }
    one.quit().await.unwrap();
    other.quit().await.unwrap();
    scene.end().await;
}

/// ROW_COUNT() is asked for in a transaction, while code that asks for LAST_INSERT_ID() has just been found, so that
/// statements are given the session's own first: that would leave another ROW_COUNT() behind.
async fn row_counts_are_its_own(flavor: Flavor) {
    let scene = Scene::begin(flavor, "counts").await;
    let schema = scene.schema.clone();
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    ok(&mut admin, &format!("CREATE TABLE {schema}.t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)")).await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    let function =
        format!("CREATE FUNCTION {schema}.last_id() RETURNS BIGINT READS SQL DATA RETURN LAST_INSERT_ID()");
    for (asks, answer) in [
        ("SELECT ROW_COUNT(), @nothing", "\"2\", NULL"),
        ("SELECT ROW_COUNT(), LAST_INSERT_ID()", "\"2\", \"1\""),
        ("SELECT ROW_COUNT(), (SELECT MIN(id) FROM t)", "\"2\", \"1\""),
        ("SHOW COUNT(*) WARNINGS", "\"0\""),
        ("SELECT ROW_COUNT(), last_id()", "\"2\", \"1\""),
    ] {
        ok(&mut admin, &format!("DROP FUNCTION IF EXISTS {schema}.last_id")).await;
        sleep(FACTS_READ).await;
        ok(&mut one, "TRUNCATE TABLE t").await;
        ok(&mut one, "INSERT INTO t (a) VALUES (1), (1)").await;
        ok(&mut other, PING).await;
        ok(&mut one, "BEGIN").await;
        ok(&mut one, "UPDATE t SET a = a + 1").await;
        ok(&mut admin, &function).await;
        sleep(FACTS_READ).await;
        assert_eq!(ok(&mut one, asks).await, answer, "{asks}");
        ok(&mut one, "COMMIT").await;
    }
    for session in [one, other, admin] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// Long enough for Headgate to read again what is defined.
pub(crate) const FACTS_READ: Duration = Duration::from_millis(1_500);

/// Who has an expired password gets in, and can set a new one.
async fn expired_passwords_can_be_changed(flavor: Flavor) {
    let scene = Scene::begin(flavor, "expired").await;
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    for sql in [
        "DROP USER IF EXISTS expired_sharer",
        "CREATE USER expired_sharer IDENTIFIED BY 'old'",
        "ALTER USER expired_sharer PASSWORD EXPIRE",
    ] {
        ok(&mut admin, sql).await;
    }
    let options = Options::new(scene.headgate.address(), "expired_sharer", "old").tls(true);
    let options = options.capabilities(PLAIN_CLIENT | Capabilities::EXPIRED_PASSWORDS);
    let mut one = options.connect().await.unwrap();
    assert_eq!(error_of(&mut one, "SELECT 1").await, 1820);
    let set = match flavor {
        Flavor::MySql => "ALTER USER USER() IDENTIFIED BY 'new'",
        Flavor::MariaDb => "SET PASSWORD = PASSWORD('new')",
    };
    ok(&mut one, set).await;
    assert_eq!(ok(&mut one, "SELECT 1").await, "\"1\"");
    for session in [one, admin] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// A schema that somebody drops leaves its sessions without one, and usable.
async fn dropped_schemas_leave_sessions(flavor: Flavor) {
    let scene = Scene::begin(flavor, "dropped").await;
    let gone = format!("{}_gone", scene.schema);
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    ok(&mut admin, &format!("CREATE DATABASE IF NOT EXISTS {gone}")).await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    ok(&mut one, &format!("USE {gone}")).await;
    ok(&mut other, "SELECT 1").await;
    ok(&mut admin, &format!("DROP DATABASE {gone}")).await;
    ok(&mut other, "SELECT 1").await;
    assert_eq!(ok(&mut one, "/* headgate: primary */ SELECT 1").await, "\"1\"");
    ok(&mut one, &format!("USE {}", scene.schema)).await;
    ok(&mut one, "CREATE TABLE t (a INT)").await;
    for session in [one, other, admin] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

/// What an error has hidden is the session's own, also where a statement of Headgate's own is the next on its connection.
async fn what_an_error_hides_is_not_lost(flavor: Flavor) {
    let scene = Scene::begin(flavor, "hidden").await;
    let schema = scene.schema.clone();
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    for sql in [
        format!("CREATE TABLE {schema}.t (a INT PRIMARY KEY)"),
        format!(
            "CREATE TRIGGER {schema}.sets BEFORE INSERT ON {schema}.t FOR EACH ROW SET SESSION group_concat_max_len = 333"
        ),
    ] {
        ok(&mut admin, &sql).await;
    }
    admin.quit().await.unwrap();
    for begin in ["DO 0", "BEGIN"] {
        let (mut one, mut other) = (scene.session().await, scene.session().await);
        // It will be prepared anew, as what the session is by now.
        let id = one.prepare(b"/* headgate: primary */ SELECT ? + 1").await.unwrap().statement.unwrap();
        ok(&mut one, "SET time_zone = '+05:00'").await;
        ok(&mut one, begin).await;
        assert_eq!(error_of(&mut one, "INSERT INTO t VALUES (1), (1)").await, 1062);
        let value = Some(7_i64.to_le_bytes().to_vec());
        let seven = Param { name: String::new(), kind: 8, unsigned: false, value };
        assert_eq!(one.execute(id, 0, &[seven], &[]).await.unwrap().value().as_deref(), Some("8"));
        ok(&mut one, "COMMIT").await;
        if let Some(error) = other.query("SET group_concat_max_len = 77").await.unwrap().error {
            // The first one keeps its connection: then nothing can be lost.
            assert_eq!(error.code, 1040, "{begin}");
        }
        assert_eq!(ok(&mut one, "SELECT @@group_concat_max_len").await, "\"333\"", "{begin}");
        for session in [one, other] {
            session.quit().await.unwrap();
        }
    }
    scene.end().await;
}

/// A statement is prepared on another connection for a session whose character sets nobody has asked for since they were
/// set one by one.
async fn character_sets_are_found_again(flavor: Flavor) {
    let scene = Scene::begin(flavor, "charsets").await;
    let (mut one, mut other) = (scene.session().await, scene.session().await);
    ok(&mut one, "CREATE TABLE t (a INT)").await;
    // From here on it keeps its connection for a while, in case it asks again.
    ok(&mut one, "SHOW WARNINGS").await;
    let id = one.prepare(b"INSERT INTO t VALUES (1)").await.unwrap().statement.unwrap();
    for begin in ["DO 0", "BEGIN"] {
        ok(&mut other, "SELECT 1 FROM t FOR UPDATE").await;
        let mut admin = root(cluster(flavor).await).connect().await.unwrap();
        let found = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}'", scene.schema);
        let connection = admin.query(&found).await.unwrap().value().unwrap();
        ok(&mut admin, &format!("KILL {connection}")).await;
        admin.quit().await.unwrap();
        ok(&mut one, begin).await;
        ok(&mut one, "SET character_set_results = latin1").await;
        let reply = one.execute(id, 0, &[], &[]).await.unwrap();
        assert!(reply.error.is_none(), "{begin}: {:?}", reply.error);
        ok(&mut one, "COMMIT").await;
    }
    for session in [one, other] {
        session.quit().await.unwrap();
    }
    scene.end().await;
}

on!(MySql on_mysql:
    character_sets_are_found_again
    what_an_error_hides_is_not_lost
    short_commands_are_nobodys
    released_sessions_end_alone
    named_locks_stay
    autocommit_may_be_off
    unread_executions_leave_nothing
    bonds_end
    user_variables_are_carried
    triggers_that_fail_leak_nothing
    dropped_schemas_leave_sessions
    found_rows_are_its_own
    row_counts_are_its_own
    expired_passwords_can_be_changed
);

on!(MariaDb on_mariadb:
    character_sets_are_found_again
    what_an_error_hides_is_not_lost
    short_commands_are_nobodys
    released_sessions_end_alone
    named_locks_stay
    autocommit_may_be_off
    unread_executions_leave_nothing
    bonds_end
    user_variables_are_carried
    triggers_that_fail_leak_nothing
    dropped_schemas_leave_sessions
    found_rows_are_its_own
    row_counts_are_its_own
    expired_passwords_can_be_changed
);
