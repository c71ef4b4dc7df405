//! Headgate is killed at each step of a change and started again: what was begun is finished or put back, and never are
//! two servers told to be the primary of one reign.
//!
//! It ends itself at the step (`src/failover/fault.rs`): as a phase is entered, before any of its orders is given; or
//! when an order has been carried out and nobody knows of that yet. All steps by `HEADGATE_STEPS=all`.

use std::time::Duration;

use headgate::lab::{Fault, Flavor, Node};
use tokio::time::{Instant, sleep};

use crate::bank::{self, Bank, Ledger};
use crate::crash::comes_back;
use crate::plan::Plan;
use crate::stage::{Stage, read_only};

/// What is under way when Headgate ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// The primary was killed under load.
    Killed,
    /// The primary is frozen.
    Frozen,
    /// A switchover that nothing stands against.
    Switchover,
    /// A switchover that is put back, since a table is locked.
    Locked,
    /// The primary was killed, and its replicas do not hear of it. The links that they have at the beginning see to that.
    Muted,
}

/// The steps, each with what it is a step of. Those that come first are tried always.
const STEPS: [(Scene, &str); 36] = [
    (Scene::Muted, "after restart the receiver"),
    (Scene::Killed, "after save Promoting"),
    (Scene::Killed, "after promote"),
    (Scene::Switchover, "after promote"),
    (Scene::Locked, "Undoing"),
    (Scene::Frozen, "after make"),
    (Scene::Killed, "Suspecting"),
    (Scene::Killed, "Confirming"),
    (Scene::Killed, "Revoking"),
    (Scene::Killed, "after save Changing"),
    (Scene::Killed, "after hold writes"),
    (Scene::Killed, "after stop the receiver"),
    (Scene::Killed, "Fencing"),
    (Scene::Killed, "CatchingUp"),
    (Scene::Killed, "after wait for the applier"),
    (Scene::Killed, "Promoting"),
    (Scene::Killed, "Repointing"),
    (Scene::Killed, "after set semi-sync"),
    (Scene::Killed, "after have"),
    (Scene::Killed, "Publishing"),
    (Scene::Killed, "after publish"),
    (Scene::Frozen, "after stop the receiver"),
    (Scene::Switchover, "Revoking"),
    (Scene::Switchover, "after save Changing"),
    (Scene::Switchover, "after hold writes"),
    (Scene::Switchover, "Fencing"),
    (Scene::Switchover, "after make"),
    (Scene::Switchover, "CatchingUp"),
    (Scene::Switchover, "after wait for the applier"),
    (Scene::Switchover, "Promoting"),
    (Scene::Switchover, "after save Promoting"),
    (Scene::Switchover, "Repointing"),
    (Scene::Switchover, "after have"),
    (Scene::Switchover, "after publish"),
    (Scene::Locked, "after make"),
    (Scene::Locked, "after save Settled"),
];

/// What takes longer is worth a look.
const SLOW: Duration = Duration::from_secs(6);

/// How many of the steps are tried unless all are.
const ALWAYS: usize = 5;

fn steps() -> &'static [(Scene, &'static str)] {
    let every = std::env::var("HEADGATE_STEPS").is_ok_and(|steps| steps == "all");
    if every { &STEPS } else { &STEPS[..ALWAYS] }
}

/// Who was told to be writable: statements of that kind by server, in the general logs.
fn told_to_be_writable(stage: &Stage) -> Vec<usize> {
    let told = |node: &Node| {
        let log = node.general_log().unwrap();
        let orders = log.iter().filter(|entry| {
            let text = &entry.argument;
            entry.command == "Query"
                && text.starts_with("SET GLOBAL read_only = IF(")
                && text.contains(", 0, ")
        });
        orders.count()
    };
    stage.cluster.nodes().iter().map(told).collect()
}

/// Who is writable of those that can be asked.
async fn writable<'a>(stage: &'a Stage, but: &str) -> Vec<&'a str> {
    let mut writable = Vec::new();
    for node in stage.cluster.nodes().iter().filter(|node| node.name() != but) {
        if !read_only(node).await {
            writable.push(node.name());
        }
    }
    writable
}

async fn fresh(flavor: Flavor) -> Stage {
    let stage = Stage::of(&Plan::new(flavor).logged()).await;
    bank::found(&stage).await;
    stage
}

