//! Customers who come by one driver.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use headgate::lab::{Account, DATABASE};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::report::{Errors, kind};
use super::rust;
use crate::bank::Ledger;
use crate::runtimes::{modules, python};
use crate::stage::{PATIENCE, Stage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    PyMySql,
    ConnectorPython,
    Mysql2,
    NodeMariaDb,
    MysqlAsync,
}

pub(super) const DRIVERS: [Driver; 5] =
    [Driver::PyMySql, Driver::ConnectorPython, Driver::Mysql2, Driver::NodeMariaDb, Driver::MysqlAsync];

impl Driver {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PyMySql => "pymysql",
            Self::ConnectorPython => "connector",
            Self::Mysql2 => "mysql2",
            Self::NodeMariaDb => "mariadb",
            Self::MysqlAsync => "mysql_async",
        }
    }

    /// The first of the numbers that its transfers have; they are no other driver's.
    fn base(self) -> u64 {
        1_000_000_000 * (1 + self as u64)
    }
}

/// What the customers of all drivers were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) ledger: Ledger,
    pub(super) errors: Errors,
    /// Every line, of those who are asked.
    pub(super) lines: Vec<(Driver, Vec<String>)>,
}

pub(super) type Book = Arc<Mutex<Told>>;

/// Whether customers do as they like, so many of them, or only what they are asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Habit {
    Busy(u64),
    Asked,
}

/// The customers of one driver. They leave when it is dropped.
pub(super) enum Team {
    Script { child: Child, orders: Option<ChildStdin> },
    Rust { closed: Arc<AtomicBool>, asked: Option<rust::Asked>, customers: JoinSet<()> },
}

impl Team {
    pub(super) fn open(stage: &Stage, driver: Driver, habit: Habit, book: &Book) -> Self {
        let book = Arc::clone(book);
        let tell = move |fields: &[&str]| book.lock().hear(driver, fields, matches!(habit, Habit::Asked));
        if driver == Driver::MysqlAsync {
            return rust::open(stage, driver.base(), habit, Arc::new(tell));
        }
        let mut command = command(driver);
        let Account { user, password } = stage.cluster.accounts().app;
        let (address, base) = (stage.headgate.address(), driver.base().to_string());
        let customers = match habit {
            Habit::Busy(customers) => customers.to_string(),
            Habit::Asked => "asked".to_owned(),
        };
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args([&host, &port, user, password, DATABASE, &customers, &base]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                tell(&line.split('\t').collect::<Vec<_>>());
            }
        });
        let orders = child.stdin.take();
        Self::Script { child, orders }
    }

    /// Gives those an order who wait for one.
    pub(super) fn order(&mut self, order: &str) {
        match self {
            Self::Script { orders, .. } => writeln!(orders.as_mut().unwrap(), "{order}").unwrap(),
            Self::Rust { asked, .. } => asked.as_ref().unwrap().order(),
        }
    }

    /// Sends the customers home and waits until they are gone, what they are told last included.
    pub(super) async fn close(mut self) {
        match &mut self {
            Self::Script { child, orders } => {
                orders.take();
                let end = Instant::now() + PATIENCE;
                while child.try_wait().unwrap().is_none() && Instant::now() < end {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
            Self::Rust { closed, customers, .. } => {
                closed.store(true, Ordering::Relaxed);
                while customers.join_next().await.is_some() {}
            }
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if let Self::Script { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Told {
    fn hear(&mut self, driver: Driver, fields: &[&str], asked: bool) {
        match fields {
            ["ok", number] => {
                self.ledger.acknowledged.push((number.parse().unwrap(), Instant::now()));
            }
            ["error", rest @ ..] => *self.errors.entry(kind(driver.name(), rest)).or_default() += 1,
            ["lost"] => {
                let lost = format!("{} | says that the connection is lost", driver.name());
                *self.errors.entry(lost).or_default() += 1;
            }
            ["ready" | "mark", _] => {}
            other => panic!("{driver:?} says {other:?}"),
        }
        if asked {
            self.lines.push((driver, fields.iter().map(|field| (*field).to_owned()).collect()));
        }
    }
}

/// The program of a driver's customers.
fn command(driver: Driver) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failover/scripts");
    let mut command = match driver {
        Driver::PyMySql | Driver::ConnectorPython => {
            let mut command = Command::new(python());
            command.arg(scripts.join("bank.py"));
            command
        }
        _ => {
            let mut command = Command::new("node");
            command.arg(scripts.join("bank.js")).env("NODE_PATH", modules(driver.name()));
            command
        }
    };
    command.arg(driver.name());
    command
}
