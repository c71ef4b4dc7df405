//! Runs with one question each: how long it takes, and what must not happen.

use std::time::Duration;

use headgate::election::{Heartbeat, Operator, Phase, Policy, Rules, Why};

use crate::chance::Chance;
use crate::faults::{Fault, Kind};
use crate::process::id;
use crate::server::Flavor;
use crate::world::{Happening, MS, SECOND, Setup, World};

const MINUTE: u64 = 60 * SECOND;

/// A primary and two replicas without flaws.
fn setup() -> Setup {
    Setup {
        flavor: Flavor::MySql,
        servers: 3,
        semi_sync: true,
        heartbeat: 500 * MS,
        writes: Some(50 * MS),
        rules: Rules::default(),
    }
}

/// Heartbeats that Headgate may not set, and nobody writes.
fn idle(setup: Setup) -> Setup {
    let heartbeat = Heartbeat::Found(Duration::from_secs(30));
    Setup { heartbeat: 30 * SECOND, writes: None, rules: Rules { heartbeat, ..setup.rules }, ..setup }
}

fn with(policy: Policy, setup: Setup) -> Setup {
    Setup { rules: Rules { policy, ..setup.rules }, ..setup }
}

fn world(seed: u64, setup: Setup) -> World {
    let mut world = World::new(seed, setup, None);
    world.sluggish = 0;
    for server in &mut world.servers {
        (server.version, server.logs, server.filtered, server.careful) = (80_400, true, false, false);
        server.pace = 2 * MS;
    }
    world
}

/// Lets one thing go wrong with a server at a time, for so long or for ever.
fn strike(world: &mut World, at: u64, kind: Kind, server: usize, lasts: Option<u64>) {
    world.after(at - world.now, Happening::Fault(Fault { kind, server: Some(server), lasts }));
}

fn pass(world: &mut World, until: u64) {
    while world.turn(until) {}
    assert_eq!(world.history.violation, None);
}

/// When a phase was entered first, in microseconds.
fn entered(world: &World, phase: &str) -> Option<u64> {
    let machine = &world.process.as_ref()?.machine;
    let entry = machine.timeline().entries().find(|entry| entry.phase == phase)?;
    Some(world.micros(entry.at))
}

fn phase(world: &World) -> &Phase {
    world.process.as_ref().unwrap().machine.phase()
}

/// Strikes at random moments; answers the times from then to the confirmation and to the publication, sorted.
fn times(setup: &Setup, kind: Kind, patience: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut confirmed, mut published) = (Vec::new(), Vec::new());
    for seed in 0..if cfg!(debug_assertions) { 20 } else { 300 } {
        let mut world = world(seed, setup.clone());
        let at = 40 * SECOND + Chance::new(seed).within(0, SECOND);
        strike(&mut world, at, kind, 0, None);
        pass(&mut world, at + patience);
        let revoked = entered(&world, "Revoking")
            .unwrap_or_else(|| panic!("{kind:?}, seed {seed}: {:?}", phase(&world)));
        confirmed.push(revoked - at);
        published.push(entered(&world, "Cooldown").expect("it is published") - at);
    }
    confirmed.sort_unstable();
    published.sort_unstable();
    (confirmed, published)
}

#[track_caller]
fn check_times(name: &str, setup: &Setup, kind: Kind, bound: u64) {
    let (confirmed, published) = times(setup, kind, bound + 10 * SECOND);
    let show =
        |times: &[u64]| format!("{} and {} ms", times[times.len() / 2] / MS, times[times.len() - 1] / MS);
    println!("{name}: confirmed in {}, published in {} (median, worst)", show(&confirmed), show(&published));
    assert!(
        confirmed[confirmed.len() - 1] <= bound,
        "{name}: confirmed after {} ms",
        confirmed[confirmed.len() - 1] / MS
    );
}

