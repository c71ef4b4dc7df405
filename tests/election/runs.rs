//! Runs by the thousand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use headgate::election::{Phase, Policy, Receiver, Why};

use crate::chance::Chance;
use crate::faults::plan;
use crate::history::{History, Violation};
use crate::invariants::{followers_have_nothing_of_their_own, unhealed};
use crate::mutation::{self, Mutation};
use crate::server::Server;
use crate::world::{Happening, MS, SECOND, Setup, World};

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    pub(crate) history: History,
    pub(crate) ended: u64,
}

/// Runs a seed.
pub(crate) fn run(seed: u64, mutation: Option<Mutation>, telling: bool) -> Outcome {
    let mut chance = Chance::new(seed);
    let setup = Setup::by(&mut chance);
    let (faults, end) = plan(&mut chance, &setup);
    let patience = healing_time(&setup);
    let mut world = World::new(seed, setup, mutation);
    world.history.telling = telling;
    if telling {
        println!("{:#?}", world.setup);
    }
    for (at, fault) in faults {
        world.after(at, Happening::Fault(fault));
    }
    while world.turn(end) {}
    let mut last = None;
    while world.history.violation.is_none() {
        let until = world.now + 500 * MS;
        while world.turn(until) && world.history.violation.is_none() {}
        last = ill(&world);
        if last.is_none() || world.now > end + patience {
            break;
        }
    }
    match last {
        Some(why) => world.history.violate("healed", why),
        None => {
            if let Some(primary) = world.published() {
                followers_have_nothing_of_their_own(&mut world.history, &world.servers, primary);
            }
        }
    }
    Outcome { violation: world.history.violation.take(), ended: world.now, history: world.history }
}

/// How long it may take until all is well again: what has begun comes to its end or is given up, the cool-down passes, and it
/// is done once more.
fn healing_time(setup: &Setup) -> u64 {
    let rules = &setup.rules;
    let time = rules.silence() * 3 + rules.cooldown * 2 + rules.catch_up * 2;
    u64::try_from(time.as_micros()).unwrap() + 60 * SECOND
}

/// What is not well and has no good reason; nothing where all is well.
fn ill(world: &World) -> Option<String> {
    let here = world.process.as_ref();
    if let Some(Phase::Blocked(why)) = world.blocked() {
        return (!is_true(world, why)).then(|| format!("blocked without a good reason: {why}"));
    }
    // Who never comes back is nobody's concern.
    let gone = |server: &Server| !server.works() || !world.connected(server.id, world.here());
    let held = here.is_some_and(|here| here.held);
    unhealed(here.map(|here| &here.machine), &world.servers, world.published(), held, gone)
}

/// A reason to stand still that is true, for a primary that never comes back.
fn is_true(world: &World, why: &Why) -> bool {
    let Some(primary) = world.history.primary else { return false };
    let old = &world.servers[primary];
    if old.works() && world.connected(primary, world.here()) {
        return false;
    }
    let safe = world.setup.rules.policy == Policy::Safe;
    let others = || world.servers.iter().filter(|server| server.id != primary);
    let machine = world.process.as_ref().map(|here| &here.machine);
    let kept_out = |server: usize| {
        machine.is_some_and(|machine| machine.quarantined().any(|(id, _)| usize::from(id.0) == server))
    };
    let stray = |id: &u32| world.history.strays.contains_key(id);
    let follows = |server: &Server| server.link.as_ref().is_some_and(|link| link.source == primary);
    let fit = || {
        others().filter(|server| {
            server.works()
                && server.logs
                && !server.filtered
                && !server.held.iter().any(|id| stray(id) || !old.has(*id))
                && !kept_out(server.id)
                && (follows(server)
                    || others().any(follows)
                        && others().all(|other| other.log.iter().all(|tx| server.has(tx.id))))
                && others().all(|other| other.version >= server.version)
        })
    };
    match why {
        Why::WouldLose(_) => safe && fit().all(|server| old.log.iter().any(|tx| !server.has_received(tx.id))),
        Why::AcknowledgedUnknown => safe && world.processes > 1,
        Why::NoCandidate { .. } => fit().next().is_none(),
        Why::NoWitness => others().all(|server| {
            server
                .link
                .as_ref()
                .is_none_or(|link| link.source != primary || link.receiver == Receiver::Stopped)
        }),
        // It applies more slowly than clients write.
        Why::ApplierBehind(server) => !world.servers[usize::from(server.0)].relay.is_empty(),
        _ => false,
    }
}

/// The number that a variable of the environment says.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one and prints it.
fn show(seed: u64) -> Outcome {
    let outcome = run(seed, None, true);
    for line in &outcome.history.told {
        println!("{line}");
    }
    outcome
}

#[test]
fn no_failure_breaks_what_must_hold() {
    if let Some(seed) = number("HEADGATE_SEED") {
        let outcome = show(seed);
        assert_eq!(outcome.violation, None, "seed {seed}");
        return;
    }
    // What is built without optimisation is a first look.
    let wanted = number("HEADGATE_FAILURES").unwrap_or(if cfg!(debug_assertions) { 200 } else { 100_000 });
    let (next, failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let (promotions, lost, longest) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let found: Vec<(u64, Violation)> = thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            while failures.load(Ordering::Relaxed) < wanted && found.len() < 5 {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let outcome = run(seed, None, false);
                failures.fetch_add(outcome.history.failures, Ordering::Relaxed);
                promotions.fetch_add(outcome.history.promotions, Ordering::Relaxed);
                lost.fetch_add(outcome.history.lost, Ordering::Relaxed);
                longest.fetch_max(outcome.ended, Ordering::Relaxed);
                found.extend(outcome.violation.map(|violation| (seed, violation)));
            }
            found
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!(
        "{failures:?} failures in {next:?} runs: {promotions:?} promotions, {lost:?} acknowledged commits lost with all \
         who had them, the longest run {} s",
        longest.into_inner() / SECOND
    );
    let seeds: Vec<String> =
        found.iter().map(|(seed, violation)| format!("seed {seed}: {violation:?}")).collect();
    assert!(seeds.is_empty(), "\n{}\nHEADGATE_SEED shows one", seeds.join("\n"));
}

#[test]
fn known_faults_are_caught() {
    let mut uncaught = Vec::new();
    for (mutation, by) in mutation::ALL {
        let tries = if cfg!(debug_assertions) { 500 } else { 30_000 };
        if cfg!(debug_assertions) && !mutation::SOON.contains(mutation) {
            continue;
        }
        let caught = (0..tries).find_map(|seed| {
            let violation = run(seed, Some(*mutation), false).violation?;
            (violation.invariant == *by).then_some((seed, violation))
        });
        match caught {
            Some((seed, violation)) => {
                println!("{mutation:?}: seed {seed}, {}: {}", violation.invariant, violation.what);
            }
            None => uncaught.push(mutation),
        }
    }
    assert!(uncaught.is_empty(), "not caught: {uncaught:?}");
}
