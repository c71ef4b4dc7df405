//! Sessions that share one connection to the primary: nothing of the one reaches the other, whatever an error hides.

use headgate::lab::Flavor;

use crate::client::{Options, Shape};
use crate::headgate::Headgate;
use crate::servers::{cluster, root};
use crate::sharing::{error_of, ok};

/// One connection a server, which everybody waits for.
const ONE: &[&str] =
    &["--pool-mode", "transaction", "--max-connections-per-server", "1", "--pool-wait-timeout", "30s"];

/// Rounds of the leak by an error; `HEADGATE_LEAK_ROUNDS` sets another number, such as 10000.
const ROUNDS: u32 = 400;

/// In one of so many rounds the other session waits until the first one has not asked about its error for a while.
const PATIENT: u32 = 20;

pub(crate) async fn as_root(flavor: Flavor, statements: &[String]) {
    let mut admin = root(cluster(flavor).await).connect().await.unwrap();
    for sql in statements {
        ok(&mut admin, sql).await;
    }
    admin.quit().await.unwrap();
}

/// A procedure that commits a row, sets variables and fails: its ERR tells nothing of that (HAZARDS 2).
async fn errors_leak_nothing(flavor: Flavor) {
    as_root(
        flavor,
        &[
            "DROP DATABASE IF EXISTS leaks".to_owned(),
            "CREATE DATABASE leaks".to_owned(),
            "CREATE TABLE leaks.t (a INT PRIMARY KEY)".to_owned(),
            "CREATE PROCEDURE leaks.hides(n INT) BEGIN SET SESSION group_concat_max_len = 1000 + n % 1000; \
             SET SESSION time_zone = '+07:00'; START TRANSACTION; INSERT INTO leaks.t VALUES (n); COMMIT; \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'hidden'; END"
                .to_owned(),
            "DROP USER IF EXISTS leaker".to_owned(),
            "CREATE USER leaker IDENTIFIED BY 'leaks'".to_owned(),
            "GRANT ALL ON leaks.* TO leaker".to_owned(),
        ],
    )
    .await;
    let cluster = cluster(flavor).await;
    let headgate = Headgate::start(cluster, ONE).await.unwrap();
    let options = Options::new(headgate.address(), "leaker", "leaks").tls(true).schema("leaks");
    let mut one = options.connect().await.unwrap();
    let mut other = options.connect().await.unwrap();
    let usual = ok(&mut other, "SELECT @@group_concat_max_len, @@time_zone").await;
    let given = std::env::var("HEADGATE_LEAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = given.unwrap_or(ROUNDS);
    for round in 0..rounds {
        let code = error_of(&mut one, &format!("CALL hides({round})")).await;
        assert_eq!(code, 1644, "round {round}");
        if round % PATIENT != 0 {
            ok(&mut one, "SELECT COUNT(*) FROM leaks.t WHERE a < 0").await;
        }
        assert_eq!(
            ok(&mut other, "SELECT @@group_concat_max_len, @@time_zone").await,
            usual,
            "round {round}: another session has what the first has set"
        );
        let read = if round % 2 == 0 { "SELECT COUNT(*) FROM t" } else { "SELECT COUNT(*) FROM leaks.t" };
        let rows = ok(&mut one, read).await;
        let wanted = format!("\"{}\"", round + 1);
        assert!(rows.contains(&wanted), "round {round}: not its own row: {rows:?}");
        let own = ok(&mut one, "SELECT @@group_concat_max_len, @@time_zone").await;
        let wanted = format!("\"{}\"", 1000 + round % 1000);
        assert!(own.contains(&wanted) && own.contains("+07:00"), "round {round}: {own:?}");
    }
    one.quit().await.unwrap();
    other.quit().await.unwrap();
    assert!(headgate.stop().await.unwrap().success());
}

/// SET ROLE by text and inside a procedure, before a reset and before another user logs in on the one connection.
async fn roles_leak_nothing(flavor: Flavor) {
    as_root(
        flavor,
        &[
            "DROP DATABASE IF EXISTS rights".to_owned(),
            "CREATE DATABASE rights".to_owned(),
            "CREATE TABLE rights.secret (a INT)".to_owned(),
            "CREATE TABLE rights.open (a INT)".to_owned(),
            "DROP USER IF EXISTS boss, worker".to_owned(),
            "DROP ROLE IF EXISTS reader".to_owned(),
            "CREATE ROLE reader".to_owned(),
            "GRANT SELECT ON rights.secret TO reader".to_owned(),
            "CREATE USER boss IDENTIFIED BY 'rights'".to_owned(),
            "CREATE USER worker IDENTIFIED BY 'rights'".to_owned(),
            "GRANT SELECT, EXECUTE ON rights.* TO boss".to_owned(),
            "REVOKE SELECT ON rights.* FROM boss".to_owned(),
            "GRANT SELECT ON rights.open TO boss".to_owned(),
            "GRANT SELECT ON rights.open TO worker".to_owned(),
            "GRANT reader TO boss".to_owned(),
            "CREATE PROCEDURE rights.rise() SQL SECURITY INVOKER SET ROLE reader".to_owned(),
        ],
    )
    .await;
    let cluster = cluster(flavor).await;
    let headgate = Headgate::start(cluster, ONE).await.unwrap();
    let boss = Options::new(headgate.address(), "boss", "rights").tls(true).schema("rights");
    let worker = Options::new(headgate.address(), "worker", "rights").tls(true).schema("rights");
    for rise in ["SET ROLE reader", "CALL rise()"] {
        for reset in [false, true] {
            let what = format!("{rise}, reset {reset}");
            let mut one = boss.connect().await.unwrap();
            assert_eq!(error_of(&mut one, "SELECT * FROM secret").await, 1142, "{what}");
            ok(&mut one, rise).await;
            ok(&mut one, "SELECT * FROM secret").await;
            if reset {
                one.command(&[0x1F], Shape::Query).await.unwrap();
            }
            one.quit().await.unwrap();
            for (who, options) in [("boss", &boss), ("worker", &worker), ("boss", &boss)] {
                let mut next = options.connect().await.unwrap();
                assert_eq!(
                    error_of(&mut next, "SELECT * FROM secret").await,
                    1142,
                    "{what}: {who} may read it"
                );
                ok(&mut next, "SELECT * FROM open").await;
                next.quit().await.unwrap();
            }
        }
    }
    assert!(headgate.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_an_error_on_mysql() {
    errors_leak_nothing(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_an_error_on_mariadb() {
    errors_leak_nothing(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_role_on_mysql() {
    roles_leak_nothing(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_role_on_mariadb() {
    roles_leak_nothing(Flavor::MariaDb).await;
}
