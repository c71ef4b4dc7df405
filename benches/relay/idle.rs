//! Memory for clients that do nothing.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use headgate::lab::{Cluster, DATABASE};

use super::client::Client;
use super::contestant::{Contestant, Kind};
use super::meter::Memory;
use super::options::Options;

pub(crate) const CLIENTS: u32 = 2_000;

/// One contestant before and with its idle clients.
pub(crate) struct Figures {
    pub(crate) kind: Kind,
    pub(crate) before: Memory,
    pub(crate) with_clients: Memory,
}

/// Each proxy is started anew: what earlier loads left in it is not what an idle client costs.
pub(crate) fn measure(cluster: &Cluster, options: &Options) -> Result<Vec<Figures>> {
    let proxies = options.contestants().into_iter().filter(|kind| *kind != Kind::Direct);
    proxies
        .map(|kind| one(kind, cluster).with_context(|| format!("idle clients of {}", kind.name())))
        .collect()
}

fn one(kind: Kind, cluster: &Cluster) -> Result<Figures> {
    eprintln!("{CLIENTS} idle clients, {}", kind.name());
    let contestant = Contestant::start(kind, cluster)?;
    let meter = contestant.meter.context("nothing to measure")?;
    let account = cluster.accounts().app;
    let before = meter.memory()?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let connected = Client::connect(contestant.address, account, DATABASE);
        let mut client = connected.with_context(|| format!("client {number}"))?;
        // Nobody connects to do nothing at all.
        client.query("SELECT c FROM sbtest1 WHERE id = 1")?;
        clients.push(client);
    }
    thread::sleep(SETTLING);
    let with_clients = meter.memory()?;
    // Still served after all that, each of them.
    for client in &mut clients {
        client.query("SELECT c FROM sbtest1 WHERE id = 2")?;
    }
    Ok(Figures { kind, before, with_clients })
}

const SETTLING: Duration = Duration::from_secs(3);
