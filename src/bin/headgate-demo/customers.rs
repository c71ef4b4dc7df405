//! What the shop's customers do, through a driver that knows nothing of Headgate. Where an answer can
//! be told right from wrong, it is.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::shop::{CUSTOMERS, PRODUCTS};
use crate::tally::Tally;

/// Statements of theirs that are explained to the person who watches.
pub(crate) const EXAMPLES: [&str; 7] = [
    "SELECT name, price FROM products WHERE id = 7",
    "SELECT name, sold FROM bestsellers",
    "/* headgate: max_lag=2s */ SELECT stock FROM products WHERE id = 7",
    "SELECT stock FROM products WHERE id = 7 FOR UPDATE",
    "UPDATE customers SET visits = visits + 1 WHERE id = 7",
    "/* headgate: primary */ SELECT stock FROM products WHERE id = 7",
    "SELECT LAST_INSERT_ID()",
];

/// How a client differs from the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Plain,
    /// Lives in a time zone of its own.
    TimeZone,
    /// Writes names between double quotes.
    AnsiQuotes,
    /// Prepares its statements.
    Prepared,
}

impl Habit {
    pub(crate) fn of(client: u32) -> Self {
        match client {
            0..=2 => Self::TimeZone,
            3..=5 => Self::AnsiQuotes,
            6 => Self::Prepared,
            _ => Self::Plain,
        }
    }
}

/// A client and its connection.
pub(crate) struct Customer<'a> {
    conn: Conn,
    /// A customer of its own, whose visits nobody else counts.
    id: u32,
    habit: Habit,
    tally: &'a Tally,
    dice: Dice,
}

impl<'a> Customer<'a> {
    pub(crate) async fn enter(
        mut conn: Conn,
        number: u32,
        habit: Habit,
        round: u64,
        tally: &'a Tally,
    ) -> mysql_async::Result<Self> {
        match habit {
            Habit::TimeZone => conn.query_drop("SET time_zone = '+02:00'").await?,
            Habit::AnsiQuotes => {
                conn.query_drop("SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES'").await?;
            }
            Habit::Prepared | Habit::Plain => {}
        }
        let dice = Dice(u64::from(number) + 1 + round * 100);
        Ok(Self { conn, id: 1 + number, habit, tally, dice })
    }

    /// Mostly looking around, some buying.
    pub(crate) async fn step(&mut self) -> mysql_async::Result<()> {
        match self.dice.below(40) {
            0 | 1 => self.buy().await,
            2..=4 => self.come_back().await,
            5 => self.report().await,
            6 | 7 => self.bestsellers().await,
            8 => self.hinted().await,
            9 => self.reserve().await,
            10..=18 => self.history().await,
            _ => self.browse().await,
        }
    }

    pub(crate) async fn leave(self) -> mysql_async::Result<()> {
        self.conn.disconnect().await
    }

