//! COM_CHANGE_USER: as on the server itself, and nothing of the one is left to the other.

use std::time::Duration;

use headgate::lab::{Cluster, Flavor};
use headgate::wire::capabilities::Capabilities;
use tokio::time::{Instant, sleep};

use crate::client::{Compression, Connection, Options, PLAIN_CLIENT};
use crate::headgate::Headgate;
use crate::servers::quiet_cluster;

/// For what a server has to notice.
const PATIENCE: Duration = Duration::from_secs(20);

const ACCESS_DENIED: u16 = 1045;

/// Two accounts, each with a table of its own in `app`.
async fn accounts(cluster: &Cluster) {
    /// Of two that grant and revoke at the same time, one would find nothing to revoke.
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    for user in ["change_one", "change_two"] {
        for statement in [
            format!("CREATE USER IF NOT EXISTS {user}@'%' IDENTIFIED BY '{user}-pw'"),
            format!("CREATE TABLE IF NOT EXISTS app.{user} (a INT)"),
            format!("GRANT SELECT, INSERT, CREATE TEMPORARY TABLES ON app.* TO {user}@'%'"),
            format!("REVOKE SELECT, INSERT ON app.* FROM {user}@'%'"),
            format!("GRANT SELECT, INSERT ON app.{user} TO {user}@'%'"),
        ] {
            cluster.primary().sql(statement).await.unwrap();
        }
    }
    cluster.wait_caught_up(PATIENCE).await.unwrap();
}

fn options(at: std::net::SocketAddr, user: &str) -> Options {
    Options::new(at, user, &format!("{user}-pw"))
}

/// What the statement is answered, without what differs between two connections.
async fn answer(connection: &mut Connection, statement: &str) -> String {
    let reply = connection.query(statement).await.unwrap();
    match (&reply.error, reply.value()) {
        (Some(error), _) => error.to_string(),
        (None, Some(value)) => value,
        (None, None) => reply.lines.join("\n"),
    }
}

/// The life of a connection that changes hands; everything it is told.
async fn life(
    at: std::net::SocketAddr,
    tls: bool,
    capabilities: Capabilities,
    compression: Option<Compression>,
) -> (Vec<String>, Connection) {
    let one = options(at, "change_one").tls(tls).capabilities(capabilities).schema("app");
    let one = one.compression(compression);
    let two = Options { schema: None, ..options(at, "change_two").tls(tls).capabilities(capabilities) };
    let mut told = Vec::new();
    let mut connection = one.connect().await.unwrap();
    for statement in [
        "SET @a = 1, sql_mode = 'ANSI', autocommit = 0",
        "CREATE TEMPORARY TABLE of_one (a INT)",
        "INSERT INTO change_one VALUES (1)",
    ] {
        told.push(answer(&mut connection, statement).await);
    }
    assert_eq!(two.change_user(&mut connection).await.unwrap(), None);
    told.extend(connection.login_reply.clone());
    for statement in [
        "SELECT SUBSTRING_INDEX(USER(), '@', 1)",
        "SELECT DATABASE() IS NULL",
        "SELECT @a IS NULL AND @@autocommit = 1 AND @@sql_mode NOT LIKE '%ANSI%'",
        "SELECT * FROM app.of_one",
        "SELECT COUNT(*) FROM app.change_one",
        "SELECT COUNT(*) FROM app.change_two",
        "INSERT INTO app.change_two VALUES (2)",
    ] {
        told.push(answer(&mut connection, statement).await);
    }
    // To the same user again, into a schema.
    let two = two.schema("app");
    assert_eq!(two.change_user(&mut connection).await.unwrap(), None);
    told.push(answer(&mut connection, "SELECT DATABASE()").await);
    told.push(answer(&mut connection, "SELECT SUM(a) FROM change_two").await);
    // What change_one had not committed is gone.
    assert_eq!(one.change_user(&mut connection).await.unwrap(), None);
    told.push(answer(&mut connection, "SELECT COUNT(*) FROM change_one").await);
    told.push(answer(&mut connection, "SELECT * FROM change_two").await);
    let wrong = Options { password: "wrong".to_owned(), ..one };
    told.push(wrong.change_user(&mut connection).await.unwrap().expect("a refusal").to_string());
    (told, connection)
}

