//! Every command and every table.

use headgate::lab::Flavor;
use headgate::lab::headgate::Options;

use super::place::{Place, place};

fn number(text: &str) -> i64 {
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

#[test]
fn servers_are_shown_with_role_and_age() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let place = place(flavor);
        let rows = place.ask("SELECT address, role, state, age_ms < 10000 FROM servers ORDER BY role");
        let [primary, replica] = [0, 1].map(|at| place.cluster.nodes()[at].address());
        assert_eq!(rows, format!("{primary}\tprimary\tserving\t1\n{replica}\treplica\tserving\t1\n"));
    }
}

/// Sessions, routes and pools after a write and reads, joined and counted.
#[test]
fn what_clients_do_is_seen() {
    let place = Place::start(Flavor::MySql, Default::default());
    let mut client = place.client();
    let id = client.id();
    place.number(&mut client, "CREATE TABLE seen (id INT PRIMARY KEY)").unwrap();
    place.number(&mut client, "INSERT INTO seen VALUES (1)").unwrap();
    let statements =
        |place: &Place| number(&place.ask(&format!("SELECT statements FROM sessions WHERE id = {id}")));
    let before = statements(&place);
    place.becomes("a read goes to the replica", || {
        place.number(&mut client, "SELECT id FROM seen").unwrap();
        number(&place.ask(&format!("SELECT on_replicas FROM sessions WHERE id = {id}"))) > 0
    });
    assert!(statements(&place) > before);

    let row = place.ask(&format!(
        "SELECT user, schema, client LIKE '127.0.0.1:%', in_transaction, stays IS NULL, last_reason, \
         idle_ms <= connected_ms FROM sessions WHERE id = {id}"
    ));
    assert_eq!(row, "app\tapp\t1\t0\t1\tplain_read\t1\n");
    place.number(&mut client, "BEGIN").unwrap();
    let row = place.ask(&format!("SELECT in_transaction, stays FROM sessions WHERE id = {id}"));
    assert_eq!(row, "1\ta transaction is open\n");
    place.number(&mut client, "ROLLBACK").unwrap();

    // The counts are those of /metrics.
    let counted = |target: &str, reason: &str| {
        number(
            &place
                .ask(&format!("SELECT count FROM routes WHERE target = '{target}' AND reason = '{reason}'")),
        )
    };
    assert!(counted("replica", "plain_read") > 0);
    assert_eq!((counted("primary", "write"), counted("primary", "ddl")), (1, 1));
    assert!(place.ask("SHOW ROUTES WHERE count > 0").contains("it writes data\t1"));

    // The replica's connection waits in a pool; a join and an aggregate find it.
    let rows = place.ask(
        "SELECT s.role, p.user, p.purpose, sum(p.idle), max(p.idle_ms) >= 0 FROM servers s \
         JOIN pools p ON p.server = s.address WHERE p.purpose = 'replica' GROUP BY s.address",
    );
    assert_eq!(rows, "replica\tapp\treplica\t1\t1\n");
    assert_eq!(place.ask("SELECT open, idle FROM servers ORDER BY number"), "1\t1\n1\t1\n");
    assert!(place.ask("SHOW POOLS").contains("replica"));
    assert!(place.ask("SHOW SESSIONS").contains(&format!("{id}\tapp\t")));
    drop(client);
    place.becomes("it is gone", || place.ask("SELECT count(*) FROM sessions") == "0\n");
}

#[test]
fn routes_are_explained() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let place = place(flavor);
        let [primary, replica] = [0, 1].map(|at| place.cluster.nodes()[at].address());
        let read = place.ask("EXPLAIN ROUTE FOR 'SELECT a FROM t WHERE b = ''x'''");
        assert!(read.contains("Statement\ta plain read\t"), "{read}");
        assert!(read.contains(&format!("Target\treplica {replica}\ta plain read")), "{read}");
        assert!(read.contains("Reason\tplain_read\t"), "{read}");
        assert!(read.contains(&format!("Server\t{primary} (primary)\tnot considered")), "{read}");
        assert!(read.contains(&format!("Server\t{replica} (replica)\tchosen")), "{read}");

        let write = place.ask("EXPLAIN ROUTE FOR DELETE FROM t");
        assert!(write.contains("Target\tprimary\tit writes data"), "{write}");
        assert!(write.contains(&format!("Server\t{primary} (primary)\tchosen")), "{write}");

        let mut client = place.client();
        place.number(&mut client, "BEGIN").unwrap();
        let id = client.id();
        let explain = || place.ask(&format!("EXPLAIN ROUTE AS SESSION {id} FOR 'SELECT a FROM t'"));
        assert!(explain().contains("Target\tprimary\ta transaction is open"), "{}", explain());
        place.number(&mut client, "COMMIT").unwrap();
        assert!(!explain().contains("a transaction is open"), "{}", explain());
    }
    let place = place(Flavor::MySql);
    assert!(place.refusal("EXPLAIN ROUTE FOR").contains("write EXPLAIN ROUTE [AS SESSION id] FOR"));
    assert!(
        place.refusal("EXPLAIN ROUTE AS SESSION 4000000000 FOR SELECT 1").contains("no session 4000000000")
    );
    // It is explained and not run.
    assert_eq!(place.ask("EXPLAIN ROUTE FOR 'DROP DATABASE app'").matches("primary").count(), 2);
    place.number(&mut place.client(), "SELECT COUNT(*) FROM information_schema.tables").unwrap();
}

