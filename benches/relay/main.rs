//! What Headgate costs, side by side with the proxies people know.
//!
//! ```text
//! cargo bench --features lab --bench relay -- [--quick] [--rounds N] [--seconds S] [--clients 1,8,64]
//!     [--crowd 20,2000] [only…]
//! ```
//!
//! One cluster of real servers on loopback; before it, in alternating rounds of one run: nothing
//! (direct), HAProxy in TCP mode, MySQL Router, and Headgate on its two runtimes. HAProxy and Router
//! send everything to the primary; Headgate splits, so that point selects go to the replicas through
//! a checkout from the pool for every statement. No TLS anywhere: it would be HAProxy's clients and
//! servers paying for it and Headgate's own process, which says nothing about the relay.
//!
//! Point selects by sysbench in the text and the binary protocol; the same by a crowd of clients that cost little
//! themselves, and a crowd whose statements wait at the server and cost nothing there; 100 MB results in small and large rows, read by a client that looks at packet headers only; 2,000 idle
//! clients. The last lines say whether what is asked of the relay holds; the exit status is 1 where it does not.

#![allow(clippy::disallowed_methods, reason = "measuring needs the real clock")]

mod bulk;
mod client;
mod contestant;
mod crowd;
mod gate;
mod idle;
mod meter;
mod options;
mod point;
mod report;
mod samples;
mod sysbench;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use headgate::lab::{Cluster, Flavor};

use contestant::Field;
use gate::Gate;
use options::Options;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("relay: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True if every measured part of the gate holds.
fn run(options: &Options) -> Result<bool> {
    if let Some(unknown) = options.unknown() {
        bail!("{unknown} is no contestant, test or protocol; see --help");
    }
    meter::raise_open_files_limit();
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    eprintln!("starting a primary and two replicas");
    let cluster = runtime.block_on(
        Cluster::builder(Flavor::MySql)
            .relays(false)
            .performance_schema(false)
            // Those of the run before may not have gone yet.
            .max_connections(2 * options.crowd.iter().copied().fold(idle::CLIENTS, u32::max) + 500)
            .server_option("innodb-buffer-pool-size=256M")
            .start(),
    )?;
    eprintln!("loading {} rows", sysbench::ROWS);
    sysbench::prepare(&cluster)?;
    runtime.block_on(bulk::prepare(&cluster))?;
    runtime.block_on(cluster.wait_caught_up(LOADING))?;

    let mut gate = Gate::default();
    let field = Field::start(&cluster, options)?;
    println!("{}", report::preamble(&cluster, options));
    if options.wants(options::Test::Point) {
        let figures = point::measure(&field, &cluster, options)?;
        println!("{}", report::point(&field, &figures));
        gate.point(&field, &figures);
    }
    if options.wants(options::Test::Crowd) {
        let figures = crowd::measure(&field, &cluster, options, &crowd::points(options))?;
        println!("{}", report::crowd(&field, &figures));
        gate.crowd(&field, &figures);
    }
    if options.wants(options::Test::Waits) {
        let figures = crowd::measure(&field, &cluster, options, &[crowd::Work::Wait])?;
        println!("{}", report::crowd(&field, &figures));
        gate.crowd(&field, &figures);
    }
    if options.wants(options::Test::Bulk) {
        let figures = bulk::measure(&field, &cluster, options)?;
        println!("{}", report::bulk(&field, &figures));
        gate.bulk(&field, &figures);
    }
    drop(field);
    if options.wants(options::Test::Idle) {
        let figures = idle::measure(&cluster, options)?;
        println!("{}", report::idle(&figures));
        gate.idle(&figures);
    }
    println!("{gate}");
    Ok(gate.holds())
}

const LOADING: std::time::Duration = std::time::Duration::from_secs(60);
