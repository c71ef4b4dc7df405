//! The operator's programs, run before a change and after it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headgate::lab::{Flavor, Headgate};
use tokio::time::Instant;

use crate::bank::{self, Bank};
use crate::plan::Plan;
use crate::stage::{Stage, binary, read_only, texts};

/// A folder with two programs, which goes with its owner. Each does what the file beside it says, so that a test can
/// change it while Headgate runs.
struct Programs(PathBuf);

impl Programs {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("headgate-hooks-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let programs = Self(folder);
        for when in ["before", "after"] {
            let path = programs.path(when);
            let text =
                format!("#!/bin/sh\ncd '{}'\ncat >> {when}.json\n. ./{when}.do\n", programs.0.display());
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            programs.does(when, ":");
        }
        programs
    }

    fn path(&self, when: &str) -> PathBuf {
        self.0.join(when)
    }

    /// What the program does from now on.
    fn does(&self, when: &str, what: &str) {
        fs::write(self.0.join(format!("{when}.do")), what).unwrap();
    }

    /// The lines that the program was given so far.
    fn told(&self, when: &str) -> Vec<String> {
        let text = fs::read_to_string(self.0.join(format!("{when}.json"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One member of a flat JSON object, as it is written; enough for what has no nesting.
fn member(object: &str, name: &str) -> String {
    let (_, rest) = object.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}: {object}"));
    let end = match rest.strip_prefix('"') {
        Some(text) => text.find('"').unwrap() + 2,
        None => rest.find([',', '}']).unwrap(),
    };
    rest[..end].to_owned()
}

fn is_alive(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

async fn hooks(flavor: Flavor) {
    let programs = Programs::new(&flavor.to_string());
    let arguments = ["before", "after"]
        .map(|when| format!("--set=failover.hook_{when}={}", programs.path(when).display()));
    let plan = Plan::new(flavor).arguments(&[&arguments[0], &arguments[1], "--set=failover.hook_timeout=1s"]);
    let stage = Stage::of(&plan).await;
    bank::found(&stage).await;
    let [old, first, second] = stage.cluster.nodes() else { panic!("three servers") };
    let (from, to) = (format!("\"{}\"", old.address()), format!("\"{}\"", first.address()));
    let switchover = format!("SWITCHOVER TO '{}'", first.address());

    // One that says no before a switchover.
    programs.does("before", "exit 3");
    let told = texts(&stage.console(&switchover).await.unwrap());
    let said = |what: &str| told.iter().any(|line| line.contains(what));
    assert!(said("the hook failed") && said("exit status: 3") && said("all is put back"), "{told:#?}");
    assert!(programs.told("after").is_empty());
    assert_eq!(stage.primary().await.unwrap().name(), old.name());
    stage.wait_until_whole(&[]).await;
    let bank = Bank::open(&stage, 2);
    bank.go_on(&stage, 10).await;

    // Both agree.
    programs.does("before", ":");
    let told = texts(&stage.console(&switchover).await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}");
    stage.wait_for("the second program ran", async |_| programs.told("after").len() == 1).await;
    let before = programs.told("before").pop().unwrap();
    let after = programs.told("after").pop().unwrap();
    for (object, expected) in [
        (&before, [("when", "\"before\""), ("primary", &from), ("phase", "\"Revoking\""), ("epoch", "1")]),
        (&after, [("when", "\"after\""), ("primary", &to), ("phase", "\"Healthy\""), ("epoch", "2")]),
    ] {
        for (name, value) in expected {
            assert_eq!(member(object, name), value, "{object}");
        }
    }
    assert!(member(&before, "why").contains(&format!("switchover to {}", first.address())), "{before}");
    assert!(member(&after, "why").contains("is the primary"), "{after}");
    bank.go_on(&stage, 10).await;
    bank.close().await.audit(&stage).await;
    stage.wait_until_whole(&[]).await;

    // One that hangs with all that it has started: it is ended in time, and the failover goes on.
    programs.does("before", "sleep 300 &\necho $$ $! > hangs\nsleep 300");
    let begun = Instant::now();
    first.kill();
    stage
        .wait_for("another server is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != first.name())
        })
        .await;
    eprintln!("{flavor:?}: a failover with a program that hangs took {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let hung = fs::read_to_string(programs.0.join("hangs")).unwrap();
    stage.wait_for("nothing of it is left", async |_| !hung.split_whitespace().any(is_alive)).await;
    stage.wait_for("the second program ran", async |_| programs.told("after").len() == 2).await;
    let promoted = stage.primary().await.unwrap();
    assert!([old.name(), second.name()].contains(&promoted.name()));
    assert!(!read_only(promoted).await);
}

#[tokio::test]
async fn mysql_hooks() {
    hooks(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_hooks() {
    hooks(Flavor::MariaDb).await;
}

/// A program that is not there, or is none, is found out at the start and not when the primary has died.
#[tokio::test]
async fn a_program_that_is_not_there() {
    let programs = Programs::new("missing");
    let text = programs.0.join("text");
    fs::write(&text, "no program").unwrap();
    for (path, why) in [(programs.0.join("nowhere"), "No such file"), (text, "not executable")] {
        let arguments = [&format!("--set=failover.hook_before={}", path.display())[..]];
        let plan = Plan::new(Flavor::MySql).arguments(&arguments);
        let options = plan.headgate(&programs.0.join("state"), &programs.0.join("die-at"));
        let nobody = "127.0.0.1:1".parse().unwrap();
        let mut headgate = Headgate::launch(binary(), &[nobody], &options).unwrap();
        let end = Instant::now() + crate::stage::PATIENCE;
        while !headgate.has_ended() {
            assert!(Instant::now() < end, "it goes on:\n{}", headgate.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = headgate.log();
        assert!(log.contains("failover.hook_before") && log.contains(why), "{log}");
    }
}
