//! Tables for people.

use std::fmt::Write;
use std::thread;

use headgate::lab::Cluster;

use super::contestant::{Field, Kind};
use super::options::Options;
use super::samples::{median, ratio};
use super::{bulk, crowd, idle, point};

pub(crate) fn preamble(cluster: &Cluster, options: &Options) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "MySQL {}, {cores} cores for servers, proxies and clients together, loopback, no TLS; medians of {} rounds of {} s\n\
         × is the median of the rounds' relations to HAProxy (one thread)\n",
        cluster.version(),
        options.rounds(),
        options.seconds(),
    )
}

pub(crate) fn point(field: &Field, loads: &[point::Load]) -> String {
    let mut table = Table::new(&[
        "point selects",
        "clients",
        "a second",
        "×",
        "added ms: median",
        "p99",
        "CPU µs each",
        "×",
        "calls each",
        "peak MiB",
    ]);
    for load in loads {
        let direct = field.index(Kind::Direct).and_then(|index| load.figures.get(index));
        let reference = field.index(Kind::Haproxy).and_then(|index| load.figures.get(index));
        for (name, figures) in field.names().iter().zip(&load.figures) {
            let rates = |figures: &point::Figures| -> Vec<f64> {
                figures.runs.iter().map(|run| run.statements_a_second).collect()
            };
            let added = |latency: fn(&super::sysbench::Run) -> f64| {
                let pairs = direct
                    .filter(|direct| direct.runs.len() == figures.runs.len())?
                    .runs
                    .iter()
                    .zip(&figures.runs);
                median(pairs.map(|(direct, run)| latency(run) - latency(direct)))
            };
            table.row([
                format!("{name} {}", load.protocol.name()),
                load.clients.to_string(),
                number(median(rates(figures)), 0),
                number(reference.and_then(|reference| ratio(&rates(figures), &rates(reference))), 2),
                number(added(|run| run.median), 3),
                number(added(|run| run.p99), 3),
                number(median(figures.cpu.iter().copied()), 1),
                number(reference.and_then(|reference| ratio(&figures.cpu, &reference.cpu)), 2),
                number(figures.calls, 2),
                number(median(figures.peak.iter().map(|bytes| bytes / MEBIBYTE)), 1),
            ]);
        }
        table.rule();
    }
    table.text()
}

pub(crate) fn crowd(field: &Field, loads: &[crowd::Load]) -> String {
    let mut table = Table::new(&[
        "a crowd of clients",
        "clients",
        "a second",
        "× fewest",
        "ms: median",
        "p99",
        "CPU µs each: proxy",
        "×",
        "servers",
        "crowd",
    ]);
    for load in loads {
        let reference = field.index(Kind::Haproxy).and_then(|index| load.figures.get(index));
        for (index, (name, figures)) in field.names().iter().zip(&load.figures).enumerate() {
            let of = |values: &[f64]| median(values.iter().copied());
            let fewest = crowd::fewest(loads, load.work).and_then(|load| load.figures.get(index));
            table.row([
                format!("{name} {}", load.work.name()),
                load.clients.to_string(),
                number(of(&figures.rate), 0),
                number(fewest.and_then(|fewest| ratio(&figures.rate, &fewest.rate)), 2),
                number(of(&figures.median), 3),
                number(of(&figures.p99), 3),
                number(of(&figures.proxy), 1),
                number(reference.and_then(|reference| ratio(&figures.proxy, &reference.proxy)), 2),
                number(of(&figures.servers), 1),
                number(of(&figures.crowd), 1),
            ]);
        }
        table.rule();
    }
    table.text()
}

pub(crate) fn bulk(field: &Field, loads: &[bulk::Load]) -> String {
    let mut table =
        Table::new(&["100 MB results", "row bytes", "MB a second", "×", "CPU µs a MB", "×", "growth MiB"]);
    for load in loads {
        let reference = field.index(Kind::Haproxy).and_then(|index| load.figures.get(index));
        for (name, figures) in field.names().iter().zip(&load.figures) {
            table.row([
                name.clone(),
                load.table.row.to_string(),
                number(median(figures.speed.iter().copied()), 0),
                number(reference.and_then(|reference| ratio(&figures.speed, &reference.speed)), 2),
                number(median(figures.cpu.iter().copied()), 0),
                number(reference.and_then(|reference| ratio(&figures.cpu, &reference.cpu)), 2),
                number(
                    figures.growth.iter().copied().max_by(f64::total_cmp).map(|bytes| bytes / MEBIBYTE),
                    1,
                ),
            ]);
        }
        table.rule();
    }
    table.text()
}

#[allow(clippy::cast_precision_loss, reason = "bytes of memory fit into 53 bits")]
pub(crate) fn idle(all: &[idle::Figures]) -> String {
    let mut table = Table::new(&[
        "idle clients",
        "clients",
        "RSS MB: before",
        "with",
        "PSS MB: before",
        "with",
        "KiB a client",
    ]);
    for figures in all {
        let megabytes = |bytes: u64| number(Some(bytes as f64 / 1e6), 1);
        let more = figures.with_clients.resident.saturating_sub(figures.before.resident) as f64;
        table.row([
            figures.kind.name().to_owned(),
            idle::CLIENTS.to_string(),
            megabytes(figures.before.resident),
            megabytes(figures.with_clients.resident),
            megabytes(figures.before.proportional),
            megabytes(figures.with_clients.proportional),
            number(Some(more / 1024.0 / f64::from(idle::CLIENTS)), 1),
        ]);
    }
    table.text()
}

fn number(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// Columns as wide as what is in them; the first one left, the others right.
struct Table {
    /// `None` is an empty line.
    rows: Vec<Option<Vec<String>>>,
}

impl Table {
    fn new(heads: &[&str]) -> Self {
        Self { rows: vec![Some(heads.iter().map(|head| (*head).to_owned()).collect())] }
    }

    fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(Some(cells.into()));
    }

    fn rule(&mut self) {
        self.rows.push(None);
    }

    fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().flatten().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in row.iter().flatten().enumerate() {
                // Writing to a String cannot fail.
                let _ = match column {
                    0 => write!(text, "{cell:<0$}", width(0)),
                    _ => write!(text, "  {cell:>0$}", width(column)),
                };
            }
            text.push('\n');
        }
        text
    }
}

const MEBIBYTE: f64 = 1_048_576.0;
