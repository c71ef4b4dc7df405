//! Failover, from its keys.

use std::time::Duration;

use super::model::Failover;
use super::resolve::{Resolver, address};
use crate::config;
use crate::election::{Policy, Rules};
use crate::failover::Hooks;
use crate::topology::Address;

/// How often replicas hear from a primary without writes, where Headgate sets it.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// To stop a receiver that waits for a connection takes servers up to 2 s.
const ORDER: Duration = Duration::from_secs(3);

/// What an operator has decided about failover.
pub(super) fn failover(resolver: &mut Resolver<'_>) -> Failover {
    let config = &resolver.reading.config;
    let own = &config.failover;
    let policy = match own.mode {
        config::FailoverMode::Available => Policy::Available,
        config::FailoverMode::Safe => Policy::Safe,
        config::FailoverMode::External => Policy::External,
        config::FailoverMode::Off => Policy::Off,
    };
    let hooks = Hooks { before: own.hook_before.clone(), after: own.hook_after.clone() };
    let hook = (hooks != Hooks::default()).then_some(own.hook_timeout);
    let rules = Rules { policy, cooldown: own.cooldown, order: ORDER, hook, ..Rules::default() };
    let vetoes: Vec<Address> = own.candidates_never.iter().flatten().cloned().map(address).collect();
    let servers: Vec<Address> = config.servers.addresses.iter().cloned().map(address).collect();
    let closed = !config.servers.discover;
    for stranger in vetoes.iter().filter(|veto| closed && !servers.contains(veto)) {
        resolver.problem(
            "failover.candidates_never",
            format!("failover.candidates_never: {stranger} is none of the servers"),
            "write it as in servers.addresses",
        );
    }
    if own.replication_password_file.is_some() && own.replication_user.is_none() {
        resolver.problem(
            "failover.replication_password_file",
            "failover.replication_password_file has no account".to_owned(),
            "set failover.replication_user as well",
        );
    }
    if !own.stuck_writes_after.is_zero() && config.health.write_probe_table.is_none() {
        resolver.problem(
            "failover.stuck_writes_after",
            "failover.stuck_writes_after has nothing to go by: no write is tried".to_owned(),
            "set health.write_probe_table as well",
        );
    }
    Failover {
        stuck_writes_after: (!own.stuck_writes_after.is_zero()).then_some(own.stuck_writes_after),
        active: match own.sessions {
            Some(word) => word == config::FailoverSessions::Outlive,
            None => own.replication_user.is_some() && own.mode != config::FailoverMode::Off,
        },
        hold: own.hold,
        rules,
        vetoes,
        replication: own.replication_user.clone().map(|user| (user, own.replication_password_file.clone())),
        heartbeat: (own.heartbeat == config::HeartbeatChoice::Manage).then_some(HEARTBEAT),
        hooks,
    }
}
