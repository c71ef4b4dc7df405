//! Real clusters from the command line: for a look by hand, and for scripts.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use headgate::lab::{Account, Cluster, Flavor, Package, Tls, fetch, tools};
use tokio::signal::unix::{SignalKind, signal};

/// Real MySQL and MariaDB clusters on loopback.
///
/// Servers and tools are those on PATH, else unpacked from the package archive into
/// $HEADGATE_LAB_CACHE (default: ~/.cache/headgate); nothing is installed into the system.
#[derive(Parser)]
#[command(name = "headgate-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start a cluster, print how to reach it, and keep it until Ctrl-C
    Up(Up),
    /// Get programs, so that later starts need no network
    Fetch {
        /// mysql, mariadb, haproxy, sysbench, or all
        #[arg(value_parser = packages, default_value = "all")]
        names: Vec<Vec<Package>>,
    },
    /// Run a program of a package, such as: tool mysql mysqldump --help
    Tool {
        /// mysql, mariadb, haproxy or sysbench
        #[arg(value_parser = package)]
        package: Package,
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(clap::Args)]
struct Up {
    /// mysql or mariadb
    #[arg(long, default_value = "mysql")]
    flavor: Flavor,
    #[arg(long, default_value_t = 2)]
    replicas: u16,
    /// How the servers speak TLS
    #[arg(long, value_enum, default_value_t = TlsChoice::Default)]
    tls: TlsChoice,
    /// Semi-synchronous replication
    #[arg(long)]
    semi_sync: bool,
    /// Write every server's general log
    #[arg(long)]
    general_log: bool,
    /// No relays between clients, primary and replicas
    #[arg(long)]
    direct: bool,
    /// An option for every server, NAME=VALUE; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TlsChoice {
    /// As an untouched installation
    Default,
    Off,
    /// Certificates from an authority of the cluster's own
    Ca,
}

fn package(name: &str) -> Result<Package, String> {
    Package::from_name(name).ok_or_else(|| {
        let names = Package::ALL.map(Package::name).join(", ");
        format!("not one of {names}")
    })
}

fn packages(name: &str) -> Result<Vec<Package>, String> {
    match name {
        "all" => Ok(Package::ALL.to_vec()),
        name => package(name).map(|package| vec![package]),
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Action::Up(up) => run(&up),
        Action::Fetch { names } => fetch_all(names.into_iter().flatten()),
        Action::Tool { package, program, arguments } => become_tool(package, &program, &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headgate-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fetch_all(packages: impl Iterator<Item = Package>) -> anyhow::Result<()> {
    for package in packages {
        fetch(package).with_context(|| format!("cannot get {}", package.name()))?;
        eprintln!("{} is here", package.name());
    }
    Ok(())
}

fn become_tool(package: Package, program: &str, arguments: &[OsString]) -> anyhow::Result<()> {
    // Returns only if the program could not be started.
    Err(tools::program(package, program)?.args(arguments).exec().into())
}

#[tokio::main(flavor = "current_thread")]
async fn run(up: &Up) -> anyhow::Result<()> {
    let mut builder = Cluster::builder(up.flavor)
        .replicas(up.replicas)
        .semi_sync(up.semi_sync)
        .general_log(up.general_log)
        .relays(!up.direct)
        .tls(match up.tls {
            TlsChoice::Default => Tls::ServerDefault,
            TlsChoice::Off => Tls::Off,
            TlsChoice::Ca => Tls::Ca,
        });
    for option in &up.options {
        builder = builder.server_option(option);
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stopped);
    // What a start interrupted half-way has made goes with it.
    let cluster = tokio::select! {
        cluster = builder.start() => cluster?,
        () = &mut stopped => return Ok(()),
    };
    print(&cluster);
    stopped.await;
    Ok(())
}

fn print(cluster: &Cluster) {
    println!("{} {}", cluster.flavor(), cluster.version());
    let accounts = cluster.accounts();
    for node in cluster.nodes() {
        println!();
        println!("{}", node.name());
        println!("  address  {}   (the server itself: {})", node.address(), node.direct_address());
        println!("  DSN      {}", cluster.dsn(node, accounts.app));
        println!("  socket   {}", node.socket().display());
        println!("  log      {}", node.error_log().display());
    }
    println!();
    let users = [
        ("all privileges", accounts.root),
        ("application", accounts.app),
        ("Headgate's control", accounts.control),
        ("replication", accounts.replication),
    ];
    for (purpose, Account { user, password }) in users {
        println!("user {user:<12} password {password:<16} {purpose}");
    }
    if let Some(ca) = cluster.ca() {
        println!("certificate authority  {}", ca.display());
    }
    println!("\nCtrl-C ends it and removes everything.");
}
