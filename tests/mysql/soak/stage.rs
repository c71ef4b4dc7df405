//! What the clients of the soak share: accounts, tables, and what they agree on among themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use headgate::lab::{Cluster, Flavor};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::act::Act;
use super::model::{SCHEMAS, VARIABLES, Variables, isolation};
use crate::client::{Connection, Options, Shape};
use crate::servers::root;

pub(super) const ACCOUNTS: [&str; 4] = ["soak_0", "soak_1", "soak_2", "soak_3"];
pub(super) const PASSWORD: &str = "soak-pw";

/// Clients that may keep a connection at a time; the others share the rest.
pub(super) const HOLDERS: usize = 14;

/// Named locks that all clients want.
pub(super) const LOCKS: usize = 4;

/// Accounts of the bank, and what each has in the beginning. Transfers leave the sum as it is.
pub(super) const BANK: (usize, usize) = (20, 1_000);

/// Rows of the tables `shared`.
pub(super) const SHARED: usize = 20;

/// With which variables a session begins, by what it begins with.
#[derive(Debug, Clone)]
pub(super) struct Begins {
    pub(super) login: Variables,
    pub(super) change_user: Variables,
    pub(super) reset: Variables,
}

/// A session that runs something long, at which others may aim a KILL.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: u32,
    pub(super) account: usize,
    /// KILLs that have begun.
    pub(super) aimed: AtomicU64,
    /// KILLs that have been answered.
    pub(super) answered: AtomicU64,
}

/// What all clients share.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) flavor: Flavor,
    pub(super) address: SocketAddr,
    pub(super) seed: u64,
    pub(super) begins: Begins,
    pub(super) permits: Arc<Semaphore>,
    pub(super) targets: Mutex<Vec<Arc<Target>>>,
    /// Whether somebody is where only the owner of a lock may be.
    pub(super) inside: [AtomicBool; LOCKS],
    over: AtomicBool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Stage {
    /// Asks the primary itself what sessions begin with.
    pub(super) async fn set(cluster: &Cluster, address: SocketAddr, seed: u64) -> Self {
        Self {
            flavor: cluster.flavor(),
            address,
            seed,
            begins: begins(cluster).await,
            permits: Arc::new(Semaphore::new(HOLDERS)),
            targets: Mutex::default(),
            inside: Default::default(),
            over: AtomicBool::new(false),
            counts: Mutex::default(),
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn count(&self, what: &'static str) {
        *self.counts.lock().entry(what).or_default() += 1;
    }

    /// All that clients have done.
    pub(super) fn actions(&self) -> u64 {
        let counts = self.counts.lock();
        Act::all().filter_map(|act| counts.get(act.name())).sum()
    }

    /// How often everything was done.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().clone()
    }
}

/// The statement that reads all variables of the model.
pub(super) fn read_variables(flavor: Flavor) -> String {
    let names = VARIABLES.into_iter().chain([isolation(flavor)]);
    let reads: Vec<String> = names.map(|name| format!("@@session.{name}")).collect();
    format!("SELECT {}", reads.join(", "))
}

async fn variables(connection: &mut Connection, flavor: Flavor) -> Variables {
    let reply = connection.query(read_variables(flavor)).await.unwrap();
    let names = VARIABLES.into_iter().chain([isolation(flavor)]);
    let text =
        |value: &Option<Vec<u8>>| value.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
    names.zip(reply.results[0][0].iter().map(text)).collect()
}

async fn begins(cluster: &Cluster) -> Begins {
    let flavor = cluster.flavor();
    let options =
        Options::new(cluster.primary().address(), ACCOUNTS[0], PASSWORD).tls(true).schema(SCHEMAS[0]);
    let mut connection = options.connect().await.unwrap();
    let login = variables(&mut connection, flavor).await;
    connection.command(&[0x1F], Shape::Query).await.unwrap();
    let reset = variables(&mut connection, flavor).await;
    assert!(options.change_user(&mut connection).await.unwrap().is_none());
    let change_user = variables(&mut connection, flavor).await;
    connection.quit().await.unwrap();
    Begins { login, change_user, reset }
}

/// Makes accounts and tables for so many clients.
pub(super) async fn furnish(cluster: &Cluster, clients: usize) {
    let mut statements = Vec::new();
    for account in ACCOUNTS {
        statements.push(format!("DROP USER IF EXISTS {account}"));
        statements.push(format!("CREATE USER {account} IDENTIFIED BY '{PASSWORD}'"));
        statements.push(format!("GRANT ALL ON `soak\\_%`.* TO {account}"));
    }
    for schema in SCHEMAS {
        statements.push(format!("DROP DATABASE IF EXISTS {schema}"));
        statements.push(format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"));
        statements.push(format!("CREATE TABLE {schema}.shared (id INT PRIMARY KEY, v VARCHAR(10))"));
        let letter = schema.trim_start_matches("soak_");
        let rows: Vec<String> = (0..SHARED).map(|id| format!("({id}, '{letter}{id:02}')")).collect();
        statements.push(format!("INSERT INTO {schema}.shared VALUES {}", rows.join(", ")));
        for client in 0..clients {
            statements.push(format!(
                "CREATE TABLE {schema}.t{client} (id INT AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL UNIQUE, \
                 a BIGINT NOT NULL, b VARCHAR(40) CHARACTER SET utf8mb4)"
            ));
        }
    }
    let (accounts, each) = BANK;
    let money: Vec<String> = (0..accounts).map(|id| format!("({id}, {each})")).collect();
    let counters: Vec<String> = (0..clients).map(|client| format!("({client}, 0)")).collect();
    statements.extend([
        "CREATE TABLE soak_a.bank (id INT PRIMARY KEY, v INT NOT NULL)".to_owned(),
        format!("INSERT INTO soak_a.bank VALUES {}", money.join(", ")),
        "CREATE TABLE soak_a.counters (client INT PRIMARY KEY, n INT NOT NULL)".to_owned(),
        format!("INSERT INTO soak_a.counters VALUES {}", counters.join(", ")),
        "CREATE TABLE soak_a.log (client INT, n INT, PRIMARY KEY (client, n))".to_owned(),
        "CREATE TABLE soak_a.limbo (client INT, n INT, PRIMARY KEY (client, n))".to_owned(),
        "CREATE TABLE soak_a.watched (client INT, n INT, PRIMARY KEY (client, n))".to_owned(),
        "CREATE TRIGGER soak_a.watch BEFORE INSERT ON soak_a.watched FOR EACH ROW \
         SET SESSION default_week_format = 5"
            .to_owned(),
        "CREATE PROCEDURE soak_a.fails(c INT, m INT) BEGIN SET SESSION group_concat_max_len = 1000 + m; \
         SET SESSION time_zone = '+07:00'; START TRANSACTION; INSERT INTO soak_a.log VALUES (c, m); COMMIT; \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'soaked'; END"
            .to_owned(),
        "CREATE PROCEDURE soak_a.sets(m INT) BEGIN SET SESSION lc_time_names = 'fr_FR', \
         div_precision_increment = m; SELECT m; SELECT v FROM shared WHERE id = m; END"
            .to_owned(),
        "CREATE FUNCTION soak_a.plus(m INT) RETURNS INT DETERMINISTIC RETURN m + 1".to_owned(),
    ]);
    let mut root = root(cluster).connect().await.unwrap();
    for statement in statements {
        let reply = root.query(&statement).await.unwrap();
        assert!(reply.error.is_none(), "{statement}: {:?}", reply.error);
    }
    root.quit().await.unwrap();
    cluster.wait_caught_up(Duration::from_secs(120)).await.unwrap();
}
