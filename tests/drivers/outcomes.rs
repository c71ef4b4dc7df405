//! What became of each test of a suite, and how two runs compare.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Skipped,
    Failed,
}

/// The tests of one run by name, each with what the suite said of it.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(BTreeMap<String, (Outcome, String)>);

impl Outcomes {
    /// Reads lines of name, outcome and reason, separated by tabs. A test that is named twice keeps its
    /// worse outcome.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut outcomes = Self::default();
        for line in text.lines() {
            let mut fields = line.splitn(3, '\t');
            let name = fields.next().unwrap_or_default();
            let outcome = match fields.next() {
                Some("passed") => Outcome::Passed,
                Some("skipped") => Outcome::Skipped,
                Some("failed") => Outcome::Failed,
                _ => return Err(format!("no outcome: {line}")),
            };
            outcomes.add(name, outcome, fields.next().unwrap_or_default());
        }
        Ok(outcomes)
    }

    pub(crate) fn add(&mut self, name: &str, outcome: Outcome, why: &str) {
        let known = self.0.get(name).is_some_and(|(before, _)| *before == Outcome::Failed);
        if !known {
            self.0.insert(name.to_owned(), (outcome, why.to_owned()));
        }
    }

    pub(crate) fn passed(&self) -> usize {
        self.count(Outcome::Passed)
    }

    fn count(&self, wanted: Outcome) -> usize {
        self.0.values().filter(|(outcome, _)| *outcome == wanted).count()
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [passed, failed, skipped] =
            [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|outcome| self.count(outcome));
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The folder of the lists of differences.
pub(crate) fn lists() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/differences")
}

/// Tests that may fail through Headgate: the end of a name, and why.
#[derive(Debug, Default)]
pub(crate) struct Differences(Vec<(String, String)>);

impl Differences {
    /// A suite without a list has none. Fails where a line has no reason.
    pub(crate) fn of(suite: &str) -> Self {
        let path = lists().join(format!("{suite}.txt"));
        let text = if path.exists() { fs::read_to_string(&path).unwrap() } else { String::new() };
        Self::parse(&text).unwrap_or_else(|line| panic!("{}: no reason: {line}", path.display()))
    }

    /// Lines of `NAME: REASON`; `#` begins a comment. The error is a line without a reason.
    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| match line.split_once(": ") {
                Some((name, reason)) if !reason.trim().is_empty() => Ok((name.to_owned(), reason.to_owned())),
                _ => Err(line.to_owned()),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn allow(&self, test: &str) -> bool {
        self.0.iter().any(|(name, _)| test.ends_with(name.as_str()))
    }
}

/// Every test that passed directly must pass through Headgate; the error has a line for each that did not,
/// and for each that was skipped or missing there.
pub(crate) fn compare(direct: &Outcomes, through: &Outcomes, known: &Differences) -> Result<(), String> {
    let mut lines = Vec::new();
    for (name, (outcome, _)) in &direct.0 {
        if *outcome != Outcome::Passed || known.allow(name) {
            continue;
        }
        match through.0.get(name) {
            Some((Outcome::Passed, _)) => {}
            Some((outcome, why)) => lines.push(format!("  {name}: {outcome:?} through Headgate: {why}")),
            None => lines.push(format!("  {name}: did not run through Headgate")),
        }
    }
    for (name, (outcome, why)) in &through.0 {
        if *outcome == Outcome::Failed && !direct.0.contains_key(name) && !known.allow(name) {
            lines.push(format!("  {name}: only through Headgate, and failed: {why}"));
        }
    }
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

#[test]
fn differences_are_found() {
    fn check(direct: &str, through: &str, known: &str, lines: usize) {
        let [direct, through] = [direct, through].map(|text| Outcomes::parse(text).unwrap());
        let found = compare(&direct, &through, &Differences::parse(known).unwrap());
        assert_eq!(found.err().map_or(0, |text| text.lines().count()), lines, "{direct:?} {through:?}");
    }
    check("a\tpassed\t\nb\tfailed\tx\n", "a\tpassed\t\nb\tfailed\ty\n", "", 0);
    check("a\tpassed\t\n", "a\tfailed\tx\n", "", 1);
    check("a\tpassed\t\n", "a\tskipped\tx\n", "", 1);
    check("a\tpassed\t\n", "", "", 1);
    check("b\tfailed\t\n", "b\tpassed\t\n", "", 0);
    check("a\tpassed\t\n", "a\tpassed\t\nsetup\tfailed\tx\n", "", 1);
    check("x::a\tpassed\t\n", "x::a\tfailed\tx\n", "# why\nx::a: ids are opaque\n", 0);
    // A repeated name: the worse outcome.
    check("a\tpassed\t\n", "a\tfailed\tx\na\tpassed\t\n", "", 1);
}

#[test]
fn lists_need_reasons() {
    assert!(Differences::parse("some.test\n").is_err());
    assert!(Differences::parse("some.test: \n").is_err());
    assert!(Outcomes::parse("a line of something else").is_err());
}
