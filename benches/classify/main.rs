//! What it costs to read a statement and to decide where it runs.
//!
//! ```text
//! cargo bench --features lab --bench classify
//! ```
//!
//! Nanoseconds are the median of many samples, with the lowest and the highest beside it; allocations are
//! counted in one call. The exit status is 1 where a gate does not hold: reading a point select and deciding
//! about it must take less than 300 ns each, and reading it must not allocate.

#![allow(clippy::disallowed_methods, reason = "measuring needs the real clock")]

mod counting;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headgate::routing::{Among, Dice, Policy, Question, decide};
use headgate::session::SessionView;
use headgate::sql::{Dialect, LexMode, classify, digest, mentions};
use headgate::topology::{
    Address, Catalog, Collations, Definitions, Epoch, Facts, Flavor, Floor, Server, ServerId, ServerState,
    Topology, ViewBody,
};
use headgate::wire::capabilities::Capabilities;

const MODE: LexMode = LexMode::usual(Dialect::MySql, 90704);

/// The most that reading or deciding about a point select may take, in nanoseconds.
const GATE: f64 = 300.0;

const POINT_SELECT: &str = "SELECT c FROM sbtest1 WHERE id=50123";

const STATEMENTS: &[(&str, &str)] = &[
    ("point select", POINT_SELECT),
    ("simple range", "SELECT c FROM sbtest1 WHERE id BETWEEN 50123 AND 50222"),
    ("sum range", "SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 50123 AND 50222"),
    ("order range", "SELECT c FROM sbtest1 WHERE id BETWEEN 50123 AND 50222 ORDER BY c"),
    ("distinct range", "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 50123 AND 50222 ORDER BY c"),
    ("index update", "UPDATE sbtest1 SET k=k+1 WHERE id=50123"),
    (
        "non-index update",
        "UPDATE sbtest1 SET c='83868641912-28773972837-60736120486-75162659906-27563526494-20381887404-41576422241-93426793964-56405065102-33518432330' WHERE id=50123",
    ),
    ("delete", "DELETE FROM sbtest1 WHERE id=50123"),
    (
        "insert",
        "INSERT INTO sbtest1 (id, k, c, pad) VALUES (50123, 50284, '83868641912-28773972837-60736120486-75162659906-27563526494-20381887404-41576422241-93426793964-56405065102-33518432330', '67847967377-48000963322-62604785301-91415491898-96926520291')",
    ),
    ("begin", "BEGIN"),
    ("commit", "COMMIT"),
    ("with a hint", "/* headgate: max_lag=500ms */ SELECT c FROM sbtest1 WHERE id=50123"),
    ("with a comment", "SELECT c FROM sbtest1 WHERE id=50123 /* controller='shop', action='show' */"),
    ("set variables", "SET SESSION sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES')"),
    (
        "10-join",
        "SELECT o.id, o.created_at, c.name, c.email, a.city, p.title, p.price, i.quantity, s.name AS shipper, w.code, r.score, u.label, v.amount FROM orders o JOIN customers c ON c.id = o.customer_id JOIN addresses a ON a.id = o.address_id JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id LEFT JOIN shippers s ON s.id = o.shipper_id LEFT JOIN warehouses w ON w.id = i.warehouse_id LEFT JOIN reviews r ON r.product_id = p.id JOIN units u ON u.id = p.unit_id JOIN vat v ON v.country = a.country WHERE o.status = 'paid' AND o.created_at > '2026-01-01' ORDER BY o.id DESC LIMIT 50",
    ),
];

