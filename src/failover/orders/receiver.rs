//! Stopping and starting a replica's receiver.

use std::time::Duration;

use super::carry_out::{NOT_A_REPLICA, Office, replica, wait};
use super::follow::RETRIES;
use crate::election::{Done, Failure, Receiver};
use crate::failover::answers;
use crate::failover::line::Line;
use crate::probing::standing::{PROCESSES, receivers};
use crate::runtime::clock;
use crate::topology::Flavor;

/// ER_NO_SUCH_THREAD: it has gone by itself.
const NO_SUCH_THREAD: &[u16] = &[1094];

/// What of an order's time is left for its answer to arrive.
const TO_ANSWER: Duration = Duration::from_millis(150);

/// Stops the receiver. One that waits for a connection takes up to 2 s to stop (measured, both servers).
pub(super) async fn stop(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    end_thread(line).await?;
    let statement = format!("STOP {} IO_THREAD", replica(line.flavor()));
    line.order_unless(&statement, NOT_A_REPLICA).await?;
    office.report(line).await
}

/// Ends the receiver's thread on MariaDB. Else one that reads from a frozen source takes up to 2 s to stop.
async fn end_thread(line: &mut Line) -> Result<(), Failure> {
    if line.flavor() == Flavor::MariaDb {
        let all = line.ask(PROCESSES).await?;
        for thread in receivers(&all) {
            line.ask_unless(&format!("KILL {thread}"), NO_SUCH_THREAD).await?;
        }
    }
    Ok(())
}

/// Stops and starts the receiver, and waits whether it gets a connection. Where its time is over after it was stopped, it
/// stays so, and its replica has nothing to say of the primary any more.
pub(super) async fn restart(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    end_thread(line).await?;
    let word = replica(line.flavor());
    line.order(&format!("STOP {word} IO_THREAD")).await?;
    line.order(&format!("START {word} IO_THREAD")).await?;
    let fixed = answers::fixed(line).await?;
    loop {
        let (report, _) = answers::stand(line, &fixed, office.directory).await?;
        let alive = match report.channel.map(|channel| channel.receiver) {
            Some(Receiver::Running | Receiver::Crowded) => Some(true),
            Some(Receiver::Stopped) | None => Some(false),
            Some(Receiver::Connecting) => None,
        };
        if let Some(alive) = alive {
            return Ok(Done::Receiver { alive });
        }
        if line.until().saturating_duration_since(clock::now()) < TO_ANSWER {
            return Ok(Done::Receiver { alive: false });
        }
        wait(line).await?;
    }
}

/// Has a replica's source say more often that it is there. Its receiver is restarted for it; on MariaDB its applier too.
pub(in crate::failover) async fn set_heartbeat(line: &mut Line, period: Duration) -> Result<(), Failure> {
    let seconds = period.as_secs_f64();
    let (stop, change, start) = match line.flavor() {
        Flavor::MySql => (
            "STOP REPLICA IO_THREAD",
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD = {seconds}, SOURCE_CONNECT_RETRY = 1, \
                 SOURCE_RETRY_COUNT = {RETRIES}"
            ),
            "START REPLICA IO_THREAD",
        ),
        Flavor::MariaDb => (
            "STOP SLAVE",
            format!("CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD = {seconds}, MASTER_CONNECT_RETRY = 1"),
            "START SLAVE",
        ),
    };
    line.order(stop).await?;
    let changed = line.order(&change).await;
    // Whatever became of that, it goes on following.
    line.order(start).await?;
    changed
}
