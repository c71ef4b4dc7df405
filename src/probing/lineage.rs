//! Where a server's data comes from: the primary, or another replica that has it from there.

use super::families;
use super::observe::{Observation, Replication};
use super::roles::{Known, is_source};
use crate::topology::{NotServing, ServerId};

/// Whether the primary's data comes to a server, directly or through others, or why not.
///
/// What a chain passes through must run, unfiltered and undelayed, all the way. A server below one whose applier has
/// stopped says of itself that both its threads run and that it is 0 s behind (measured on MySQL 9.7 and MariaDB 10.11).
/// That new sessions of a server in the middle begin with other settings than on the primary is of no matter to what
/// it passes on.
pub(super) fn lineage(
    seen: &Observation,
    primary: &Known<'_>,
    servers: &[Known<'_>],
) -> Result<(), NotServing> {
    if let Some(of_kin) = primary.now.ok().and_then(|primary| families::of_kin(seen, primary)) {
        return of_kin;
    }
    let mut above = source(seen, primary, servers)?;
    runs(seen)?;
    let stranger = || {
        let source = seen.channels.first().map(|channel| channel.source.clone()).unwrap_or_default();
        NotServing::WrongSource { source }
    };
    // A chain is no longer than there are servers; what is, goes in a circle.
    for _ in servers {
        if above.id == primary.id {
            return Ok(());
        }
        let middle = || above.address.to_string();
        let broken = |why: NotServing| NotServing::ChainBroken { middle: middle(), problem: why.to_string() };
        let seen = above
            .now
            .map_err(|problem| NotServing::ChainSilent { middle: middle(), problem: problem.to_owned() })?;
        if let Some(of_kin) = primary.now.ok().and_then(|primary| families::of_kin(seen, primary)) {
            return of_kin.map_err(broken);
        }
        let next = source(seen, primary, servers).map_err(|_| stranger())?;
        runs(seen).map_err(broken)?;
        above = next;
    }
    Err(stranger())
}

/// The replica that a server follows, if it follows one.
pub(super) fn middle(seen: &Observation, primary: &Known<'_>, servers: &[Known<'_>]) -> Option<ServerId> {
    let source = source(seen, primary, servers).ok()?;
    (source.id != primary.id).then_some(source.id)
}

/// The one server that another one replicates from.
fn source<'a, 'k>(
    seen: &Observation,
    primary: &'a Known<'k>,
    servers: &'a [Known<'k>],
) -> Result<&'a Known<'k>, NotServing> {
    let known = |channel: &Replication| {
        // The primary first: where two cannot be told apart, it is what matters.
        let mut candidates = std::iter::once(primary).chain(servers);
        candidates.find(|other| is_source(channel, other))
    };
    let Some(first) = seen.channels.first() else {
        return Err(if seen.identity.read_only { NotServing::NoSource } else { NotServing::Writable });
    };
    let elsewhere = |channel: &Replication| NotServing::WrongSource { source: channel.source.clone() };
    let source = known(first).ok_or_else(|| elsewhere(first))?;
    // From a further source it would have rows that the primary has not.
    let further =
        seen.channels.iter().find(|channel| known(channel).is_none_or(|other| other.id != source.id));
    match further {
        Some(channel) => Err(elsewhere(channel)),
        None => Ok(source),
    }
}

/// Whether everything that comes to a server is applied to it.
fn runs(seen: &Observation) -> Result<(), NotServing> {
    for channel in &seen.channels {
        if let Some(problem) = &channel.stopped {
            return Err(NotServing::Stopped { problem: problem.clone() });
        }
        if channel.filtered {
            return Err(NotServing::Filtered);
        }
        if channel.delay > 0 {
            return Err(NotServing::Delayed { seconds: channel.delay });
        }
    }
    Ok(())
}
