//! Point selects: speed, latency, and what each costs the proxy.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use headgate::lab::Cluster;

use super::contestant::{Contestant, Field};
use super::options::{Options, Protocol};
use super::sysbench::{self, Run};

/// One load: a protocol and a number of clients.
pub(crate) struct Load {
    pub(crate) protocol: Protocol,
    pub(crate) clients: u32,
    /// By contestant, in the order of the field.
    pub(crate) figures: Vec<Figures>,
}

/// One contestant under one load; a value for each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) runs: Vec<Run>,
    /// Processor time of the proxy for each statement, in microseconds.
    pub(crate) cpu: Vec<f64>,
    /// The proxy's peak of resident memory, in bytes.
    pub(crate) peak: Vec<f64>,
    /// System calls of the proxy for each statement, counted in a run of its own.
    pub(crate) calls: Option<f64>,
}

pub(crate) fn measure(field: &Field, cluster: &Cluster, options: &Options) -> Result<Vec<Load>> {
    let mut loads: Vec<Load> = Vec::new();
    for protocol in options.protocols() {
        for &clients in &options.clients {
            loads.push(Load {
                protocol,
                clients,
                figures: vec![Figures::default(); field.contestants.len()],
            });
        }
    }
    // Caches, of accounts and pages, are not what is measured.
    for contestant in &field.contestants {
        sysbench::run(cluster, contestant.address, Protocol::Text, 8, 1)
            .with_context(|| format!("{} serves nobody", contestant.kind.name()))?;
    }
    for round in 0..options.rounds() {
        eprintln!("point selects, round {} of {}", round + 1, options.rounds());
        for load in &mut loads {
            for (index, contestant) in field.order(round) {
                if let Some(figures) = load.figures.get_mut(index) {
                    figures.add(contestant, cluster, load.protocol, load.clients, options.seconds())?;
                }
            }
        }
    }
    eprintln!("counting system calls");
    for load in &mut loads {
        for (contestant, figures) in field.contestants.iter().zip(&mut load.figures) {
            figures.calls = count_calls(contestant, cluster, load.protocol, load.clients);
        }
    }
    Ok(loads)
}

impl Figures {
    fn add(
        &mut self,
        contestant: &Contestant,
        cluster: &Cluster,
        protocol: Protocol,
        clients: u32,
        seconds: u32,
    ) -> Result<()> {
        let before = contestant
            .meter
            .map(|meter| meter.forget_peak().and_then(|()| meter.cpu_micros()))
            .transpose()?;
        let run =
            sysbench::run(cluster, contestant.address, protocol, clients, seconds).with_context(|| {
                format!("{}, {} clients, {}", contestant.kind.name(), clients, protocol.name())
            })?;
        if let (Some(meter), Some(before)) = (contestant.meter, before) {
            self.cpu.push((meter.cpu_micros()? - before) / run.statements);
            #[allow(clippy::cast_precision_loss, reason = "bytes of memory fit into 53 bits")]
            self.peak.push(meter.memory()?.peak as f64);
        }
        self.runs.push(run);
        Ok(())
    }
}

/// System calls a statement in the middle of a run of a few seconds; `None` where there is no proxy
/// or nobody to count.
fn count_calls(contestant: &Contestant, cluster: &Cluster, protocol: Protocol, clients: u32) -> Option<f64> {
    const RUN: u32 = 4;
    let meter = contestant.meter?;
    thread::scope(|scope| {
        let counting = scope.spawn(move || {
            thread::sleep(Duration::from_secs(1));
            meter.system_calls(Duration::from_secs(1))
        });
        let run = sysbench::run(cluster, contestant.address, protocol, clients, RUN);
        let calls = match counting.join() {
            Ok(Ok(calls)) => calls,
            Ok(Err(error)) => {
                eprintln!("{error:#}");
                return None;
            }
            Err(_) => return None,
        };
        Some(calls / run.ok()?.statements_a_second)
    })
}
