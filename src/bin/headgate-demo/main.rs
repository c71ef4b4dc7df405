//! Headgate at work, for someone with five minutes: real servers, a small shop, a mixed load, and
//! where every statement went. Started by `./demo`, which builds it first.

#![allow(clippy::disallowed_methods, reason = "a demonstration lives in real time")]

mod board;
mod say;
mod shop;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use headgate::lab::headgate::Options;
use headgate::lab::{Account, Cluster, Flavor, Headgate, Node, tools};
use tokio::signal::unix::{Signal, SignalKind, signal};

use board::Board;
use say::{say, step};
use traffic::Traffic;

/// Starts one primary, two replicas and Headgate, and shows where the statements of a small shop go.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// MariaDB servers instead of MySQL.
    #[arg(long)]
    mariadb: bool,
    /// Ends by itself after so many seconds of traffic.
    #[arg(long)]
    seconds: Option<u64>,
    /// Where Headgate listens on 127.0.0.1 [default: 4306, or any free port].
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Opens a command line to a running demonstration.
    Sql {
        /// The port it told.
        #[arg(long, default_value_t = USUAL_PORT)]
        port: u16,
        /// Statements to run instead of asking for them.
        #[arg(short, long)]
        execute: Option<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let flavor = if arguments.mariadb { Flavor::MariaDb } else { Flavor::MySql };
    let result = match &arguments.action {
        Some(Action::Sql { port, execute }) => command_line(flavor, *port, execute.as_deref()),
        None => tokio::runtime::Runtime::new()
            .context("cannot start a runtime")
            .and_then(|runtime| runtime.block_on(demonstrate(flavor, &arguments))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nThe demonstration cannot go on: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(flavor: Flavor, arguments: &Arguments) -> Result<()> {
    // From here on, so that Ctrl-C is heard while servers start, and everything is put away.
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        stage = Stage::build(flavor, arguments.port) => stage?.perform(arguments.seconds, &mut interrupts).await?,
        () = interrupts.next() => {}
    }
    say("\nStopped: Headgate, the servers and their files are gone.");
    Ok(())
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// All that runs. It ends when it is dropped, Headgate before the servers.
struct Stage {
    headgate: Headgate,
    cluster: Cluster,
}

impl Stage {
    /// Starts everything, telling of each part when it stands.
    async fn build(flavor: Flavor, port: Option<u16>) -> Result<Self> {
        let begun = Instant::now();
        let cluster = Cluster::builder(flavor).relays(false).performance_schema(false).start().await?;
        let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
        let replicas = cluster.replicas().len();
        let what = format!("{} {}, one primary and {replicas} replicas", name(flavor), cluster.version());
        step("servers", &what, begun);

        let begun = Instant::now();
        let options = Options { listen: Some(listen_address(port)?), ..Options::default() };
        let headgate = start_headgate(servers, options).await?;
        step("headgate", &format!("before them, on {}", headgate.address()), begun);

        let begun = Instant::now();
        let stage = Self { headgate, cluster };
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
    async fn perform(&self, seconds: Option<u64>, interrupts: &mut Interrupts) -> Result<()> {
        invite(self.cluster.flavor(), self.headgate.address(), self.cluster.accounts().app);
        let traffic = Traffic::start(&self.driver_options());
        let mut board = Board::new(&self.cluster, &self.headgate).await?;
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.tick().await;
        while end.is_none_or(|end| Instant::now() < end) {
            tokio::select! {
                _ = ticks.tick() => board.second().await?,
                () = interrupts.next() => break,
            }
        }
        let sum_up = async {
            traffic.stop().await;
            board.summary(&traffic).await
        };
        tokio::select! {
            shown = sum_up => shown,
            // The second time, somebody is in a hurry.
            () = interrupts.next() => Ok(()),
        }
    }

    fn driver_options(&self) -> mysql_async::Opts {
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

async fn start_headgate(servers: Vec<SocketAddr>, options: Options) -> Result<Headgate> {
    let program = program("headgate")?;
    let started = tokio::task::spawn_blocking(move || Headgate::start(&program, &servers, &options));
    started.await.context("Headgate's starter was cancelled")?.map_err(Into::into)
}

/// A program built beside this one.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe().context("cannot find this program")?.with_file_name(name);
    if !path.is_file() {
        bail!("{} is missing; start the demonstration by ./demo, which builds it", path.display());
    }
    Ok(path)
}

fn listen_address(port: Option<u16>) -> Result<SocketAddr> {
    let free =
        |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    match port {
        Some(port) => free(port).with_context(|| format!("port {port} is taken")),
        None => free(USUAL_PORT).or_else(|_| free(0)).context("no port is free"),
    }
}

fn invite(flavor: Flavor, address: SocketAddr, account: Account) {
    let Account { user, password } = account;
    let port = address.port();
    let family = if flavor == Flavor::MariaDb { " --mariadb" } else { "" };
    let flag = if port == USUAL_PORT { String::new() } else { format!(" --port {port}") };
    say(&format!(
        "\n  One address for all of them:   mysql://{user}:{password}@{address}/{schema}\n  \
           Try it, in another terminal:   ./demo{family} sql{flag}\n  \
           Ctrl-C ends it and leaves nothing behind.\n",
        schema = shop::SCHEMA,
    ));
}

/// Becomes the command line of the family, the system's or the one unpacked for the servers.
fn command_line(flavor: Flavor, port: u16, execute: Option<&str>) -> Result<()> {
    let mut command = match flavor {
        Flavor::MySql => tools::mysql(),
        Flavor::MariaDb => tools::mariadb(),
    }?;
    command.args(["--no-defaults", "--host=127.0.0.1", "--user=app", "--password=lab-app"]);
    command.arg(format!("--port={port}"));
    command.args(execute.map(|statements| format!("--execute={statements}")));
    command.arg(shop::SCHEMA);
    Err(command.exec()).context("cannot start the command line")
}

fn name(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb => "MariaDB",
    }
}

/// Headgate's own default.
const USUAL_PORT: u16 = 4306;
