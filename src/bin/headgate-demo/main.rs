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
use tokio::signal::unix::{SignalKind, signal};

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
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        shown = show(flavor, arguments) => shown?,
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    say("\nStopped: Headgate, the servers and their files are gone.");
    Ok(())
}

/// Runs until its time is up, or for ever. All that runs belongs to it and ends when it is dropped.
async fn show(flavor: Flavor, arguments: &Arguments) -> Result<()> {
    let begun = Instant::now();
    let cluster = Cluster::builder(flavor).relays(false).performance_schema(false).start().await?;
    let servers: Vec<SocketAddr> = cluster.nodes().iter().map(Node::address).collect();
    step(
        "servers",
        &format!(
            "{} {}, one primary and {} replicas",
            name(flavor),
            cluster.version(),
            cluster.replicas().len()
        ),
        begun,
    );

    let begun = Instant::now();
    let options = Options { listen: Some(listen_address(arguments.port)?), ..Options::default() };
    let headgate = start_headgate(servers.clone(), options).await?;
    step("headgate", &format!("before them, on {}", headgate.address()), begun);

    let begun = Instant::now();
    let app = cluster.accounts().app;
    shop::prepare(&cluster).await?;
    let opts = driver_options(headgate.address(), app);
    shop::fill(&opts).await.context("cannot fill the shop through Headgate")?;
    cluster.wait_caught_up(Duration::from_secs(30)).await?;
    step(
        "shop",
        &format!("{} products and {} customers, written through Headgate", shop::PRODUCTS, shop::CUSTOMERS),
        begun,
    );

    invite(flavor, headgate.address(), app);
    let traffic = Traffic::start(&opts);
    let mut board = Board::new(&cluster, &headgate).await?;
    let end = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    while end.is_none_or(|end| Instant::now() < end) {
        ticks.tick().await;
        board.second().await?;
    }
    traffic.stop().await;
    board.summary(&traffic).await
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

fn driver_options(address: SocketAddr, account: Account) -> mysql_async::Opts {
    mysql_async::OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(account.user))
        .pass(Some(account.password))
        .db_name(Some(shop::SCHEMA))
        .prefer_socket(false)
        .into()
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
