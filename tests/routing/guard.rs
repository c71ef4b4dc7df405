//! Nothing is ever written on a replica, and no lock is left there, though nothing but Headgate is in the
//! way: the replicas take writes and the account may do everything.

use std::time::Duration;

use headgate::lab::{Account, Cluster, Flavor, Node};

use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options};
use crate::corpus::{self, Case, Target};
use crate::stage::{Stage, counted, stage, through};

/// What the statements of the corpus name. Routines and views write and lock whatever they are declared as.
const DEFINITIONS: &[&str] = &[
    "DROP DATABASE app",
    "CREATE DATABASE app",
    "CREATE TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b INT, c VARCHAR(200), d DATETIME, e BOOLEAN, \
     j JSON, KEY by_a (a), KEY by_b (b), FULLTEXT (c))",
    "CREATE TABLE app.u (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b INT, c VARCHAR(200), d DATETIME, e BOOLEAN, \
     j JSON)",
    "CREATE TABLE app.w (id INT PRIMARY KEY, a INT)",
    "CREATE TABLE app.ids (id INT PRIMARY KEY)",
    "CREATE TABLE app.empty_u LIKE app.u",
    "CREATE TABLE app.parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), \
     PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "CREATE TABLE app.geo (id INT PRIMARY KEY, g GEOMETRY NOT NULL)",
    "CREATE TABLE app.sbtest1 (id INT PRIMARY KEY, k INT, c CHAR(120), pad CHAR(60))",
    "CREATE TABLE app.odd (id INT, `for update` INT, `into` INT, `lock` INT, `call` INT, `select` INT, now INT, \
     `user` INT, uuid INT, sleep INT, get_lock INT, `current_user` INT, `größe` INT, `a;b` INT, \
     `/* headgate: primary */` INT)",
    "CREATE TABLE app.log (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(40))",
    "CREATE TABLE app.triggered (a INT)",
    "INSERT INTO app.t (a, b, c, j) VALUES (1, 2, 'x', '{\"x\": 1}'), (2, 3, 'y', '[1]'), (3, 3, NULL, NULL)",
    "INSERT INTO app.u (a, b) VALUES (1, 2), (2, 3)",
    "INSERT INTO app.sbtest1 VALUES (1, 1, 'c', 'p'), (501, 2, 'c', 'p')",
    "CREATE FUNCTION app.writes_reads_sql_data(n INT) RETURNS INT READS SQL DATA BEGIN INSERT INTO app.log (what) \
     VALUES ('reads_sql_data'); RETURN n; END",
    "CREATE FUNCTION app.writes_no_sql(n INT) RETURNS INT NO SQL BEGIN INSERT INTO app.log (what) VALUES \
     ('no_sql'); RETURN n; END",
    "CREATE FUNCTION app.writes_deterministic(n INT) RETURNS INT DETERMINISTIC BEGIN UPDATE app.w SET a = n; \
     INSERT INTO app.log (what) VALUES ('deterministic'); RETURN n; END",
    "CREATE FUNCTION app.writes_through_another(n INT) RETURNS INT READS SQL DATA RETURN app.writes_no_sql(n)",
    "CREATE FUNCTION app.locks_no_sql(name VARCHAR(20)) RETURNS INT NO SQL RETURN GET_LOCK(name, 0)",
    "CREATE FUNCTION app.sets_variable(n INT) RETURNS INT NO SQL BEGIN SET @sets_variable = n; RETURN n; END",
    "CREATE FUNCTION app.pure_add(a INT, b INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + b",
    "CREATE VIEW app.v_plain AS SELECT id, a FROM app.t",
    "CREATE VIEW app.v_writes AS SELECT app.writes_no_sql(1) AS n",
    "CREATE VIEW app.v_on_view AS SELECT n FROM app.v_writes",
    "CREATE VIEW app.v_locks AS SELECT app.locks_no_sql('v_locks') AS n",
    "CREATE VIEW app.v_updatable AS SELECT a FROM app.t",
    "CREATE TRIGGER app.t_writes BEFORE INSERT ON app.triggered FOR EACH ROW INSERT INTO app.log (what) VALUES \
     ('trigger')",
    "CREATE PROCEDURE app.p_reads() SELECT COUNT(*) FROM app.t",
    "CREATE PROCEDURE app.p_writes() INSERT INTO app.log (what) VALUES ('procedure')",
    "CREATE PROCEDURE app.p_sets() SET @p_sets = 1, sql_mode = 'ANSI_QUOTES'",
    "CREATE PROCEDURE app.p_signals() BEGIN INSERT INTO app.log (what) VALUES ('signals'); SET @p_signals = 1; \
     SIGNAL SQLSTATE '45000'; END",
];

