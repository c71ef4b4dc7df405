//! Who is the primary, and who follows it.

use std::collections::HashMap;

use super::observe::{Identity, Observation, Replication};
use crate::session::levels;
use crate::topology::{Address, NoPrimary, NotServing, ServerId, ServerState};

/// What all answers together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The primary, or why there is none.
    pub primary: Result<ServerId, NoPrimary>,
    /// What each server may be used for.
    pub states: HashMap<ServerId, ServerState>,
}

/// One server and what is known of it.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Its number.
    pub id: ServerId,
    /// Its address.
    pub address: &'a Address,
    /// Who it said it was, now or when it last answered.
    pub identity: Option<&'a Identity>,
    /// What it says now, or what went wrong.
    pub now: Result<&'a Observation, &'a str>,
}

/// Names the primary and its replicas.
///
/// A server given alone is the primary. Of several, the primary is the one that takes writes and does
/// not replicate from another one of them; where more than one is like that, the one that others
/// replicate from. Anything else is ambiguous, and refused with what to do about it.
///
/// `reigning` is the last primary there was. While it is out of reach, a server that takes writes is
/// believed only if others follow it: else it may be one that was forgotten, and two would be written to.
#[must_use]
pub fn judge(servers: &[Known<'_>], reigning: Option<ServerId>) -> Judgement {
    let primary = primary(servers, reigning);
    let judged = |server: &Known<'_>| match (&server.now, &primary) {
        (Err(problem), _) => NotServing::Unreachable { problem: (*problem).to_owned() }.into(),
        (Ok(_), Ok(id)) if *id == server.id => ServerState::Primary,
        (Ok(seen), Ok(id)) => match servers.iter().find(|other| other.id == *id) {
            Some(primary) => follower(seen, primary),
            None => NotServing::Unknown.into(),
        },
        (Ok(_), Err(_)) => NotServing::Unknown.into(),
    };
    let states = servers.iter().map(|server| (server.id, judged(server))).collect();
    Judgement { primary, states }
}

fn primary(servers: &[Known<'_>], reigning: Option<ServerId>) -> Result<ServerId, NoPrimary> {
    let answering: Vec<_> = servers.iter().filter_map(|server| Some((server, server.now.ok()?))).collect();
    if answering.is_empty() {
        let problem = |server: &Known<'_>| Some(format!("{}: {}", server.address, server.now.err()?));
        return Err(NoPrimary::Unreachable { problems: servers.iter().filter_map(problem).collect() });
    }
    if let [only] = servers {
        return Ok(only.id);
    }
    // A server that has never been asked may be anybody's source, under an address of its own.
    let strangers = servers.iter().any(|server| server.identity.is_none());
    let follows_one_of_them = |seen: &Observation| {
        seen.channels.iter().any(|channel| strangers || servers.iter().any(|other| is_source(channel, other)))
    };
    let is_followed = |server: &Known<'_>| {
        let follows = |channel: &Replication| is_source(channel, server);
        answering.iter().any(|(_, seen)| seen.channels.iter().any(follows))
    };
    let candidates: Vec<_> = answering
        .iter()
        .filter(|(_, seen)| !seen.identity.read_only && !follows_one_of_them(seen))
        .map(|(server, _)| *server)
        .collect();
    match candidates.as_slice() {
        [] => {
            let silent = |server: &Known<'_>| server.now.is_err().then(|| server.address.to_string());
            Err(NoPrimary::NoneWritable { silent: servers.iter().filter_map(silent).collect() })
        }
        [one] => {
            // Whom others follow is the primary, within reach or not; and so is who was it last.
            let gone = |server: &&Known<'_>| {
                server.id != one.id
                    && server.now.is_err()
                    && (reigning == Some(server.id) || is_followed(server))
            };
            match servers.iter().find(gone) {
                Some(gone) if !is_followed(one) => Err(NoPrimary::Deposed {
                    writable: one.address.to_string(),
                    gone: gone.address.to_string(),
                }),
                _ => Ok(one.id),
            }
        }
        several => {
            let mut followed = several.iter().filter(|server| is_followed(server));
            match (followed.next(), followed.next()) {
                (Some(one), None) => Ok(one.id),
                _ => Err(NoPrimary::SeveralWritable {
                    servers: several.iter().map(|server| server.address.to_string()).collect(),
                }),
            }
        }
    }
}

/// Whether `channel` reads from `server`: by UUID or server id where both are known, else by address.
fn is_source(channel: &Replication, server: &Known<'_>) -> bool {
    match server.identity {
        Some(identity) if !identity.uuid.is_empty() && !channel.source_uuid.is_empty() => {
            identity.uuid == channel.source_uuid
        }
        Some(identity) if channel.source_server_id != 0 => identity.server_id == channel.source_server_id,
        _ => channel.source == server.address.to_string(),
    }
}

/// What a server may be used for beside this primary.
fn follower(seen: &Observation, primary: &Known<'_>) -> ServerState {
    let Ok(of_primary) = primary.now else { return NotServing::Unknown.into() };
    // From a further source it would have rows that the primary has not.
    if let Some(other) = seen.channels.iter().find(|channel| !is_source(channel, primary)) {
        return NotServing::WrongSource { source: other.source.clone() }.into();
    }
    let Some(channel) = seen.channels.first() else {
        let why = if seen.identity.read_only { NotServing::NoSource } else { NotServing::Writable };
        return why.into();
    };
    if let Some(problem) = &channel.stopped {
        return NotServing::Stopped { problem: problem.clone() }.into();
    }
    if channel.filtered {
        return NotServing::Filtered.into();
    }
    if channel.delay > 0 {
        return NotServing::Delayed { seconds: channel.delay }.into();
    }
    let matters = |(name, value): &(&String, &String)| match seen.defaults.get(*name) {
        Some(own) => own != *value && !levels(name, value) && !UNREAD.contains(&name.as_str()),
        None => true,
    };
    let variables: Vec<_> =
        of_primary.defaults.iter().filter(matters).map(|(name, _)| name.clone()).collect();
    if variables.is_empty() { ServerState::Replica } else { NotServing::DefaultsDiffer { variables }.into() }
}

/// What decides about definitions and no plain read.
const UNREAD: &[&str] =
    &["character_set_database", "character_set_server", "collation_database", "collation_server"];

impl From<NotServing> for ServerState {
    fn from(why: NotServing) -> Self {
        Self::NotServing(why)
    }
}
