//! Every statement of the corpus, decided as for a new session with one fresh replica.

#![allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headgate::lab::Flavor;
use headgate::routing::{self, Explanation, Policy};
use headgate::session::{SessionView, State};
use headgate::sql::{Dialect, LexMode, charset_is_safe};
use headgate::topology::{
    Address, Catalog, Collations, Definitions, Epoch, Facts, Flavor as ServerFlavor, FunctionBody, Server,
    ServerId, ServerState, Topology, ViewBody,
};
use headgate::wire::capabilities::Capabilities;
use headgate::wire::status::StatusFlags;

use crate::corpus::{self, Case, Session, Target};

/// The least that the corpus holds.
const STATEMENTS: usize = 400;

/// Versions of supported servers, the oldest, the newest known and those between, as version comments
/// number them. Those that the laboratory has come first.
const VERSIONS: [(Flavor, &[u32]); 2] = [
    (Flavor::MySql, &[90_704, 80_011, 80_046, 80_400, 90_000]),
    (Flavor::MariaDb, &[101_119, 100_600, 110_403, 110_800]),
];

/// The views and functions of the guard's schema, as a server renders them.
const VIEWS: [(&str, &str); 5] = [
    ("v_plain", "select `app`.`t`.`id` AS `id`,`app`.`t`.`a` AS `a` from `app`.`t`"),
    ("v_writes", "select `app`.`writes_no_sql`(1) AS `n`"),
    ("v_on_view", "select `v_writes`.`n` AS `n` from `app`.`v_writes`"),
    ("v_locks", "select `app`.`locks_no_sql`('v_locks') AS `n`"),
    ("v_updatable", "select `app`.`t`.`a` AS `a` from `app`.`t`"),
];
const FUNCTIONS: [(&str, &str); 7] = [
    ("writes_reads_sql_data", "BEGIN INSERT INTO app.log (what) VALUES ('reads_sql_data'); RETURN n; END"),
    ("writes_no_sql", "BEGIN INSERT INTO app.log (what) VALUES ('no_sql'); RETURN n; END"),
    ("writes_deterministic", "BEGIN UPDATE app.w SET a = n; RETURN n; END"),
    ("writes_through_another", "RETURN app.writes_no_sql(n)"),
    ("locks_no_sql", "RETURN GET_LOCK(name, 0)"),
    ("sets_variable", "BEGIN SET @sets_variable = n; RETURN n; END"),
    ("pure_add", "RETURN a + b"),
];

fn facts(flavor: Flavor) -> Facts {
    Facts {
        version: Vec::new(),
        version_number: 0,
        flavor: server_flavor(flavor),
        capabilities: Capabilities(0),
        collation: 45,
        plugin: Vec::new(),
        ansi_quotes: false,
        no_backslash_escapes: false,
        init_connect: false,
        wait_timeout: Duration::from_secs(28800),
        interactive_timeout: Duration::from_secs(28800),
        hindrance: None,
        asked: Instant::now(),
        generation: 1,
        collations: Collations::default(),
        defaults: BTreeMap::new(),
        catalog: Some(Arc::new(catalog(flavor))),
        traps: None,
    }
}

fn catalog(flavor: Flavor) -> Catalog {
    let view = |(name, definition): (&str, &str)| ViewBody {
        name: name.to_owned(),
        definition: Some(definition.to_owned()),
    };
    let function = |(name, body): (&str, &str)| FunctionBody {
        schema: "app".to_owned(),
        name: name.to_owned(),
        body: Some(body.to_owned()),
        sql_mode: String::new(),
        charset: "utf8mb4".to_owned(),
        parameters: ["n", "name", "a", "b"].map(str::to_owned).to_vec(),
    };
    let definitions = Definitions {
        views: VIEWS.map(view).to_vec(),
        functions: Some(FUNCTIONS.map(function).to_vec()),
        loadable: Some(Vec::new()),
    };
    let (_, versions) = VERSIONS.iter().find(|(known, _)| *known == flavor).unwrap();
    Catalog::new(&definitions, server_flavor(flavor).dialect(), versions[0])
}

fn server_flavor(flavor: Flavor) -> ServerFlavor {
    match flavor {
        Flavor::MySql => ServerFlavor::MySql,
        Flavor::MariaDb => ServerFlavor::MariaDb,
    }
}

