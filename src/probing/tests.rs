//! Clusters as they are found, and what is made of them.

use super::roles::Known;
use super::*;
use crate::topology::{Address, NoPrimary, NotServing, ServerId, ServerState};

fn server(number: u64, read_only: bool, source: Option<u64>) -> Observation {
    let channel = |source: u64| Replication {
        source: format!("db{source}:3306"),
        source_uuid: format!("uuid-{source}"),
        source_server_id: source,
        ..Replication::default()
    };
    Observation {
        identity: Identity { uuid: format!("uuid-{number}"), server_id: number, read_only },
        channels: source.map(channel).into_iter().collect(),
        defaults: ["sql_mode", "old_mode", "collation_server"]
            .map(|name| (name.to_owned(), String::new()))
            .into(),
        max_connections: None,
        kin: family::Kin::default(),
        executed: None,
    }
}

type Seen = Result<Observation, &'static str>;

fn judged(seen: &[Seen]) -> Judgement {
    judged_after(seen, None)
}

/// Servers that are out of reach are known from before, as numbered.
fn judged_after(seen: &[Seen], reigning: Option<u16>) -> Judgement {
    let before: Vec<_> = (1..).take(seen.len()).map(|number| server(number, true, None).identity).collect();
    let addresses: Vec<Address> =
        (1..).take(seen.len()).map(|n| Address::Tcp { host: format!("db{n}"), port: 3306 }).collect();
    let known: Vec<_> = (1..)
        .zip(seen.iter().zip(addresses.iter().zip(&before)))
        .map(|(id, (seen, (address, before)))| Known {
            id: ServerId(id),
            address,
            identity: seen.as_ref().ok().map(|seen| &seen.identity).or(reigning.map(|_| before)),
            now: seen.as_ref().map_err(|problem| *problem),
        })
        .collect();
    judge(&known, reigning.map(ServerId))
}

fn state(judgement: &Judgement, id: u16) -> &ServerState {
    &judgement.states[&ServerId(id)]
}

#[test]
fn a_server_given_alone_is_the_primary() {
    let judgement = judged(&[Ok(server(1, true, None))]);
    assert_eq!(judgement.primary, Ok(ServerId(1)));
}

#[test]
fn a_healthy_cluster_is_recognised() {
    let judgement =
        judged(&[Ok(server(1, true, Some(2))), Ok(server(2, false, None)), Ok(server(3, false, Some(2)))]);
    assert_eq!(judgement.primary, Ok(ServerId(2)));
    assert_eq!(state(&judgement, 1), &ServerState::Replica);
    // A replica that somebody forgot to make read only is still a replica.
    assert_eq!(state(&judgement, 3), &ServerState::Replica);
}

#[test]
fn a_writable_replica_is_not_promoted_by_its_primarys_silence() {
    let judgement = judged(&[Err("gone"), Ok(server(2, false, Some(1)))]);
    assert_eq!(judgement.primary, Err(NoPrimary::NoneWritable { silent: vec!["db1:3306".into()] }));
}

#[test]
fn two_writable_servers_are_settled_by_who_is_followed_or_not_at_all() {
    let followed =
        judged(&[Ok(server(1, false, None)), Ok(server(2, false, None)), Ok(server(3, true, Some(2)))]);
    assert_eq!(followed.primary, Ok(ServerId(2)));
    assert_eq!(state(&followed, 1), &NotServing::Writable.into());
    let open = judged(&[Ok(server(1, false, None)), Ok(server(2, false, None))]);
    assert!(matches!(open.primary, Err(NoPrimary::SeveralWritable { .. })));
    let none = judged(&[Err("refused"), Err("timed out")]);
    assert!(matches!(none.primary, Err(NoPrimary::Unreachable { problems }) if problems.len() == 2));
}

#[test]
fn a_writable_replica_of_somebody_unknown_does_not_lead_while_a_server_is_unknown() {
    let mut replica = server(2, false, Some(1));
    replica.channels[0].source = "a-name-of-its-own:3306".into();
    assert_eq!(
        judged(&[Err("gone"), Ok(replica)]).primary,
        Err(NoPrimary::NoneWritable { silent: vec!["db1:3306".into()] })
    );
    let upstream = judged(&[Ok(server(1, false, Some(9))), Ok(server(2, true, Some(1)))]);
    assert_eq!(upstream.primary, Ok(ServerId(1)), "its source is outside the cluster");
}

#[test]
fn nobody_takes_the_place_of_a_primary_out_of_reach_without_followers() {
    let deposed = NoPrimary::Deposed { writable: "db2:3306".into(), gone: "db1:3306".into() };
    let lone = || Ok(server(2, false, None));
    assert_eq!(judged_after(&[Err("gone"), lone()], Some(1)).primary, Err(deposed.clone()));
    // The same is clear from whom the replica follows, before any primary was known.
    let follower = || Ok(server(3, true, Some(1)));
    assert_eq!(judged(&[Err("gone"), lone(), follower()]).primary, Err(deposed));
    let followed = judged_after(&[Err("gone"), lone(), Ok(server(3, true, Some(2)))], Some(1));
    assert_eq!(followed.primary, Ok(ServerId(2)));
    let demoted = judged_after(&[Ok(server(1, true, None)), lone()], Some(1));
    assert_eq!(demoted.primary, Ok(ServerId(2)), "it says itself that it takes no writes");
}

