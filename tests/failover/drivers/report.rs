//! What customers were told, as tables.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use headgate::lab::Flavor;

use super::fault::Fault;

/// Errors of one kind: which driver, what it was doing, code, SQLSTATE, and the text without what varies.
pub(super) type Errors = BTreeMap<String, usize>;

/// One kind of error. Numbers, addresses and ids in the text vary.
pub(super) fn kind(driver: &str, fields: &[&str]) -> String {
    let mut text = String::new();
    for letter in fields.get(3..).unwrap_or_default().join(" ").chars() {
        match letter {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    let head: Vec<&str> = fields.iter().take(3).copied().collect();
    format!("{driver} | {} | {text}", head.join(" | "))
}

/// What came of the rounds of each fault; `None` is what came without one.
#[derive(Default)]
pub(super) struct Report {
    gaps: BTreeMap<Fault, Vec<Duration>>,
    errors: BTreeMap<Option<Fault>, Errors>,
    kept_out: BTreeMap<Fault, usize>,
}

impl Report {
    pub(super) fn add_errors(&mut self, fault: Option<Fault>, errors: Errors) {
        let known = self.errors.entry(fault).or_default();
        for (error, count) in errors {
            *known.entry(error).or_default() += count;
        }
    }

    pub(super) fn add_round(&mut self, fault: Fault, without_writes: Duration, kept_out: bool) {
        self.gaps.entry(fault).or_default().push(without_writes);
        *self.kept_out.entry(fault).or_default() += usize::from(kept_out);
    }

    pub(super) fn errors(&self, fault: Option<Fault>) -> Errors {
        self.errors.get(&fault).cloned().unwrap_or_default()
    }

    /// The worst of each fault.
    pub(super) fn worst(&self) -> impl Iterator<Item = (Fault, Duration)> {
        self.gaps.iter().map(|(fault, gaps)| (*fault, gaps.iter().max().copied().unwrap_or_default()))
    }

    pub(super) fn table(&self, flavor: Flavor) -> String {
        let mut table = format!("{flavor:?}: time without writes\n");
        for (fault, gaps) in &self.gaps {
            let mut gaps = gaps.clone();
            gaps.sort_unstable();
            let (median, worst) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
            let _ = writeln!(
                table,
                "  {:<13} {:>3} rounds  median {:>7.3} s  worst {:>7.3} s  kept out {}",
                format!("{fault:?}"),
                gaps.len(),
                median.as_secs_f64(),
                worst.as_secs_f64(),
                self.kept_out[fault],
            );
        }
        for (fault, errors) in &self.errors {
            let name = fault.map_or_else(|| "without a fault".to_owned(), |fault| format!("{fault:?}"));
            let _ = writeln!(table, "{flavor:?}: errors, {name}: {}", errors.values().sum::<usize>());
            for (error, count) in errors {
                let _ = writeln!(table, "  {count:>5} x {error}");
            }
        }
        table
    }
}
