//! Headgate at work, for someone with five minutes: real servers, a small shop, a mixed load, and
//! where every statement went. Started by `./demo`, which builds it first.

#![allow(clippy::disallowed_methods, reason = "a demonstration lives in real time")]

mod command_line;
mod console;
mod counts;
mod customers;
mod failover;
mod frame;
mod invite;
mod lines;
mod running;
mod say;
mod screen;
mod shop;
mod stage;
mod summary;
mod tally;
mod traffic;
mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use headgate::lab::Flavor;
use tokio::signal::unix::{Signal, SignalKind, signal};

use say::say;
use stage::Stage;
use summary::Verdict;

/// Starts one primary, two replicas and Headgate, and shows where the statements of a small shop go.
#[derive(Debug, Parser)]
#[command(name = "demo", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// MariaDB servers instead of MySQL.
    #[arg(long)]
    mariadb: bool,
    /// Ends by itself after so many seconds of traffic.
    #[arg(long)]
    seconds: Option<u64>,
    /// Kills the primary, and tells what Headgate did and what clients noticed.
    #[arg(long)]
    failover: bool,
    /// Where Headgate listens on 127.0.0.1 [default: 4306, or any free port].
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Opens a command line to the shop of a running demonstration.
    Sql(Opening),
    /// Opens a command line to the console of a running demonstration's Headgate.
    Console(Opening),
}

#[derive(Debug, Args)]
struct Opening {
    /// The port that clients are served on [default: of the demonstration started last].
    #[arg(long)]
    port: Option<u16>,
    /// Statements to run instead of asking for them.
    #[arg(short, long)]
    execute: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.action {
        Some(Action::Sql(Opening { port, execute })) => command_line::shop(*port, execute.as_deref()),
        Some(Action::Console(Opening { port, execute })) => command_line::console(*port, execute.as_deref()),
        None => tokio::runtime::Runtime::new()
            .context("cannot start a runtime")
            .and_then(|runtime| runtime.block_on(demonstrate(&arguments))),
    };
    match result {
        Ok(Verdict::Right) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("\nThe demonstration cannot go on: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(arguments: &Arguments) -> Result<Verdict> {
    let flavor = if arguments.mariadb { Flavor::MariaDb } else { Flavor::MySql };
    // From here on, so that Ctrl-C is heard while servers start, and everything is put away.
    let mut interrupts = Interrupts::listen()?;
    let verdict = tokio::select! {
        stage = Stage::build(flavor, arguments.port, arguments.failover) => {
            let stage = stage?;
            if arguments.failover {
                tokio::select! {
                    verdict = failover::perform(&stage) => verdict?,
                    () = interrupts.next() => Verdict::Right,
                }
            } else {
                stage.perform(arguments.seconds, &mut interrupts).await?
            }
        }
        () = interrupts.next() => Verdict::Right,
    };
    say("\nStopped: Headgate, the servers and their files are gone.");
    Ok(verdict)
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
