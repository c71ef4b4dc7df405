//! Login truth: who may log in is what the primary says, at every login (HAZARDS 17).

use std::time::Duration;

use headgate::lab::{Cluster, Flavor};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::err::ErrPacket;
use tokio::time::Instant;

use crate::client::{Connection, Options, PLAIN_CLIENT};
use crate::headgate::Headgate;
use crate::servers::cluster;

const FLAVORS: [Flavor; 2] = Flavor::ALL;
const ACCESS_DENIED: u16 = 1045;

/// An account with one of each family's methods; its password is the user's name and `-secret`.
async fn account(cluster: &Cluster, user: &str, method: &str) {
    let password = secret(user);
    let how = match cluster.flavor() {
        Flavor::MySql => format!("IDENTIFIED WITH {method} BY '{password}'"),
        Flavor::MariaDb => format!("IDENTIFIED VIA {method} USING PASSWORD('{password}')"),
    };
    sql(cluster, &format!("DROP USER IF EXISTS {user}")).await;
    sql(cluster, &format!("CREATE USER {user}@'%' {how}")).await;
    sql(cluster, &format!("GRANT SELECT ON app.* TO {user}@'%'")).await;
}

fn secret(user: &str) -> String {
    format!("{user}-secret")
}

/// The methods a server offers passwords for without plugins.
fn methods(flavor: Flavor) -> &'static [&'static str] {
    match flavor {
        Flavor::MySql => &["caching_sha2_password", "sha256_password"],
        Flavor::MariaDb => &["mysql_native_password"],
    }
}

async fn sql(cluster: &Cluster, statement: &str) {
    cluster.primary().sql(statement).await.unwrap();
}

/// The two ways to a server: directly at the primary, and through Headgate.
struct Ways<'a> {
    cluster: &'a Cluster,
    headgate: &'a Headgate,
}

impl Ways<'_> {
    fn direct(&self, user: &str, password: &str) -> Options {
        Options::new(self.cluster.primary().address(), user, password)
    }

    fn headgate(&self, user: &str, password: &str) -> Options {
        Options::new(self.headgate.address(), user, password)
    }

    /// Logs in and out a few times, so that a connection of this user waits in the pool.
    async fn warm(&self, user: &str, password: &str) {
        for _ in 0..3 {
            let mut connection = self.headgate(user, password).tls(true).connect().await.unwrap();
            assert_eq!(ask(&mut connection, "SELECT 1").await, "1");
            connection.quit().await.unwrap();
        }
    }

    /// Headgate refuses in the very words of the primary; returns the error number.
    async fn refused_alike(&self, change: impl Fn(Options) -> Options, user: &str, password: &str) -> u16 {
        let direct = refusal(&change(self.direct(user, password))).await;
        let headgate = refusal(&change(self.headgate(user, password))).await;
        assert_eq!(headgate.to_string(), direct.to_string(), "{user}");
        direct.code
    }
}

async fn refusal(options: &Options) -> ErrPacket {
    match options.login().await.unwrap() {
        Err(refusal) => refusal,
        Ok(_) => panic!("{} got in at {} with {:?}", options.user, options.address, options.password),
    }
}

async fn ask(connection: &mut Connection, question: &str) -> String {
    let reply = connection.query(question).await.unwrap();
    reply.value().unwrap_or_else(|| panic!("{question}: {:#?}", reply.lines))
}

fn assert_no_password_in(headgate: &Headgate, passwords: &[String]) {
    let log = headgate.log();
    for password in passwords {
        assert!(!log.contains(password.as_str()), "the log contains {password}");
    }
}

#[tokio::test]
async fn a_changed_account_counts_at_the_very_next_login() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        for method in methods(flavor) {
            let user = "login_changes";
            account(cluster, user, method).await;
            let (old, new) = (secret(user), "another-secret".to_owned());
            ways.warm(user, &old).await;

            sql(cluster, &format!("ALTER USER {user} IDENTIFIED BY '{new}'")).await;
            assert_eq!(ways.refused_alike(|options| options.tls(true), user, &old).await, ACCESS_DENIED);
            ways.warm(user, &new).await;

            sql(cluster, &format!("ALTER USER {user} ACCOUNT LOCK")).await;
            let locked = if flavor == Flavor::MySql { 3118 } else { 4151 };
            assert_eq!(ways.refused_alike(|options| options.tls(true), user, &new).await, locked);
            sql(cluster, &format!("ALTER USER {user} ACCOUNT UNLOCK")).await;
            ways.warm(user, &new).await;

            sql(cluster, &format!("DROP USER {user}")).await;
            assert_eq!(ways.refused_alike(|options| options.tls(true), user, &new).await, ACCESS_DENIED);
            assert_no_password_in(&headgate, &[old, new]);
        }
        headgate.stop().await.unwrap();
    }
}

