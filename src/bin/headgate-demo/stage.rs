//! All that runs, from the first server to the last statement.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use headgate::lab::headgate::Options;
use headgate::lab::{Cluster, Flavor, Headgate, Node};

use crate::Interrupts;
use crate::invite::Invite;
use crate::running::{self, Note, Place};
use crate::say::{say, step};
use crate::shop;
use crate::summary::{self, Verdict};
use crate::traffic::Traffic;
use crate::watch::Watch;

/// Headgate's own defaults.
pub(crate) const USUAL_PORT: u16 = 4306;
const USUAL_CONSOLE_PORT: u16 = 4307;

/// It ends when it is dropped, Headgate before the servers.
pub(crate) struct Stage {
    _note: Note,
    headgate: Headgate,
    cluster: Cluster,
}

impl Stage {
    /// Starts everything, telling of each part when it stands.
    pub(crate) async fn build(flavor: Flavor, port: Option<u16>, failover: bool) -> Result<Self> {
        let begun = Instant::now();
        let builder = Cluster::builder(flavor).relays(false);
        // What is acknowledged is then on a replica; and Headgate counts heartbeats in the performance schema.
        let builder = if failover { builder.semi_sync(true) } else { builder.performance_schema(false) };
        let cluster = builder.start().await?;
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        let replicas = cluster.replicas().len();
        let what = format!("{} {}, one primary and {replicas} replicas", name(flavor), cluster.version());
        step("servers", &what, begun);

        let begun = Instant::now();
        let (headgate, note) = start_headgate(flavor, servers, port, failover).await?;
        step("headgate", &format!("before them, on {}", headgate.address()), begun);

        let begun = Instant::now();
        let stage = Self { _note: note, headgate, cluster };
        shop::prepare(&stage.cluster).await?;
        shop::fill(&stage.driver_options()).await.context("cannot fill the shop through Headgate")?;
        stage.cluster.wait_caught_up(Duration::from_secs(30)).await?;
        let what = format!(
            "{} products and {} customers, written through Headgate",
            shop::PRODUCTS,
            shop::CUSTOMERS
        );
        step("shop", &what, begun);
        Ok(stage)
    }

    /// Shows traffic until its time is up or somebody interrupts, then sums up.
    pub(crate) async fn perform(&self, seconds: Option<u64>, interrupts: &mut Interrupts) -> Result<Verdict> {
        let invite = Invite::new(&self.headgate, self.cluster.accounts().app);
        say(&invite.text());
        let mut watch = Watch::begin(&self.cluster, &self.headgate, &invite).await?;
        let mut traffic = Traffic::start(&self.driver_options());
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.tick().await;
        while end.is_none_or(|end| Instant::now() < end) {
            tokio::select! {
                _ = ticks.tick() => watch.second(traffic.tally()).await?,
                () = interrupts.next() => break,
            }
        }
        let sum_up = async {
            traffic.stop().await;
            let (seconds, since) = watch.end().await?;
            let strays = summary::has_strays(&self.cluster).await?;
            let (text, verdict) = summary::text(seconds, &since, traffic.tally(), strays);
            say(&text);
            Ok(verdict)
        };
        tokio::select! {
            verdict = sum_up => verdict,
            // The second time, somebody is in a hurry.
            () = interrupts.next() => Ok(Verdict::Right),
        }
    }

    pub(crate) const fn headgate(&self) -> &Headgate {
        &self.headgate
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn driver_options(&self) -> mysql_async::Opts {
        let (address, account) = (self.headgate.address(), self.cluster.accounts().app);
        mysql_async::OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some(account.user))
            .pass(Some(account.password))
            .db_name(Some(shop::SCHEMA))
            .prefer_socket(false)
            .into()
    }
}

/// Headgate, and the note by which it is found.
async fn start_headgate(
    flavor: Flavor,
    servers: Vec<SocketAddr>,
    port: Option<u16>,
    failover: bool,
) -> Result<(Headgate, Note)> {
    let program = program("headgate")?;
    let started = tokio::task::spawn_blocking(move || {
        let _turn = running::take_turns()?;
        let listen = listen_address(port)?;
        let options = Options { listen, console: console_address(listen), ..Options::default() };
        let options = if failover { options.failover() } else { options };
        let headgate = Headgate::start(&program, &servers, &options)?;
        let note = Note::leave(&Place {
            flavor,
            clients: headgate.address(),
            console: headgate.console_address(),
            password_file: headgate.console_password_file(),
        })?;
        anyhow::Ok((headgate, note))
    });
    started.await.context("Headgate's starter was cancelled")?
}

/// A program built beside this one.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe().context("cannot find this program")?.with_file_name(name);
    if !path.is_file() {
        bail!("{} is missing; start the demonstration by ./demo, which builds it", path.display());
    }
    Ok(path)
}

fn free(port: u16) -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr())
}

/// The one asked for, or the usual one; `None`: any.
fn listen_address(port: Option<u16>) -> Result<Option<SocketAddr>> {
    match port {
        Some(port) => Ok(Some(free(port).with_context(|| format!("port {port} is taken"))?)),
        None => Ok(free(USUAL_PORT).ok()),
    }
}

/// The usual one, unless it is taken or clients are to be served there; `None`: any.
fn console_address(clients: Option<SocketAddr>) -> Option<SocketAddr> {
    free(USUAL_CONSOLE_PORT).ok().filter(|address| Some(*address) != clients)
}

pub(crate) fn name(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb => "MariaDB",
    }
}
