//! The conditions the relay must meet before it is called done.

use std::fmt;

use super::contestant::{Field, Kind};
use super::samples::ratio;
use super::{bulk, idle, point};

/// What was checked, in words, and whether it holds.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    checks: Vec<(bool, String)>,
}

impl Gate {
    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|(holds, _)| *holds)
    }

    pub(crate) fn point(&mut self, field: &Field, loads: &[point::Load]) {
        for load in loads {
            let Some(reference) = figures(field, &load.figures, Kind::Haproxy) else { continue };
            for (kind, figures) in headgates(field, &load.figures) {
                let Some(ratio) = ratio(&figures.cpu, &reference.cpu) else { continue };
                let load = format!("{} clients, {}", load.clients, load.protocol.name());
                self.check(
                    ratio <= CPU_A_STATEMENT,
                    format!(
                        "{}: CPU a point select {ratio:.2} × HAProxy's, at most {CPU_A_STATEMENT} ({load})",
                        kind.name()
                    ),
                );
            }
        }
    }

    pub(crate) fn bulk(&mut self, field: &Field, loads: &[bulk::Load]) {
        for load in loads {
            let reference = figures(field, &load.figures, Kind::Haproxy);
            let rows = format!("rows of {} bytes", load.table.row);
            for (kind, figures) in headgates(field, &load.figures) {
                if let Some(ratio) = reference.and_then(|reference| ratio(&figures.speed, &reference.speed)) {
                    self.check(
                        ratio >= BULK_SPEED,
                        format!(
                            "{}: 100 MB at {ratio:.2} × HAProxy's speed, at least {BULK_SPEED} ({rows})",
                            kind.name()
                        ),
                    );
                }
                if let Some(growth) = figures.growth.iter().copied().max_by(f64::total_cmp) {
                    let mebibytes = growth / MEBIBYTE;
                    self.check(
                        mebibytes < BULK_GROWTH,
                        format!(
                            "{}: 100 MB grow it by {mebibytes:.1} MiB, less than {BULK_GROWTH} ({rows})",
                            kind.name()
                        ),
                    );
                }
            }
        }
    }

    pub(crate) fn idle(&mut self, all: &[idle::Figures]) {
        for figures in all.iter().filter(|figures| figures.kind.headgate_runtime().is_some()) {
            #[allow(clippy::cast_precision_loss, reason = "bytes of memory fit into 53 bits")]
            let megabytes = figures.with_clients.resident as f64 / 1e6;
            self.check(
                megabytes < IDLE_MEMORY,
                format!(
                    "{}: {} idle clients in {megabytes:.1} MB, less than {IDLE_MEMORY}",
                    figures.kind.name(),
                    idle::CLIENTS
                ),
            );
        }
    }

    fn check(&mut self, holds: bool, what: String) {
        self.checks.push((holds, what));
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Gate")?;
        for (holds, what) in &self.checks {
            writeln!(f, "  {} {what}", if *holds { "PASS" } else { "FAIL" })?;
        }
        let failed = self.checks.iter().filter(|(holds, _)| !holds).count();
        write!(f, "{} checks, {failed} failed", self.checks.len())
    }
}

fn figures<'a, T>(field: &Field, figures: &'a [T], kind: Kind) -> Option<&'a T> {
    figures.get(field.index(kind)?)
}

fn headgates<'a, T>(field: &Field, figures: &'a [T]) -> impl Iterator<Item = (Kind, &'a T)> {
    let kinds: Vec<Kind> = field.contestants.iter().map(|contestant| contestant.kind).collect();
    kinds.into_iter().zip(figures).filter(|(kind, _)| kind.headgate_runtime().is_some())
}

/// Times HAProxy's.
const CPU_A_STATEMENT: f64 = 1.25;
/// Times HAProxy's.
const BULK_SPEED: f64 = 0.9;
const BULK_GROWTH: f64 = 32.0;
const IDLE_MEMORY: f64 = 60.0;
const MEBIBYTE: f64 = 1_048_576.0;
