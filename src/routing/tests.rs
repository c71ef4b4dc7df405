//! What must hold for every decision.

#![allow(clippy::disallowed_methods, reason = "any moment serves as a beginning")]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::gtid::Position;
use crate::session::{Changed, Isolation, SessionView};
use crate::sql::{Class, Dialect, LexMode, Name, NotPlain, Statement, TransactionKind, Unclear, classify};
use crate::topology::{
    Address, Catalog, Collations, Definitions, Epoch, Facts, Flavor, Floor, FunctionBody, Health, Hindrance,
    Lag, Mark, NotServing, Reported, Server, ServerId, ServerState, Topology, Trouble, ViewBody,
};
use crate::wire::capabilities::Capabilities;

fn facts() -> Facts {
    Facts {
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
        asked: Instant::now(),
        generation: 1,
        collations: Collations::default(),
        defaults: BTreeMap::new(),
        catalog: Some(Arc::default()),
        traps: None,
    }
}

/// A primary and replicas with the given dates, in milliseconds after `start`.
fn cluster(start: Instant, dates: &[Option<u64>]) -> Topology {
    let server = |id: u16, state, as_of| Server {
        state,
        as_of,
        since: Some(start),
        lag: Some(Lag { behind: Duration::ZERO, at: start }),
        ..Server::unknown(ServerId(id), Address::Tcp { host: "db".into(), port: id })
    };
    let mut servers = vec![server(0, ServerState::Primary, None)];
    for (id, date) in (1..).zip(dates) {
        let as_of = date.map(|ms| start + Duration::from_millis(ms));
        servers.push(server(id, ServerState::Replica, as_of));
    }
    servers.push(server(99, ServerState::NotServing(NotServing::NoSource), Some(start)));
    Topology {
        epoch: Epoch(1),
        primary: Ok(ServerId(0)),
        servers,
        facts: Some(Arc::new(facts())),
        origin: None,
        rejected: Arc::default(),
    }
}

const CLEAN: SessionView = SessionView::fresh(1);

const MODE: LexMode = LexMode::usual(Dialect::MySql, 90704);

fn question<'a>(
    statement: &'a Statement,
    session: &'a SessionView,
    topology: &'a Topology,
    rotation: u64,
    now: Instant,
) -> Question<'a> {
    let policy = Policy { balance: Balance::RoundRobin, ..Policy::default() };
    Question {
        statement,
        text: Some(b"SELECT a FROM t"),
        mode: MODE,
        relations: None,
        reads_temporary: false,
        known_to_write: false,
        session,
        topology,
        policy,
        process: Floor::NONE,
        arrived: now,
        among: Among::All,
        loads: &(),
        dice: Dice { turn: rotation, client: 0 },
        now,
    }
}

fn route(class: &Class, session: &SessionView, topology: &Topology, rotation: u64, now: Instant) -> Decision {
    decide(&question(&Statement::of(class.clone()), session, topology, rotation, now), &mut ())
}

