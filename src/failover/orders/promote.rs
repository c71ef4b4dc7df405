//! A replica applies what it has, and becomes the primary.

use super::carry_out::{NOT_A_REPLICA, Office, replica, wait};
use super::fence;
use crate::election::{Done, Failure};
use crate::failover::answers;
use crate::failover::line::Line;
use crate::gtid::Transactions;
use crate::probing::standing::{EVENTS, disabled_events};

/// Waits until a replica has applied these. Asked again and again and not with the servers' own functions: MariaDB's
/// compares domain and sequence alone, and says "reached" for a server that never existed (HAZARDS 12).
pub(super) async fn drain(
    office: &Office<'_>,
    line: &mut Line,
    up_to: &Transactions,
) -> Result<Done, Failure> {
    let fixed = answers::fixed(line).await?;
    loop {
        let (report, _) = answers::stand(line, &fixed, office.directory).await?;
        if report.executed.contains(up_to) {
            return Ok(Done::Report(Box::new(report)));
        }
        if report.channel.as_ref().is_none_or(|channel| !channel.applier) {
            return Err(Failure::Refused("its applier does not run".into()));
        }
        wait(line).await?;
    }
}

/// Makes a replica the primary.
pub(super) async fn promote(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    let word = replica(line.flavor());
    line.order_unless(&format!("STOP {word}"), NOT_A_REPLICA).await?;
    line.order_unless(&format!("RESET {word} ALL"), NOT_A_REPLICA).await?;
    let Done::Report(report) = fence::unfence(office, line).await? else {
        return Err(Failure::Refused("it does not tell how it stands".into()));
    };
    if report.channel.is_some() {
        return Err(Failure::Refused("it still replicates".into()));
    }
    if let Err(problem) = enable_events(line).await {
        // It is the primary all the same.
        tracing::warn!(%problem, "events of the new primary could not be enabled");
    }
    office.report(line).await
}

/// Enables the events that were the old primary's to run.
async fn enable_events(line: &mut Line) -> Result<(), Failure> {
    let events = line.ask(EVENTS).await?;
    for statement in disabled_events(&events) {
        line.order(&statement).await?;
    }
    Ok(())
}