#[test]
fn replicas_that_cannot_serve_say_why() {
    let check = |change: fn(&mut Observation), expected: NotServing| {
        let mut replica = server(2, true, Some(1));
        change(&mut replica);
        let judgement = judged(&[Ok(server(1, false, None)), Ok(replica)]);
        assert_eq!(state(&judgement, 2), &expected.into());
    };
    check(|seen| seen.channels.clear(), NotServing::NoSource);
    check(
        |seen| seen.channels[0].source_uuid = "x".into(),
        NotServing::WrongSource { source: "db1:3306".into() },
    );
    check(
        |seen| seen.channels.push(server(2, true, Some(9)).channels.remove(0)),
        NotServing::WrongSource { source: "db9:3306".into() },
    );
    check(|seen| seen.channels[0].stopped = Some("p".into()), NotServing::Stopped { problem: "p".into() });
    check(|seen| seen.channels[0].filtered = true, NotServing::Filtered);
    check(|seen| seen.channels[0].delay = 5, NotServing::Delayed { seconds: 5 });
    check(
        |seen| _ = seen.defaults.insert("old_mode".into(), "ZERO_DATE_TIME_CAST".into()),
        NotServing::DefaultsDiffer { variables: vec!["old_mode".into()] },
    );
    check(
        |seen| _ = seen.defaults.remove("sql_mode"),
        NotServing::DefaultsDiffer { variables: vec!["sql_mode".into()] },
    );
}

#[test]
fn a_chain_serves_as_far_as_it_runs() {
    let chain = |change: fn(&mut Observation)| {
        let mut middle = server(2, true, Some(1));
        change(&mut middle);
        judged(&[Ok(server(1, false, None)), Ok(middle), Ok(server(3, true, Some(2)))])
    };
    let healthy = chain(|_| {});
    assert_eq!((state(&healthy, 2), state(&healthy, 3)), (&ServerState::Replica, &ServerState::Replica));
    assert_eq!(healthy.through, [(ServerId(3), ServerId(2))].into());
    let check = |change: fn(&mut Observation), expected: NotServing| {
        assert_eq!(state(&chain(change), 3), &expected.into());
    };
    let broken =
        |problem: &str| NotServing::ChainBroken { middle: "db2:3306".into(), problem: problem.into() };
    check(
        |middle| middle.channels[0].stopped = Some("the applier does not run".into()),
        broken("replication is stopped: the applier does not run"),
    );
    check(
        |middle| middle.channels[0].filtered = true,
        broken("it has replication filters, so it lacks data"),
    );
    check(|middle| middle.channels[0].delay = 7, broken("it is delayed by 7 s on purpose"));
    // A middle that does not follow the primary itself is a source like any other that is not the primary.
    let wrong = || NotServing::WrongSource { source: "db2:3306".into() };
    check(|middle| middle.channels.clear(), wrong());
    check(|middle| middle.channels = server(2, true, Some(9)).channels, wrong());
    check(|middle| middle.channels = server(2, true, Some(3)).channels, wrong());
    // Its settings decide about its own reads alone.
    let differs = chain(|middle| _ = middle.defaults.insert("old_mode".into(), "X".into()));
    assert!(matches!(state(&differs, 2), ServerState::NotServing(NotServing::DefaultsDiffer { .. })));
    assert_eq!(state(&differs, 3), &ServerState::Replica);
}

#[test]
fn the_middle_of_a_chain_may_fall_silent() {
    let addresses: Vec<Address> = (1..=3).map(|n| format!("db{n}:3306").parse().unwrap()).collect();
    let before: Vec<_> = (1..=3).map(|number| server(number, true, None).identity).collect();
    let judged = |third: &Observation, through: &[(u16, u16)]| {
        let primary = server(1, false, None);
        let now = [Ok(&primary), Err("timed out"), Ok(third)];
        let known: Vec<_> = (1..)
            .zip(addresses.iter().zip(&before).zip(now))
            .map(|(id, ((address, identity), now))| Known {
                id: ServerId(id),
                address,
                identity: Some(identity),
                now,
            })
            .collect();
        let through = through.iter().map(|(id, middle)| (ServerId(*id), ServerId(*middle))).collect();
        judge_after(&known, Past { reigning: Some(ServerId(1)), through: &through, discovers: false })
    };
    let third = server(3, true, Some(2));
    let chain = judged(&third, &[(3, 2)]);
    assert_eq!(chain.primary, Ok(ServerId(1)));
    let silent = NotServing::ChainSilent { middle: "db2:3306".into(), problem: "timed out".into() };
    assert_eq!(state(&chain, 3), &silent.into());
    assert_eq!(chain.through, [(ServerId(3), ServerId(2))].into(), "it is known the next time too");
    // Who followed the primary and now follows a server out of reach was perhaps moved to a new primary.
    let moved = judged(&third, &[]);
    assert!(matches!(moved.primary, Err(NoPrimary::Deposed { .. })));
    assert_eq!(moved.through, [].into());
}

