//! Who is the primary, and who follows it.

use std::collections::HashMap;

use super::families;
use super::lineage::{lineage, middle};
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
    /// Of a server that follows another replica, that replica: whether its data comes through or not.
    pub through: HashMap<ServerId, ServerId>,
}

/// What was known before.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The last primary there was.
    pub reigning: Option<ServerId>,
    /// [`Judgement::through`] of the last judgement.
    pub through: &'a HashMap<ServerId, ServerId>,
    /// Further servers are looked for, so that a server which is known alone and replicates from somebody is no primary.
    pub discovers: bool,
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
    judge_after(servers, Past { reigning, through: &HashMap::new(), discovers: false })
}

/// The same where it is known who followed another replica before. The middle of a chain that falls silent is then not
/// taken for a new primary that somebody follows.
#[must_use]
pub fn judge_after(servers: &[Known<'_>], past: Past<'_>) -> Judgement {
    let primary = families::primary(servers).unwrap_or_else(|| primary(servers, past));
    conclude(servers, primary, past.through)
}

/// The same where failover says who the primary is: that server while it takes writes, and else nobody. Others that are
/// writable are strays.
#[must_use]
pub fn judge_settled(servers: &[Known<'_>], settled: ServerId) -> Judgement {
    let writable = |server: &Known<'_>| server.now.is_ok_and(|seen| !seen.identity.read_only);
    let primary = match servers.iter().find(|server| server.id == settled) {
        Some(server) if writable(server) => Ok(settled),
        settled => {
            let silent = settled.filter(|server| server.now.is_err());
            Err(NoPrimary::NoneWritable {
                silent: silent.map(|server| server.address.to_string()).into_iter().collect(),
            })
        }
    };
    conclude(servers, primary, &HashMap::new())
}

/// What the primary makes of the others.
fn conclude(
    servers: &[Known<'_>],
    primary: Result<ServerId, NoPrimary>,
    through_before: &HashMap<ServerId, ServerId>,
) -> Judgement {
    let head = primary.as_ref().ok().and_then(|id| servers.iter().find(|server| server.id == *id));
    let judged = |server: &Known<'_>| match (&server.now, head) {
        (Err(problem), _) => NotServing::Unreachable { problem: (*problem).to_owned() }.into(),
        (Ok(_), Some(head)) if head.id == server.id => ServerState::Primary,
        (Ok(seen), head) => match (families::refusal(seen), head) {
            (Some(refusal), _) => refusal.into(),
            (None, Some(head)) => follower(seen, head, lineage(seen, head, servers)),
            (None, None) => NotServing::NoPrimary.into(),
        },
    };
    let states = servers.iter().map(|server| (server.id, judged(server))).collect();
    let through = match head {
        Some(head) => {
            let middle = |server: &Known<'_>| Some((server.id, middle(server.now.ok()?, head, servers)?));
            servers.iter().filter(|server| server.id != head.id).filter_map(middle).collect()
        }
        None => through_before.clone(),
    };
    Judgement { primary, states, through }
}

fn primary(servers: &[Known<'_>], past: Past<'_>) -> Result<ServerId, NoPrimary> {
    let answering: Vec<_> = servers.iter().filter_map(|server| Some((server, server.now.ok()?))).collect();
    if answering.is_empty() {
        let problem = |server: &Known<'_>| Some(format!("{}: {}", server.address, server.now.err()?));
        return Err(NoPrimary::Unreachable { problems: servers.iter().filter_map(problem).collect() });
    }
    if let [only] = servers {
        let source = only.now.ok().and_then(|seen| seen.channels.first()).filter(|_| past.discovers);
        return match source {
            Some(channel) => Err(NoPrimary::SourceUnknown {
                server: only.address.to_string(),
                source: channel.source.clone(),
            }),
            None => Ok(only.id),
        };
    }
    // A server that has never been asked may be anybody's source, under an address of its own.
    let strangers = servers.iter().any(|server| server.identity.is_none());
    // Of two that replicate from each other, the one that takes no writes is the other's replica.
    let is_deputy = |server: &Known<'_>, other: &Known<'_>| {
        let follows = |seen: &Observation| seen.channels.iter().any(|channel| is_source(channel, server));
        other.now.is_ok_and(|seen| seen.identity.read_only && follows(seen))
    };
    let follows_one_of_them = |server: &Known<'_>, seen: &Observation| {
        let above = |channel: &Replication| {
            let mut sources = servers.iter().filter(|other| is_source(channel, other));
            sources.any(|other| !is_deputy(server, other))
        };
        seen.channels.iter().any(|channel| strangers || above(channel))
    };
    let is_followed = |server: &Known<'_>| {
        let follows = |channel: &Replication| is_source(channel, server);
        answering.iter().any(|(_, seen)| seen.channels.iter().any(follows))
    };
    let candidates: Vec<_> = answering
        .iter()
        .filter(|(server, seen)| !seen.identity.read_only && !follows_one_of_them(server, seen))
        .filter(|(_, seen)| families::refusal(seen).is_none())
        .map(|(server, _)| *server)
        .collect();
    match candidates.as_slice() {
        [] => Err(nobody(servers)),
        [one] => {
            // Whom others follow is the primary, within reach or not; and so is who was it last. But who has always
            // followed a replica says nothing when that falls silent.
            let moved = |(follower, seen): &(&Known<'_>, &Observation), server: &Known<'_>| {
                let always =
                    past.reigning == Some(one.id) && past.through.get(&follower.id) == Some(&server.id);
                !always && seen.channels.iter().any(|channel| is_source(channel, server))
            };
            let gone = |server: &&Known<'_>| {
                server.id != one.id
                    && server.now.is_err()
                    && (past.reigning == Some(server.id)
                        || answering.iter().any(|follower| moved(follower, server)))
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

/// Why there is no primary where no server that answers could be it.
fn nobody(servers: &[Known<'_>]) -> NoPrimary {
    let silent = |server: &Known<'_>| server.now.is_err().then(|| server.address.to_string());
    let silent: Vec<String> = servers.iter().filter_map(silent).collect();
    let writable = |server: &Known<'_>| server.now.is_ok_and(|seen| !seen.identity.read_only);
    let writable: Vec<String> =
        servers.iter().filter(|server| writable(server)).map(|server| server.address.to_string()).collect();
    // Each of them follows another one: a circle.
    if silent.is_empty() && writable.len() > 1 {
        NoPrimary::SeveralWritable { servers: writable }
    } else {
        NoPrimary::NoneWritable { silent }
    }
}

/// Whether `channel` reads from `server`: by UUID or server id where both are known, else by address.
pub(super) fn is_source(channel: &Replication, server: &Known<'_>) -> bool {
    match server.identity {
        Some(identity) if !identity.uuid.is_empty() && !channel.source_uuid.is_empty() => {
            identity.uuid == channel.source_uuid
        }
        Some(identity) if channel.source_server_id != 0 => identity.server_id == channel.source_server_id,
        _ => channel.source == server.address.to_string(),
    }
}

/// Whether a server replicates from one of these.
#[must_use]
pub fn follows(seen: &Observation, servers: &[Known<'_>]) -> bool {
    seen.channels.iter().any(|channel| servers.iter().any(|server| is_source(channel, server)))
}

/// What a server may be used for beside this primary.
fn follower(seen: &Observation, primary: &Known<'_>, lineage: Result<(), NotServing>) -> ServerState {
    let Ok(of_primary) = primary.now else { return NotServing::Unknown.into() };
    if let Err(why) = lineage {
        return why.into();
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
