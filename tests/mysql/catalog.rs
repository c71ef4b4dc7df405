//! Views and stored functions: those that only read are served by replicas, the others by the primary alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use headgate::lab::{Cluster, Flavor, Node};
use tokio::time::sleep;

use crate::client::{Connection, Options, Reply};
use crate::headgate::Headgate;

const PATIENCE: Duration = Duration::from_secs(30);

/// Tables, functions and views, made before Headgate looks.
const DEFINED: &[&str] = &[
    "CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20))",
    "CREATE TABLE written (a INT)",
    "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    "CREATE FUNCTION pure_expression(x INT) RETURNS INT NO SQL RETURN x * 2",
    "CREATE FUNCTION pure_reader(x INT) RETURNS INT READS SQL DATA BEGIN DECLARE n INT DEFAULT 0; \
     SELECT COUNT(*) INTO n FROM t WHERE a >= x; IF n > 1 THEN SET n = pure_expression(n); END IF; RETURN n; END",
    "CREATE FUNCTION said_to_read(x INT) RETURNS INT READS SQL DATA BEGIN INSERT INTO written VALUES (x); RETURN x; END",
    "CREATE FUNCTION said_to_do_nothing(x INT) RETURNS INT NO SQL RETURN GET_LOCK('catalog', 0)",
    "CREATE FUNCTION sets_variable(x INT) RETURNS INT NO SQL BEGIN SET @set_by_function = x; RETURN x; END",
    "CREATE FUNCTION calls_writer(x INT) RETURNS INT READS SQL DATA RETURN said_to_read(x)",
    "CREATE VIEW over_table AS SELECT a, UPPER(b) AS b FROM t WHERE b LIKE '%o%'",
    "CREATE VIEW over_view AS SELECT v.a FROM over_table v JOIN t ON t.a = v.a",
    "CREATE VIEW over_pure AS SELECT pure_reader(a) AS n FROM over_table",
    "CREATE VIEW over_writer AS SELECT calls_writer(a) AS n FROM t",
    "CREATE VIEW over_over_writer AS SELECT n FROM over_writer",
    "CREATE VIEW over_lock AS SELECT said_to_do_nothing(a) AS n FROM t",
    "CREATE VIEW lock_itself AS SELECT GET_LOCK('catalog', 0) AS n",
    "CREATE PROCEDURE writes(x INT) INSERT INTO written VALUES (x)",
    "CREATE PROCEDURE sets() SET SESSION group_concat_max_len = 5555",
    "CREATE PROCEDURE locks() DO GET_LOCK('catalog', 0)",
    "CREATE PROCEDURE shadows() CREATE TEMPORARY TABLE t (a INT)",
    "CREATE VIEW over_local AS SELECT TABLE_NAME FROM information_schema.TABLES",
];

const PURE: &[&str] = &[
    "SELECT COUNT(*) FROM over_table",
    "SELECT COUNT(*) FROM app.over_view v",
    "SELECT n FROM over_pure ORDER BY n LIMIT 1",
    "SELECT pure_expression(4)",
    "SELECT app.pure_reader(1), pure_expression(a) FROM over_view",
];

const IMPURE: &[&str] = &[
    "SELECT n FROM over_writer",
    "SELECT n FROM over_over_writer",
    "SELECT n FROM over_lock",
    "SELECT n FROM lock_itself",
    "SELECT COUNT(*) FROM over_local",
    "SELECT said_to_read(7)",
    "SELECT app.calls_writer(7)",
    "SELECT said_to_do_nothing(1)",
    "SELECT sets_variable(1)",
    "SELECT pure_expression(said_to_read(8))",
];

/// Where a statement ran, as the servers' general logs have it.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    primary: bool,
    replica: bool,
}

const ON_REPLICA: Ran = Ran { primary: false, replica: true };
const ON_PRIMARY: Ran = Ran { primary: true, replica: false };

struct Stage<'a> {
    cluster: &'a Cluster,
    options: Options,
}

