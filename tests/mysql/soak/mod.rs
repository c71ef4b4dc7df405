//! Hundreds of clients in random mixes over twenty connections a server. Each knows what it must be answered, whatever the
//! others do on the connections that it is lent, and nothing is left when all have gone.
//!
//! `HEADGATE_SOAK_MINUTES=30 cargo test --features lab --test mysql soak` runs it for long, with 500 clients;
//! `HEADGATE_SOAK_SEED` has every client do again what it has done (not in the same order among each other),
//! `HEADGATE_SOAK_CLIENTS` sets their number. With `HEADGATE_SOAK_DIRECTLY=1` they go to the primary itself, which shows
//! whether they know what a server answers.

mod act;
mod guest;
mod model;
mod partings;
mod pins;
mod prepared;
mod rows;
mod settings;
mod stage;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use headgate::lab::Flavor;
use tokio::task::JoinSet;
use tokio::time::Instant;

use act::Act;
use guest::Guest;
use stage::Stage;
use traces::{Held, Watch};

use crate::headgate::Headgate;
use crate::servers::quiet_cluster;

const FLAGS: &[&str] = &[
    "--pool-mode",
    "transaction",
    "--max-connections-per-server",
    "20",
    "--pool-wait-timeout",
    "60s",
    "--set",
    "limits.login_timeout=70s",
];

/// Clients and time of the short run.
const FEW: usize = 100;
const SHORT: Duration = Duration::from_secs(12);
/// Clients of the long one.
const MANY: usize = 500;

/// Who has connections to the primary, and why.
const KEPT: &str = "SELECT keeps, in_transaction, last_reason, count(*), max(idle_ms), min(idle_ms), group_concat(id) \
                    FROM sessions GROUP BY keeps, in_transaction, last_reason";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn soak(flavor: Flavor) {
    let minutes = number("HEADGATE_SOAK_MINUTES");
    let lasts = minutes.map_or(SHORT, |minutes| Duration::from_secs(60 * minutes));
    let directly = number("HEADGATE_SOAK_DIRECTLY").is_some();
    let usual = if minutes.is_some() { MANY } else { FEW };
    let clients = number("HEADGATE_SOAK_CLIENTS").map_or(usual, |count| usize::try_from(count).unwrap());
    let chosen = || u64::from(std::process::id());
    let seed = number("HEADGATE_SOAK_SEED").unwrap_or_else(chosen);
    let cluster = quiet_cluster(flavor).await;
    stage::furnish(cluster, clients).await;
    let headgate = Headgate::start(cluster, FLAGS).await.unwrap();
    let address = if directly { cluster.primary().address() } else { headgate.address() };
    let stage = Arc::new(Stage::set(cluster, address, seed).await);
    let idle = Held::of(&headgate).await;
    let mut guests = JoinSet::new();
    for number in 0..clients {
        let stage = Arc::clone(&stage);
        guests.spawn(async move {
            match Guest::arrive(number, stage).await {
                Ok(guest) => guest.live().await,
                Err(error) => Err(format!("client {number} cannot log in: {error:#}")),
            }
        });
    }
    let begun = Instant::now();
    let mut watch = Watch::new(lasts);
    let mut complaints = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = guests.join_next() => match ended {
                Some(ended) => {
                    if let Err(complaint) = ended.unwrap() {
                        if complaints.is_empty() {
                            println!("sessions that keep their connections: {:?}", headgate.console(KEPT).await);
                        }
                        complaints.push(complaint);
                    }
                }
                None => break,
            },
            _ = ticks.tick() => watch.look(&headgate, begun.elapsed(), stage.actions()).await,
        }
        // Where one is wrong, what the others are told now helps nobody.
        if begun.elapsed() >= lasts || !complaints.is_empty() {
            stage.end();
        }
    }
    let (counts, actions) = (stage.counts(), stage.actions());
    println!("{flavor:?}, seed {seed}: {clients} clients, {actions} actions in {:.0?}", begun.elapsed());
    println!("{counts:?}\n{watch}");
    complaints.truncate(3);
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    let left = traces::left(cluster, clients).await;
    assert!(left.is_empty(), "{}", left.join("\n"));
    if !directly {
        watch.is_flat();
        idle.is_all_that_is_left(&headgate).await;
        assert!(headgate.metric("headgate_statements_total{target=\"replica\"").await > 0);
        assert_eq!(headgate.metric("headgate_pool_wait_timeouts_total").await, 0);
    }
    if minutes.is_some() {
        let missing: Vec<_> = Act::all().map(Act::name).filter(|name| !counts.contains_key(name)).collect();
        assert!(missing.is_empty(), "never done: {missing:?}");
    }
    assert!(headgate.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql() {
    soak(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    soak(Flavor::MariaDb).await;
}