async fn waits_until_it_has_ended(stage: &mut Stage, step: &str) {
    let end = Instant::now() + crate::stage::PATIENCE;
    while !stage.headgate.has_ended() {
        assert!(Instant::now() < end, "it never came to {step}\n{}", stage.headgate.log());
        sleep(Duration::from_millis(10)).await;
    }
}

/// Ends the primary, or asks for a switchover, and has Headgate end at the step.
async fn play(stage: &mut Stage, scene: Scene, step: &str) -> (String, Ledger) {
    let bank = Bank::open(stage, 4);
    bank.go_on(stage, 20).await;
    let old = stage.primary().await.unwrap();
    let name = old.name().to_owned();
    let to = stage.cluster.nodes().iter().find(|node| node.name() != name).unwrap().address();
    let mut lock = None;
    if scene == Scene::Locked {
        let root = stage.cluster.accounts().root;
        let options = crate::client::Options::new(old.direct_address(), root.user, root.password).tls(false);
        let mut holder = options.login().await.unwrap().unwrap();
        crate::stage::run(&mut holder, "LOCK TABLES app.accounts READ").await.unwrap();
        lock = Some(holder);
    }
    stage.die_at(step);
    match scene {
        Scene::Killed => old.kill(),
        Scene::Muted => {
            for replica in stage.cluster.replicas() {
                replica.replication_link().unwrap().set(Fault::Swallow).await;
            }
            // What they got before is seen by then, and is not old enough yet to be silence.
            sleep(Duration::from_secs(1)).await;
            old.kill();
        }
        Scene::Frozen => old.pause().await.unwrap(),
        Scene::Switchover | Scene::Locked => {
            // It ends before it answers.
            let _ = stage.console(&format!("SWITCHOVER TO '{to}'")).await;
        }
    }
    waits_until_it_has_ended(stage, step).await;
    drop(lock);
    (name, bank.close().await)
}

async fn check(flavor: Flavor) {
    let mut stage = fresh(flavor).await;
    for &(scene, step) in steps() {
        let before = told_to_be_writable(&stage);
        let (old, ledger) = play(&mut stage, scene, step).await;
        let begun = Instant::now();
        stage.start_headgate();
        let replaced = matches!(scene, Scene::Killed | Scene::Muted | Scene::Frozen);
        stage
            .wait_for("there is a primary", async |stage| {
                stage.primary().await.is_some_and(|primary| !replaced || primary.name() != old)
            })
            .await;
        let bank = Bank::open(&stage, 4);
        bank.go_on(&stage, 20).await;
        let took = begun.elapsed();
        if took > SLOW {
            eprintln!("{}", stage.headgate.log());
        }
        stage
            .wait_for("nothing is under way any more", async |stage| {
                let phase = stage.console("SHOW FAILOVER").await;
                phase.is_ok_and(|phase| phase.value().as_deref() == Some("Healthy"))
            })
            .await;
        let primary = stage.primary().await.unwrap().name().to_owned();
        // One that is frozen cannot be asked.
        let unasked = if replaced { &old[..] } else { "" };
        assert_eq!(writable(&stage, unasked).await, [&primary[..]], "{step}\n{}", stage.headgate.log());
        let after = told_to_be_writable(&stage);
        let told: Vec<&str> = stage
            .cluster
            .nodes()
            .iter()
            .zip(before.iter().zip(&after))
            .filter(|(_, (before, after))| after > before)
            .map(|(node, _)| node.name())
            .collect();
        // Before a switchover was begun, nobody is told anything.
        let nobody = told.is_empty() && primary == old;
        assert!(nobody || told == [&primary[..]], "{step}: {told:?} were told\n{}", stage.headgate.log());
        let later = bank.close().await;
        for ledger in [&ledger, &later] {
            ledger.audit(&stage).await;
        }
        eprintln!("{flavor:?} {scene:?}, ended {step}: {primary} serves after {took:?}");
        let back = stage.cluster.nodes().iter().find(|node| node.name() == old).unwrap();
        match scene {
            Scene::Killed | Scene::Muted => back.start().await.unwrap(),
            Scene::Frozen => back.resume().unwrap(),
            Scene::Switchover | Scene::Locked => {}
        }
        if replaced && comes_back(&stage, back).await {
            // What it alone has is for an operator to decide about; the next step begins with servers that are equal.
            drop(stage);
            stage = fresh(flavor).await;
        } else {
            stage.wait_until_whole(&[]).await;
        }
    }
}

#[tokio::test]
async fn mysql_steps() {
    check(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_steps() {
    check(Flavor::MariaDb).await;
}