#[test]
fn reasons_stand_at_their_index_and_have_their_own_labels() {
    let labels: HashSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!(labels.len(), Reason::ALL.len());
    for (index, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
    let on_replicas = Reason::ON_REPLICAS.len();
    assert_eq!(Reason::ON_REPLICAS[..], Reason::ALL[..on_replicas], "both are counted by the same index");
}

/// `UPDATE_DOCS=1` writes the table anew.
#[test]
fn reasons_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/routing.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text.split_once("--lib reasons -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end -->").unwrap();
    let rows: String =
        Reason::ALL.iter().map(|reason| format!("| `{}` | {reason} |\n", reason.label())).collect();
    let wanted =
        format!("{head}--lib reasons -->\n| Reason | Meaning |\n|---|---|\n{rows}<!-- end -->{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), wanted, "run UPDATE_DOCS=1 cargo test --lib reasons");
}

#[test]
fn every_state_of_the_session_has_its_reason() {
    let now = Instant::now();
    let topology = cluster(now, &[Some(0)]);
    let check = |session: SessionView, reason| {
        let decision = route(&Class::PlainRead, &session, &topology, 0, now);
        assert_eq!((decision.target, decision.reason), (Target::Primary, reason));
    };
    check(SessionView { in_transaction: true, ..CLEAN }, Reason::InTransaction);
    check(SessionView { autocommit: false, ..CLEAN }, Reason::AutocommitOff);
    check(SessionView { changed: Some(Changed::Variable), ..CLEAN }, Reason::SessionChanged);
    check(SessionView { charset_known: false, ..CLEAN }, Reason::CharsetUnknown);
    check(SessionView { generation: 2, ..CLEAN }, Reason::DefaultsChanged);
    check(SessionView { local_schema: true, ..CLEAN }, Reason::LocalSchema);
    check(SessionView { unreported: true, ..CLEAN }, Reason::Unreported);
    let decision = route(&Class::PlainRead, &CLEAN, &topology, 0, now);
    assert_eq!(decision.target, Target::Replica(ServerId(1)));
    let definition = |text: &str| Some(text.to_owned());
    let view = |name: &str, definition| ViewBody { name: name.into(), definition };
    let views = vec![view("t", None), view("pure", definition("select `d`.`x`.`a` AS `a` from `d`.`x`"))];
    let topology = with_catalog(&topology, &Definitions { views, ..Definitions::default() });
    let read = Statement::of(Class::PlainRead);
    let mut question = question(&read, &CLEAN, &topology, 0, now);
    assert_eq!(decide(&question, &mut ()).reason, Reason::View);
    question.text = Some(b"SELECT a FROM pure");
    assert_eq!(decide(&question, &mut ()).reason, Reason::PlainRead);
    question.text = None;
    assert_eq!(decide(&question, &mut ()).reason, Reason::View);
}

#[test]
fn calls_are_judged_by_what_the_functions_do() {
    let now = Instant::now();
    let function = |name: &str, body: &str| FunctionBody {
        schema: "d".into(),
        name: name.into(),
        body: Some(body.into()),
        charset: "utf8mb4".into(),
        ..FunctionBody::default()
    };
    let functions = vec![function("reads", "RETURN 1"), function("locks", "RETURN GET_LOCK('a', 1)")];
    let loadable = Some(Vec::new());
    let definitions = Definitions { functions: Some(functions), loadable, ..Definitions::default() };
    let topology = with_catalog(&cluster(now, &[Some(0)]), &definitions);
    let facts = topology.facts.as_deref().unwrap();
    let check = |text: &str, session: &SessionView, reason| {
        let statement = classify(text.as_bytes(), MODE);
        assert_eq!(statement.class, Class::Calls, "{text}");
        let mut question = question(&statement, session, &topology, 0, now);
        question.text = Some(text.as_bytes());
        assert_eq!(decide(&question, &mut ()).reason, reason, "{text}");
        let pure = reason == Reason::PlainRead;
        assert_eq!(calls_only_pure(text.as_bytes(), MODE, session, facts), pure, "{text}");
    };
    check("SELECT reads(), a FROM t", &CLEAN, Reason::PlainRead);
    check("SELECT d.reads()", &CLEAN, Reason::PlainRead);
    check("SELECT e.reads()", &CLEAN, Reason::StoredFunction);
    check("SELECT reads() + locks()", &CLEAN, Reason::StoredFunction);
    check("SELECT unknown(1)", &CLEAN, Reason::StoredFunction);
    let defined = SessionView { defined: Some(now + Duration::from_secs(1)), ..CLEAN };
    check("SELECT reads()", &defined, Reason::Defined);
    let calls = Statement::of(Class::Calls);
    let unread = Question { text: None, ..question(&calls, &CLEAN, &topology, 0, now) };
    assert_eq!(decide(&unread, &mut ()).reason, Reason::StoredFunction);
}

fn with_catalog(topology: &Topology, definitions: &Definitions) -> Topology {
    let catalog = Some(Arc::new(Catalog::new(definitions, Dialect::MySql, 90704)));
    Topology { facts: Some(Arc::new(Facts { catalog, ..facts() })), ..topology.clone() }
}

#[test]
fn a_transaction_that_is_not_one_snapshot_stays_on_the_primary() {
    let now = Instant::now();
    let begin = Class::Transaction(TransactionKind::BeginReadOnly);
    let check = |class: &Class, default: &str, own, reason| {
        let defaults = BTreeMap::from([("transaction_isolation".to_owned(), default.to_owned())]);
        let facts = Some(Arc::new(Facts { defaults, ..facts() }));
        let topology = Topology { facts, ..cluster(now, &[Some(0)]) };
        let session = SessionView { isolation: own, ..CLEAN };
        assert_eq!(route(class, &session, &topology, 0, now).reason, reason, "{default} {own:?}");
    };
    check(&begin, "REPEATABLE-READ", None, Reason::ReadOnlyTransaction);
    check(&begin, "REPEATABLE-READ", Some(Isolation::ReadCommitted), Reason::Isolation);
    check(&begin, "SERIALIZABLE", None, Reason::Isolation);
    check(&begin, "READ-COMMITTED", None, Reason::Isolation);
    check(&begin, "SERIALIZABLE", Some(Isolation::RepeatableRead), Reason::ReadOnlyTransaction);
    // Alone a read is its own snapshot, and locks nothing.
    check(&Class::PlainRead, "SERIALIZABLE", Some(Isolation::Serializable), Reason::PlainRead);
}

#[test]
fn settings_of_the_primary_keep_reads_there() {
    let now = Instant::now();
    let check = |change: fn(&mut Facts), reason| {
        let mut changed = facts();
        change(&mut changed);
        let topology = Topology { facts: Some(Arc::new(changed)), ..cluster(now, &[Some(0)]) };
        let decision = route(&Class::PlainRead, &CLEAN, &topology, 0, now);
        assert_eq!((decision.target, decision.reason), (Target::Primary, reason));
    };
    check(|facts| facts.init_connect = true, Reason::InitConnect);
    check(|facts| facts.catalog = None, Reason::ViewsUnknown);
    check(|facts| facts.hindrance = Some(Hindrance::NoGtids), Reason::NoGtids);
    check(|facts| facts.hindrance = Some(Hindrance::AutoIsNull), Reason::AutoIsNull);
    check(|facts| facts.hindrance = Some(Hindrance::Grammar), Reason::Grammar);
}

#[test]
fn a_busy_replica_is_fresh_whatever_the_others_are() {
    let now = Instant::now();
    let late = Duration::from_secs(3600);
    let mut topology = cluster(now, &[Some(0), Some(0)]);
    topology.servers[2].as_of = now.checked_sub(late);
    let read = Statement::of(Class::PlainRead);
    let decided = |why, when_lagging, primary_reads| {
        let mut question = question(&read, &CLEAN, &topology, 0, now);
        question.among = Among::Others(ServerId(1), why);
        (question.policy.when_lagging, question.policy.primary_reads) = (when_lagging, primary_reads);
        let Decision { target, reason, .. } = decide(&question, &mut ());
        (target, reason)
    };
    for when_lagging in [WhenLagging::Primary, WhenLagging::Freshest, WhenLagging::Error] {
        let usual = decided(Refused::Busy, when_lagging, PrimaryReads::LastResort);
        assert_eq!(usual, (Target::Primary, Reason::ReplicaBusy));
        let never = decided(Refused::Busy, when_lagging, PrimaryReads::Never);
        assert_eq!(never, (Target::Nowhere, Reason::ReplicaBusy));
    }
    let failed = decided(Refused::Failed, WhenLagging::Freshest, PrimaryReads::LastResort);
    assert_eq!(failed, (Target::Replica(ServerId(2)), Reason::Freshest));
}

#[test]
fn who_has_waited_looks_at_the_age_and_not_at_the_position() {
    let now = Instant::now();
    let read = Statement::of(Class::PlainRead);
    let session = SessionView { wrote: Floor { at: Some(now), mark: None }, ..CLEAN };
    let serves =
        |topology: &Topology| still_serves(&question(&read, &session, topology, 0, now), ServerId(1));
    let topology = cluster(now, &[Some(5), Some(0)]);
    assert!(serves(&topology));
    let mut late = topology.clone();
    late.servers[1].as_of = now.checked_sub(Duration::from_secs(3600));
    assert!(!serves(&late));
    let mut drained = topology.clone();
    drained.servers[1].drained = Some(now);
    assert!(!serves(&drained));
    let mut promoted = topology;
    promoted.servers[1].state = promoted.servers[0].state.clone();
    assert!(!serves(&promoted));
}

#[test]
fn a_transaction_on_the_freshest_replica_is_one() {
    let now = Instant::now();
    let mut topology = cluster(now, &[Some(0)]);
    topology.servers[1].as_of = now.checked_sub(Duration::from_secs(3600));
    let begin = Statement::of(Class::Transaction(TransactionKind::BeginReadOnly));
    let mut question = question(&begin, &CLEAN, &topology, 0, now);
    question.policy.when_lagging = WhenLagging::Freshest;
    let decision = decide(&question, &mut ());
    assert_eq!(
        (decision.target, decision.reason),
        (Target::Replica(ServerId(1)), Reason::ReadOnlyTransaction)
    );
}

#[test]
fn a_drained_replica_gets_nothing_new() {
    let now = Instant::now();
    let drained = |ids: &[u16]| {
        let mut topology = cluster(now, &[Some(0), Some(0)]);
        for server in topology.servers.iter_mut().filter(|server| ids.contains(&server.id.0)) {
            server.drained = Some(now);
        }
        topology
    };
    for class in [Class::PlainRead, Class::Transaction(TransactionKind::BeginReadOnly)] {
        for rotation in 0..4 {
            let decision = route(&class, &CLEAN, &drained(&[2]), rotation, now);
            assert_eq!(decision.target, Target::Replica(ServerId(1)));
        }
        let decision = route(&class, &CLEAN, &drained(&[1, 2]), 0, now);
        assert_eq!((decision.target, decision.reason), (Target::Primary, Reason::Drained));
        assert!(!decision.worth_waiting);
    }
    // Another's trouble says more: it may pass.
    let mut topology = drained(&[2]);
    topology.servers[1].health = Health::Suspect(Trouble::Silent);
    assert_eq!(route(&Class::PlainRead, &CLEAN, &topology, 0, now).reason, Reason::Suspect);
    // Not the least behind either, where all lag.
    let statement = Statement::of(Class::PlainRead);
    let (later, topology) = (now + Duration::from_secs(60), drained(&[1, 2]));
    let mut question = question(&statement, &CLEAN, &topology, 0, later);
    question.policy.when_lagging = WhenLagging::Freshest;
    assert_eq!(decide(&question, &mut ()).target, Target::Primary);
}

#[test]
fn the_replica_that_showed_it_can_show_it_again() {
    let start = Instant::now();
    let now = start + Duration::from_millis(100);
    let topology = cluster(start, &[Some(10), Some(10)]);
    let seen = Floor::of(None, start + Duration::from_millis(50));
    let session = SessionView { seen, last_replica: Some(ServerId(2)), ..CLEAN };
    for rotation in 0..4 {
        let decision = route(&Class::PlainRead, &session, &topology, rotation, now);
        assert_eq!(decision.target, Target::Replica(ServerId(2)));
    }
    let elsewhere = SessionView { last_replica: None, ..session };
    let decision = route(&Class::PlainRead, &elsewhere, &topology, 0, now);
    assert_eq!((decision.reason, decision.worth_waiting), (Reason::Seen, true));
    let wrote = SessionView { wrote: seen, ..session };
    let decision = route(&Class::PlainRead, &wrote, &topology, 0, now);
    assert_eq!((decision.reason, decision.worth_waiting), (Reason::Wrote, true));
}

#[test]
fn a_transaction_that_only_reads_may_read_elsewhere_where_each_read_stands_alone() {
    let now = Instant::now();
    let topology = cluster(now, &[Some(0)]);
    let check = |isolation, lazy_transactions, session: SessionView, reason| {
        let session = SessionView { isolation: Some(isolation), ..session };
        let read = Statement::of(Class::PlainRead);
        let mut question = question(&read, &session, &topology, 0, now);
        question.policy.lazy_transactions = lazy_transactions;
        assert_eq!(decide(&question, &mut ()).reason, reason, "{isolation:?} {lazy_transactions}");
    };
    let open = SessionView { in_transaction: true, ..CLEAN };
    let implicit = SessionView { autocommit: false, ..CLEAN };
    for session in [open, implicit] {
        check(Isolation::ReadCommitted, false, session, Reason::LazyTransaction);
        check(Isolation::RepeatableRead, true, session, Reason::LazyTransaction);
    }
    check(Isolation::RepeatableRead, false, open, Reason::InTransaction);
    check(Isolation::RepeatableRead, false, implicit, Reason::AutocommitOff);
    check(Isolation::Serializable, true, open, Reason::InTransaction);
    check(Isolation::ReadCommitted, true, SessionView { only_read: false, ..open }, Reason::InTransaction);
    check(Isolation::ReadCommitted, true, SessionView { in_xa: true, ..open }, Reason::InTransaction);
    // A transaction that is begun for the read would take the savepoint away.
    let saved = SessionView { savepoint: true, ..implicit };
    check(Isolation::ReadCommitted, true, saved, Reason::AutocommitOff);
    check(
        Isolation::ReadCommitted,
        true,
        SessionView { in_transaction: true, ..saved },
        Reason::LazyTransaction,
    );
    let write = Statement::of(Class::Data);
    let session = SessionView { isolation: Some(Isolation::ReadCommitted), ..open };
    let decision = decide(&question(&write, &session, &topology, 0, now), &mut ());
    assert_eq!(decision.target, Target::Primary);
}

#[test]
fn a_position_that_a_comment_names_must_be_there() {
    const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    let now = Instant::now();
    let mut topology = cluster(now, &[Some(0)]);
    let set = format!("{U}:1-7").parse().unwrap();
    topology.servers[1].applied = Some(Arc::new(Position::MySql(set)));
    let check = |after: &str, reason| {
        let text = format!("SELECT /* headgate: after={after} */ a FROM t");
        let statement = classify(text.as_bytes(), MODE);
        let question =
            Question { text: Some(text.as_bytes()), ..question(&statement, &CLEAN, &topology, 0, now) };
        assert_eq!(decide(&question, &mut ()).reason, reason, "{text}");
    };
    check(&format!("'{U}:1-7'"), Reason::PlainRead);
    check(&format!("{U}:5"), Reason::PlainRead);
    check(&format!("'{U}:1-8'"), Reason::After);
    check(&format!("'{U}:1-3,{U}:tag:1'"), Reason::After);
    check("'nonsense'", Reason::HintUnreadable);
    check("''", Reason::HintUnreadable);
}

#[test]
fn a_hint_says_what_one_read_may_miss() {
    let start = Instant::now();
    let now = start + Duration::from_millis(100);
    let topology = cluster(start, &[Some(10)]);
    let session = SessionView { wrote: Floor::of(None, start + Duration::from_millis(50)), ..CLEAN };
    let check = |consistency: &str, reason| {
        let text = format!("/* headgate: consistency={consistency} */ SELECT a FROM t");
        let statement = classify(text.as_bytes(), MODE);
        let question =
            Question { text: Some(text.as_bytes()), ..question(&statement, &session, &topology, 0, now) };
        assert_eq!(decide(&question, &mut ()).reason, reason, "{text}");
    };
    check("eventual", Reason::PlainRead);
    check("SESSION", Reason::Wrote);
    check("global", Reason::Wrote);
    check("strong", Reason::HintUnreadable);
}

#[test]
fn who_was_passed_over_and_why_can_be_heard() {
    let start = Instant::now();
    let now = start + Duration::from_secs(60);
    let topology = cluster(start, &[Some(0), None]);
    let mut heard = Vec::new();
    let read = Statement::of(Class::PlainRead);
    let decision = decide(&question(&read, &CLEAN, &topology, 0, now), &mut heard);
    assert_eq!(decision.reason, Reason::Lag);
    let lag = Refused::Lag(Duration::from_secs(60));
    assert_eq!(heard, [(ServerId(1), lag), (ServerId(2), Refused::Undated)]);
}

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![
        4 => Just(Class::PlainRead),
        1 => Just(Class::Data),
        1 => Just(Class::Ddl),
        1 => Just(Class::Account),
        1 => Just(Class::Inspect),
        1 => Just(Class::SetGlobal),
        1 => Just(Class::PrimaryRead(NotPlain::Function)),
        1 => Just(Class::Transaction(TransactionKind::Begin)),
        1 => Just(Class::Other(Unclear::Set)),
        1 => Just(Class::Use(Name::new(b"db").unwrap())),
    ]
}

