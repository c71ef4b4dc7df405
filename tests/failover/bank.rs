//! Customers of a bank: they move money from account to account, and remember what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Options;
use crate::stage::{Stage, run, value};

/// Accounts, each with so much at the beginning.
const ACCOUNTS: u64 = 50;
const EACH: i64 = 1_000;

/// What customers were told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Transfers that are said to be committed, and when that was said.
    pub(crate) acknowledged: Vec<(u64, Instant)>,
    /// Errors, by their text.
    pub(crate) errors: BTreeMap<String, usize>,
}

/// The customers at work.
pub(crate) struct Bank {
    ledger: Arc<Mutex<Ledger>>,
    closed: Arc<AtomicBool>,
    customers: JoinSet<()>,
}

/// Makes the accounts.
pub(crate) async fn found(stage: &Stage) {
    let primary = stage.cluster.primary();
    for statement in [
        "CREATE TABLE app.accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)".to_owned(),
        // No unique key but its own: what runs twice is there twice.
        "CREATE TABLE app.transfers (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL, KEY (id))"
            .to_owned(),
        format!(
            "INSERT INTO app.accounts VALUES {}",
            (0..ACCOUNTS).map(|id| format!("({id}, {EACH})")).collect::<Vec<_>>().join(",")
        ),
    ] {
        primary.sql(statement).await.unwrap();
    }
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
}

impl Bank {
    /// Opens with so many customers.
    pub(crate) fn open(stage: &Stage, customers: u64) -> Self {
        Self::open_at(stage.client(), customers)
    }

    /// The same, whichever Headgate serves them.
    pub(crate) fn open_at(client: Options, customers: u64) -> Self {
        let (ledger, closed) = (Arc::<Mutex<Ledger>>::default(), Arc::<AtomicBool>::default());
        let mut bank =
            Self { ledger: Arc::clone(&ledger), closed: Arc::clone(&closed), customers: JoinSet::new() };
        for _ in 0..customers {
            bank.customers.spawn(custom(client.clone(), Arc::clone(&ledger), Arc::clone(&closed)));
        }
        bank
    }

    /// How many transfers are acknowledged by now.
    pub(crate) async fn acknowledged(&self) -> usize {
        self.ledger.lock().await.acknowledged.len()
    }

    /// Waits until so many more are acknowledged.
    pub(crate) async fn go_on(&self, stage: &Stage, more: usize) {
        let before = self.acknowledged().await;
        stage.wait_for("transfers go on", async |_| self.acknowledged().await >= before + more).await;
    }

    /// Closes, and says what customers were told.
    pub(crate) async fn close(mut self) -> Ledger {
        self.closed.store(true, Ordering::Relaxed);
        while self.customers.join_next().await.is_some() {}
        std::mem::take(&mut *self.ledger.lock().await)
    }
}

/// One customer, who comes back whenever something goes wrong.
async fn custom(options: Options, ledger: Arc<Mutex<Ledger>>, closed: Arc<AtomicBool>) {
    let mut connection = None;
    while !closed.load(Ordering::Relaxed) {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let outcome: anyhow::Result<()> = async {
            let link = match &mut connection {
                Some(link) => link,
                None => {
                    let link = timeout(LONGEST, options.login()).await??;
                    let link = link.map_err(|error| anyhow::anyhow!("login: {error}"))?;
                    connection.insert(link)
                }
            };
            let (from, to) = (id * 7 % ACCOUNTS, (id * 13 + 1) % ACCOUNTS);
            // Always in the same order, so that customers do not wait for each other in a circle.
            let (first, second) = (from.min(to), from.max(to));
            let amount = |account: u64| if account == from { -1 } else { 1 };
            run(link, "BEGIN").await?;
            run(link, &format!("INSERT INTO transfers (id) VALUES ({id})")).await?;
            for account in [first, second] {
                let change = if from == to { 0 } else { amount(account) };
                run(link, &format!("UPDATE accounts SET balance = balance + {change} WHERE id = {account}"))
                    .await?;
            }
            run(link, "COMMIT").await?;
            Ok(())
        }
        .await;
        let mut ledger = ledger.lock().await;
        match outcome {
            Ok(()) => ledger.acknowledged.push((id, Instant::now())),
            Err(error) => {
                connection = None;
                let text = error.to_string();
                *ledger.errors.entry(text).or_default() += 1;
                drop(ledger);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// No transfer has the number of another.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How long a login may take while there is no primary.
const LONGEST: Duration = Duration::from_secs(30);

impl Ledger {
    /// The longest time without an acknowledgement that ends after `since`.
    pub(crate) fn longest_gap(&self, since: Instant) -> Duration {
        let mut times: Vec<Instant> = self.acknowledged.iter().map(|(_, at)| *at).collect();
        times.sort_unstable();
        let gaps = times.windows(2).filter(|pair| pair[1] > since);
        gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The sum is what it was, everything acknowledged is there, and nothing is there twice.
    pub(crate) async fn audit(&self, stage: &Stage) {
        let primary = stage.primary().await.unwrap();
        let sum = value(primary, "SELECT SUM(balance) FROM app.accounts").await.unwrap();
        let all = i64::try_from(ACCOUNTS).unwrap() * EACH;
        assert_eq!(sum, all.to_string(), "money was made or lost");
        let twice = value(primary, "SELECT COUNT(*) - COUNT(DISTINCT id) FROM app.transfers").await.unwrap();
        assert_eq!(twice, "0", "something was executed twice");
        let rows = primary.sql("SELECT id FROM app.transfers").await.unwrap();
        let there: std::collections::HashSet<u64> =
            rows.iter().map(|row| row.at(0).unwrap().parse().unwrap()).collect();
        let lost: Vec<u64> =
            self.acknowledged.iter().map(|(id, _)| *id).filter(|id| !there.contains(id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}\n{}", stage.headgate.log());
    }
}
