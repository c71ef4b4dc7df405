//! `headgate explain` on real clusters.

use std::process::Command;

use headgate::lab::{Cluster, Flavor};

/// What it prints for a statement.
fn explain(cluster: &Cluster, statement: &str) -> String {
    let control = cluster.accounts().control;
    let output = Command::new(env!("CARGO_BIN_EXE_headgate"))
        .arg("explain")
        .args(cluster.nodes().iter().map(|node| format!("--server={}", node.address())))
        .args(["--control-user", control.user, statement])
        .env("HEADGATE_CONTROL_PASSWORD", control.password)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn says_where_and_why(flavor: Flavor) {
    // Not the one that other tests write to: a command that has just begun to look cannot date the data of a
    // replica before it has come as far as the primary was then, and a busy one may take longer than it waits.
    let cluster = Cluster::builder(flavor).relays(false).performance_schema(false).start().await.unwrap();
    let check = |statement: &str, expected: &[&str]| {
        let told = explain(&cluster, statement);
        for part in expected {
            assert!(told.contains(part), "{statement}: no {part:?} in\n{told}");
        }
    };
    check("SELECT a FROM t", &["goes to    replica 127.0.0.1:", "(plain_read)", "another's turn"]);
    check("SELECT a FROM t WHERE id = ?", &["goes to    replica 127.0.0.1:", "(plain_read)"]);
    check("UPDATE t SET a = 1", &["goes to    primary", "(write)", "not considered"]);
    check("SET @a = f(1)", &["goes to    primary", "from then  the session's reads stay"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_where_and_why_on_mysql() {
    says_where_and_why(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_where_and_why_on_mariadb() {
    says_where_and_why(Flavor::MariaDb).await;
}
