//! What Headgate says of a replica's lag, beside what it is: the age of the newest row that the replica shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headgate::lab::{Fault, Flavor, Headgate, Node};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::stage::{PATIENCE, Stage, counted, run, stage};

/// How late the replica gets what the primary writes.
const DELAYS: [u64; 4] = [0, 50, 500, 5_000];

/// Between two writes.
const PACE: Duration = Duration::from_millis(5);

const SAMPLES: usize = 30;

/// While writes flow, the middle of all samples is no further from the truth.
const NEAR: f64 = 50.0;

/// No sample is further: one interval of the monitor's, and what this machine takes to ask both.
const FAR: f64 = 400.0;

#[allow(clippy::disallowed_methods, reason = "what one process writes another one reads")]
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0
}

fn reported(headgate: &Headgate, replica: &Node) -> f64 {
    counted(headgate, "headgate_server_lag_seconds", &[("server", &replica.address().to_string())]) * 1000.0
}

/// How old the newest row is that the replica shows.
async fn truth(replica: &Node) -> f64 {
    let rows = replica.sql("SELECT at FROM app.lags").await.unwrap();
    now_ms() - rows[0].at(0).unwrap().parse::<f64>().unwrap()
}

/// Samples while writes flow: what is reported, less what is true.
async fn errors(stage: &Stage, headgate: &Headgate, delay: u64) -> Vec<f64> {
    let replica = &stage.cluster.replicas()[0];
    let fault = if delay == 0 { Fault::None } else { Fault::Delay(Duration::from_millis(delay)) };
    replica.replication_link().unwrap().set(fault).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut writer = JoinSet::new();
    let (client, done) = (stage.at_primary(), Arc::clone(&over));
    writer.spawn(async move {
        let mut connection = client.connect().await.unwrap();
        while !done.load(Ordering::Relaxed) {
            run(&mut connection, &format!("UPDATE lags SET at = {:.3}", now_ms())).await.unwrap();
            sleep(PACE).await;
        }
    });
    // Until what was written under this delay has come through.
    sleep(Duration::from_millis(delay + 1_000)).await;
    let mut errors = Vec::new();
    for _ in 0..SAMPLES {
        let before = truth(replica).await;
        let said = reported(headgate, replica);
        let after = truth(replica).await;
        errors.push(said - f64::midpoint(before, after));
        sleep(Duration::from_millis(50)).await;
    }
    over.store(true, Ordering::Relaxed);
    writer.join_all().await;
    errors
}

async fn lags(flavor: Flavor) {
    let stage = stage(flavor).await;
    stage.prepare(["DROP TABLE IF EXISTS app.lags", "CREATE TABLE app.lags (at DOUBLE)"]).await;
    stage.prepare(["INSERT INTO app.lags VALUES (0)"]).await;
    let headgate = stage.headgate(&[]).await;
    for delay in DELAYS {
        let mut errors: Vec<f64> = errors(&stage, &headgate, delay).await.into_iter().map(f64::abs).collect();
        errors.sort_by(f64::total_cmp);
        let (middle, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
        println!(
            "{flavor} delayed by {delay} ms: off by {middle:.0} ms in the middle, {worst:.0} ms at worst"
        );
        assert!(middle <= NEAR && worst <= FAR, "{delay}: {errors:?}");
    }
    // Nothing is written any more: nobody is behind, however late things arrive.
    stage.cluster.wait_caught_up(PATIENCE).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    for replica in stage.cluster.replicas() {
        assert!(reported(&headgate, replica) < 1.0, "an idle primary leaves nobody behind");
    }
    stage.heal().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_what_it_is_on_mysql() {
    lags(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_what_it_is_on_mariadb() {
    lags(Flavor::MariaDb).await;
}
