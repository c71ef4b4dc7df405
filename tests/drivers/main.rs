//! The test suites of drivers and frameworks, each run twice: directly on the primary and through
//! Headgate, with the same account. What passes directly must pass through Headgate.
//!
//! Without more, a short choice of most suites runs. `tests/drivers/run NAME` runs one whole suite
//! (`HEADGATE_SUITE=NAME`). Tests that may fail through Headgate stand in `differences/NAME.txt`, each
//! with its reason.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]

mod outcomes;
mod place;
mod sources;
mod suites;

use std::env;

use headgate::lab::Flavor;

use outcomes::{Differences, Outcomes, compare};
use place::Place;
use suites::{SUITES, Scope, Suite};

#[test]
fn suites_on_mysql() {
    run_all(Flavor::MySql);
}

#[test]
fn suites_on_mariadb() {
    run_all(Flavor::MariaDb);
}

fn run_all(flavor: Flavor) {
    let wanted = env::var("HEADGATE_SUITE").ok();
    let chosen: Vec<(&Suite, Scope)> = SUITES
        .iter()
        .filter(|suite| suite.flavors.contains(&flavor))
        .filter_map(|suite| match &wanted {
            Some(name) => (name == suite.name).then_some((suite, Scope::Whole)),
            None => suite.short.map(|choice| (suite, Scope::Short(choice))),
        })
        .collect();
    if let Some(name) = &wanted {
        let known = SUITES.iter().any(|suite| suite.name == name);
        assert!(known, "no suite is called {name}; there are {:?}", SUITES.map(|suite| suite.name));
    }
    if chosen.is_empty() {
        println!("{} is no suite for {flavor}", wanted.unwrap_or_default());
        return;
    }
    let place = Place::start(flavor);
    let failures: Vec<String> =
        chosen.into_iter().filter_map(|(suite, scope)| run(&place, suite, scope).err()).collect();
    assert!(failures.is_empty(), "on {flavor}:\n{}", failures.join("\n"));
}

/// Both runs of a suite. The error is for people.
fn run(place: &Place, suite: &Suite, scope: Scope) -> Result<(), String> {
    let once = |address| -> Result<Outcomes, String> {
        place.fresh_schemas(suite.schemas);
        place.outcomes(suite, scope, address)
    };
    let direct = once(place.direct())?;
    let through = once(place.through())?;
    println!("{} on {}\n  direct:   {direct}\n  headgate: {through}", suite.name, place.flavor());
    let least = match scope {
        Scope::Short(_) => 5,
        Scope::Whole => suite.least,
    };
    if direct.passed() < least {
        return Err(format!("{}: only {} tests passed directly", suite.name, direct.passed()));
    }
    compare(&direct, &through, &Differences::of(suite.name))
        .map_err(|lines| format!("{}:\n{lines}", suite.name))
}

#[test]
fn every_list_belongs_to_a_suite_and_gives_reasons() {
    for entry in std::fs::read_dir(outcomes::lists()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(SUITES.iter().any(|suite| suite.name == name), "{} has no suite", path.display());
        // Reading it checks each line.
        let _ = Differences::of(name);
    }
}