/// Names under which statements of the corpus take user locks, and what is locked to prove that it shows.
const LOCKS: &[&str] = &["a", "failures", "hinted", "v_locks", "shown", "explained", PROBE];
const PROBE: &str = "probe";

/// How long a closed connection may be there.
const MOMENT: Duration = Duration::from_secs(2);

/// Prepares what the corpus names. `SIGNAL` and the like need no objects.
async fn define(stage: &Stage) {
    stage.prepare(DEFINITIONS.iter().copied()).await;
    if stage.cluster.flavor() == Flavor::MariaDb {
        stage.prepare(["CREATE SEQUENCE app.seq"]).await;
    }
    let account = stage.cluster.accounts().app.user;
    stage.prepare([format!("GRANT ALL ON app.* TO {account}@'%'")]).await;
}

/// Opens the replicas for writing, or closes them.
async fn open_replicas(cluster: &Cluster, open: bool) {
    for replica in cluster.replicas() {
        let names: &[&str] = match (cluster.flavor(), open) {
            (Flavor::MySql, true) => &["super_read_only = 0", "read_only = 0"],
            (Flavor::MySql, false) => &["super_read_only = 1"],
            (Flavor::MariaDb, true) => &["read_only = 0"],
            (Flavor::MariaDb, false) => &["read_only = 1"],
        };
        for name in names {
            replica.sql(format!("SET GLOBAL {name}")).await.unwrap();
        }
    }
}

async fn value(node: &Node, question: &str) -> String {
    let rows = node.sql(question).await.unwrap();
    rows.first().and_then(|row| row.at(0)).unwrap_or_default().to_owned()
}

/// A connection of our own to a server, which tells what must not be there.
struct Watch {
    name: String,
    connection: Connection,
    question: String,
    told: String,
}

impl Watch {
    async fn on(node: &Node, account: Account) -> Self {
        let client = Options::new(node.address(), account.user, account.password);
        // MariaDB of its own accord speaks no TLS.
        let connection = client.tls(node.flavor() == Flavor::MySql).connect().await.unwrap();
        let own = match node.flavor() {
            Flavor::MySql => "INSTR(@@global.gtid_executed, @@server_uuid)",
            Flavor::MariaDb => "INSTR(@@global.gtid_binlog_state, CONCAT('-', @@server_id, '-'))",
        };
        let mut parts = vec![format!("IF({own}, 'a transaction of its own', NULL)")];
        parts.extend(LOCKS.iter().map(|lock| format!("IF(IS_USED_LOCK('{lock}'), 'lock {lock}', NULL)")));
        let question = format!("SELECT CONCAT_WS(', ', {})", parts.join(", "));
        Self { name: node.name().to_owned(), connection, question, told: String::new() }
    }

    /// What is there now: a transaction that began on this server, user locks that somebody holds.
    async fn look(&mut self) -> String {
        let reply = crate::stage::run(&mut self.connection, &self.question).await.unwrap();
        reply.value().unwrap()
    }

    /// What is there now, where it is not what it was. A connection that was closed takes its locks along, in a
    /// moment.
    async fn news(&mut self) -> Option<String> {
        let mut now = self.look().await;
        let end = Instant::now() + MOMENT;
        while now != self.told && Instant::now() < end {
            sleep(Duration::from_millis(20)).await;
            now = self.look().await;
        }
        let news = (now != self.told).then(|| format!("{} has: {now}", self.name));
        self.told = now;
        news
    }
}

