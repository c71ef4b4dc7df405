//! What the shop's customers do, through a driver that knows nothing of Headgate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::shop::{CUSTOMERS, PRODUCTS};

/// Clients, each with a connection of its own.
const CLIENTS: u32 = 12;
/// Between two steps of a client: enough statements to see, and a laptop that stays quiet.
const PAUSE: Duration = Duration::from_millis(15);
/// After an error, before a new connection.
const RECOVERY: Duration = Duration::from_millis(500);

/// The load, running.
pub(crate) struct Traffic {
    tally: Arc<Tally>,
    clients: JoinSet<()>,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stopping: AtomicBool,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    /// Reads of a value the same client had just written.
    pub(crate) own_reads: AtomicU64,
    /// Those that showed something older.
    pub(crate) stale: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) last_error: Mutex<Option<String>>,
}

impl Traffic {
    pub(crate) fn start(opts: &Opts) -> Self {
        let tally = Arc::new(Tally::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(live(number, opts.clone(), Arc::clone(&tally)));
        }
        Self { tally, clients }
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Lets every client finish its step.
    pub(crate) async fn stop(&self) {
        self.tally.stopping.store(true, Ordering::Relaxed);
        for _ in 0..50 {
            if Arc::strong_count(&self.tally) == 1 {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.clients.abort_all();
    }
}

async fn live(number: u32, opts: Opts, tally: Arc<Tally>) {
    let mut dice = Dice(u64::from(number) + 1);
    while !tally.stopping.load(Ordering::Relaxed) {
        if let Err(error) = visit(number, &opts, &tally, &mut dice).await {
            tally.errors.fetch_add(1, Ordering::Relaxed);
            *tally.last_error.lock() = Some(error.to_string());
            sleep(RECOVERY).await;
        }
    }
}

/// One connection's life: mostly looking around, some buying.
async fn visit(number: u32, opts: &Opts, tally: &Tally, dice: &mut Dice) -> mysql_async::Result<()> {
    let mut conn = Conn::new(opts.clone()).await?;
    while !tally.stopping.load(Ordering::Relaxed) {
        match dice.below(20) {
            0 => buy(&mut conn, tally, dice).await?,
            1 | 2 => come_back(&mut conn, number, tally).await?,
            3..=7 => history(&mut conn, tally, dice).await?,
            _ => browse(&mut conn, tally, dice).await?,
        }
        sleep(PAUSE).await;
    }
    conn.disconnect().await
}

/// Plain reads.
async fn browse(conn: &mut Conn, tally: &Tally, dice: &mut Dice) -> mysql_async::Result<()> {
    let product = 1 + dice.below(PRODUCTS);
    let _: Option<(String, i32)> =
        conn.query_first(format!("SELECT name, price FROM products WHERE id = {product}")).await?;
    tally.reads.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn history(conn: &mut Conn, tally: &Tally, dice: &mut Dice) -> mysql_async::Result<()> {
    let customer = 1 + dice.below(CUSTOMERS);
    let _: Vec<(i32, i32)> = conn
        .query(format!(
            "SELECT product, quantity FROM orders WHERE customer = {customer} ORDER BY id DESC LIMIT 10"
        ))
        .await?;
    tally.reads.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// A transaction, with a locking read in it.
async fn buy(conn: &mut Conn, tally: &Tally, dice: &mut Dice) -> mysql_async::Result<()> {
    let (customer, product) = (1 + dice.below(CUSTOMERS), 1 + dice.below(PRODUCTS));
    let sold = 1 + dice.below(3);
    conn.query_drop("START TRANSACTION").await?;
    let stock: Option<i64> =
        conn.query_first(format!("SELECT stock FROM products WHERE id = {product} FOR UPDATE")).await?;
    if stock.is_some_and(|stock| stock >= i64::from(sold)) {
        conn.query_drop(format!("UPDATE products SET stock = stock - {sold} WHERE id = {product}")).await?;
    } else {
        conn.query_drop(format!("UPDATE products SET stock = 1000 WHERE id = {product}")).await?;
    }
    conn.query_drop(format!(
        "INSERT INTO orders (customer, product, quantity) VALUES ({customer}, {product}, {sold})"
    ))
    .await?;
    conn.query_drop("COMMIT").await?;
    tally.reads.fetch_add(1, Ordering::Relaxed);
    tally.writes.fetch_add(2, Ordering::Relaxed);
    Ok(())
}

/// A write, and at once the question what was written. Each client counts a customer of its own.
async fn come_back(conn: &mut Conn, number: u32, tally: &Tally) -> mysql_async::Result<()> {
    let customer = 1 + number;
    let before = visits(conn, customer).await?;
    conn.query_drop(format!("UPDATE customers SET visits = visits + 1 WHERE id = {customer}")).await?;
    let after = visits(conn, customer).await?;
    tally.reads.fetch_add(2, Ordering::Relaxed);
    tally.writes.fetch_add(1, Ordering::Relaxed);
    tally.own_reads.fetch_add(1, Ordering::Relaxed);
    if after != before + 1 {
        tally.stale.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn visits(conn: &mut Conn, customer: u32) -> mysql_async::Result<i64> {
    let found: Option<i64> =
        conn.query_first(format!("SELECT visits FROM customers WHERE id = {customer}")).await?;
    Ok(found.unwrap_or(-1))
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 16) % u64::from(limit.max(1))).unwrap_or(0)
    }
}