async fn as_on_the_server(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    accounts(cluster).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let forms = [
        (true, PLAIN_CLIENT | Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK, None),
        (false, PLAIN_CLIENT, None),
        // Compression goes on as it was agreed on at the first login.
        (true, PLAIN_CLIENT, Some(Compression::Zlib)),
    ];
    for (tls, capabilities, compression) in forms {
        let mut lives = Vec::new();
        for at in [cluster.primary().address(), headgate.address()] {
            cluster.primary().sql("TRUNCATE TABLE app.change_two").await.unwrap();
            let compression = compression.filter(|_| at == headgate.address());
            let (told, mut connection) = life(at, tls, capabilities, compression).await;
            lives.push(told);
            // MariaDB leaves who was refused connected, as who it was.
            if flavor == Flavor::MySql || at == headgate.address() {
                assert!(connection.is_closed().await, "who is refused has to go");
            }
        }
        assert_eq!(lives[1], lives[0], "TLS {tls}");
        assert!(lives[0].last().unwrap().starts_with("1045"), "{:?}", lives[0]);
    }
    // Nothing was learned of the one who was refused, and the log has no password.
    assert!(!headgate.log().contains("-pw"));
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_on_mysql() {
    as_on_the_server(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_on_mariadb() {
    as_on_the_server(Flavor::MariaDb).await;
}

/// A client without PLUGIN_AUTH cannot be given another nonce: it answers with the greeting's.
#[tokio::test]
async fn old_clients_change_users_on_mariadb() {
    let cluster = quiet_cluster(Flavor::MariaDb).await;
    accounts(cluster).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let old = PLAIN_CLIENT.without(Capabilities::PLUGIN_AUTH);
    let [one, two] =
        ["change_one", "change_two"].map(|user| options(headgate.address(), user).capabilities(old));
    let mut connection = one.plugin("mysql_native_password").connect().await.unwrap();
    let two = two.plugin("mysql_native_password");
    assert_eq!(two.change_user(&mut connection).await.unwrap(), None);
    assert_eq!(answer(&mut connection, "SELECT SUBSTRING_INDEX(USER(), '@', 1)").await, "change_two");
    let wrong = Options { password: "wrong".to_owned(), ..two };
    assert_eq!(wrong.change_user(&mut connection).await.unwrap().unwrap().code, ACCESS_DENIED);
    headgate.stop().await.unwrap();
}

/// What the one held is free for the other.
async fn nothing_is_left(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    accounts(cluster).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let [one, two] = ["change_one", "change_two"].map(|user| options(headgate.address(), user).tls(true));
    let mut connection = one.connect().await.unwrap();
    for round in 0..5 {
        let lock = format!("SELECT GET_LOCK('change_{round}', 0)");
        assert_eq!(answer(&mut connection, &lock).await, "1");
        assert_eq!(two.change_user(&mut connection).await.unwrap(), None, "round {round}");
        assert_eq!(answer(&mut connection, &lock).await, "1", "it was released");
        // To the same user again.
        assert_eq!(two.change_user(&mut connection).await.unwrap(), None, "round {round}");
        assert_eq!(answer(&mut connection, &lock).await, "1", "it was released");
        assert_eq!(one.change_user(&mut connection).await.unwrap(), None);
    }
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_on_mysql() {
    nothing_is_left(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_on_mariadb() {
    nothing_is_left(Flavor::MariaDb).await;
}

/// An account that may have one connection changes into itself, and logs in again and again.
async fn the_only_connection(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let user = "change_alone";
    for statement in [
        format!("DROP USER IF EXISTS {user}@'%'"),
        format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}-pw' WITH MAX_USER_CONNECTIONS 1"),
    ] {
        cluster.primary().sql(statement).await.unwrap();
    }
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let directly = options(cluster.primary().address(), user).tls(true);
    let mut connection = directly.connect().await.unwrap();
    let refused = directly.change_user(&mut connection).await.unwrap().map(|error| error.code);
    // MySQL counts the connection twice while it changes.
    assert_eq!(refused, (flavor == Flavor::MySql).then_some(1226));
    drop(connection);
    let through = options(headgate.address(), user).tls(true);
    for round in 0..5 {
        // Whoever has left counts for a moment longer: until the server, and Headgate, know it.
        let end = Instant::now() + PATIENCE;
        while flavor == Flavor::MySql
            && round > 0
            && headgate.metric("headgate_server_connections_idle").await == 0
        {
            assert!(Instant::now() < end, "round {round}: the connection was not kept");
            sleep(Duration::from_millis(20)).await;
        }
        let mut connection = loop {
            match through.connect().await {
                Ok(connection) => break connection,
                Err(error) => assert!(Instant::now() < end, "round {round}: {error:#}"),
            }
            // What the metric shows may be the moment before.
            sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(through.change_user(&mut connection).await.unwrap(), None);
        assert_eq!(answer(&mut connection, "SELECT 1").await, "1");
        connection.quit().await.unwrap();
    }
    headgate.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_connection_on_mysql() {
    the_only_connection(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_connection_on_mariadb() {
    the_only_connection(Flavor::MariaDb).await;
}
