//! A candidate that an operator rules out, and an old primary that is made a copy of the new one.

use headgate::lab::Flavor;

use crate::bank::{self, Bank};
use crate::plan::Plan;
use crate::return_::write_alone;
use crate::stage::{Stage, follows, read_only, texts, value};

async fn ruled_out_and_rebuilt(flavor: Flavor) {
    let mut plan = Plan::new(flavor);
    if flavor == Flavor::MySql {
        plan = plan.server_option("plugin-load-add=mysql_clone.so");
    }
    let stage = Stage::of(&plan).await;
    bank::found(&stage).await;
    let [old, first, second] = stage.cluster.nodes() else { panic!("three servers") };
    let ruled_out = first.address().to_string();

    // Of two that are equal the first would be chosen.
    stage.console(&format!("QUARANTINE '{ruled_out}'")).await.unwrap();
    let refused = stage.console(&format!("SWITCHOVER TO '{ruled_out}'")).await.unwrap_err().to_string();
    assert!(refused.contains("vetoed"), "{refused}");
    old.kill();
    stage
        .wait_for("the other one is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != old.name())
        })
        .await;
    assert_eq!(stage.primary().await.unwrap().name(), second.name());
    stage.wait_for("it follows all the same", async |_| follows(first, second).await).await;
    let bank = Bank::open(&stage, 2);
    bank.go_on(&stage, 20).await;

    write_alone(old).await;
    let address = old.address().to_string();
    let kept_out = async |stage: &Stage| {
        let kept = stage.console("SELECT address FROM quarantine").await.unwrap_or_default();
        texts(&kept).contains(&address)
    };
    stage.wait_for("it is kept out", async |stage| kept_out(stage).await).await;
    let rebuilt = stage.console(&format!("REBUILD '{address}'")).await.unwrap();
    let told = texts(&rebuilt);
    match flavor {
        Flavor::MySql => {
            assert!(told.iter().any(|line| line.contains("done")), "{told:#?}\n{}", stage.headgate.log());
            // Nobody supervises the servers here, so the copy stops when it is complete (error 3707).
            stage.wait_for("the copy has stopped", async |_| !old.is_running()).await;
            old.start().await.unwrap();
        }
        Flavor::MariaDb => {
            assert!(told.iter().any(|line| line.contains("MariaDB has no CLONE")), "{told:#?}");
            stage.console(&format!("REJOIN '{address}'")).await.unwrap();
        }
    }
    stage.wait_until_whole(&[]).await;
    stage.wait_for("it is let in", async |stage| !kept_out(stage).await).await;
    if flavor == Flavor::MySql {
        let own = value(old, "SELECT COUNT(*) FROM app.transfers WHERE id = -1").await.unwrap();
        assert_eq!(own, "0", "it is no copy");
    }
    bank.go_on(&stage, 20).await;

    // The one that was ruled out is a candidate again.
    stage.console(&format!("REJOIN '{ruled_out}'")).await.unwrap();
    let told = texts(&stage.console(&format!("SWITCHOVER TO '{ruled_out}'")).await.unwrap());
    assert!(told.iter().any(|line| line.contains("is the primary")), "{told:#?}\n{}", stage.headgate.log());
    bank.go_on(&stage, 20).await;
    bank.close().await.audit(&stage).await;
    assert!(read_only(second).await);
}

#[tokio::test]
async fn mysql_ruled_out_and_rebuilt() {
    ruled_out_and_rebuilt(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_ruled_out_and_rebuilt() {
    ruled_out_and_rebuilt(Flavor::MariaDb).await;
}
