//! `docker-compose up` for real: docker-compose.yml and the Dockerfile as a user has them, in a container
//! engine of the test's own.
//!
//! No image can be pulled where tests run, so the images that the two files name are made here, from
//! the packages of the laboratory and programs of this machine; `standin/` has what is special about
//! them. What stands between the files and their images (environment, init folder, options, ports,
//! health, order of start) is what is tested.

#![allow(clippy::unwrap_used, reason = "a test may panic, and says where")]

mod demo;
mod engine;
mod images;
mod outage;

use std::process::Command;
use std::time::{Duration, Instant};

use demo::Demo;
use images::{MARIADB, MYSQL};

#[test]
fn the_shop_sells_on_mysql() {
    let demo = Demo::up(&MYSQL);
    demo.is_only_on_loopback();
    demo.works();
    let transactions = |service| demo.ask(service, "SELECT @@GLOBAL.gtid_executed");
    for replica in ["replica1", "replica2"] {
        // First the replica's: the primary's can only have more by then.
        let theirs = transactions(replica);
        let ours = transactions("primary");
        let foreign = demo.ask("primary", &format!("SELECT GTID_SUBTRACT('{theirs}', '{ours}')"));
        assert_eq!(foreign, "", "{replica} has transactions that the primary has not");
    }
    demo.survives_its_primary();
    demo.works();
    demo.survives_down_and_up();
}

#[test]
fn the_shop_sells_on_mariadb() {
    let demo = Demo::up(&MARIADB);
    demo.is_only_on_loopback();
    demo.works();
    for replica in ["replica1", "replica2"] {
        let servers =
            demo.ask(replica, "SELECT DISTINCT REGEXP_REPLACE(@@gtid_binlog_state, '-[0-9]+$', '')");
        assert_eq!(servers, "0-1", "{replica} has transactions that did not come from the primary");
    }
    demo.survives_its_primary();
    demo.works();
    demo.survives_down_and_up();
}

/// A program that is killed when it takes too long.
fn bounded(limit: Duration, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &limit.as_secs().to_string(), program]);
    command
}

/// Runs to the end; what was printed, or both streams where that failed.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!(
        "{command:?} ended with {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    run(command).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Asks until the answer is yes; false when time is up.
fn becomes(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = now() + limit;
    while !done() {
        if now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    true
}

#[allow(clippy::disallowed_methods, reason = "containers live in real time")]
fn now() -> Instant {
    Instant::now()
}
