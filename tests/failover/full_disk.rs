//! The primary's disk is full: it answers, sends heartbeats, and lets commits wait for ever. Headgate's own write shows it.

use std::path::PathBuf;
use std::process::Command;

use headgate::lab::{Flavor, Node};
use tokio::time::Instant;

use crate::bank::{self, Bank};
use crate::stage::{Stage, texts};

/// A disk in memory, mounted over a server's data; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Moves the data of a stopped server to a disk of its own.
    fn under(node: &Node) -> Self {
        let data = node.data_folder();
        let aside = data.with_extension("aside");
        run(Command::new("cp").arg("-a").arg(&data).arg(&aside));
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=600m,mode=750", "tmpfs"]).arg(&data));
        let disk = Self(data.clone());
        run(Command::new("cp").arg("-a").arg(aside.join(".")).arg(&data));
        std::fs::remove_dir_all(&aside).unwrap();
        disk
    }

    /// Leaves no room.
    fn fill(&self) {
        let filler = self.0.join("filler");
        // Ends with "No space left on device".
        let _ = Command::new("dd")
            .args(["if=/dev/zero", "bs=1M"])
            .arg(format!("of={}", filler.display()))
            .output();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still be at work there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}; this test mounts a disk, so it needs to be root");
}

async fn a_full_disk(flavor: Flavor) {
    let stage = Stage::start(
        flavor,
        &[
            "--set=health.write_probe_table=app.write_probe",
            "--set=health.write_probe_every=300ms",
            "--set=health.write_probe_late=500ms",
            "--set=failover.stuck_writes_after=2s",
        ],
    )
    .await;
    bank::found(&stage).await;
    let failover = stage.cluster.accounts().failover.user;
    for statement in [
        "CREATE TABLE app.write_probe (id INT PRIMARY KEY, written BIGINT NOT NULL)".to_owned(),
        format!("GRANT INSERT, DELETE ON app.write_probe TO {failover}@'%'"),
    ] {
        stage.cluster.primary().sql(statement).await.unwrap();
    }
    let full = &stage.cluster.replicas()[0];
    full.stop().await.unwrap();
    let disk = SmallDisk::under(full);
    full.start().await.unwrap();
    stage.wait_until_whole(&[]).await;
    let switchover = format!("SWITCHOVER TO '{}'", full.address());
    stage
        .wait_for("the server with the small disk is the primary", async |stage| {
            // It is refused until Headgate has seen that the server is back.
            let told = stage.console(&switchover).await.unwrap_or_default();
            texts(&told).iter().any(|line| line.contains("is the primary"))
        })
        .await;
    stage.wait_until_whole(&[]).await;
    stage
        .wait_for("its writes get through", async |stage| {
            let writes = stage.console("SELECT writes FROM servers WHERE role = 'primary'").await;
            writes.is_ok_and(|writes| writes.value().as_deref() == Some("ok"))
        })
        .await;

    let bank = Bank::open(&stage, 8);
    bank.go_on(&stage, 100).await;
    let filled = Instant::now();
    disk.fill();
    stage
        .wait_for("another server is the primary", async |stage| {
            stage.primary().await.is_some_and(|primary| primary.name() != full.name())
        })
        .await;
    bank.go_on(&stage, 100).await;
    disk.make_room();
    // MySQL ends itself where a session that waits for room in the binary log is ended (binlog_error_action).
    if !full.is_running() {
        full.start().await.unwrap();
    }
    let address = full.address().to_string();
    stage
        .wait_for("the old primary is dealt with", async |stage| {
            let Some(primary) = stage.primary().await else { return false };
            let kept = stage.console("SELECT address FROM quarantine").await.unwrap_or_default();
            texts(&kept).contains(&address) || crate::stage::follows(full, primary).await
        })
        .await;
    let ledger = bank.close().await;
    ledger.audit(&stage).await;
    let gap = ledger.longest_gap(filled);
    eprintln!("{flavor:?} full disk: {gap:?} without writes; errors {:?}", ledger.errors);
    eprintln!("{:#?}", stage.timeline().await);
}

#[tokio::test]
async fn mysql_full_disk() {
    a_full_disk(Flavor::MySql).await;
}

#[tokio::test]
async fn mariadb_full_disk() {
    a_full_disk(Flavor::MariaDb).await;
}