    /// A plain read, in the client's manner.
    async fn browse(&mut self) -> mysql_async::Result<()> {
        let product = 1 + self.dice.below(PRODUCTS);
        let name = format!("product {product}");
        match self.habit {
            Habit::Plain => {
                let _: Option<(String, i32)> = self
                    .conn
                    .query_first(format!("SELECT name, price FROM products WHERE id = {product}"))
                    .await?;
            }
            Habit::Prepared => {
                let _: Option<(String, i32)> =
                    self.conn.exec_first("SELECT name, price FROM products WHERE id = ?", (product,)).await?;
            }
            Habit::TimeZone => {
                let sql = format!(
                    "SELECT name, CAST(FROM_UNIXTIME(0) AS CHAR(19)) FROM products WHERE id = {product}"
                );
                let found: Option<(String, String)> = self.conn.query_first(sql).await?;
                let there = found.is_some_and(|(_, epoch)| epoch == "1970-01-01 02:00:00");
                self.tally.checked(there, &self.tally.settings, &self.tally.unset);
            }
            Habit::AnsiQuotes => {
                // Without the mode this is the text `name`.
                let sql = format!(r#"SELECT "name" FROM products WHERE id = {product}"#);
                let found: Option<String> = self.conn.query_first(sql).await?;
                self.tally.checked(found == Some(name), &self.tally.settings, &self.tally.unset);
            }
        }
        self.tally.did(1, 0);
        Ok(())
    }

    async fn history(&mut self) -> mysql_async::Result<()> {
        let customer = 1 + self.dice.below(CUSTOMERS);
        let sql = format!(
            "SELECT product, quantity FROM orders WHERE customer = {customer} ORDER BY id DESC LIMIT 10"
        );
        let _: Vec<(i32, i32)> = self.conn.query(sql).await?;
        self.tally.did(1, 0);
        Ok(())
    }

    /// Through a view.
    async fn bestsellers(&mut self) -> mysql_async::Result<()> {
        let _: Vec<(String, i64)> = self.conn.query("SELECT name, sold FROM bestsellers").await?;
        self.tally.did(1, 0);
        Ok(())
    }

    async fn hinted(&mut self) -> mysql_async::Result<()> {
        let hint = if self.dice.below(2) == 0 { "primary" } else { "max_lag=2s" };
        let product = 1 + self.dice.below(PRODUCTS);
        let sql = format!("/* headgate: {hint} */ SELECT stock FROM products WHERE id = {product}");
        let _: Option<i64> = self.conn.query_first(sql).await?;
        self.tally.did(1, 0);
        Ok(())
    }

    /// A locking read by itself.
    async fn reserve(&mut self) -> mysql_async::Result<()> {
        let product = 1 + self.dice.below(PRODUCTS);
        let sql = format!("SELECT stock FROM products WHERE id = {product} FOR UPDATE");
        let _: Option<i64> = self.conn.query_first(sql).await?;
        self.tally.did(1, 0);
        Ok(())
    }

    /// Several tables in one snapshot: every order is in the figures of its product, or in neither.
    async fn report(&mut self) -> mysql_async::Result<()> {
        self.conn.query_drop("START TRANSACTION READ ONLY").await?;
        let ordered: Option<i64> =
            self.conn.query_first("SELECT CAST(SUM(quantity) AS SIGNED) FROM orders").await?;
        let sold: Option<i64> =
            self.conn.query_first("SELECT CAST(SUM(sold) AS SIGNED) FROM products").await?;
        self.conn.query_drop("COMMIT").await?;
        self.tally.did(2, 0);
        self.tally.checked(ordered == sold, &self.tally.reports, &self.tally.torn);
        Ok(())
    }

    /// A transaction, with a locking read in it.
    async fn buy(&mut self) -> mysql_async::Result<()> {
        let (customer, product) = (1 + self.dice.below(CUSTOMERS), 1 + self.dice.below(PRODUCTS));
        let sold = 1 + self.dice.below(3);
        let conn = &mut self.conn;
        conn.query_drop("START TRANSACTION").await?;
        let stock: Option<i64> =
            conn.query_first(format!("SELECT stock FROM products WHERE id = {product} FOR UPDATE")).await?;
        // An empty shelf is filled first.
        let left = stock.filter(|stock| *stock >= i64::from(sold)).unwrap_or(1000) - i64::from(sold);
        conn.query_drop(format!(
            "UPDATE products SET stock = {left}, sold = sold + {sold} WHERE id = {product}"
        ))
        .await?;
        conn.query_drop(format!(
            "INSERT INTO orders (customer, product, quantity) VALUES ({customer}, {product}, {sold})"
        ))
        .await?;
        conn.query_drop("COMMIT").await?;
        self.tally.did(1, 2);
        Ok(())
    }

    /// A write, and at once the question what was written.
    async fn come_back(&mut self) -> mysql_async::Result<()> {
        let before = self.visits().await?;
        let sql = format!("UPDATE customers SET visits = visits + 1 WHERE id = {}", self.id);
        self.conn.query_drop(sql).await?;
        let after = self.visits().await?;
        self.tally.did(2, 1);
        self.tally.checked(after == before + 1, &self.tally.own_reads, &self.tally.stale);
        Ok(())
    }

    async fn visits(&mut self) -> mysql_async::Result<i64> {
        let sql = format!("SELECT visits FROM customers WHERE id = {}", self.id);
        let found: Option<i64> = self.conn.query_first(sql).await?;
        Ok(found.unwrap_or(-1))
    }
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
