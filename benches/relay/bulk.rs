//! Results of 100 MB.

use std::time::Instant;

use anyhow::{Context, Result};
use headgate::lab::{Cluster, DATABASE};

use super::client::Client;
use super::contestant::{Contestant, Field};
use super::meter::Meter;
use super::options::Options;

/// A table that is read as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    name: &'static str,
    /// Bytes.
    pub(crate) row: u32,
    /// Numbers whose product is the number of rows.
    rows: (u32, u32),
}

/// Small rows make work for who walks packet headers, large ones for who copies bytes.
const TABLES: [Table; 2] = [
    Table { name: "bulk_small", row: 200, rows: (50, 10_000) },
    Table { name: "bulk_large", row: 8_000, rows: (2, 6_250) },
];

/// One table's figures, by contestant in the order of the field.
pub(crate) struct Load {
    pub(crate) table: Table,
    pub(crate) figures: Vec<Figures>,
}

/// A value for each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Megabytes (10⁶ bytes) a second.
    pub(crate) speed: Vec<f64>,
    /// Processor time of the proxy for each megabyte, in microseconds.
    pub(crate) cpu: Vec<f64>,
    /// How far the proxy's resident memory rose above what it was before the first result, in bytes.
    pub(crate) growth: Vec<f64>,
}

pub(crate) async fn prepare(cluster: &Cluster) -> Result<()> {
    for Table { name, row, rows: (many, times) } in TABLES {
        let statements = [
            format!(
                "CREATE TABLE {DATABASE}.{name} (id INT UNSIGNED PRIMARY KEY, body VARBINARY({row}) NOT NULL)"
            ),
            // sbtest1 has the numbers from 1 up.
            format!(
                "INSERT INTO {DATABASE}.{name} SELECT a.id * 10000 + b.id, REPEAT('x', {row}) \
                 FROM {DATABASE}.sbtest1 a JOIN {DATABASE}.sbtest1 b ON a.id <= {many} AND b.id <= {times}"
            ),
        ];
        for statement in statements {
            cluster.primary().sql(statement).await?;
        }
    }
    Ok(())
}

pub(crate) fn measure(field: &Field, cluster: &Cluster, options: &Options) -> Result<Vec<Load>> {
    let figures = vec![Figures::default(); field.contestants.len()];
    let mut loads = TABLES.map(|table| Load { table, figures: figures.clone() });
    let before: Vec<u64> = field.contestants.iter().map(resident).collect::<Result<_>>()?;
    // Each server reads its tables into memory once, unmeasured: Headgate's two replicas take turns.
    for (load, contestant) in
        loads.iter().flat_map(|load| field.contestants.iter().map(move |one| (load, one)))
    {
        for _ in 0..cluster.nodes().len() {
            Figures::default().add(contestant, cluster, load.table, 0)?;
        }
    }
    for round in 0..options.rounds() {
        eprintln!("100 MB results, round {} of {}", round + 1, options.rounds());
        for load in &mut loads {
            for (index, contestant) in field.order(round) {
                if let (Some(figures), Some(before)) = (load.figures.get_mut(index), before.get(index)) {
                    figures.add(contestant, cluster, load.table, *before)?;
                }
            }
        }
    }
    Ok(loads.into())
}

impl Figures {
    /// `resident` is what the proxy held before the first result, in bytes.
    fn add(&mut self, contestant: &Contestant, cluster: &Cluster, table: Table, resident: u64) -> Result<()> {
        let named = || format!("{}, {}", contestant.kind.name(), table.name);
        let mut client =
            Client::connect(contestant.address, cluster.accounts().app, DATABASE).with_context(named)?;
        client.widen();
        let meter = contestant.meter;
        if let Some(meter) = meter {
            meter.forget_peak()?;
        }
        let before = meter.map(Meter::cpu_micros).transpose()?;
        let start = Instant::now();
        let mut bytes = 0;
        for _ in 0..REPEATED {
            bytes += client.query(&format!("SELECT id, body FROM {}", table.name)).with_context(named)?;
        }
        #[allow(clippy::cast_precision_loss, reason = "some hundred megabytes")]
        let megabytes = bytes as f64 / 1e6;
        self.speed.push(megabytes / start.elapsed().as_secs_f64());
        if let (Some(meter), Some(cpu)) = (meter, before) {
            self.cpu.push((meter.cpu_micros()? - cpu) / megabytes);
            #[allow(clippy::cast_precision_loss, reason = "bytes of memory fit into 53 bits")]
            self.growth.push(meter.memory()?.peak.saturating_sub(resident) as f64);
        }
        Ok(())
    }
}

/// Bytes; 0 where there is no proxy.
fn resident(contestant: &Contestant) -> Result<u64> {
    contestant.meter.map_or(Ok(0), |meter| Ok(meter.memory()?.resident))
}

/// Results in a run, so that the hundredths of seconds the kernel counts in do not show.
const REPEATED: u32 = 3;
