//! Who leads a cluster that chooses its primary itself, and what its other servers serve.

use std::collections::BTreeSet;

use super::family::group::{View, leader};
use super::family::{Family, MemberState, aurora};
use super::observe::Observation;
use super::roles::Known;
use crate::topology::{NoPrimary, NotServing, ServerId};

/// Why a server of a family that is not used serves nothing.
pub(super) fn refusal(seen: &Observation) -> Option<NotServing> {
    let why = seen.kin.family.refusal()?;
    Some(NotServing::Family { why: why.to_owned() })
}

/// The primary where the cluster says itself who it is; nothing where it is to be found by its replication.
///
/// Nothing of a Galera or Aurora cluster was tried: these rows are made from their manuals.
pub(super) fn primary(servers: &[Known<'_>]) -> Option<Result<ServerId, NoPrimary>> {
    let answering = || servers.iter().filter_map(|server| Some((server, server.now.ok()?)));
    let mut refused = answering().filter_map(|(_, seen)| seen.kin.family.refusal());
    if let Some(why) = refused.next()
        && answering().all(|(_, seen)| seen.kin.family.refusal().is_some())
    {
        return Some(Err(NoPrimary::Family { why: why.to_owned() }));
    }
    if answering().any(|(_, seen)| !seen.kin.instances.is_empty()) {
        return Some(of_aurora(servers));
    }
    let views = group_views(servers);
    (!views.is_empty()).then(|| of_group(servers, &views))
}

/// What members of a replication group that runs say of it.
fn group_views<'a>(servers: &[Known<'a>]) -> Vec<View<'a>> {
    let view = |server: &Known<'a>| {
        let seen = server.now.ok()?;
        let state = seen.kin.in_group(&seen.identity.uuid)?;
        // One that has the plugin and runs no group says nothing of any.
        let members = seen.kin.members.as_ref().filter(|_| state != MemberState::Offline)?;
        Some(View { by: &seen.identity.uuid, members })
    };
    servers.iter().filter_map(view).collect()
}

fn of_group(servers: &[Known<'_>], views: &[View<'_>]) -> Result<ServerId, NoPrimary> {
    let used: BTreeSet<&str> =
        servers.iter().filter_map(|server| server.now.ok()).map(|seen| seen.identity.uuid.as_str()).collect();
    let failed = |why: String| NoPrimary::Group { why };
    let uuid = leader(views, &used).map_err(|why| failed(why.to_string()))?;
    let known = servers.iter().find(|server| server.identity.is_some_and(|identity| identity.uuid == uuid));
    match known {
        Some(server) if server.now.is_ok() => Ok(server.id),
        Some(server) => Err(failed(format!(
            "{} is the primary of the replication group, and cannot be asked",
            server.address
        ))),
        None => Err(failed(format!(
            "the primary of the replication group, {uuid}, is not among the servers used; name it in \
             servers.addresses"
        ))),
    }
}

fn of_aurora(servers: &[Known<'_>]) -> Result<ServerId, NoPrimary> {
    let answering = || servers.iter().filter_map(|server| Some((server, server.now.ok()?)));
    let named: BTreeSet<&str> =
        answering().filter_map(|(_, seen)| aurora::writer(&seen.kin.instances)).collect();
    let failed = |why: String| Err(NoPrimary::Group { why });
    let mut named = named.into_iter();
    match (named.next(), named.next()) {
        (Some(writer), None) => match answering().find(|(_, seen)| seen.kin.instance == writer) {
            Some((server, _)) => Ok(server.id),
            None => failed(format!(
                "the writer of the Aurora cluster, {writer}, is not among the servers that answer; name its endpoint \
                 in servers.addresses"
            )),
        },
        _ => {
            failed("the instances of the Aurora cluster do not agree on who writes; wait for them".to_owned())
        }
    }
}

/// Whether the primary's data comes to a member of its replication group or its Aurora cluster; nothing where it has to
/// come by replication.
pub(super) fn of_kin(seen: &Observation, primary: &Observation) -> Option<Result<(), NotServing>> {
    match &seen.kin.family {
        Family::Group { .. } if seen.channels.is_empty() => {
            let Some(state) = seen.kin.in_group(&seen.identity.uuid) else {
                let why = "what its replication group says of it cannot be read; GRANT SELECT ON \
                           performance_schema.replication_group_members to the control account";
                return Some(Err(NotServing::Family { why: why.to_owned() }));
            };
            Some(is_in_touch(seen, primary, state))
        }
        Family::Aurora => {
            let why = "it is a reader of an Aurora cluster, whose data Headgate cannot date; its reads run on the writer";
            Some(Err(NotServing::Family { why: why.to_owned() }))
        }
        Family::Group { .. } | Family::Replication | Family::Galera => None,
    }
}

fn is_in_touch(seen: &Observation, primary: &Observation, state: MemberState) -> Result<(), NotServing> {
    let members = seen.kin.members.as_deref().unwrap_or_default();
    let other_group = seen.kin.family != primary.kin.family;
    let cut_off = !View { by: &seen.identity.uuid, members }.counts();
    match state {
        MemberState::Online if other_group => {
            Err(NotServing::Family { why: "it is in another replication group than the primary".to_owned() })
        }
        MemberState::Online if cut_off => Err(NotServing::Group { state: "cut off from more than half" }),
        MemberState::Online => Ok(()),
        state => Err(NotServing::Group { state: state.word() }),
    }
}
