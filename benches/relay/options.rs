//! The command line.

use std::path::PathBuf;

use clap::Parser;

use super::contestant::Kind;

/// Headgate's cost beside that of other proxies.
#[derive(Debug, Parser)]
#[command(name = "relay")]
pub(crate) struct Options {
    /// One round of two seconds: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Rounds; every round measures everything once, in another order.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each point select run.
    #[arg(long)]
    seconds: Option<u32>,
    /// Numbers of clients of the point selects.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    pub(crate) clients: Vec<u32>,
    /// Numbers of clients of the crowd.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 2_000])]
    pub(crate) crowd: Vec<u32>,
    /// Another build of headgate, which takes part beside this one.
    #[arg(long)]
    pub(crate) beside: Option<PathBuf>,
    /// Only these: names of contestants, of tests (point, crowd, waits, bulk, idle), of protocols (text, binary).
    only: Vec<String>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Point,
    Crowd,
    Waits,
    Bulk,
    Idle,
}

impl Test {
    const ALL: [(&'static str, Self); 5] = [
        ("point", Self::Point),
        ("crowd", Self::Crowd),
        ("waits", Self::Waits),
        ("bulk", Self::Bulk),
        ("idle", Self::Idle),
    ];
}

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Binary,
}

impl Protocol {
    const ALL: [(&'static str, Self); 2] = [("text", Self::Text), ("binary", Self::Binary)];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

impl Options {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1)
    }

    pub(crate) fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.quick { 2 } else { 4 }).max(1)
    }

    pub(crate) fn wants(&self, test: Test) -> bool {
        self.chosen(&Test::ALL).contains(&test)
    }

    pub(crate) fn protocols(&self) -> Vec<Protocol> {
        self.chosen(&Protocol::ALL)
    }

    /// Those named, else all that take part without being asked for.
    pub(crate) fn contestants(&self) -> Vec<Kind> {
        let named: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.names(kind.name())).collect();
        if named.is_empty() { Kind::ALL.into_iter().filter(|kind| kind.is_usual()).collect() } else { named }
    }

    /// Of each sort those named, or all where none is.
    fn chosen<T: Copy>(&self, all: &[(&'static str, T)]) -> Vec<T> {
        let named: Vec<T> =
            all.iter().filter(|(name, _)| self.names(name)).map(|(_, choice)| *choice).collect();
        if named.is_empty() { all.iter().map(|(_, choice)| *choice).collect() } else { named }
    }

    fn names(&self, name: &str) -> bool {
        self.only.iter().any(|only| only == name)
    }

    /// A word that names nothing would measure everything instead.
    pub(crate) fn unknown(&self) -> Option<&str> {
        let known =
            Test::ALL.iter().map(|(name, _)| *name).chain(Protocol::ALL.iter().map(|(name, _)| *name));
        let known: Vec<&str> = known.chain(Kind::ALL.into_iter().map(Kind::name)).collect();
        self.only.iter().map(String::as_str).find(|only| !known.contains(only))
    }
}