#[test]
fn death_is_confirmed_in_time() {
    let frozen = |setup: &Setup| u64::try_from(setup.rules.silence().as_micros()).unwrap();
    let busy = setup();
    check_times("a process that crashed", &busy, Kind::Crash, SECOND);
    check_times(
        "a process that crashed, without writes, heartbeats of 30 s",
        &idle(setup()),
        Kind::Crash,
        SECOND,
    );
    check_times("a process that ends in order", &busy, Kind::Close, 2 * SECOND);
    check_times(
        "a process that ends in order, without writes, heartbeats of 30 s",
        &idle(setup()),
        Kind::Close,
        2 * SECOND,
    );
    check_times("a process that is frozen", &busy, Kind::Freeze, frozen(&busy));
    check_times("a host that is cut off", &busy, Kind::Isolate, frozen(&busy));
    check_times("a server that greets and does nothing else", &busy, Kind::Stall, frozen(&busy));
    check_times("a disk that is full", &busy, Kind::DiskFull, frozen(&busy) + SECOND / 2);
    check_times(
        "a frozen process without writes, heartbeats of 30 s",
        &idle(setup()),
        Kind::Freeze,
        frozen(&idle(setup())),
    );
}

#[test]
fn a_cut_between_headgate_and_a_healthy_primary_promotes_nobody() {
    let here = setup().servers;
    for (kind, setup) in [
        (Kind::Cut { other: here, both: true }, setup()),
        (Kind::Cut { other: here, both: false }, setup()),
        (Kind::Cut { other: here, both: true }, Setup { writes: None, ..setup() }),
        (Kind::Cut { other: here, both: true }, idle(setup())),
        (Kind::Reject, setup()),
        (Kind::Reject, idle(setup())),
    ] {
        for seed in 0..20 {
            let mut world = world(seed, setup.clone());
            strike(&mut world, 5 * SECOND, kind, 0, Some(10 * MINUTE));
            pass(&mut world, 5 * SECOND + 10 * MINUTE);
            assert!(
                matches!(phase(&world), Phase::Blocked(Why::StillHeard { .. })),
                "{kind:?}: {:?}",
                phase(&world)
            );
            pass(&mut world, 7 * SECOND + 10 * MINUTE);
            assert_eq!(
                (phase(&world), world.published()),
                (&Phase::Healthy, Some(0)),
                "{kind:?}, seed {seed}"
            );
        }
    }
}

#[test]
fn a_switchover_under_a_lock_is_undone() {
    let mut world = world(1, setup());
    strike(&mut world, 5 * SECOND, Kind::Lock, 0, Some(5 * MINUTE));
    strike(&mut world, 10 * SECOND, Kind::Switchover, 1, Some(SECOND));
    pass(&mut world, 14 * SECOND);
    assert_eq!((phase(&world), world.published()), (&Phase::Healthy, Some(0)));
    pass(&mut world, 74 * SECOND);
    assert!(world.servers[0].writable && !world.process.as_ref().unwrap().held);
}