/// A session that is what the case says, and then its statement. What comes of it is not looked at: many
/// statements of the corpus are refused. `Err` is a session that could not be made or was lost.
async fn send(client: &Options, case: &Case) -> anyhow::Result<()> {
    let mut connection = client.connect().await?;
    let session = &case.session;
    let mut before = Vec::new();
    if !session.sql_mode.is_empty() {
        before.push(format!("SET SESSION sql_mode = '{}'", session.sql_mode));
    }
    before.extend(session.charset.as_ref().map(|charset| format!("SET NAMES {charset}")));
    before.extend(session.schema.as_ref().map(|schema| format!("USE {schema}")));
    before.extend(session.in_transaction.then(|| "BEGIN".to_owned()));
    before.extend(session.autocommit_off.then(|| "SET autocommit = 0".to_owned()));
    for statement in before {
        crate::stage::run(&mut connection, &statement).await?;
    }
    connection.query(&case.text).await?;
    quit(connection).await;
    Ok(())
}

/// RELEASE and the like have ended the connection already.
async fn quit(connection: Connection) {
    let _ = connection.quit().await;
}

async fn guards(flavor: Flavor) {
    let stage = stage(flavor).await;
    let cluster = stage.cluster;
    let root = cluster.accounts().root;
    define(&stage).await;
    open_replicas(cluster, true).await;
    let mut watches = Vec::new();
    for replica in cluster.replicas() {
        assert_eq!(value(replica, "SELECT @@global.read_only").await, "0");
        let mut watch = Watch::on(replica, root).await;
        assert_eq!(watch.look().await, "");
        watches.push(watch);
    }
    shows_what_must_not_be(cluster).await;

    let headgate = stage.headgate(&[]).await;
    let client = through(&headgate, root);
    let cases: Vec<Case> =
        corpus::routing().into_iter().filter(|case| case.is_for(flavor) && !case.session.harmful).collect();
    let before = counted(&headgate).1;
    let (mut lost, mut done) = (Vec::new(), Vec::new());
    for case in &cases {
        if let Err(error) = send(&client, case).await {
            lost.push(format!("{}: {error:#}", case.shown()));
        }
        for watch in &mut watches {
            done.extend(watch.news().await.map(|news| format!("{}: {news}", case.shown())));
        }
    }
    let on_replicas = counted(&headgate).1 - before;
    let meant = cases.iter().filter(|case| case.target == Target::Replica).count();
    println!("{flavor}: {} statements, {on_replicas} on replicas, {meant} meant to be", cases.len());
    println!("{flavor}: {}", refused(&headgate));
    open_replicas(cluster, false).await;
    assert_eq!(lost, Vec::<String>::new(), "sessions that were lost");
    assert!(done.is_empty(), "done on replicas:\n{}", done.join("\n"));
    #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
    let least = meant as f64 * 0.85;
    assert!(on_replicas >= least, "only {on_replicas} of {meant} statements ran on replicas");
}

/// How often a replica's refusal was the last thing between a statement and a write.
fn refused(headgate: &headgate::lab::Headgate) -> String {
    let samples = headgate.metrics().unwrap();
    let told = samples.iter().filter(|sample| {
        sample.name == "headgate_statements_total" && sample.label("reason").starts_with("replica_")
    });
    let lines: Vec<_> = told.map(|sample| format!("{} {}", sample.label("reason"), sample.value)).collect();
    lines.join(", ")
}

/// A watch tells of transactions and of locks: the primary has the former, and is given one of the latter.
async fn shows_what_must_not_be(cluster: &Cluster) {
    let root = cluster.accounts().root;
    let mut watch = Watch::on(cluster.primary(), root).await;
    let mut holder = Watch::on(cluster.primary(), root).await;
    let lock = format!("SELECT GET_LOCK('{PROBE}', 0)");
    crate::stage::run(&mut holder.connection, &lock).await.unwrap();
    assert_eq!(watch.look().await, format!("a transaction of its own, lock {PROBE}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_replicas_of_mysql() {
    guards(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_replicas_of_mariadb() {
    guards(Flavor::MariaDb).await;
}