#[tokio::test]
async fn refusals_are_the_primarys_own() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        for (number, method) in methods(flavor).iter().enumerate() {
            let user = format!("login_refused_{number}");
            account(cluster, &user, method).await;
            let right = secret(&user);
            for tls in [true, false] {
                let form = |options: Options| options.tls(tls);
                assert_eq!(ways.refused_alike(form, &user, "wrong-secret").await, ACCESS_DENIED);
                assert_eq!(ways.refused_alike(form, &user, "").await, ACCESS_DENIED);
                assert_eq!(ways.refused_alike(form, "login_nobody", "whatever").await, ACCESS_DENIED);
                assert_eq!(ways.refused_alike(form, "login_nobody", "").await, ACCESS_DENIED);
                let no_such = |options: Options| options.tls(tls).schema("no_such_schema");
                let unknown = ways.refused_alike(no_such, &user, &right).await;
                assert!(unknown == 1049 || unknown == 1044, "{unknown}");
                let not_mine = |options: Options| options.tls(tls).schema("mysql");
                assert_eq!(ways.refused_alike(not_mine, &user, &right).await, 1044);
            }
        }
        let root = cluster.accounts().root;
        let no_such = |options: Options| options.tls(true).schema("no_such_schema");
        assert_eq!(ways.refused_alike(no_such, root.user, root.password).await, 1049);
        assert_no_password_in(&headgate, &["wrong-secret".to_owned(), root.password.to_owned()]);
        headgate.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_account_without_a_password_needs_none() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        sql(cluster, "DROP USER IF EXISTS login_open").await;
        sql(cluster, "CREATE USER login_open@'%' IDENTIFIED BY ''").await;
        for tls in [true, false] {
            let mut connection = ways.headgate("login_open", "").tls(tls).connect().await.unwrap();
            assert_eq!(ask(&mut connection, "SELECT CURRENT_USER()").await, "login_open@%");
            connection.quit().await.unwrap();
            let form = |options: Options| options.tls(tls);
            assert_eq!(ways.refused_alike(form, "login_open", "something").await, ACCESS_DENIED);
        }
        headgate.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_cold_cache_of_passwords_changes_nothing() {
    let cluster = cluster(Flavor::MySql).await;
    for backend_tls in ["required", "disabled"] {
        let headgate = Headgate::start(cluster, &["--backend-tls", backend_tls]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        let user = "login_cold";
        account(cluster, user, "caching_sha2_password").await;
        for tls in [true, false, false, true] {
            sql(cluster, "FLUSH PRIVILEGES").await;
            // Headgate knows the password from the second login on; the server's cache stays cold.
            let mut connection = ways.headgate(user, &secret(user)).tls(tls).connect().await.unwrap();
            assert_eq!(ask(&mut connection, "SELECT 1").await, "1");
            connection.quit().await.unwrap();
            sql(cluster, "FLUSH PRIVILEGES").await;
            let refused = ways.refused_alike(|options| options.tls(tls), user, "wrong-secret").await;
            assert_eq!(refused, ACCESS_DENIED);
        }
        headgate.stop().await.unwrap();
    }
}

#[tokio::test]
async fn every_method_works_in_every_mode_of_tls() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let ca = cluster.ca().unwrap().display().to_string();
        for mode in ["disabled", "preferred", "required", "verify-ca", "verify-identity"] {
            let mut flags = vec!["--backend-tls", mode];
            if mode.starts_with("verify") {
                flags.extend(["--backend-ca", &ca]);
            }
            let headgate = Headgate::start(cluster, &flags).await.unwrap();
            let ways = Ways { cluster, headgate: &headgate };
            for (number, method) in methods(flavor).iter().enumerate() {
                let user = format!("login_{}_{number}", mode.replace('-', "_"));
                account(cluster, &user, method).await;
                // The second plain login meets a warm cache.
                for tls in [false, true, false] {
                    let options = ways.headgate(&user, &secret(&user)).tls(tls);
                    let mut connection = options.connect().await.unwrap_or_else(|error| {
                        panic!("{method}, {mode}, client TLS {tls}: {error:#}");
                    });
                    let reply = connection.query("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap();
                    let cipher = reply.results[0][0][1].clone().unwrap_or_default();
                    assert_eq!(cipher.is_empty(), mode == "disabled", "{method}, {mode}: {cipher:?}");
                    connection.quit().await.unwrap();
                }
                assert_no_password_in(&headgate, &[secret(&user)]);
            }
            headgate.stop().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_may_begin_with_another_method() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        for method in methods(flavor) {
            let user = "login_switch";
            account(cluster, user, method).await;
            for first in ["mysql_native_password", "caching_sha2_password", "sha256_password"] {
                for tls in [true, false] {
                    let options = ways.headgate(user, &secret(user)).tls(tls).plugin(first);
                    let mut connection = options.connect().await.unwrap_or_else(|error| {
                        panic!("{method}, begun with {first}, TLS {tls}: {error:#}");
                    });
                    assert_eq!(ask(&mut connection, "SELECT 1").await, "1");
                    connection.quit().await.unwrap();
                }
            }
        }
        // The form of the login of before 5.5: no method is named at all.
        if flavor == Flavor::MariaDb {
            let without = PLAIN_CLIENT.without(Capabilities::PLUGIN_AUTH | Capabilities::CONNECT_ATTRS);
            let options = ways.headgate("login_switch", &secret("login_switch")).capabilities(without);
            options.connect().await.unwrap().quit().await.unwrap();
        }
        headgate.stop().await.unwrap();
    }
}

#[tokio::test]
async fn certificates_are_verified_where_that_is_asked_for() {
    let cluster = cluster(Flavor::MySql).await;
    // An authority of nobody's servers: its own certificate serves.
    let other = self::cluster(Flavor::MariaDb).await.ca().unwrap().display().to_string();
    let flags = ["--backend-tls", "verify-ca", "--backend-ca", &other];
    let started = Headgate::start_within(cluster, &flags, Duration::from_secs(3));
    let refused = started.await.map(drop).unwrap_err();
    assert!(format!("{refused:#}").to_lowercase().contains("certificate"), "{refused:#}");
}

#[tokio::test]
async fn clients_without_tls_are_refused_where_it_is_required() {
    let cluster = cluster(Flavor::MySql).await;
    let headgate = Headgate::start(cluster, &["--require-tls"]).await.unwrap();
    let app = cluster.accounts().app;
    let ways = Ways { cluster, headgate: &headgate };
    let refused = refusal(&ways.headgate(app.user, app.password)).await;
    assert_eq!((refused.code, &refused.state), (3159, b"HY000"));
    assert!(refused.text().contains("TLS"), "{refused}");
    let mut connection = ways.headgate(app.user, app.password).tls(true).connect().await.unwrap();
    assert_eq!(ask(&mut connection, "SELECT 1").await, "1");
    headgate.stop().await.unwrap();
}

#[tokio::test]
async fn guessing_gets_slower_and_does_not_slow_the_right_password() {
    let cluster = cluster(Flavor::MySql).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let ways = Ways { cluster, headgate: &headgate };
    let user = "login_guessed";
    account(cluster, user, "caching_sha2_password").await;
    let app = cluster.accounts().app;
    let mut waits = Vec::new();
    for guess in 0..7 {
        let begun = Instant::now();
        let refused = refusal(&ways.headgate(user, &format!("guess-{guess}")).tls(true)).await;
        assert_eq!(refused.code, ACCESS_DENIED);
        waits.push(begun.elapsed());
    }
    let last = waits[waits.len() - 1];
    assert!(last > Duration::from_millis(500) && last > 3 * waits[0], "{waits:?}");
    let begun = Instant::now();
    ways.headgate(app.user, app.password).tls(true).connect().await.unwrap();
    assert!(begun.elapsed() < last / 2, "another user's login took {:?}", begun.elapsed());
    headgate.stop().await.unwrap();
}

/// An expired password lets its owner in to change it, and to nothing else; as on the server itself.
#[tokio::test]
async fn an_expired_password_is_good_for_a_new_one() {
    for flavor in FLAVORS {
        let cluster = cluster(flavor).await;
        let headgate = Headgate::start(cluster, &[]).await.unwrap();
        let ways = Ways { cluster, headgate: &headgate };
        let user = "login_expired";
        let handles = PLAIN_CLIENT | Capabilities::EXPIRED_PASSWORDS;
        let mut told = Vec::new();
        for direct in [true, false] {
            account(cluster, user, methods(flavor)[0]).await;
            let way = |password: &str| {
                let options =
                    if direct { ways.direct(user, password) } else { ways.headgate(user, password) };
                options.tls(true).capabilities(handles)
            };
            if !direct {
                ways.warm(user, &secret(user)).await;
            }
            sql(cluster, &format!("ALTER USER {user} PASSWORD EXPIRE")).await;
            if flavor == Flavor::MySql {
                // A client that would not know what to do is not let in.
                assert_eq!(refusal(&way(&secret(user)).capabilities(PLAIN_CLIENT)).await.code, 1862);
            }
            let mut connection = way(&secret(user)).connect().await.unwrap();
            let mut told_here = Vec::new();
            for statement in [
                "SELECT 1".to_owned(),
                "USE app".to_owned(),
                "SET PASSWORD = PASSWORD('x') WHERE".to_owned(),
                "ALTER USER USER() IDENTIFIED BY 'a-new-secret'".to_owned(),
                "SELECT 2".to_owned(),
                "SET @a = 3".to_owned(),
                "SELECT @a".to_owned(),
            ] {
                let statement = match flavor {
                    // MariaDB's ALTER USER takes no function.
                    Flavor::MariaDb => statement.replace(
                        "ALTER USER USER() IDENTIFIED BY 'a-new-secret'",
                        "SET PASSWORD = PASSWORD('a-new-secret')",
                    ),
                    Flavor::MySql => statement,
                };
                told_here.push(connection.query(&statement).await.unwrap().lines.join(" / "));
            }
            connection.quit().await.unwrap();
            assert!(told_here[0].contains("1820") && told_here[4].contains("row"), "{told_here:#?}");
            told.push(told_here);
            let again = way("a-new-secret").connect().await.unwrap();
            again.quit().await.unwrap();
            assert_eq!(refusal(&way(&secret(user))).await.code, ACCESS_DENIED);
        }
        assert_eq!(told[0], told[1], "{flavor:?}");
        headgate.stop().await.unwrap();
    }
}