impl Stage<'_> {
    async fn connect(&self) -> Connection {
        self.options.clone().connect().await.unwrap()
    }

    /// Runs it on a session of its own.
    async fn run(&self, statement: &str) -> (Reply, Ran) {
        let mut connection = self.connect().await;
        let ran = self.run_on(&mut connection, statement).await;
        connection.quit().await.unwrap();
        ran
    }

    async fn run_on(&self, connection: &mut Connection, statement: &str) -> (Reply, Ran) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let marker = format!("marker {}.", NEXT.fetch_add(1, Ordering::Relaxed));
        let reply = run(connection, &format!("{statement} /* {marker} */")).await.unwrap();
        let replica = &self.cluster.replicas()[0];
        let logged =
            |node: &Node| node.general_log().unwrap().iter().any(|entry| entry.argument.contains(&marker));
        (reply, Ran { primary: logged(self.cluster.primary()), replica: logged(replica) })
    }

    /// Runs it until it runs there.
    async fn becomes(&self, statement: &str, expected: &Ran) {
        for _ in 0..200 {
            if self.run(statement).await.1 == *expected {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{statement} never ran so: {expected:?}");
    }

    async fn directly(&self, statement: &str) {
        self.cluster.primary().sql(format!("USE app; {statement}")).await.unwrap();
    }

    async fn written(&self, value: u32) -> String {
        let question = format!("SELECT COUNT(*) FROM app.written WHERE a = {value}");
        let rows = self.cluster.primary().sql(question).await.unwrap();
        rows.first().and_then(|row| row.at(0)).unwrap_or_default().to_owned()
    }
}

async fn run(connection: &mut Connection, statement: &str) -> Result<Reply> {
    let reply = connection.query(statement).await?;
    match &reply.error {
        None => Ok(reply),
        Some(error) => bail!("{statement}: {error}"),
    }
}

async fn define(stage: &Stage<'_>, connection: &mut Connection, statements: &[&str]) {
    for statement in statements {
        run(connection, statement).await.unwrap();
    }
    stage.cluster.wait_caught_up(PATIENCE).await.unwrap();
}

async fn only_pure_ones_leave_the_primary(flavor: Flavor) {
    let cluster = Cluster::builder(flavor)
        .replicas(1)
        .relays(false)
        .general_log(true)
        .server_option("log_bin_trust_function_creators=ON")
        .start()
        .await
        .unwrap();
    let app = cluster.accounts().app;
    let mut direct = Options::new(cluster.primary().address(), app.user, app.password)
        .schema("app")
        .tls(flavor == Flavor::MySql)
        .connect()
        .await
        .unwrap();
    for statement in DEFINED {
        run(&mut direct, statement).await.unwrap();
    }
    direct.quit().await.unwrap();
    let control = cluster.accounts().control.user;
    cluster.primary().sql(format!("GRANT SELECT ON app.* TO {control}@'%'")).await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let headgate = Headgate::start(&cluster, &[]).await.unwrap();
    let options = Options::new(headgate.address(), app.user, app.password).schema("app");
    let stage = Stage { cluster: &cluster, options };

    for statement in PURE {
        stage.becomes(statement, &ON_REPLICA).await;
    }
    for statement in IMPURE {
        assert_eq!(stage.run(statement).await.1, ON_PRIMARY, "{statement}");
    }
    stays_a_plain_read_on_the_primary(&stage).await;
    sessions_that_call_procedures_read_on_replicas(&stage).await;
    changes_through_headgate_count_at_once(&stage).await;
    a_write_put_in_elsewhere_runs_on_the_primary(&stage, flavor).await;
    headgate.stop().await.unwrap();
}

/// A call that is known to only read does not keep its session on the primary.
async fn stays_a_plain_read_on_the_primary(stage: &Stage<'_>) {
    let mut connection = stage.connect().await;
    run(&mut connection, "BEGIN").await.unwrap();
    let call = "SELECT pure_reader(1)";
    assert_eq!(stage.run_on(&mut connection, call).await.1, ON_PRIMARY);
    run(&mut connection, "COMMIT").await.unwrap();
    for _ in 0..200 {
        if stage.run_on(&mut connection, call).await.1 == ON_REPLICA {
            return connection.quit().await.unwrap();
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("{call} stays on the primary");
}

/// What a procedure does is read once somebody has called one. From then on a CALL keeps its session's reads on the
/// primary only where it does more than servers report by name.
async fn sessions_that_call_procedures_read_on_replicas(stage: &Stage<'_>) {
    let reads_elsewhere_after = |call: &'static str, attempts: u32| async move {
        let mut connection = stage.connect().await;
        run(&mut connection, call).await.unwrap();
        let mut elsewhere = false;
        for _ in 0..attempts {
            elsewhere |= stage.run_on(&mut connection, "SELECT COUNT(*) FROM t").await.1 == ON_REPLICA;
            sleep(Duration::from_millis(50)).await;
        }
        connection.quit().await.unwrap();
        elsewhere
    };
    let mut told = false;
    for _ in 0..20 {
        told = told || reads_elsewhere_after("CALL writes(41)", 10).await;
    }
    assert!(told, "a session that has called a procedure never reads on a replica");
    assert!(reads_elsewhere_after("CALL sets()", 40).await);
    assert!(!reads_elsewhere_after("CALL locks()", 20).await);
    assert!(!reads_elsewhere_after("CALL shadows()", 20).await);
}

async fn changes_through_headgate_count_at_once(stage: &Stage<'_>) {
    let mut connection = stage.connect().await;
    let of_view = "SELECT COUNT(*) FROM over_table";
    let of_function = "SELECT pure_expression(21)";
    define(stage, &mut connection, &["CREATE OR REPLACE VIEW over_table AS SELECT said_to_read(11) AS a"])
        .await;
    assert_eq!(stage.run_on(&mut connection, "SELECT a FROM over_table").await.1, ON_PRIMARY);
    assert_eq!(stage.written(11).await, "1");
    let create = "CREATE FUNCTION pure_expression(x INT) RETURNS INT";
    let writes = format!("{create} NO SQL BEGIN INSERT INTO written VALUES (x); RETURN x; END");
    define(stage, &mut connection, &["DROP FUNCTION pure_expression", &writes]).await;
    assert_eq!(stage.run_on(&mut connection, of_function).await.1, ON_PRIMARY);
    assert_eq!(stage.written(21).await, "1");
    // What reaches it is no better, for others too, once it is known.
    stage.becomes("SELECT pure_reader(1)", &ON_PRIMARY).await;
    stage.becomes("SELECT n FROM over_pure", &ON_PRIMARY).await;
    assert_eq!(stage.run(of_view).await.1, ON_PRIMARY);

    let reads = format!("{create} NO SQL RETURN x * 3");
    let view = "CREATE OR REPLACE VIEW over_table AS SELECT a, b FROM t";
    define(stage, &mut connection, &["DROP FUNCTION pure_expression", &reads, view]).await;
    connection.quit().await.unwrap();
    for statement in [of_view, of_function, "SELECT pure_reader(1)", "SELECT n FROM over_pure"] {
        stage.becomes(statement, &ON_REPLICA).await;
    }
}

/// Nobody tells Headgate, so a replica may be asked; it refuses, even where the body ignores errors.
async fn a_write_put_in_elsewhere_runs_on_the_primary(stage: &Stage<'_>, flavor: Flavor) {
    stage.becomes("SELECT pure_expression(1)", &ON_REPLICA).await;
    let created = "FUNCTION pure_expression(x INT) RETURNS INT NO SQL BEGIN \
                   DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; INSERT INTO written VALUES (x); RETURN x; END";
    match flavor {
        Flavor::MySql => {
            stage.directly("DROP FUNCTION pure_expression").await;
            stage.directly(&format!("CREATE {created}")).await;
        }
        Flavor::MariaDb => stage.directly(&format!("CREATE OR REPLACE {created}")).await,
    }
    stage.directly("CREATE OR REPLACE VIEW over_table AS SELECT pure_expression(32) AS a").await;
    stage.cluster.wait_caught_up(PATIENCE).await.unwrap();
    let (_, called) = stage.run("SELECT pure_expression(31)").await;
    let (_, read) = stage.run("SELECT a FROM over_table").await;
    println!("{flavor}: a replica was asked first: {}, {}", called.replica, read.replica);
    assert!(called.primary && read.primary);
    assert_eq!((stage.written(31).await, stage.written(32).await), ("1".to_owned(), "1".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pure_views_and_functions_leave_mysqls_primary() {
    only_pure_ones_leave_the_primary(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pure_views_and_functions_leave_mariadbs_primary() {
    only_pure_ones_leave_the_primary(Flavor::MariaDb).await;
}
