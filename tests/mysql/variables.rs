//! What `session::Variables` knows of session variables, asked of every server: each change is reported
//! with the value it has then, the same SET makes the same session on a replica, and DEFAULT undoes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headgate::auth::Secret;
use headgate::backend::{Connection, Credentials, Purpose, Target};
use headgate::lab::{Flavor, Node};
use headgate::net::tls::{ClientSettings, ClientTls, Mode};
use headgate::session::{CARRIED, Variables};
use headgate::topology::{Address, ServerId};
use headgate::wire::answer::Answer;
use headgate::wire::capabilities::Capabilities;

use crate::servers::cluster;

const LIMIT: Duration = Duration::from_secs(10);

async fn connect(node: &Node, password: &str, purpose: Purpose) -> Connection {
    let tls = ClientSettings { mode: Mode::Preferred, ca: None, certificate: None };
    let address = node.address();
    let target = Target {
        server: ServerId(0),
        address: Address::Tcp { host: address.ip().to_string(), port: address.port() },
        only: None,
        tls: Arc::new(arc_swap::ArcSwap::from_pointee(ClientTls::load(&tls).unwrap())),
        timeout: LIMIT,
        announced: None,
    };
    let credentials = Credentials {
        user: b"root",
        secret: &Secret::from_password(password.as_bytes()).unwrap(),
        schema: None,
        collation: 45,
        capabilities: Capabilities(0),
        attributes: &[],
    };
    Connection::open(&target, credentials, purpose).await.unwrap()
}

async fn values(connection: &mut Connection) -> BTreeMap<String, String> {
    let answer = connection.query("SHOW SESSION VARIABLES", LIMIT).await.unwrap();
    answer.rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap_or_default())).collect()
}

/// Another value than the one it has.
fn other(name: &str, value: &str) -> String {
    let special = match name {
        "sql_mode" => Some("ANSI_QUOTES,NO_BACKSLASH_ESCAPES"),
        "time_zone" => Some("+05:30"),
        "lc_messages" | "lc_time_names" => Some("de_DE"),
        "transaction_isolation" | "tx_isolation" => Some("READ-COMMITTED"),
        "updatable_views_with_limit" => Some("NO"),
        "optimizer_switch" => Some("index_merge=off"),
        "block_encryption_mode" => Some("aes-256-cbc"),
        _ => None,
    };
    if let Some(value) = special {
        return format!("'{value}'");
    }
    match value {
        "ON" => "OFF".to_owned(),
        "OFF" => "ON".to_owned(),
        _ => match value.parse::<f64>() {
            Ok(0.0) => "7".to_owned(),
            Ok(number) if number > 1e15 => "8192000".to_owned(),
            Ok(number) if number > 4096.0 => format!("{}", (number / 2.0).floor()),
            Ok(number) if number <= 4.0 => format!("{}", number.floor() + 2.0),
            Ok(number) => format!("{}", number.floor() - 1.0),
            Err(_) => panic!("{name} has the value {value:?}; say another one"),
        },
    }
}

/// A session on the primary and a connection to a replica, and what was found wrong so far.
struct Pair {
    session: Connection,
    replica: Connection,
    untouched: BTreeMap<String, String>,
    wrong: Vec<String>,
}

impl Pair {
    /// Sets one variable in the session and carries it to the replica and back.
    async fn carry(&mut self, name: &str, to: &str) {
        let sql = format!("SET SESSION {name} = {to}");
        let told = self.session.query(&sql, LIMIT).await.map(|answer| reported(&answer, name));
        let now = values(&mut self.session).await[name].clone();
        if !matches!(&told, Ok(Some(value)) if *value == now) {
            return self.wrong.push(format!("{sql}: reported {told:?}, is {now}"));
        }
        let mut wanted = Variables::DEFAULT;
        if !wanted.note(name.as_bytes(), now.as_bytes()) {
            return self.wrong.push(format!("{sql}: {now} cannot be carried"));
        }
        let carry = Variables::DEFAULT.change_to(&wanted, &Variables::DEFAULT).unwrap();
        let confirmed = self.replica.query(&carry, LIMIT).await.map(|answer| reported(&answer, name));
        if !matches!(&confirmed, Ok(Some(value)) if *value == now) {
            self.wrong.push(format!("{carry}: the replica reported {confirmed:?}"));
        }
        let there = values(&mut self.replica).await[name].clone();
        if there != now {
            self.wrong.push(format!("{carry}: {now} on the primary, {there} on the replica"));
        }
        self.replica
            .query(&wanted.change_to(&Variables::DEFAULT, &Variables::DEFAULT).unwrap(), LIMIT)
            .await
            .unwrap();
        for (other, value) in values(&mut self.replica).await {
            let restless = RESTLESS.iter().any(|name| other.starts_with(name));
            if self.untouched[&other] != value && !restless {
                let was = &self.untouched[&other];
                self.wrong.push(format!("after {name}, {other} is {value} and was {was}"));
            }
        }
    }
}

/// Beginnings of variables that change by themselves, or by what other tests do.
const RESTLESS: [&str; 5] = ["timestamp", "rand_seed", "statement_id", "gtid_", "general_log"];

fn reported(answer: &Answer, name: &str) -> Option<String> {
    let found = answer.variables.iter().find(|(known, _)| known == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

async fn each_is_carried(flavor: Flavor) {
    let cluster = cluster(flavor).await;
    let password = cluster.accounts().root.password;
    let mut session = connect(cluster.primary(), password, Purpose::Primary).await;
    let mut replica = connect(&cluster.replicas()[0], password, Purpose::Replica).await;
    let fresh = values(&mut session).await;
    let untouched = values(&mut replica).await;
    let mut pair = Pair { session, replica, untouched, wrong: Vec::new() };
    let mut checked = 0;
    for name in CARRIED {
        let Some(before) = fresh.get(*name) else { continue };
        checked += 1;
        pair.carry(name, &other(name, before)).await;
        pair.carry(name, "DEFAULT").await;
    }
    pair.session.leave();
    pair.replica.leave();
    assert!(pair.wrong.is_empty(), "{}", pair.wrong.join("\n"));
    assert!(checked > 40, "{checked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_carried_on_mysql() {
    each_is_carried(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_carried_on_mariadb() {
    each_is_carried(Flavor::MariaDb).await;
}
