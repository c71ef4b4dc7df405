//! How many of sysbench's reads run on replicas.

use headgate::lab::{DATABASE, Flavor, tools};

use crate::stage::{counted, stage};

/// The least that the replicas must serve.
const SHARE: f64 = 0.95;

/// Sixteen reads each: point selects, ranges, sums, sorted and distinct ones.
const EVENTS: &str = "1000";

async fn shares(flavor: Flavor) {
    let stage = stage(flavor).await;
    let headgate = stage.headgate(&[]).await;
    let account = stage.cluster.accounts().app;
    let address = headgate.address();
    let sysbench = |action: &str| {
        let mut command = tools::sysbench().unwrap();
        command
            .args(["oltp_read_only", "--tables=2", "--table-size=1000", "--threads=8", "--time=60"])
            .args(["--skip-trx=on", "--db-ps-mode=disable", "--mysql-ssl=off", &format!("--events={EVENTS}")])
            .arg(format!("--mysql-host={}", address.ip()))
            .arg(format!("--mysql-port={}", address.port()))
            .arg(format!("--mysql-user={}", account.user))
            .arg(format!("--mysql-password={}", account.password))
            .arg(format!("--mysql-db={DATABASE}"))
            .arg(action);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    sysbench("cleanup");
    sysbench("prepare");
    stage.cluster.wait_caught_up(crate::stage::PATIENCE).await.unwrap();
    let before = counted(&headgate);
    let report = sysbench("run");
    let after = counted(&headgate);
    let (primary, replicas) = (after.0 - before.0, after.1 - before.1);
    let reads = report.lines().find_map(|line| line.trim().strip_prefix("read:")).unwrap();
    let reads: f64 = reads.trim().parse().unwrap();
    assert!(primary + replicas >= reads, "{reads} reads, {primary} and {replicas} counted");
    let share = replicas / (primary + replicas);
    println!("{flavor}: {:.2} % of {reads} reads on replicas", share * 100.0);
    assert!(share > SHARE, "{primary} statements on the primary, {replicas} on replicas");
    sysbench("cleanup");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_serve_the_reads_of_sysbench_on_mysql() {
    shares(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_serve_the_reads_of_sysbench_on_mariadb() {
    shares(Flavor::MariaDb).await;
}