type Moment = Option<u64>;

/// A replica, in milliseconds and numbers.
#[derive(Debug, Clone)]
struct Made {
    as_of: Option<u64>,
    reached: Option<(u64, u64)>,
    suspect: bool,
    peak: u64,
}

fn any_replica() -> impl Strategy<Value = Made> {
    let as_of = proptest::option::weighted(0.9, 0_u64..20_000);
    let reached = proptest::option::of((0_u64..2, 0_u64..10));
    (as_of, reached, proptest::bool::weighted(0.2), prop_oneof![3 => Just(0), 1 => 0_u64..20_000])
        .prop_map(|(as_of, reached, suspect, peak)| Made { as_of, reached, suspect, peak })
}

fn any_floor() -> impl Strategy<Value = (Option<u64>, Option<(u64, u64, u64)>)> {
    (proptest::option::of(0_u64..20_000), proptest::option::of((0_u64..2, 0_u64..10, 0_u64..20_000)))
}

fn any_when_lagging() -> impl Strategy<Value = WhenLagging> {
    prop_oneof![Just(WhenLagging::Primary), Just(WhenLagging::Freshest), Just(WhenLagging::Error)]
}

fn any_among() -> impl Strategy<Value = Among> {
    let why = prop_oneof![Just(Refused::Failed), Just(Refused::Busy)];
    prop_oneof![
        Just(Among::All),
        ((1_u16..5).prop_map(ServerId), why).prop_map(|(id, why)| Among::Others(id, why))
    ]
}

