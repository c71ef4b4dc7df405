//! The load: clients that come, act and go on until they are stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mysql_async::{Conn, Opts};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::customers::{Customer, Habit};
use crate::tally::Tally;

/// Clients, each with a connection of its own.
const CLIENTS: u32 = 12;
/// Between two steps of a client: enough statements to see, and a laptop that stays quiet.
const PAUSE: Duration = Duration::from_millis(15);
/// After an error, before a new connection.
const RECOVERY: Duration = Duration::from_millis(500);
/// For the last step of every client.
const PARTING: Duration = Duration::from_secs(10);

/// The load, running.
pub(crate) struct Traffic {
    tally: Arc<Tally>,
    clients: JoinSet<()>,
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

    /// Lets every client finish its step; whoever cannot is cut off.
    pub(crate) async fn stop(&mut self) {
        self.tally.stopping.store(true, Ordering::Relaxed);
        let clients = &mut self.clients;
        if timeout(PARTING, async { while clients.join_next().await.is_some() {} }).await.is_err() {
            clients.shutdown().await;
        }
    }
}

async fn live(number: u32, opts: Opts, tally: Arc<Tally>) {
    let habit = Habit::of(number);
    let mut round = 0;
    while !tally.stopping() {
        round += 1;
        if let Err(error) = visit(number, habit, round, &opts, &tally).await {
            tally.errors.fetch_add(1, Ordering::Relaxed);
            *tally.last_error.lock() = Some(error.to_string());
            sleep(RECOVERY).await;
        }
    }
}

/// One connection's life.
async fn visit(number: u32, habit: Habit, round: u64, opts: &Opts, tally: &Tally) -> mysql_async::Result<()> {
    let conn = Conn::new(opts.clone()).await?;
    let mut customer = Customer::enter(conn, number, habit, round, tally).await?;
    while !tally.stopping() {
        customer.step().await?;
        sleep(PAUSE).await;
    }
    customer.leave().await
}
