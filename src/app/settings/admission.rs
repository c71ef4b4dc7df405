//! Who may come in, and what holds for the connections of users, from the keys of several sections.

use std::num::NonZeroUsize;

use super::resolve::Resolver;
use crate::admission::{Network, Networks, Rules, UserRule};
use crate::config;
use crate::pooling::{Mode, Rule, Users};

/// The rules. What is wrong with them together is noted as a problem.
pub(super) fn rules(resolver: &mut Resolver<'_>) -> Rules {
    let config = &resolver.reading.config;
    let (clients, limits) = (&config.clients, &config.limits);
    for (key, networks) in [("clients.allow", &clients.allow), ("clients.deny", &clients.deny)] {
        if networks.iter().flatten().any(|network| *network == config::Network::Unix) {
            let what = format!("{key} names unix, but clients of Unix sockets are always let in");
            resolver.problem(key, what, "leave it out; the permissions of the socket's file decide");
        }
    }
    let mut rules = Rules {
        proxies: networks(config.listen.proxy_protocol_from.as_deref()),
        allow: networks(clients.allow.as_deref()),
        deny: networks(clients.deny.as_deref()),
        per_address: limit(limits.max_clients_per_address),
        per_user: limit(limits.max_clients_per_user),
        ..Rules::default()
    };
    for one in clients.users.iter().flatten() {
        let rule = UserRule { from: networks(Some(&one.from)), max: one.max.and_then(limit) };
        if rules.users.insert(one.user.as_bytes().into(), rule).is_some() {
            let what = format!("clients.users has two rules for {}", one.user);
            resolver.problem("clients.users", what, "write one rule for each user");
        }
    }
    rules
}

/// What holds for the connections of users.
pub(super) fn users(config: &config::Config) -> Users {
    let rule = |one: &config::UserRule| {
        let rule = Rule { mode: one.pool.map(mode), most: one.connections.and_then(limit) };
        (one.user.as_bytes().into(), rule)
    };
    Users {
        mode: config.pool.mode.map_or_else(|| usual_mode(config.runtime.model), mode),
        most: limit(config.pool.max_connections_per_user),
        rules: config.clients.users.iter().flatten().map(rule).collect(),
    }
}

/// The pool mode where nothing says one. A worker that has a runtime of its own cannot use the connections that another
/// one has idle.
const fn usual_mode(model: config::RuntimeModel) -> Mode {
    match model {
        config::RuntimeModel::PerCore => Mode::Session,
        config::RuntimeModel::MultiThread => Mode::Transaction,
    }
}

pub(super) const fn mode(word: config::PoolMode) -> Mode {
    match word {
        config::PoolMode::Session => Mode::Session,
        config::PoolMode::Transaction => Mode::Transaction,
    }
}

fn networks(written: Option<&[config::Network]>) -> Networks {
    let network = |network: &config::Network| match *network {
        config::Network::Unix => Network::Unix,
        config::Network::Range { address, prefix } => Network::range(address, prefix),
    };
    written.unwrap_or_default().iter().map(network).collect()
}

/// 0 stands for none.
fn limit(number: u32) -> Option<NonZeroUsize> {
    usize::try_from(number).ok().and_then(NonZeroUsize::new)
}