fn any_primary_reads() -> impl Strategy<Value = PrimaryReads> {
    prop_oneof![Just(PrimaryReads::LastResort), Just(PrimaryReads::Member), Just(PrimaryReads::Never)]
}

proptest! {
    #[test]
    fn only_clean_plain_reads_leave_and_only_for_fresh_replicas(
        class in any_class(),
        dates in proptest::collection::vec(proptest::option::of(0_u64..20_000), 0..5),
        (in_transaction, autocommit, changed) in any::<(bool, bool, bool)>(),
        (wrote, seen) in any::<(Moment, Moment)>(),
        last in proptest::option::of(1_u16..6),
        (local_schema, unreported) in any::<(bool, bool)>(),
        rotation: u64,
    ) {
        let start = Instant::now();
        let now = start + Duration::from_secs(20);
        let topology = cluster(start, &dates);
        let at = |moment: Moment| {
            moment.map_or(Floor::NONE, |ms| Floor::of(None, start + Duration::from_millis(ms % 20_000)))
        };
        let session = SessionView {
            in_transaction,
            autocommit,
            changed: changed.then_some(Changed::Reported),
            wrote: at(wrote),
            seen: at(seen),
            last_replica: last.map(ServerId),
            local_schema,
            unreported,
            ..CLEAN
        };
        let decision = route(&class, &session, &topology, rotation, now);
        if let Target::Replica(id) = decision.target {
            prop_assert!(matches!(class, Class::PlainRead));
            prop_assert!(!in_transaction && autocommit && !changed && !local_schema && !unreported);
            let server = topology.server(id).unwrap();
            prop_assert_eq!(&server.state, &ServerState::Replica);
            let as_of = server.as_of.unwrap();
            prop_assert!(now - as_of <= Policy::default().max_lag);
            prop_assert!(session.wrote.is_met(Some(as_of), None));
            prop_assert!(session.last_replica == Some(id) || session.seen.is_met(Some(as_of), None));
        }
    }

    /// Whatever the servers are and whatever is asked for, a replica that gets a read has what it must have.
    #[test]
    fn below_the_floor_nothing_is_read(
        replicas in proptest::collection::vec(any_replica(), 1..5),
        floors in proptest::array::uniform3(any_floor()),
        consistency in prop_oneof![
            Just(Consistency::Eventual),
            Just(Consistency::Session),
            Just(Consistency::Process),
            Just(Consistency::Global),
        ],
        (max_lag, patience) in (100_u64..20_000, 0_u64..100),
        (when_lagging, primary_reads) in (any_when_lagging(), any_primary_reads()),
        (among, arrived, turn) in (any_among(), 0_u64..20_000, any::<u64>()),
    ) {
        let start = Instant::now();
        let later = |ms| start + Duration::from_millis(ms);
        let now = later(20_000);
        let mut topology = cluster(start, &vec![None; replicas.len()]);
        for (server, made) in topology.servers.iter_mut().skip(1).zip(&replicas) {
            server.as_of = made.as_of.map(later);
            server.reached = made.reached.map(|(epoch, number)| Mark { epoch: Epoch(epoch), number });
            server.health = if made.suspect { Health::Suspect(Trouble::Silent) } else { Health::Up };
            server.lag_peak = Duration::from_millis(made.peak);
        }
        let [wrote, seen, process] = floors.map(|(at, mark)| Floor {
            at: at.map(later),
            mark: mark.map(|(epoch, number, at)| Reported { mark: Mark { epoch: Epoch(epoch), number }, at: later(at) }),
        });
        let session = SessionView { wrote, seen, ..CLEAN };
        let read = Statement::of(Class::PlainRead);
        let policy = Policy {
            consistency,
            max_lag: Duration::from_millis(max_lag),
            freshness_wait: Duration::from_millis(patience),
            when_lagging,
            primary_reads,
            ..Policy::default()
        };
        let question = Question {
            policy,
            process,
            arrived: later(arrived),
            among,
            ..question(&read, &session, &topology, turn, now)
        };
        let decision = decide(&question, &mut ());
        match decision.target {
            Target::Replica(id) => {
                let server = topology.server(id).unwrap();
                prop_assert_eq!(server.health, Health::Up);
                prop_assert!(among.refuses(id).is_none());
                let as_of = server.as_of.unwrap();
                let lags = now - as_of > policy.max_lag || server.lag_peak > policy.max_lag;
                prop_assert!(!lags || decision.reason == Reason::Freshest);
                prop_assert!(decision.reason != Reason::Freshest || when_lagging == WhenLagging::Freshest);
                let met = |floor: &Floor| floor.is_met(server.as_of, server.reached);
                prop_assert!(consistency < Consistency::Session || (met(&wrote) && met(&seen)));
                prop_assert!(consistency < Consistency::Process || met(&process));
                prop_assert!(consistency < Consistency::Global || as_of >= question.arrived);
            }
            Target::Primary => prop_assert!(primary_reads != PrimaryReads::Never),
            Target::Nowhere => {
                prop_assert!(primary_reads == PrimaryReads::Never || when_lagging == WhenLagging::Error);
            }
        }
        prop_assert!(!decision.worth_waiting || patience > 0);
    }

    #[test]
    fn turns_are_fair(replicas in 1_usize..6) {
        let now = Instant::now();
        let topology = cluster(now, &vec![Some(0); replicas]);
        let mut served = HashSet::new();
        for rotation in 0..replicas as u64 {
            if let Target::Replica(id) = route(&Class::PlainRead, &CLEAN, &topology, rotation, now).target {
                served.insert(id);
            }
        }
        prop_assert_eq!(served.len(), replicas);
    }
}
