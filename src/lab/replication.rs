//! Making replicas follow the primary, and waiting for them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::accounts::ACCOUNTS;
use super::error::{LabError, Result};
use super::flavor::Flavor;
use super::node::Node;

/// How a replica's receiver reaches the primary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) address: SocketAddr,
    pub(super) encrypted: bool,
}

/// Points a replica at the primary and returns when both its threads run.
pub(super) async fn follow(replica: &Node, source: Source) -> Result<()> {
    let account = ACCOUNTS.replication;
    let (host, port) = (source.address.ip(), source.address.port());
    let encrypted = u8::from(source.encrypted);
    let change = match replica.flavor() {
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='{}', \
             SOURCE_PASSWORD='{}', SOURCE_AUTO_POSITION=1, SOURCE_SSL={encrypted}, GET_SOURCE_PUBLIC_KEY=1",
            account.user, account.password
        ),
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='{}', \
             MASTER_PASSWORD='{}', MASTER_USE_GTID=slave_pos, MASTER_SSL={encrypted}, \
             MASTER_SSL_VERIFY_SERVER_CERT=0",
            account.user, account.password
        ),
    };
    replica.sql(change).await?;
    replica.sql("START REPLICA").await?;
    let limit = Duration::from_secs(30);
    let deadline = Instant::now() + limit;
    while !is_running(replica).await? {
        if Instant::now() > deadline {
            return Err(replica.too_slow("start replicating", limit));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn is_running(replica: &Node) -> Result<bool> {
    let status = replica.sql("SHOW REPLICA STATUS").await?;
    let columns = match replica.flavor() {
        Flavor::MySql => ["Replica_IO_Running", "Replica_SQL_Running"],
        Flavor::MariaDb => ["Slave_IO_Running", "Slave_SQL_Running"],
    };
    Ok(status.first().is_some_and(|row| columns.iter().all(|column| row.get(column) == Some("Yes"))))
}

/// The primary's position: what a replica must have to have all.
pub(super) async fn position(primary: &Node) -> Result<String> {
    let statement = match primary.flavor() {
        Flavor::MySql => "SELECT @@GLOBAL.gtid_executed",
        Flavor::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    let rows = primary.sql(statement).await?;
    Ok(rows.first().and_then(|row| row.at(0)).unwrap_or_default().replace('\n', ""))
}

/// Waits until a replica has executed everything up to `position`.
pub(super) async fn reach(replica: &Node, position: &str, limit: Duration) -> Result<()> {
    if position.is_empty() {
        return Ok(());
    }
    // MySQL reads a time-out of 0 as for ever.
    let seconds = limit.as_secs_f64().max(0.001);
    let statement = match replica.flavor() {
        Flavor::MySql => format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds})"),
        Flavor::MariaDb => format!("SELECT MASTER_GTID_WAIT('{position}', {seconds})"),
    };
    let rows = replica.sql_within(statement, limit + Duration::from_secs(5)).await?;
    match rows.first().and_then(|row| row.at(0)) {
        Some("0") => Ok(()),
        _ => Err(replica.too_slow("catch up with the primary", limit)),
    }
}

impl Node {
    pub(super) fn too_slow(&self, what: &'static str, limit: Duration) -> LabError {
        LabError::TooSlow { node: self.name().to_owned(), what, limit, log: self.end_of_error_log() }
    }
}
