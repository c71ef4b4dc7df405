//! KILL, time limits and clients that vanish: the one who is meant ends, and nobody else does (HAZARDS 7, 8).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headgate::lab::{Cluster, Flavor, Node};
use headgate::wire::command::Command;
use headgate::wire::frame::{HEADER, Header};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Connection, Options, Reply, Shape};
use crate::headgate::Headgate;
use crate::servers::quiet_cluster;

/// For what a server has to notice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads for minutes, and not a word of it keeps it from a replica.
const LONG_READ: &str = "SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d WHERE a.n < b.n";

/// Runs for minutes on the primary.
const LONG_ON_PRIMARY: &str =
    "SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d WHERE a.n < b.n FOR UPDATE";

const INTERRUPTED: u16 = 1317;

/// A schema of its own for each test, with an account that may use it; both have that name.
async fn account(cluster: &Cluster, name: &str) {
    let digits = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5)";
    for statement in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
        format!("DROP USER IF EXISTS {name}@'%'"),
        format!("CREATE USER {name}@'%' IDENTIFIED BY '{name}'"),
        format!("GRANT ALL ON {name}.* TO {name}@'%'"),
        format!(
            "CREATE TABLE {name}.numbers AS SELECT a.n FROM {digits} a, {digits} b, {digits} c, {digits} d"
        ),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    cluster.wait_caught_up(PATIENCE).await.unwrap();
}

async fn login(headgate: &Headgate, user: &str) -> Connection {
    Options::new(headgate.address(), user, user).schema(user).tls(true).connect().await.unwrap()
}

async fn ask(connection: &mut Connection, statement: &str) -> Reply {
    connection.query(statement).await.unwrap()
}

async fn value(connection: &mut Connection, statement: &str) -> String {
    let reply = ask(connection, statement).await;
    reply.value().unwrap_or_else(|| panic!("{statement}: {:#?}", reply.lines))
}

fn code(reply: &Reply) -> Option<u16> {
    reply.error.as_ref().map(|error| error.code)
}

/// How many connections of a user run something that contains `part`, on the primary and on the replicas.
async fn running(cluster: &Cluster, user: &str, part: &str) -> [usize; 2] {
    let mut counts = [0; 2];
    for (at, node) in cluster.nodes().iter().enumerate() {
        counts[usize::from(at > 0)] += processes(node, user, part).await.len();
    }
    counts
}

/// The connections of a user that run something that contains `part`.
async fn processes(node: &Node, user: &str, part: &str) -> Vec<String> {
    let question = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{user}' AND INFO LIKE '%{part}%'"
    );
    let rows = node.sql(question).await.unwrap();
    rows.iter().map(|row| row.get("ID").unwrap().to_owned()).collect()
}

