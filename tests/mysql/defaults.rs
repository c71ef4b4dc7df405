//! Servers whose new sessions begin with something else than the primary's serve all the same, as the primary does.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use headgate::lab::Flavor;
use headgate::probing::queries;
use headgate::session::Variables;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options};
use crate::headgate::Headgate;
use crate::servers::{SCRIPT_USER, quiet_cluster, root};

/// For a session to have been at both replicas.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the defaults of [`crate::servers::OTHER_DEFAULTS`] would change.
const TELLING: &str = "'a' || 'b', 'a\\\\b', FROM_UNIXTIME(0), DATE_FORMAT('2026-11-24', '%W'), 1 / 3, \
    WEEK('2026-01-01'), @@sql_mode, @@time_zone, @@lc_messages, @@group_concat_max_len";

async fn row(connection: &mut Connection, sql: &str) -> Vec<String> {
    let reply = connection.query(sql).await.unwrap();
    assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    let text =
        |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or(b"NULL")).into_owned();
    reply.results[0][0].iter().map(text).collect()
}

async fn are_the_primarys(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let expected = row(&mut root(cluster).connect().await.unwrap(), &format!("SELECT {TELLING}")).await;
    let headgate = Headgate::start(cluster, &[]).await.unwrap();
    let app = cluster.accounts().app;
    let options = Options::new(headgate.address(), app.user, app.password).tls(true).schema("app");
    let mut session = options.connect().await.unwrap();
    let primary = cluster.primary().address().port().to_string();
    let mut ports = HashSet::new();
    let end = Instant::now() + PATIENCE;
    for round in 0.. {
        let mut told = row(&mut session, &format!("/* headgate: replica */ SELECT @@port, {TELLING}")).await;
        // A replica that is slow for a moment has its read run on the primary.
        let port = told.remove(0);
        assert_eq!(told, expected, "on {port}");
        if port != primary {
            ports.insert(port);
        }
        if round > 20 && ports.len() == 2 {
            break;
        }
        assert!(Instant::now() < end, "only {ports:?}");
        sleep(Duration::from_millis(10)).await;
    }
    // A session's own values go, and the primary's defaults come back.
    row_free(
        &mut session,
        "SET SESSION sql_mode = 'ANSI', time_zone = '+05:00', div_precision_increment = 2",
    )
    .await;
    for _ in 0..20 {
        let told = row(&mut session, "/* headgate: replica */ SELECT @@sql_mode, @@time_zone, 1 / 3").await;
        assert!(told[0].contains("ANSI_QUOTES") && told[1..] == ["+05:00", "0.33"], "{told:?}");
    }
    let mut other = options.connect().await.unwrap();
    for _ in 0..20 {
        let told = row(&mut other, &format!("/* headgate: replica */ SELECT {TELLING}")).await;
        assert_eq!(told, expected);
    }
    headgate.stop().await.unwrap();
}

/// What is levelled any account may set.
async fn any_account_may(flavor: Flavor) {
    let cluster = quiet_cluster(flavor).await;
    let defaults = root(cluster).connect().await.unwrap().query(queries::defaults()).await.unwrap();
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
    let defaults: BTreeMap<_, _> =
        defaults.results[0].iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
    let (user, password) = SCRIPT_USER;
    let options = Options::new(cluster.primary().address(), user, password).tls(true);
    let mut session = options.connect().await.unwrap();
    let mut refused = Vec::new();
    for (name, value) in Variables::of_defaults(&defaults).list() {
        let one = BTreeMap::from([((*name).to_owned(), value.to_string())]);
        let set = Variables::DEFAULT.change_to(&Variables::of_defaults(&one), &Variables::DEFAULT).unwrap();
        if let Some(error) = session.query(&set).await.unwrap().error {
            refused.push(format!("{set}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_account_may_on_mysql() {
    any_account_may(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_account_may_on_mariadb() {
    any_account_may(Flavor::MariaDb).await;
}

async fn row_free(connection: &mut Connection, sql: &str) {
    let reply = connection.query(sql).await.unwrap();
    assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_the_primarys_on_mysql() {
    are_the_primarys(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_the_primarys_on_mariadb() {
    are_the_primarys(Flavor::MariaDb).await;
}
