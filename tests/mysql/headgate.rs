//! The binary under test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use headgate::lab::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::Options;

/// How long a start and an orderly stop may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `headgate run`. Killed on drop; its log is shown when the test fails.
pub(crate) struct Headgate {
    process: Child,
    /// Kills the process when this one dies without a chance to.
    watchdog: Child,
    folder: PathBuf,
    address: SocketAddr,
    admin: SocketAddr,
    http: SocketAddr,
}

impl Headgate {
    /// Starts it before all nodes of a cluster, with further flags, and returns when clients can log in.
    pub(crate) async fn start(cluster: &Cluster, flags: &[&str]) -> Result<Self> {
        Self::start_within(cluster, flags, PATIENCE).await
    }

    /// As [`Headgate::start`], with another limit.
    pub(crate) async fn start_within(cluster: &Cluster, flags: &[&str], limit: Duration) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("headgate-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join("log"))?;
        let [address, admin, http] = free_ports()?;
        let control = cluster.accounts().control;
        let mut command = Command::new(env!("CARGO_BIN_EXE_headgate"));
        command.arg("run").args(cluster.nodes().iter().flat_map(|node| {
            // A name and not an address, so that certificates can be verified either way.
            ["--server".to_owned(), format!("localhost:{}", node.address().port())]
        }));
        command
            .args(["--control-user", control.user])
            .args(["--listen".to_owned(), address.to_string()])
            .args(["--admin-listen".to_owned(), admin.to_string()])
            .args(["--http-listen".to_owned(), http.to_string()])
            .arg("--state-dir")
            .arg(folder.join("state"))
            .args(flags)
            .env("HEADGATE_CONTROL_PASSWORD", control.password)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = command.spawn().context("starting headgate")?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", "cat >/dev/null; kill -9 \"$1\" 2>/dev/null", "watchdog", &process.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut headgate = Self { process, watchdog, folder, address, admin, http };
        headgate.wait_ready(cluster, limit).await?;
        Ok(headgate)
    }

    async fn wait_ready(&mut self, cluster: &Cluster, limit: Duration) -> Result<()> {
        let app = cluster.accounts().app;
        let ready = timeout(limit, async {
            loop {
                if let Some(status) = self.process.try_wait()? {
                    bail!("headgate ended with {status}:\n{}", self.log());
                }
                let options = Options::new(self.address, app.user, app.password).tls(true);
                if let Ok(Ok(connection)) = options.login().await {
                    return connection.quit().await;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        ready.await.with_context(|| format!("headgate lets nobody in:\n{}", self.log()))?
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Has it read its configuration again.
    pub(crate) async fn reload(&self) -> Result<()> {
        let reloads = || self.log().matches("configuration reloaded").count();
        let before = reloads();
        Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status()?;
        let reloaded = timeout(PATIENCE, async {
            while reloads() == before {
                sleep(Duration::from_millis(20)).await;
            }
        });
        reloaded.await.with_context(|| format!("headgate does not reload:\n{}", self.log()))
    }

    /// The body of `/metrics`.
    pub(crate) async fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect(self.http).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await??;
        let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer has a head")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("/metrics answers {head}");
        }
        Ok(body.to_owned())
    }

    /// What its console answers: a row each, its values apart by blanks.
    pub(crate) async fn console(&self, sql: &str) -> Result<Vec<String>> {
        let password = fs::read_to_string(self.folder.join("state/admin-password"))?;
        let mut console = Options::new(self.admin, "admin", password.trim()).tls(true).connect().await?;
        let reply = console.query(sql).await?;
        console.quit().await?;
        let value = |value: &Option<Vec<u8>>| {
            value.as_deref().map_or("NULL".into(), String::from_utf8_lossy).into_owned()
        };
        let row = |row: &Vec<Option<Vec<u8>>>| row.iter().map(value).collect::<Vec<_>>().join(" ");
        Ok(reply.results.iter().flatten().map(row).collect())
    }

    /// The sum of the samples of `/metrics` whose lines begin so.
    pub(crate) async fn metric(&self, beginning: &str) -> u64 {
        let metrics = self.metrics().await.unwrap();
        let lines = metrics.lines().filter(|line| line.starts_with(beginning));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Statements that replicas have run.
    pub(crate) async fn on_replicas(&self) -> u64 {
        self.metric("headgate_statements_total{target=\"replica\"").await
    }

    /// Asks it to stop and waits for that.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status()?;
        timeout(PATIENCE, async {
            loop {
                if let Some(status) = self.process.try_wait()? {
                    return Ok(status);
                }
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .context("headgate does not stop")?
    }
}

impl Drop for Headgate {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("headgate's log:\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Ports that were free a moment ago, all different.
pub(crate) fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let listeners =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<std::io::Result<Vec<_>>>()?;
    let addresses =
        listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<Vec<SocketAddr>>>()?;
    addresses.try_into().map_err(|_| anyhow::anyhow!("as many addresses as listeners"))
}
