//! sysbench's point selects.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use headgate::lab::{Cluster, DATABASE, tools};

use super::options::Protocol;

pub(crate) const ROWS: u32 = 10_000;

/// One run's result.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    pub(crate) statements: f64,
    pub(crate) statements_a_second: f64,
    /// Milliseconds.
    pub(crate) median: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
}

/// Makes and fills sysbench's table on the primary.
pub(crate) fn prepare(cluster: &Cluster) -> Result<()> {
    let mut command = command(cluster, cluster.primary().address())?;
    finish(command.arg("prepare")).map(drop)
}

/// Point selects from `clients` clients for some seconds.
pub(crate) fn run(
    cluster: &Cluster,
    to: SocketAddr,
    protocol: Protocol,
    clients: u32,
    seconds: u32,
) -> Result<Run> {
    let mut command = command(cluster, to)?;
    command.args([
        format!("--threads={clients}"),
        format!("--time={seconds}"),
        "--histogram=on".to_owned(),
        format!("--db-ps-mode={}", if protocol == Protocol::Text { "disable" } else { "auto" }),
    ]);
    read(&finish(command.arg("run"))?)
}

fn command(cluster: &Cluster, to: SocketAddr) -> Result<Command> {
    let app = cluster.accounts().app;
    let mut command = tools::sysbench()?;
    command.args([
        "oltp_point_select".to_owned(),
        format!("--table-size={ROWS}"),
        "--mysql-ssl=off".to_owned(),
        format!("--mysql-host={}", to.ip()),
        format!("--mysql-port={}", to.port()),
        format!("--mysql-user={}", app.user),
        format!("--mysql-password={}", app.password),
        format!("--mysql-db={DATABASE}"),
    ]);
    Ok(command)
}

fn finish(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context("cannot run sysbench")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("sysbench failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

fn read(text: &str) -> Result<Run> {
    // "    queries:                             12345  (2468.00 per sec.)"
    let line =
        text.lines().find_map(|line| line.trim().strip_prefix("queries:")).context("no count of queries")?;
    let (count, rate) = line.split_once('(').context("no rate of queries")?;
    let rate = rate.split(' ').next().unwrap_or_default();
    let histogram = histogram(text);
    Ok(Run {
        statements: count.trim().parse()?,
        statements_a_second: rate.parse()?,
        median: percentile(&histogram, 0.5).context("no latency histogram")?,
        p99: percentile(&histogram, 0.99).context("no latency histogram")?,
    })
}

/// Lines of a latency in milliseconds, a bar of stars, and a count.
fn histogram(text: &str) -> Vec<(f64, f64)> {
    let lines = text.lines().filter_map(|line| line.split_once('|'));
    lines
        .filter_map(|(latency, rest)| {
            let count = rest.split_whitespace().last()?;
            Some((latency.trim().parse().ok()?, count.parse().ok()?))
        })
        .collect()
}

fn percentile(histogram: &[(f64, f64)], part: f64) -> Option<f64> {
    let total: f64 = histogram.iter().map(|(_, count)| count).sum();
    let mut seen = 0.0;
    histogram.iter().find_map(|(latency, count)| {
        seen += count;
        (seen >= total * part).then_some(*latency)
    })
}
