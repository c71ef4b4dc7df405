//! sysbench's mixed load: transactions, prepared statements, several connections.

use headgate::lab::{Flavor, tools};

use super::place::place;
use super::succeed;

#[test]
fn read_write_text_on_mysql() {
    read_write(Flavor::MySql, "sysbench_text", "disable");
}

#[test]
fn read_write_binary_on_mysql() {
    read_write(Flavor::MySql, "sysbench_binary", "auto");
}

#[test]
fn read_write_text_on_mariadb() {
    read_write(Flavor::MariaDb, "sysbench_text", "disable");
}

#[test]
fn read_write_binary_on_mariadb() {
    read_write(Flavor::MariaDb, "sysbench_binary", "auto");
}

fn read_write(flavor: Flavor, name: &str, prepared: &str) {
    const EVENTS: &str = "400";
    let place = place(flavor);
    let schema = place.schema(name);
    let account = place.cluster.accounts().app;
    let address = place.through();
    let sysbench = |action: &str| {
        let mut command = tools::sysbench().unwrap();
        command
            .args(["oltp_read_write", "--tables=2", "--table-size=1000", "--threads=8", "--time=60"])
            .args(["--mysql-ssl=off", &format!("--db-ps-mode={prepared}"), &format!("--events={EVENTS}")])
            .arg(format!("--mysql-host={}", address.ip()))
            .arg(format!("--mysql-port={}", address.port()))
            .arg(format!("--mysql-user={}", account.user))
            .arg(format!("--mysql-password={}", account.password))
            .arg(format!("--mysql-db={schema}"))
            .arg(action);
        succeed(&mut command, b"")
    };
    sysbench("prepare");
    let report = sysbench("run");
    let count = |label: &str| {
        let line = report.lines().find_map(|line| line.trim().strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
    };
    assert_eq!(count("transactions:"), EVENTS, "{report}");
    assert_eq!(count("reconnects:"), "0", "{report}");
    // The sums are the server's own, not what Headgate says.
    let rows = place.sql(&format!("SELECT COUNT(*) FROM {schema}.sbtest1"));
    assert_eq!(rows, [Some("1000".to_owned())], "each transaction deletes and inserts one row");
    sysbench("cleanup");
}
