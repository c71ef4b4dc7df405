//! Customers by mysql_async: as the scripts, in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use headgate::lab::{Account, DATABASE};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, TxOpts};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::team::{Habit, Team};
use crate::stage::Stage;

/// Says what a customer was told.
type Tell = Arc<dyn Fn(&[&str]) + Send + Sync>;

/// Orders, counted.
pub(super) struct Asked(watch::Sender<u32>);

impl Asked {
    pub(super) fn order(&self) {
        self.0.send_modify(|orders| *orders += 1);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Transfer,
    /// A transaction that waits for nobody else's.
    Transact,
    Insert,
}

struct Customer {
    opts: Opts,
    tell: Tell,
    work: Work,
    connection: Option<Conn>,
    /// What is being done.
    what: &'static str,
}

pub(super) fn open(stage: &Stage, base: u64, habit: Habit, tell: Tell) -> Team {
    let Account { user, password } = stage.cluster.accounts().app;
    let address = stage.headgate.address();
    let opts: Opts = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(user))
        .pass(Some(password))
        .db_name(Some(DATABASE))
        // On loopback its default is to ask the server for its socket and to go there, past everything between.
        .prefer_socket(false)
        .into();
    let customer = |work| Customer {
        opts: opts.clone(),
        tell: Arc::clone(&tell),
        work,
        connection: None,
        what: "connect",
    };
    let closed = Arc::<AtomicBool>::default();
    let numbers = Arc::new(AtomicU64::new(base));
    let mut customers = JoinSet::new();
    let asked = match habit {
        Habit::Busy(count) => {
            for _ in 0..count {
                customers.spawn(customer(Work::Transfer).live(Arc::clone(&numbers), Arc::clone(&closed)));
            }
            None
        }
        Habit::Asked => {
            let (sender, orders) = watch::channel(0);
            for work in [Work::Insert, Work::Transact] {
                customers.spawn(customer(work).obey(Arc::clone(&numbers), orders.clone()));
            }
            Some(Asked(sender))
        }
    };
    Team::Rust { closed, asked, customers }
}

impl Customer {
    async fn live(mut self, numbers: Arc<AtomicU64>, closed: Arc<AtomicBool>) {
        while !closed.load(Ordering::Relaxed) {
            if !self.once(numbers.fetch_add(1, Ordering::Relaxed)).await {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    async fn obey(mut self, numbers: Arc<AtomicU64>, mut orders: watch::Receiver<u32>) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let mut connection = Conn::new(self.opts.clone()).await.unwrap();
        connection.query_drop(format!("SET @mark = {number}")).await.unwrap();
        self.connection = Some(connection);
        (self.tell)(&["ready", &number.to_string()]);
        let _ = orders.wait_for(|orders| *orders >= 1).await;
        self.once(number).await;
        let _ = orders.wait_for(|orders| *orders >= 2).await;
        if let Some(connection) = &mut self.connection {
            let marked: Result<Option<Option<u64>>, Error> = connection.query_first("SELECT @mark").await;
            match marked {
                Ok(marked) => {
                    let right = marked.flatten() == Some(number);
                    (self.tell)(&["mark", if right { "true" } else { "false" }]);
                }
                Err(error) => self.complain(&error),
            }
        }
        self.once(numbers.fetch_add(1, Ordering::Relaxed)).await;
    }

    /// Whether it was told that it is done.
    async fn once(&mut self, number: u64) -> bool {
        let outcome = match self.work {
            Work::Transfer | Work::Transact => self.transact(number).await,
            Work::Insert => self.insert(number).await,
        };
        match outcome {
            Ok(()) => (self.tell)(&["ok", &number.to_string()]),
            Err(error) => {
                self.complain(&error);
                return false;
            }
        }
        true
    }

    async fn transact(&mut self, number: u64) -> Result<(), Error> {
        // Of a busy one that everybody has to do with, as a shop's.
        let (first, second) = (number * 7 % 49, 49);
        let Self { what, connection, work, .. } = self;
        let link = connected(connection, &self.opts, what).await?;
        *what = "begin";
        // Where it fails it is rolled back by the driver, before the next statement.
        let mut transaction = link.start_transaction(TxOpts::default()).await?;
        *what = "write";
        let moved: &[(u64, i64)] = if *work == Work::Transfer { &[(first, -1), (second, 1)] } else { &[] };
        let select = "SELECT balance FROM accounts WHERE id IN (?, ?) ORDER BY id FOR UPDATE";
        if !moved.is_empty() {
            let _: Vec<i64> = transaction.exec(select, (first, second)).await?;
        }
        transaction.exec_drop("INSERT INTO transfers (id) VALUES (?)", (number,)).await?;
        for (place, change) in moved {
            let update = "UPDATE accounts SET balance = balance + ? WHERE id = ?";
            transaction.exec_drop(update, (change, place)).await?;
        }
        *what = "commit";
        transaction.commit().await
    }

    async fn insert(&mut self, number: u64) -> Result<(), Error> {
        let Self { what, connection, .. } = self;
        let link = connected(connection, &self.opts, what).await?;
        *what = "autocommit";
        link.exec_drop("INSERT INTO transfers (id) VALUES (?)", (number,)).await
    }

    fn complain(&mut self, error: &Error) {
        match error {
            Error::Server(error) => {
                (self.tell)(&["error", self.what, &error.code.to_string(), &error.state, &error.message]);
            }
            other => (self.tell)(&["error", self.what, "-", "-", &other.to_string()]),
        }
        if error.is_fatal() && self.connection.take().is_some() {
            (self.tell)(&["lost"]);
        }
    }
}

/// The connection, opened where there is none.
async fn connected<'a>(
    connection: &'a mut Option<Conn>,
    opts: &Opts,
    what: &mut &'static str,
) -> Result<&'a mut Conn, Error> {
    if connection.is_none() {
        *what = "connect";
        *connection = Some(Conn::new(opts.clone()).await?);
    }
    Ok(connection.as_mut().unwrap())
}