fn main() -> ExitCode {
    println!("{:<28} {:>8} {:>8} {:>8} {:>6}", "", "ns", "lowest", "highest", "allocs");
    let mut holds = true;
    for (name, text) in STATEMENTS {
        let text = text.as_bytes();
        let reading = measure(|| classify(black_box(text), MODE));
        reading.print(&format!("classify {name}"));
        if text == POINT_SELECT.as_bytes() {
            holds &= reading.median < GATE && reading.allocations == 0;
        }
    }
    for (name, text) in
        STATEMENTS.iter().filter(|(name, _)| ["point select", "insert", "10-join"].contains(name))
    {
        measure(|| digest(black_box(text.as_bytes()), MODE)).print(&format!("digest {name}"));
        measure(|| mentions(black_box(text.as_bytes()), MODE, |name| name == b"v"))
            .print(&format!("mentions {name}"));
    }
    let deciding = deciding();
    deciding.print("decide point select");
    holds &= deciding.median < GATE;
    println!("gates: {}", if holds { "hold" } else { "broken" });
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One primary, two replicas that are fresh enough, a session that has written and read before.
fn deciding() -> Measured {
    let now = Instant::now();
    let topology = topology(now);
    let before = Floor { at: now.checked_sub(Duration::from_millis(50)), mark: None };
    let session = SessionView { wrote: before, seen: before, ..SessionView::fresh(1) };
    let statement = classify(POINT_SELECT.as_bytes(), MODE);
    let mut rotation = 0;
    measure(|| {
        rotation += 1;
        let question = Question {
            statement: &statement,
            text: Some(POINT_SELECT.as_bytes()),
            mode: MODE,
            relations: None,
            reads_temporary: false,
            known_to_write: false,
            session: &session,
            topology: &topology,
            policy: Policy::default(),
            process: Floor::NONE,
            arrived: now,
            among: Among::All,
            loads: &(),
            dice: Dice { turn: rotation, client: 0 },
            now,
        };
        decide(black_box(&question), &mut ())
    })
}

/// A view that may write, so that every name must be compared with it.
fn catalog() -> Catalog {
    let view = ViewBody { name: "report".into(), definition: None };
    let definitions = Definitions { views: vec![view], ..Definitions::default() };
    Catalog::new(&definitions, Dialect::MySql, 90704)
}

fn topology(now: Instant) -> Topology {
    let facts = Facts {
        version: b"9.7.4".to_vec(),
        version_number: 90704,
        flavor: Flavor::MySql,
        capabilities: Capabilities(0),
        collation: 255,
        plugin: Vec::new(),
        ansi_quotes: false,
        no_backslash_escapes: false,
        init_connect: false,
        wait_timeout: Duration::from_secs(28800),
        interactive_timeout: Duration::from_secs(28800),
        hindrance: None,
        asked: now,
        generation: 1,
        collations: Collations::default(),
        defaults: BTreeMap::new(),
        catalog: Some(Arc::new(catalog())),
        traps: None,
    };
    let server = |id: u16, state| Server {
        state,
        as_of: Some(now),
        since: now.checked_sub(Duration::from_secs(60)),
        ..Server::unknown(ServerId(id), Address::Tcp { host: "db".into(), port: id })
    };
    let servers = vec![
        server(1, ServerState::Primary),
        server(2, ServerState::Replica),
        server(3, ServerState::Replica),
    ];
    Topology {
        epoch: Epoch(1),
        primary: Ok(ServerId(1)),
        servers,
        facts: Some(Arc::new(facts)),
        origin: None,
        rejected: Arc::default(),
    }
}

struct Measured {
    median: f64,
    lowest: f64,
    highest: f64,
    allocations: u64,
}

impl Measured {
    fn print(&self, name: &str) {
        let Self { median, lowest, highest, allocations } = self;
        println!("{name:<28} {median:>8.0} {lowest:>8.0} {highest:>8.0} {allocations:>6}");
    }
}

const SAMPLES: usize = 2001;
/// So few that a sample is shorter than the slice of time that a busy machine gives.
const CALLS: u32 = 200;

fn measure<T>(mut call: impl FnMut() -> T) -> Measured {
    black_box(call());
    let before = counting::allocations();
    black_box(call());
    let allocations = counting::allocations() - before;
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    let at = |place: usize| samples.get(place).copied().unwrap_or(f64::NAN);
    Measured { median: at(SAMPLES / 2), lowest: at(0), highest: at(SAMPLES - 1), allocations }
}