#[test]
fn a_switchover_takes_no_write_away() {
    let mut pauses = Vec::new();
    for seed in 0..100 {
        let mut world = world(seed, setup());
        strike(&mut world, 5 * SECOND, Kind::Switchover, 2, Some(SECOND));
        pass(&mut world, 20 * SECOND);
        assert_eq!((phase(&world), world.published()), (&Phase::Healthy, Some(2)), "seed {seed}");
        assert_eq!(world.history.lost, 0);
        let pause = entered(&world, "Publishing").unwrap() - entered(&world, "Revoking").unwrap();
        pauses.push(pause);
    }
    pauses.sort_unstable();
    let (median, worst) = (pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
    println!("a switchover: no writes for {} and {} ms (median, worst)", median / MS, worst / MS);
    assert!(worst < 300 * MS, "{worst} µs");
}

#[test]
fn nobody_is_promoted_where_that_is_not_allowed() {
    for (kind, policy) in [
        (Kind::Pause, Policy::Available),
        (Kind::Rival, Policy::Available),
        (Kind::Pause, Policy::Off),
        (Kind::Pause, Policy::External),
    ] {
        for seed in 0..50 {
            let mut world = world(seed, with(policy, setup()));
            strike(&mut world, 4 * SECOND, kind, 1, None);
            strike(&mut world, 5 * SECOND, Kind::Crash, 0, None);
            pass(&mut world, 2 * MINUTE);
            assert_eq!(world.history.promotions, 0);
            assert!(matches!(phase(&world), Phase::Blocked(_)), "{kind:?}: {:?}", phase(&world));
            // An operator may, but where something else does.
            world.wish(Operator::Failover);
            pass(&mut world, 3 * MINUTE);
            assert_eq!(world.history.promotions, 1, "{kind:?}, {policy:?}");
        }
    }
}

#[test]
fn who_becomes_writable_is_followed() {
    for crash in [true, false] {
        let mut world = world(3, with(Policy::External, setup()));
        if crash {
            strike(&mut world, 5 * SECOND, Kind::Crash, 0, None);
        }
        strike(&mut world, 9 * SECOND, Kind::Promote, 2, Some(SECOND));
        pass(&mut world, 15 * SECOND);
        assert_eq!((phase(&world), world.published()), (&Phase::Healthy, Some(2)), "{crash}");
        assert_eq!(world.process.as_ref().unwrap().machine.epoch().0, 2);
    }
}

#[test]
fn a_primary_that_comes_back_without_its_last_transactions_is_replaced() {
    for seed in 0..50 {
        let mut world = world(seed, Setup { writes: Some(SECOND), ..setup() });
        pass(&mut world, 10 * SECOND);
        // Else it may give the numbers away again before anybody looks; then nobody can tell.
        world.setup.writes = None;
        strike(&mut world, 10 * SECOND + 500 * MS, Kind::LoseTail, 0, Some(SECOND));
        pass(&mut world, 60 * SECOND);
        assert_ne!(world.published(), Some(0), "seed {seed}");
    }
}

#[test]
fn an_operator_can_accept_what_is_lost() {
    // Nobody but the primary has the last transactions, and the policy is safe.
    let mut world = world(5, with(Policy::Safe, Setup { semi_sync: false, ..setup() }));
    for replica in 1..3 {
        strike(&mut world, 5 * SECOND, Kind::Cut { other: replica, both: true }, 0, None);
    }
    strike(&mut world, 10 * SECOND, Kind::Crash, 0, None);
    pass(&mut world, 2 * MINUTE);
    assert!(matches!(phase(&world), Phase::Blocked(Why::WouldLose(_))), "{:?}", phase(&world));
    world.wish(Operator::AcceptLoss);
    pass(&mut world, 3 * MINUTE);
    assert!(phase(&world).is_at_rest() && world.published() != Some(0), "{:?}", phase(&world));
}

#[test]
fn an_old_primary_rejoins_or_is_kept_out_until_an_operator_accepts_what_it_has() {
    let mut world = world(6, Setup { semi_sync: false, ..setup() });
    strike(&mut world, 5 * SECOND, Kind::Crash, 0, Some(20 * SECOND));
    pass(&mut world, 40 * SECOND);
    let follows = |world: &World| world.servers[0].link.as_ref().map(|link| link.source) == world.published();
    assert!(follows(&world) && !world.servers[0].writable);
    // Now it has something of its own.
    let primary = world.published().unwrap();
    for other in (0..3).filter(|other| *other != primary) {
        strike(&mut world, 70 * SECOND, Kind::Cut { other, both: true }, primary, Some(30 * SECOND));
    }
    strike(&mut world, 75 * SECOND, Kind::Crash, primary, Some(60 * SECOND));
    pass(&mut world, 140 * SECOND);
    let kept_out = |world: &World| {
        world.process.as_ref().unwrap().machine.quarantined().any(|(server, _)| server == id(primary))
    };
    assert!(kept_out(&world));
    world.wish(Operator::Rejoin { server: id(primary) });
    pass(&mut world, 150 * SECOND);
    assert!(!kept_out(&world) && world.servers[primary].link.is_some());
}
