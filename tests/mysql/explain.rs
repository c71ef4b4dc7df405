//! `headgate explain` on real clusters.

use std::process::Command;

use headgate::lab::Flavor;

use crate::servers::cluster;

/// What it prints for a statement.
async fn explain(flavor: Flavor, statement: &str) -> String {
    let cluster = cluster(flavor).await;
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
    let check = async |statement: &str, expected: &[&str]| {
        let mut told = explain(flavor, statement).await;
        // Other tests keep the replicas busy, and a command that has just begun to look cannot date their data
        // until they have come as far as the primary was then.
        for _ in 0..10 {
            if !told.contains("(lag)") {
                break;
            }
            told = explain(flavor, statement).await;
        }
        for part in expected {
            assert!(told.contains(part), "{statement}: no {part:?} in\n{told}");
        }
    };
    check("SELECT a FROM t", &["goes to    replica 127.0.0.1:", "(plain_read)", "another's turn"]).await;
    check("UPDATE t SET a = 1", &["goes to    primary", "(write)", "not considered"]).await;
    check("SET @a = 1", &["goes to    primary", "from then  the session's reads stay"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_where_and_why_on_mysql() {
    says_where_and_why(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_where_and_why_on_mariadb() {
    says_where_and_why(Flavor::MariaDb).await;
}
