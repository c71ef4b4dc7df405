//! Semi-synchronous replication goes with the role.

use super::carry_out::Office;
use crate::election::{Done, Failure};
use crate::failover::line::Line;
use crate::failover::watch::ServerSettings;
use crate::probing::standing::semi_sync;

/// What a primary has set, under the names of either server and of MySQL's older plugin.
const SOURCE: [&str; 2] = ["rpl_semi_sync_source", "rpl_semi_sync_master"];
const REPLICA: [&str; 2] = ["rpl_semi_sync_replica", "rpl_semi_sync_slave"];

/// What goes from the old primary to the new one, the switch last.
const GOES_OVER: [&str; 5] =
    ["wait_for_replica_count", "wait_for_slave_count", "wait_point", "wait_no_replica", "timeout"];

impl ServerSettings {
    /// It waits for replicas to acknowledge.
    pub(in crate::failover) fn waits_for_replicas(&self) -> bool {
        SOURCE
            .iter()
            .any(|prefix| self.semi_sync.get(&format!("{prefix}_enabled")).is_some_and(|value| value == "ON"))
    }
}

/// Gives a new primary what the one before had. Where that is not known, what the replica did says whether it acknowledged.
pub(super) async fn restore(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    let own = ask(line).await?;
    let acknowledges = REPLICA
        .iter()
        .any(|prefix| own.semi_sync.get(&format!("{prefix}_enabled")).is_some_and(|value| value == "ON"));
    let wanted = office.model.map_or(acknowledges, ServerSettings::waits_for_replicas);
    let Some(prefix) = SOURCE.iter().find(|prefix| own.semi_sync.contains_key(&format!("{prefix}_enabled")))
    else {
        return if wanted {
            Err(Failure::Refused("it has no semi-synchronous replication".into()))
        } else {
            Ok(Done::Plainly)
        };
    };
    if !wanted {
        return Ok(Done::Plainly);
    }
    for name in GOES_OVER {
        let name = format!("{prefix}_{name}");
        let value = office.model.and_then(|model| model.semi_sync.get(&name));
        if let Some(value) = value.filter(|value| own.semi_sync.get(&name) != Some(value)) {
            let number = value.bytes().all(|byte| byte.is_ascii_digit());
            let value = if number { value.clone() } else { super::carry_out::quoted(value) };
            line.set_global(&name, &value).await?;
        }
    }
    line.set_global(&format!("{prefix}_enabled"), "1").await?;
    Ok(Done::Plainly)
}

/// Makes a replica acknowledge, where the primary waits for that, and wait for nobody itself: the applier of one that was
/// a primary would wait for acknowledgements that never come.
pub(super) async fn serve(office: &Office<'_>, line: &mut Line) -> Result<(), Failure> {
    let own = ask(line).await?;
    if !own.waits_for_replicas() && !office.model.is_some_and(ServerSettings::waits_for_replicas) {
        return Ok(());
    }
    for (prefixes, value) in [(SOURCE, "0"), (REPLICA, "1")] {
        let switches = prefixes.iter().map(|prefix| format!("{prefix}_enabled"));
        for name in switches.filter(|name| own.semi_sync.contains_key(name)) {
            line.set_global(&name, value).await?;
        }
    }
    Ok(())
}

/// Has a server wait for no acknowledgement any more.
pub(super) async fn wait_no_more(line: &mut Line) -> Result<(), Failure> {
    let own = ask(line).await?;
    if own.waits_for_replicas() {
        let switches = SOURCE.iter().map(|prefix| format!("{prefix}_enabled"));
        for name in switches.filter(|name| own.semi_sync.contains_key(name)) {
            line.set_global(&name, "0").await?;
        }
    }
    Ok(())
}

async fn ask(line: &mut Line) -> Result<ServerSettings, Failure> {
    let answer = line.ask(semi_sync()).await?;
    let pair = |row: &Vec<Option<String>>| Some((row.first()?.clone()?, row.get(1)?.clone()?));
    Ok(ServerSettings {
        semi_sync: answer.rows.iter().filter_map(pair).collect(),
        ..ServerSettings::default()
    })
}