async fn becomes(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The session's statement is running, on a replica or not.
async fn until_running(cluster: &Cluster, user: &str, part: &str, on_replica: bool) {
    becomes(&format!("{part} runs"), async || {
        running(cluster, user, part).await[usize::from(on_replica)] > 0
    })
    .await;
}

/// Waits until a plain read goes to a replica: what was written a moment ago must have come there.
async fn until_split(connection: &mut Connection, headgate: &Headgate) {
    becomes("reads go to replicas", async || {
        let before = headgate.on_replicas().await;
        value(connection, "SELECT COUNT(*) FROM numbers").await;
        headgate.on_replicas().await > before
    })
    .await;
}

/// By which the first statement is told from the second, while the first still ends.
const PARTS: [&str; 2] = ["numbers d", "numbers e"];

async fn ends_a_statement(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let (user, stranger) = ("kill_query", "kill_stranger");
    account(cluster, user).await;
    account(cluster, stranger).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let mut killer = login(&headgate, user).await;
    let mut other = login(&headgate, stranger).await;
    for (statement, on_replica) in [(LONG_READ, true), (LONG_ON_PRIMARY, false)] {
        let mut victim = login(&headgate, user).await;
        until_split(&mut victim, &headgate).await;
        let ours = u64::from(victim.greeting.thread_id);
        // What the server calls it serves as well.
        let theirs: u64 = value(&mut victim, "SELECT CONNECTION_ID()").await.parse().unwrap();
        until_split(&mut victim, &headgate).await;
        let mut victims = JoinSet::new();
        let (ended, mut ends) = mpsc::unbounded_channel();
        victims.spawn(async move {
            let mut replies = Vec::new();
            for part in PARTS {
                replies.push(ask(&mut victim, &statement.replace(PARTS[0], part)).await);
                ended.send(()).unwrap();
            }
            (victim, replies)
        });
        for (id, part) in [ours, theirs].into_iter().zip(PARTS) {
            until_running(cluster, user, part, on_replica).await;
            // Somebody else's may not be ended, and the server says so.
            let refused = ask(&mut other, &format!("KILL QUERY {ours}")).await.error.unwrap();
            assert_eq!(
                (refused.code, refused.text()),
                (1095, format!("You are not owner of thread {ours}").into())
            );
            assert_eq!(code(&ask(&mut killer, &format!("KILL QUERY {id}")).await), None);
            timeout(PATIENCE, ends.recv()).await.expect("it ends");
        }
        let (mut victim, replies) = victims.join_next().await.unwrap().unwrap();
        assert_eq!(replies.iter().map(code).collect::<Vec<_>>(), [Some(INTERRUPTED); 2], "{statement}");
        // It did not run again anywhere, and the session goes on.
        assert_eq!(running(cluster, user, "numbers").await, [0, 0]);
        assert_eq!(value(&mut victim, "SELECT COUNT(*) FROM numbers").await, "1296");
        // Nothing runs: nothing happens.
        assert_eq!(code(&ask(&mut killer, &format!("KILL QUERY {ours}")).await), None);
        assert_eq!(value(&mut victim, "SELECT COUNT(*) FROM numbers").await, "1296");
        assert_eq!(value(&mut victim, "SELECT 2 FOR UPDATE").await, "2");
    }
    assert_eq!(value(&mut killer, "SELECT 1").await, "1");
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_a_statement_on_mysql() {
    ends_a_statement(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_a_statement_on_mariadb() {
    ends_a_statement(Flavor::MariaDb).await;
}

async fn ends_a_session(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let user = "kill_session";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &["--set", "listen.instance=7"]).await.unwrap();
    let mut killer = login(&headgate, user).await;
    assert_eq!(killer.greeting.thread_id >> 24, 7);
    for (statement, on_replica) in [(Some(LONG_READ), true), (Some(LONG_ON_PRIMARY), false), (None, false)] {
        let mut victim = login(&headgate, user).await;
        until_split(&mut victim, &headgate).await;
        let id = victim.greeting.thread_id;
        let mut victims = JoinSet::new();
        victims.spawn(async move {
            let told = match statement {
                Some(statement) => victim.query(statement).await.ok().as_ref().and_then(code),
                None => None,
            };
            (victim.is_closed().await, told)
        });
        if statement.is_some() {
            until_running(cluster, user, "numbers d", on_replica).await;
        }
        assert_eq!(code(&ask(&mut killer, &format!("KILL {id}")).await), None);
        let (closed, told) = victims.join_next().await.unwrap().unwrap();
        assert!(closed, "{statement:?}: the client sees the end");
        assert!(matches!(told, None | Some(INTERRUPTED | 1158 | 1927)), "{statement:?}: {told:?}");
        becomes("nothing runs on", async || running(cluster, user, "numbers d").await == [0, 0]).await;
        becomes("its id is nobody's", async || {
            code(&ask(&mut killer, &format!("KILL {id}")).await) == Some(1094)
        })
        .await;
    }
    // A client of another Headgate is not looked for here.
    let reply = ask(&mut killer, &format!("KILL {}", 8 << 24)).await;
    let error = reply.error.unwrap();
    assert!(error.code == 1094 && error.text().contains("listen.instance = 8"), "{error}");
    // COM_PROCESS_KILL, which MySQL 9 has no more.
    let mut victim = login(&headgate, user).await;
    let command = [&[Command::ProcessKill as u8][..], &victim.greeting.thread_id.to_le_bytes()].concat();
    let reply = killer.command(&command, Shape::Query).await.unwrap();
    match flavor {
        Flavor::MySql => assert_eq!(code(&reply), Some(1047)),
        Flavor::MariaDb => {
            assert_eq!(code(&reply), None);
            assert!(victim.is_closed().await);
        }
    }
    // Oneself.
    let id = killer.greeting.thread_id;
    assert_eq!(code(&ask(&mut killer, &format!("KILL QUERY {id}")).await), Some(INTERRUPTED));
    let _ = killer.query(format!("KILL {id}")).await;
    assert!(killer.is_closed().await);
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_a_session_on_mysql() {
    ends_a_session(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_a_session_on_mariadb() {
    ends_a_session(Flavor::MariaDb).await;
}

async fn limits(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let user = "kill_limits";
    account(cluster, user).await;
    let flags = ["--statement-timeout", "500ms", "--set", "limits.client_idle_timeout=4s"];
    let headgate = Headgate::start(cluster, &flags).await.unwrap();
    let mut client = login(&headgate, user).await;
    until_split(&mut client, &headgate).await;
    for statement in [LONG_READ, LONG_ON_PRIMARY] {
        let error = ask(&mut client, statement).await.error.unwrap();
        assert!(error.code == 3024 && error.text().contains("limits.statement_timeout"), "{error}");
        assert_eq!(running(cluster, user, "numbers d").await, [0, 0], "{statement}");
        assert_eq!(value(&mut client, "SELECT COUNT(*) FROM numbers").await, "1296");
    }
    // A prepared statement, and one inside of a transaction, which goes on.
    let prepared = client.prepare(LONG_READ.as_bytes()).await.unwrap().statement.unwrap();
    assert_eq!(code(&client.execute(prepared, 0, &[], &[]).await.unwrap()), Some(3024));
    ask(&mut client, "BEGIN").await;
    ask(&mut client, "DELETE FROM numbers WHERE n = 3").await;
    assert_eq!(code(&ask(&mut client, LONG_READ).await), Some(3024));
    assert_eq!(value(&mut client, "SELECT COUNT(*) FROM numbers").await, "1080");
    ask(&mut client, "ROLLBACK").await;
    // Whoever says nothing has to go.
    let begun = Instant::now();
    let word = timeout(PATIENCE, client.receive_error()).await.unwrap().unwrap();
    assert!(word.code == 4031 && word.text().contains("limits.client_idle_timeout"), "{word}");
    assert!(client.is_closed().await);
    assert!(begun.elapsed() >= Duration::from_secs(3));
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_on_mysql() {
    limits(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_on_mariadb() {
    limits(Flavor::MariaDb).await;
}

async fn vanished(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let user = "kill_vanished";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let mut watcher = login(&headgate, user).await;
    ask(&mut watcher, "CREATE TABLE t (id INT PRIMARY KEY, a INT)").await;
    ask(&mut watcher, "INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)").await;
    // Reads are ended, wherever they run.
    for (statement, on_replica) in [(LONG_READ, true), (LONG_ON_PRIMARY, false)] {
        let mut client = login(&headgate, user).await;
        until_split(&mut client, &headgate).await;
        client.send_query(statement).await.unwrap();
        until_running(cluster, user, "numbers d", on_replica).await;
        drop(client);
        becomes("a read without a client is ended", async || {
            running(cluster, user, "numbers d").await == [0, 0]
        })
        .await;
    }
    // A write by itself runs to its end, as on the server.
    let mut client = login(&headgate, user).await;
    client.send_query("UPDATE t SET a = 1 + SLEEP(1) WHERE id = 1").await.unwrap();
    until_running(cluster, user, "SLEEP(1)", false).await;
    drop(client);
    becomes("it is done", async || {
        value(&mut watcher, "SELECT a FROM t WHERE id = 1 FOR UPDATE").await == "1"
    })
    .await;
    // One in a transaction is ended and rolled back.
    let mut client = login(&headgate, user).await;
    ask(&mut client, "BEGIN").await;
    ask(&mut client, "UPDATE t SET a = 7 WHERE id = 2").await;
    client.send_query("UPDATE t SET a = SLEEP(60) WHERE id = 3").await.unwrap();
    until_running(cluster, user, "SLEEP(60)", false).await;
    drop(client);
    becomes("it is ended", async || running(cluster, user, "SLEEP(60)").await == [0, 0]).await;
    becomes("its locks are gone", async || {
        value(&mut watcher, "SELECT SUM(a) FROM t FOR UPDATE").await == "1"
    })
    .await;
    // Who sends ahead is there.
    let mut client = login(&headgate, user).await;
    client.send_query("UPDATE t SET a = 5 + SLEEP(1) WHERE id = 2").await.unwrap();
    client.send_query("SELECT a FROM t WHERE id = 2").await.unwrap();
    client.read_reply(Shape::Query, &[], &[]).await.unwrap();
    assert_eq!(client.read_reply(Shape::Query, &[], &[]).await.unwrap().value().as_deref(), Some("5"));
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_on_mysql() {
    vanished(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_on_mariadb() {
    vanished(Flavor::MariaDb).await;
}

/// Ends by hand what a user runs, so that nothing is left to the tests after.
async fn clear_away(cluster: &Cluster, user: &str) {
    for node in cluster.nodes() {
        for id in processes(node, user, "").await {
            // It may have ended meanwhile.
            let _ = node.sql(format!("KILL {id}")).await;
        }
    }
}

/// An account that may have no further connection cannot end its read: it must not run on the primary as well.
async fn unreachable(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let user = "kill_unreachable";
    account(cluster, user).await;
    let limit = format!("ALTER USER {user}@'%' WITH MAX_USER_CONNECTIONS 1");
    cluster.primary().sql(limit).await.unwrap();
    cluster.wait_caught_up(PATIENCE).await.unwrap();
    let headgate = Headgate::start(cluster, &["--statement-timeout", "700ms"]).await.unwrap();
    let mut client = login(&headgate, user).await;
    until_split(&mut client, &headgate).await;
    let mut on_primary = 0;
    let watch = async {
        loop {
            on_primary += running(cluster, user, "numbers d").await[0];
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (reply, closed) = select! {
        answer = async { (client.query(LONG_READ).await.unwrap(), client.is_closed().await) } => answer,
        () = watch => unreachable!(),
    };
    clear_away(cluster, user).await;
    let error = reply.error.unwrap();
    assert!(error.code == 3024 && error.text().contains("could not be ended"), "{error}");
    assert!(closed && on_primary == 0, "closed: {closed}; it ran on the primary too: {on_primary}");
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_on_mysql() {
    unreachable(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_on_mariadb() {
    unreachable(Flavor::MariaDb).await;
}

/// A server that has always more than its client takes is never waited for; the limit holds all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_have_a_limit() {
    let cluster = quiet_cluster(Flavor::MariaDb).await;
    let user = "kill_slow";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &["--statement-timeout", "700ms"]).await.unwrap();
    for clause in ["", " FOR UPDATE"] {
        let mut client = login(&headgate, user).await;
        until_split(&mut client, &headgate).await;
        // In the middle of a join MariaDB does not look whether it was killed for thousands of rows.
        let rows = format!("SELECT REPEAT('x', 60000) FROM seq_1_to_1000000{clause}");
        client.send_query(&rows).await.unwrap();
        until_running(cluster, user, "seq_1", clause.is_empty()).await;
        becomes("it is ended", async || {
            client.receive_packets(20).await;
            running(cluster, user, "seq_1").await == [0, 0]
        })
        .await;
    }
    headgate.stop().await.unwrap();
}

/// The client of a long statement is looked at as any other is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_behind_a_long_statement() {
    let cluster = quiet_cluster(Flavor::MySql).await;
    let user = "kill_long_text";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let mut client = login(&headgate, user).await;
    until_split(&mut client, &headgate).await;
    let list = vec!["7"; 20_000].join(",");
    client.send_query(&format!("{LONG_READ} AND a.n NOT IN ({list})")).await.unwrap();
    until_running(cluster, user, "numbers d", true).await;
    drop(client);
    becomes("a read without a client is ended", async || running(cluster, user, "numbers d").await == [0, 0])
        .await;
    headgate.stop().await.unwrap();
}

/// Whoever kills one of Headgate's connections at the replica itself kills no statement of a client: a read goes
/// on at the primary, as when the replica dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_the_replica_itself() {
    let cluster = quiet_cluster(Flavor::MySql).await;
    let user = "kill_at_replica";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let mut client = login(&headgate, user).await;
    until_split(&mut client, &headgate).await;
    client.send_query(LONG_READ).await.unwrap();
    until_running(cluster, user, "numbers d", true).await;
    for node in cluster.replicas() {
        for id in processes(node, user, "numbers d").await {
            node.sql(format!("KILL {id}")).await.unwrap();
        }
    }
    until_running(cluster, user, "numbers d", false).await;
    drop(client);
    becomes("it is ended with its client", async || running(cluster, user, "numbers d").await == [0, 0])
        .await;
    headgate.stop().await.unwrap();
}

/// Clients that go in the middle of long results over TLS: what is left of those does not get into connections that
/// others open meanwhile (`frontend::gone`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_from_others_handshakes() {
    let cluster = quiet_cluster(Flavor::MySql).await;
    let user = "kill_handshakes";
    account(cluster, user).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let options = Options::new(headgate.address(), user, user).schema(user);
    let mut vanishing = JoinSet::new();
    for _ in 0..4 {
        let options = options.clone();
        vanishing.spawn(async move {
            for round in 0..10 {
                let mut client = options.connect().await.unwrap();
                client
                    .send_query("/* headgate: primary */ SELECT REPEAT('v', 4000000) FROM numbers")
                    .await
                    .unwrap();
                sleep(Duration::from_millis(5 + round % 4)).await;
            }
        });
    }
    let mut greeted = JoinSet::new();
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..8 {
        let (primary, over) = (cluster.primary().address(), Arc::clone(&over));
        greeted.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let mut stream = TcpStream::connect(primary).await.unwrap();
                let mut bytes = vec![0; 64 * 1024];
                let first = stream.read(&mut bytes).await.unwrap();
                assert_eq!(
                    Header::read(&bytes).map(|header| header.len + HEADER),
                    Some(first),
                    "the greeting"
                );
                let second = timeout(Duration::from_millis(4), stream.read(&mut bytes)).await;
                assert!(second.is_err(), "a server that has greeted says more: {second:?}");
            }
        });
    }
    vanishing.join_all().await;
    over.store(true, Ordering::Relaxed);
    greeted.join_all().await;
    headgate.stop().await.unwrap();
}
