//! The conditions the relay must meet before it is called done.

use std::fmt;

use super::contestant::{Field, Kind};
use super::samples::ratio;
use super::{bulk, crowd, idle, point};

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

    /// Thousands of clients that share a few connections do not pay for being many.
    pub(crate) fn crowd(&mut self, field: &Field, loads: &[crowd::Load]) {
        for load in loads {
            let fewest = crowd::fewest(loads, load.work).filter(|fewest| fewest.clients < load.clients);
            for kind in [Kind::Shared, Kind::SharedOne] {
                let Some(shared) = figures(field, &load.figures, kind) else { continue };
                let named = format!("{}, {} clients, {}", kind.name(), load.clients, load.work.name());
                // Where statements wait, HAProxy's clients have connections enough to wait all at once.
                let haproxy =
                    figures(field, &load.figures, Kind::Haproxy).filter(|_| load.work != crowd::Work::Wait);
                if let Some(ratio) = haproxy.and_then(|haproxy| ratio(&shared.proxy, &haproxy.proxy)) {
                    let text =
                        format!("{named}: CPU a point select {ratio:.2} × HAProxy's, at most {CROWD_CPU}");
                    self.check(ratio <= CROWD_CPU, text);
                }
                let few = fewest.and_then(|fewest| figures(field, &fewest.figures, kind));
                if let Some(ratio) = few.and_then(|few| ratio(&shared.rate, &few.rate)) {
                    let text =
                        format!("{named}: {ratio:.2} × as fast as with the fewest, at least {CROWD_RATE}");
                    self.check(ratio >= CROWD_RATE, text);
                }
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
const CROWD_CPU: f64 = 1.3;
/// Times that of the fewest clients measured.
const CROWD_RATE: f64 = 0.9;
/// Times HAProxy's.
const BULK_SPEED: f64 = 0.9;
const BULK_GROWTH: f64 = 32.0;
const IDLE_MEMORY: f64 = 60.0;
const MEBIBYTE: f64 = 1_048_576.0;