#[test]
fn help_tells_about_commands_and_tables() {
    let place = place(Flavor::MySql);
    let all = place.ask("SHOW HELP");
    for name in ["SHOW SERVERS", "EXPLAIN ROUTE", "KILL [QUERY] id", "SELECT"] {
        assert!(all.contains(name), "{all}");
    }
    assert!(!all.contains("SHOW WARNINGS"), "what client programs send is not for people: {all}");
    let one = place.ask("SHOW HELP SHOW SESSIONS");
    assert!(one.contains("in_transaction (INTEGER)") && one.contains("SHOW SESSIONS WHERE"), "{one}");
    assert!(place.ask("SHOW HELP KILL").contains("KILL 42"));
    assert!(place.refusal("SHOW HELP KILLL").contains("did you mean KILL"));
}

#[test]
fn errors_say_what_to_do() {
    let place = place(Flavor::MySql);
    for (statement, parts) in [
        ("SHWO SERVERS", ["ERROR 1064", "did you mean SHOW?; HELP lists the commands"]),
        ("SHOW SESIONS", ["ERROR 1146", "did you mean sessions?; SHOW TABLES lists the tables"]),
        ("SELECT * FROM session", ["ERROR 1146", "did you mean sessions?"]),
        ("DROP TABLE servers", ["ERROR 1064", "there is no command `DROP`"]),
        ("WITH x AS (SELECT 1) DELETE FROM servers", ["ERROR 1290", "only reads"]),
        ("SELECT load_extension('x')", ["ERROR 1290", "only reads"]),
        ("SELECT * FROM pragma_table_info('servers')", ["ERROR 1290", "only reads"]),
        ("SET GLOBAL read_only = 1", ["ERROR 1193", "no variable `global`"]),
        ("KILL", ["ERROR 1064", "write KILL [QUERY] id"]),
        ("KILL 1 2", ["ERROR 1064", "write KILL [QUERY] id"]),
        ("KILL 4000000000", ["ERROR 1094", "SHOW SESSIONS lists them"]),
        ("KILL 99999999999", ["ERROR 1094", "SHOW SESSIONS lists them"]),
        ("SELECT wait FROM servers", ["ERROR 1064", "no such column: wait"]),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            ["ERROR 1317", "longer than 2s"],
        ),
    ] {
        let refusal = place.refusal(statement);
        assert!(parts.iter().all(|part| refusal.contains(part)), "{statement}: {refusal}");
    }
}

/// What is refused where there is no failover.
const OF_FAILOVER: [&str; 8] =
    ["SWITCHOVER", "FAILOVER", "ACCEPT", "QUARANTINE", "REJOIN", "REBUILD", "PAUSE FAILOVER", "ROLLING"];

#[test]
fn what_the_documentation_shows_works() {
    let place = place(Flavor::MySql);
    let page = include_str!("../../docs/console.md");
    let examples: Vec<&str> =
        page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() > 5, "{examples:?}");
    for example in examples {
        if example.starts_with("KILL") {
            assert!(place.refusal("KILL 4000000000").contains("ERROR 1094"));
        } else if example.starts_with("PAUSE FOR") {
            // The others here would wait: `super::pause` has a place of its own.
        } else if example.starts_with("DRAIN") {
            // tests/cluster drains servers that there are.
            assert!(place.refusal(example).contains("none of the servers"), "{example}");
        } else if OF_FAILOVER.iter().any(|word| example.starts_with(word)) {
            // tests/failover has them work.
            assert!(place.refusal(example).contains("failover.replication_user"), "{example}");
        } else {
            place.ask(example);
        }
    }
}

/// The console is there for the day on which nothing else is.
#[test]
fn without_a_primary_it_says_why() {
    let place = Place::start(Flavor::MySql, Default::default());
    place.cluster.primary().kill();
    place.becomes("the primary is missed", || {
        place.ask("SELECT role FROM servers ORDER BY number").starts_with("none\n")
    });
    let state = place.ask("SELECT state FROM servers WHERE number = 0");
    assert!(state.contains("cannot be reached") || state.contains("closed"), "{state}");
    let route = place.ask("EXPLAIN ROUTE FOR 'DELETE FROM t'");
    assert!(route.contains("Server") && route.contains("(none)"), "{route}");
}

/// Each worker has pools of its own, and sessions run on threads of their own.
#[test]
fn workers_with_a_runtime_of_their_own_are_all_seen() {
    let options = Options::default().argument("--runtime=per-core").argument("--workers=2");
    let place = Place::start(Flavor::MySql, options);
    let mut clients: Vec<_> = (0..8).map(|_| place.client()).collect();
    assert_eq!(place.ask("SELECT count(*), count(DISTINCT id) FROM sessions"), "8\t8\n");
    for client in &mut clients {
        place.number(client, "SELECT 1").unwrap();
    }
    let id = clients[0].id();
    place.ask(&format!("KILL {id}"));
    assert!(place.number(&mut clients[0], "SELECT 1").is_err());
    clients.clear();
    place.becomes("all are gone", || place.ask("SELECT count(*) FROM sessions") == "0\n");
    // Seven come back to a pool, each to its worker's.
    place.becomes("their connections wait", || {
        place.ask("SELECT sum(idle) FROM pools WHERE purpose = 'primary'") == "7\n"
    });
}