/// A primary and one replica whose data is as of now.
fn cluster(flavor: Flavor, now: Instant) -> Topology {
    let server = |id: u16, state, as_of| Server {
        state,
        as_of,
        since: Some(now),
        ..Server::unknown(ServerId(id), Address::Tcp { host: "db".into(), port: id })
    };
    Topology {
        epoch: Epoch(1),
        primary: Ok(ServerId(0)),
        servers: vec![server(0, ServerState::Primary, None), server(1, ServerState::Replica, Some(now))],
        facts: Some(Arc::new(facts(flavor))),
        origin: None,
        rejected: Arc::default(),
    }
}

/// A session right after its login.
fn view(session: &Session) -> SessionView {
    let mut status = StatusFlags(0);
    for (flag, set) in [
        (StatusFlags::IN_TRANSACTION, session.in_transaction),
        (StatusFlags::AUTOCOMMIT, !session.autocommit_off),
    ] {
        status.0 |= if set { flag.0 } else { 0 };
    }
    let collations = Collations::new([(45, "utf8mb4".to_owned(), "utf8mb4_general_ci".to_owned())]);
    let schema = session.schema.as_ref().map(|schema| schema.as_bytes().into());
    *State::new(schema, 45, &collations, status, 1).view()
}

fn explain(case: &Case, flavor: Flavor, version: u32) -> Explanation {
    let dialect = match flavor {
        Flavor::MySql => Dialect::MySql,
        Flavor::MariaDb => Dialect::MariaDb,
    };
    let charset = case.session.charset.as_deref().unwrap_or("utf8mb4");
    let mut mode = LexMode::new(&case.session.sql_mode, charset, dialect);
    mode.version = version;
    assert_eq!(mode.charset_safe, charset_is_safe(charset));
    let now = Instant::now();
    routing::explain(
        &case.text,
        mode,
        &view(&case.session),
        &cluster(flavor, now),
        Policy::default(),
        false,
        now,
    )
}

fn target(explanation: &Explanation) -> Target {
    match explanation.decision.target {
        routing::Target::Primary => Target::Primary,
        routing::Target::Replica(_) => Target::Replica,
        routing::Target::Nowhere => panic!("nobody keeps reads off the primary"),
    }
}

#[test]
fn every_statement_goes_where_it_belongs() {
    let cases = corpus::routing();
    assert!(cases.len() >= STATEMENTS, "only {} statements", cases.len());
    let mut wrong = String::new();
    let mut decided = 0;
    for case in &cases {
        for (flavor, versions) in VERSIONS.iter().filter(|(flavor, _)| case.is_for(*flavor)) {
            let explanation = explain(case, *flavor, versions[0]);
            let found = (target(&explanation), explanation.decision.reason.label());
            decided += 1;
            if found != (case.target, case.reason.as_str()) {
                let expected = (case.target, &case.reason);
                writeln!(wrong, "{flavor}: expected {expected:?}, found {found:?}: {}", case.shown())
                    .unwrap();
            }
        }
    }
    println!("{} statements, {decided} decisions", cases.len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Version comments must not make a statement a plain read on one version and something else on another.
#[test]
fn all_versions_of_a_family_send_a_statement_to_the_same_place() {
    let mut wrong = String::new();
    for case in corpus::routing() {
        for (flavor, versions) in VERSIONS.iter().filter(|(flavor, _)| case.is_for(*flavor)) {
            let targets: Vec<_> =
                versions.iter().map(|version| target(&explain(&case, *flavor, *version))).collect();
            if targets.iter().any(|target| *target != targets[0]) {
                writeln!(wrong, "{flavor} {versions:?}: {targets:?}: {}", case.shown()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The reasons that the statements of new sessions can have are all in the corpus.
#[test]
fn the_corpus_holds_every_reason_of_a_statement() {
    let cases = corpus::routing();
    for reason in [
        "plain_read",
        "write",
        "ddl",
        "account",
        "transaction_control",
        "inspect",
        "describe",
        "session_change",
        "not_plain",
        "several",
        "stored_function",
        "hint_primary",
        "hint_unreadable",
        "in_transaction",
        "autocommit_off",
        "local_schema",
        "view",
        "hint_replica",
        "read_only_transaction",
    ] {
        assert!(cases.iter().any(|case| case.reason == reason), "no statement is there for {reason}");
    }
}
