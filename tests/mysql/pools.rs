//! Who gets a connection, and for how long.

use std::net::SocketAddr;
use std::time::Duration;

use headgate::lab::{Cluster, DATABASE, Flavor};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options};
use crate::headgate::{Headgate, free_ports};
use crate::servers::{cluster, root};

const PATIENCE: Duration = Duration::from_secs(20);

const PASSWORD: &str = "pools-pw";

/// Asks the primary, whoever could answer.
const ASK: &str = "/* headgate: primary */ SELECT 'here'";

async fn ok(connection: &mut Connection, sql: &str) -> Option<String> {
    let reply = connection.query(sql).await.unwrap();
    assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    reply.value()
}

/// A new account that may do nothing but ask.
async fn account(flavor: Flavor, name: &str) -> String {
    let user = format!("pools_{name}");
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    ok(&mut admin, &format!("DROP USER IF EXISTS {user}")).await;
    ok(&mut admin, &format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}'")).await;
    admin.quit().await.unwrap();
    user
}

fn options(address: SocketAddr, user: &str) -> Options {
    Options::new(address, user, PASSWORD).tls(true)
}

/// Waits until what is asked for is so.
async fn becomes<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, mut ask: impl AsyncFnMut() -> T) {
    let end = Instant::now() + PATIENCE;
    loop {
        let is = ask().await;
        if is == expected {
            return;
        }
        assert!(Instant::now() < end, "{what}: {is:?} and not {expected:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Checks how many connections three sessions keep that are there at the same time.
async fn three_sessions_keep(expected: u64, headgate: &Headgate, address: SocketAddr, user: &str) {
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut session = options(address, user).connect().await.unwrap();
        ok(&mut session, ASK).await;
        sessions.push(session);
    }
    becomes(&format!("{user} at {address} keeps"), expected, async || {
        let idle = headgate.metric("headgate_server_connections_idle").await;
        headgate.metric("headgate_server_connections_open").await.saturating_sub(idle)
    })
    .await;
    for session in sessions {
        session.quit().await.unwrap();
    }
}

/// The user's mode wins over the listener's, and that over the one for all; a reload counts for new sessions.
async fn modes_by_user_and_listener(flavor: Flavor) {
    let file = std::env::temp_dir().join(format!("headgate-pools-{}-{flavor:?}.toml", std::process::id()));
    let (app, report, batch) =
        (account(flavor, "app").await, account(flavor, "report").await, account(flavor, "batch").await);
    let rules =
        format!("[clients]\nusers = [\"{report} pool session\", \"{batch} max 9 pool transaction\"]\n");
    std::fs::write(&file, format!("[pool]\nmode = \"transaction\"\n{rules}")).unwrap();
    let [second] = free_ports().unwrap();
    let door = format!("{second} pool session");
    let flags = ["--config", file.to_str().unwrap(), "--listen", &door];
    let headgate = Headgate::start(cluster(flavor).await, &flags).await.unwrap();
    let first = headgate.address();
    for (address, user, expected) in
        [(first, &app, 0), (second, &app, 3), (first, &report, 3), (second, &batch, 0)]
    {
        three_sessions_keep(expected, &headgate, address, user).await;
    }
    let mut before = options(first, &batch).connect().await.unwrap();
    std::fs::write(&file, "[pool]\nmode = \"session\"").unwrap();
    headgate.reload().await.unwrap();
    three_sessions_keep(3, &headgate, first, &batch).await;
    assert_eq!(ok(&mut before, ASK).await.as_deref(), Some("here"));
    before.quit().await.unwrap();
    headgate.stop().await.unwrap();
    std::fs::remove_file(&file).unwrap();
}

/// A user may have no more connections than are said; others have the rest.
async fn users_have_limits_of_their_own(flavor: Flavor) {
    let (few, other) = (account(flavor, "few").await, account(flavor, "other").await);
    let rule = format!("clients.users={few} connections 1");
    let flags = [
        "--pool-mode",
        "transaction",
        "--max-connections-per-server=3",
        "--pool-wait-timeout=300ms",
        "--set",
        &rule,
        "--set",
        "pool.max_connections_per_user=2",
    ];
    let headgate = Headgate::start(cluster(flavor).await, &flags).await.unwrap();
    for (user, most) in [(few, 1), (other, 2)] {
        let mut sessions = Vec::new();
        for _ in 0..=most {
            sessions.push(options(headgate.address(), &user).connect().await.unwrap());
        }
        let (last, holders) = sessions.split_last_mut().unwrap();
        for holder in holders {
            ok(holder, "BEGIN").await;
            ok(holder, ASK).await;
        }
        let told = last.query(ASK).await.unwrap().error.unwrap();
        assert_eq!(told.code, 1226, "{told}");
        let text = String::from_utf8_lossy(&told.message).into_owned();
        assert!(text.contains("pool.max_connections_per_user"), "{text}");
        assert!(text.contains(&format!("all {most} connections")), "{text}");
        ok(&mut sessions[0], "ROLLBACK").await;
        let last = sessions.last_mut().unwrap();
        assert_eq!(ok(last, ASK).await.as_deref(), Some("here"), "the session goes on");
        for session in sessions {
            session.quit().await.unwrap();
        }
    }
    headgate.stop().await.unwrap();
}

/// So many sessions of one user want the connections that each of them waits in vain; another user waits for none of
/// them.
async fn a_flood_keeps_nobody_else_waiting(flavor: Flavor) {
    let (flood, other) = (account(flavor, "flood").await, account(flavor, "calm").await);
    let flags = ["--pool-mode", "transaction", "--max-connections-per-server=2", "--pool-wait-timeout=2s"];
    let headgate = Headgate::start(cluster(flavor).await, &flags).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..60 {
        sessions.push(options(headgate.address(), &flood).connect().await.unwrap());
    }
    let mut calm = options(headgate.address(), &other).connect().await.unwrap();
    let mut flood = JoinSet::new();
    for mut session in sessions {
        flood.spawn(async move {
            let reply = session.query("/* headgate: primary */ SELECT SLEEP(0.2)").await.unwrap();
            assert!(reply.error.as_ref().is_none_or(|error| error.code == 1040), "{:?}", reply.error);
            usize::from(reply.error.is_some())
        });
    }
    becomes("nobody waits", true, async || headgate.metric("headgate_pool_waits_total").await > 50).await;
    for _ in 0..4 {
        assert_eq!(ok(&mut calm, ASK).await.as_deref(), Some("here"));
    }
    let refused: usize = flood.join_all().await.into_iter().sum();
    assert!(refused > 0, "there were connections for all");
    headgate.stop().await.unwrap();
}

/// The connections that a user has at the primary.
async fn connections_of(admin: &mut Connection, user: &str) -> Vec<String> {
    let ids = format!("SELECT GROUP_CONCAT(ID) FROM information_schema.PROCESSLIST WHERE USER = '{user}'");
    ok(admin, &ids).await.unwrap_or_default().split(',').map(str::to_owned).collect()
}

/// Connections of a user that has gone wait for its return; those that are lost are replaced, and an old password is
/// tried once.
async fn connections_are_kept_ready(flavor: Flavor) {
    let user = account(flavor, "ready").await;
    let flags = ["--pool-mode", "transaction", "--set", "pool.min_idle=3"];
    let headgate = Headgate::start(cluster(flavor).await, &flags).await.unwrap();
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    let mut session = options(headgate.address(), &user).connect().await.unwrap();
    ok(&mut session, ASK).await;
    session.quit().await.unwrap();
    becomes("ready", 3, async || connections_of(&mut admin, &user).await.len()).await;
    let gone = connections_of(&mut admin, &user).await.remove(0);
    ok(&mut admin, &format!("KILL {gone}")).await;
    becomes("ready again", true, async || {
        let connections = connections_of(&mut admin, &user).await;
        connections.len() == 3 && !connections.contains(&gone)
    })
    .await;
    ok(&mut admin, &format!("ALTER USER {user} IDENTIFIED BY 'another-pw'")).await;
    for gone in connections_of(&mut admin, &user).await {
        // Whichever Headgate has closed itself by now is as good.
        admin.query(format!("KILL {gone}")).await.unwrap();
    }
    let words = "no connections are kept ready for a user any more";
    becomes("refused", true, async || headgate.log().contains(words)).await;
    sleep(Duration::from_millis(600)).await;
    assert_eq!(headgate.log().matches(words).count(), 1, "{}", headgate.log());
    assert_eq!(connections_of(&mut admin, &user).await, [""]);
    let returned = Options::new(headgate.address(), &user, "another-pw").tls(true);
    returned.connect().await.unwrap().quit().await.unwrap();
    becomes("ready for the new password", 3, async || connections_of(&mut admin, &user).await.len()).await;
    assert!(!headgate.log().contains("another-pw") && !headgate.log().contains(PASSWORD));
    admin.quit().await.unwrap();
    headgate.stop().await.unwrap();
}

/// Many clients of two users in front of a primary that takes few connections: none hears of it. Headgate finds out by
/// itself how many it may have, or has been told of too many.
async fn small_servers_refuse_nobody(flavor: Flavor) {
    let builder = Cluster::builder(flavor).replicas(0).relays(false).performance_schema(false);
    let cluster = builder.max_connections(8).start().await.unwrap();
    let (user, app) = ("small", cluster.accounts().app);
    for sql in [
        format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 2"),
        format!("GRANT ALL ON {DATABASE}.* TO {user}"),
        format!("CREATE TABLE {DATABASE}.small (client INT, turn INT)"),
    ] {
        cluster.primary().sql(sql).await.unwrap();
    }
    // Somebody else has one of the eight.
    let other = Options::new(cluster.primary().address(), app.user, app.password).connect().await.unwrap();
    for flags in [
        &["--pool-mode", "transaction"][..],
        &["--pool-mode", "transaction", "--max-connections-per-server", "30"],
    ] {
        let headgate = Headgate::start(&cluster, flags).await.unwrap();
        let mut clients = JoinSet::new();
        for client in 0..40 {
            let (user, password) = if client % 2 == 0 { (user, PASSWORD) } else { (app.user, app.password) };
            let options = Options::new(headgate.address(), user, password).schema(DATABASE);
            clients.spawn(async move {
                let mut session = options.connect().await.unwrap();
                for turn in 0..5 {
                    ok(&mut session, &format!("INSERT INTO small VALUES ({client}, {turn})")).await;
                }
                session.quit().await.unwrap();
            });
        }
        clients.join_all().await;
        let mut reader = Options::new(headgate.address(), app.user, app.password).connect().await.unwrap();
        let count = ok(&mut reader, &format!("SELECT COUNT(*) FROM {DATABASE}.small")).await;
        assert_eq!(count.as_deref(), Some("200"), "{}", headgate.log());
        ok(&mut reader, &format!("DELETE FROM {DATABASE}.small")).await;
        reader.quit().await.unwrap();
        if flags.len() > 2 {
            assert!(headgate.metric("headgate_server_full_total").await > 0, "nothing was refused");
            assert!(headgate.log().contains("a server takes no more connections"), "{}", headgate.log());
        }
        headgate.stop().await.unwrap();
    }
    other.quit().await.unwrap();
}

/// Of the connections that an account may have at the server, one is left to others in its name, however many clients come.
async fn an_accounts_limit_is_not_used_up(flavor: Flavor) {
    let user = account(flavor, "limited").await;
    let cluster = cluster(flavor).await;
    let mut admin = root(cluster).connect().await.unwrap();
    ok(&mut admin, &format!("ALTER USER {user} WITH MAX_USER_CONNECTIONS 4")).await;
    let headgate = Headgate::start(cluster, &["--pool-mode", "transaction"]).await.unwrap();
    // The first one finds out; of many that come first of all, some would be refused, and wait.
    let mut first = options(headgate.address(), &user).connect().await.unwrap();
    ok(&mut first, ASK).await;
    let mut clients = JoinSet::new();
    for _ in 0..30 {
        let options = options(headgate.address(), &user);
        clients.spawn(async move {
            let mut session = options.connect().await.unwrap();
            for _ in 0..20 {
                ok(&mut session, "BEGIN").await;
                ok(&mut session, ASK).await;
                ok(&mut session, "COMMIT").await;
            }
            session.quit().await.unwrap();
        });
    }
    let direct = options(cluster.primary().address(), &user);
    while !clients.is_empty() {
        direct.connect().await.unwrap().quit().await.unwrap();
        // What has left is gone from the server's count a moment later.
        tokio::select! {
            done = clients.join_next() => done.unwrap().unwrap(),
            () = sleep(Duration::from_millis(50)) => {}
        }
    }
    assert_eq!(headgate.metric("headgate_server_full_total").await, 0, "{}", headgate.log());
    first.quit().await.unwrap();
    headgate.stop().await.unwrap();
    admin.quit().await.unwrap();
}

/// What the server refuses past the deadline is told as such.
async fn refusals_of_servers_are_told_in_the_end(flavor: Flavor) {
    let user = account(flavor, "refused").await;
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    ok(&mut admin, &format!("ALTER USER {user} WITH MAX_USER_CONNECTIONS 1")).await;
    let flags = ["--pool-mode", "transaction", "--pool-wait-timeout=500ms"];
    let headgate = Headgate::start(cluster(flavor).await, &flags).await.unwrap();
    let mut holder = options(headgate.address(), &user).connect().await.unwrap();
    let mut session = options(headgate.address(), &user).connect().await.unwrap();
    ok(&mut holder, "BEGIN").await;
    ok(&mut holder, ASK).await;
    let told = session.query(ASK).await.unwrap().error.unwrap();
    assert!(matches!(told.code, 1226 | 1203), "{told}");
    ok(&mut holder, "COMMIT").await;
    ok(&mut session, ASK).await;
    for session in [holder, session, admin] {
        session.quit().await.unwrap();
    }
    headgate.stop().await.unwrap();
}

on!(MySql on_mysql:
    modes_by_user_and_listener
    users_have_limits_of_their_own
    a_flood_keeps_nobody_else_waiting
    connections_are_kept_ready
    small_servers_refuse_nobody
    an_accounts_limit_is_not_used_up
    refusals_of_servers_are_told_in_the_end
);

on!(MariaDb on_mariadb:
    modes_by_user_and_listener
    users_have_limits_of_their_own
    connections_are_kept_ready
    an_accounts_limit_is_not_used_up
    refusals_of_servers_are_told_in_the_end
);
