//! Routing and the watch over the servers, from their keys.

use std::collections::BTreeMap;

use super::admission;
use super::model::{Watch, WriteWatch};
use super::resolve::{Resolver, address};
use crate::config;
use crate::frontend::Entrance;
use crate::monitor::Discovery;
use crate::probing::discovery::{Network, Networks};
use crate::probing::write_probe::ProbeTable;
use crate::routing::{Balance, Consistency, Policy, Preferences, PrimaryReads, WhenLagging};
use crate::topology::{Address, Patience};

/// What an operator has decided about routing.
pub(super) fn policy(config: &config::Config) -> Policy {
    let routing = &config.routing;
    Policy {
        split: routing.split,
        max_lag: routing.max_lag,
        consistency: consistency(routing.consistency),
        freshness_wait: routing.freshness_wait,
        when_lagging: match routing.when_lagging {
            config::WhenLagging::Primary => WhenLagging::Primary,
            config::WhenLagging::Freshest => WhenLagging::Freshest,
            config::WhenLagging::Error => WhenLagging::Error,
        },
        primary_reads: match routing.primary_reads {
            config::PrimaryReads::LastResort => PrimaryReads::LastResort,
            config::PrimaryReads::Member => PrimaryReads::Member,
            config::PrimaryReads::Never => PrimaryReads::Never,
        },
        balance: match routing.balance {
            config::Balance::TwoChoices => Balance::TwoChoices,
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::Weighted => Balance::Weighted,
            config::Balance::LeastConnections => Balance::LeastConnections,
            config::Balance::ClientAddress => Balance::ClientAddress,
        },
        warm_up: routing.warm_up,
        read_only_transactions: routing.read_only_transactions,
        lazy_transactions: routing.lazy_transactions,
    }
}

const fn consistency(word: config::Consistency) -> Consistency {
    match word {
        config::Consistency::Eventual => Consistency::Eventual,
        config::Consistency::Session => Consistency::Session,
        config::Consistency::Process => Consistency::Process,
        config::Consistency::Global => Consistency::Global,
    }
}

/// What single users have of it.
pub(super) fn preferences(config: &config::Config) -> BTreeMap<Box<[u8]>, Preferences> {
    let of_user = |rule: &config::UserRule| {
        let preferences =
            Preferences { consistency: rule.consistency.map(consistency), max_lag: rule.max_lag };
        (Box::from(rule.user.as_bytes()), preferences)
    };
    let says_something = |(_, preferences): &(_, Preferences)| *preferences != Preferences::default();
    config.clients.users.iter().flatten().map(of_user).filter(says_something).collect()
}

/// What holds for those who come in at an address.
pub(super) fn entrance(doorway: &config::Doorway) -> Entrance {
    let reads = Preferences { consistency: doorway.consistency.map(consistency), max_lag: doorway.max_lag };
    Entrance { pool: doorway.pool.map(admission::mode), reads }
}

/// How the servers are watched.
pub(super) fn watch(resolver: &mut Resolver<'_>) -> Watch {
    let health = &resolver.reading.config.health;
    let watch = Watch {
        probe_every: health.probe_every,
        late_after: health.late_after,
        patience: Patience {
            down_after: health.down_after,
            steady: health.steady_for,
            ..Patience::default()
        },
    };
    if health.late_after > health.down_after {
        let what =
            "health.late_after is longer than health.down_after: a server would be down before it is suspect";
        resolver.problem("health.late_after", what.to_owned(), "set it to half of health.down_after or less");
    }
    watch
}

/// Whether and how it is seen that writes get through.
pub(super) fn write_watch(resolver: &mut Resolver<'_>) -> Option<WriteWatch> {
    let health = &resolver.reading.config.health;
    let text = health.write_probe_table.as_ref()?;
    let (every, late) = (health.write_probe_every, health.write_probe_late);
    let Some(table) = ProbeTable::parse(text) else {
        let what = format!("health.write_probe_table: \"{text}\" is no name of a table");
        resolver.problem("health.write_probe_table", what, "write it as schema.table, without quotes");
        return None;
    };
    Some(WriteWatch { table, every, late })
}

/// Whether and where further servers are looked for.
pub(super) fn discovery(resolver: &mut Resolver<'_>) -> Option<Discovery> {
    let servers = &resolver.reading.config.servers;
    let networks = match &servers.networks {
        None => Networks::Neighbours,
        Some(named) => {
            let range = |network: &config::Network| match *network {
                config::Network::Unix => None,
                config::Network::Range { address, prefix } => Some(Network::new(address, prefix)),
            };
            let ranges: Option<Vec<Network>> = named.iter().map(range).collect();
            if ranges.is_none() {
                let what = "servers.networks names unix, but servers are discovered by IP addresses";
                resolver.problem("servers.networks", what.to_owned(), "leave it out");
            }
            Networks::Named(ranges.unwrap_or_default())
        }
    };
    servers.discover.then_some(Discovery { networks, forget_after: servers.forget_after })
}

/// The weights of servers that have one.
pub(super) fn weights(resolver: &mut Resolver<'_>) -> BTreeMap<Address, u16> {
    let mut weights = BTreeMap::new();
    for one in resolver.reading.config.servers.weights.iter().flatten() {
        if weights.insert(address(one.server.clone()), one.weight).is_some() {
            let what = format!("servers.weights names {} twice", one.server);
            resolver.problem("servers.weights", what, "leave one of them out");
        }
    }
    weights
}