#[test]
fn a_writable_server_below_a_replica_is_no_primary() {
    let judgement =
        judged(&[Ok(server(1, false, None)), Ok(server(2, true, Some(1))), Ok(server(3, false, Some(2)))]);
    assert_eq!(judgement.primary, Ok(ServerId(1)));
    assert_eq!(state(&judgement, 3), &ServerState::Replica);
}

#[test]
fn of_two_that_follow_each_other_the_writable_one_leads() {
    let pair =
        |second_read_only| judged(&[Ok(server(1, false, Some(2))), Ok(server(2, second_read_only, Some(1)))]);
    let quiet = pair(true);
    assert_eq!((quiet.primary, &quiet.states[&ServerId(2)]), (Ok(ServerId(1)), &ServerState::Replica));
    let both = vec!["db1:3306".to_owned(), "db2:3306".to_owned()];
    assert_eq!(pair(false).primary, Err(NoPrimary::SeveralWritable { servers: both }));
}

#[test]
fn a_lone_server_whose_source_is_not_used_is_no_primary_where_further_ones_are_looked_for() {
    let address = "db1:3306".parse().unwrap();
    let judged = |seen: &Observation, discovers| {
        let known =
            Known { id: ServerId(1), address: &address, identity: Some(&seen.identity), now: Ok(seen) };
        let past = Past { reigning: None, through: &std::collections::HashMap::new(), discovers };
        judge_after(&[known], past).primary
    };
    let follower = server(1, false, Some(2));
    let unknown = NoPrimary::SourceUnknown { server: "db1:3306".into(), source: "db2:3306".into() };
    assert_eq!(judged(&follower, true), Err(unknown));
    assert_eq!(judged(&follower, false), Ok(ServerId(1)));
    assert_eq!(judged(&server(1, true, None), true), Ok(ServerId(1)));
}

/// Made from the manuals of Galera, Aurora and Group Replication; a group was tried, the others were not.
#[test]
fn families_are_judged_by_their_own_evidence() {
    use super::family::{Family, Instance, Kin, Member, MemberState};
    let galera = |number| Observation {
        kin: Kin { family: Family::Galera, ..Kin::default() },
        ..server(number, false, None)
    };
    let refused = judged(&[Ok(galera(1)), Ok(galera(2))]);
    assert!(matches!(refused.primary, Err(NoPrimary::Family { .. })));
    assert!(matches!(state(&refused, 1), ServerState::NotServing(NotServing::Family { .. })));
    let mixed = judged(&[Ok(galera(1)), Ok(server(2, false, None)), Ok(server(3, true, Some(2)))]);
    assert_eq!(mixed.primary, Ok(ServerId(2)));

    let instances: Vec<Instance> = [("a", false), ("b", true)]
        .map(|(id, writer)| Instance { id: id.into(), writer, lag: None, age: Some(0) })
        .into();
    let aurora = |number, instance: &str| Observation {
        kin: Kin {
            family: Family::Aurora,
            instance: instance.into(),
            instances: instances.clone(),
            ..Kin::default()
        },
        ..server(number, true, None)
    };
    let shared = judged(&[Ok(aurora(1, "a")), Ok(aurora(2, "b"))]);
    assert_eq!(shared.primary, Ok(ServerId(2)));
    assert!(matches!(state(&shared, 1), ServerState::NotServing(NotServing::Family { .. })));
    let only_readers = judged(&[Ok(aurora(1, "a")), Ok(aurora(2, "c"))]);
    assert!(matches!(only_readers.primary, Err(NoPrimary::Group { .. })));

    let member = |number: u64, own: MemberState, read_only| {
        let row = |other: u64, state, primary| Member {
            uuid: format!("uuid-{other}"),
            address: None,
            state,
            primary,
        };
        let state_of = |other| if other == number { own } else { MemberState::Online };
        let members = vec![row(1, state_of(1), true), row(2, state_of(2), false), row(3, state_of(3), false)];
        Observation {
            kin: Kin { family: Family::Group { name: "g".into() }, members: Some(members), ..Kin::default() },
            ..server(number, read_only, None)
        }
    };
    let group = judged(&[
        Ok(member(1, MemberState::Online, false)),
        Ok(member(2, MemberState::Online, true)),
        Ok(member(3, MemberState::Recovering, true)),
        Ok(server(4, true, Some(2))),
    ]);
    assert_eq!(group.primary, Ok(ServerId(1)));
    assert_eq!(state(&group, 2), &ServerState::Replica);
    assert_eq!(state(&group, 3), &NotServing::Group { state: "RECOVERING" }.into());
    assert_eq!(state(&group, 4), &ServerState::Replica, "a replica of a member has the group's data");
}
