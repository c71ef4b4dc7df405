//! The decision.

use std::time::Instant;

use super::balance::{self, Candidate, Dice, Loads};
use super::fresh::{Needs, Refused};
use super::policy::{Policy, PrimaryReads, WhenLagging};
use super::reach::{Text, reaches_unknown};
use super::reason::Reason;
use crate::session::{Isolation, SessionView};
use crate::sql::{Class, LexMode, Relations, RouteHint, Statement, TransactionKind};
use crate::topology::{Facts, Floor, Hindrance, Server, ServerId, Topology};

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// On the session's connection to the primary.
    Primary,
    /// On a connection to this replica.
    Replica(ServerId),
    /// Nowhere: no replica may run it, and the operator keeps it off the primary.
    Nowhere,
}

/// A target and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where.
    pub target: Target,
    /// Why.
    pub reason: Reason,
    /// Some replica lacks the proof that it is fresh enough, rather than the data. The next looks at the servers are
    /// likely to bring it.
    pub worth_waiting: bool,
}

/// Hears about replicas that were passed over. `()` hears nothing and costs nothing.
pub trait Trace {
    /// `server` was passed over.
    fn refused(&mut self, server: ServerId, why: Refused);
}

impl Trace for () {
    #[inline]
    fn refused(&mut self, _: ServerId, _: Refused) {}
}

impl Trace for Vec<(ServerId, Refused)> {
    fn refused(&mut self, server: ServerId, why: Refused) {
        self.push((server, why));
    }
}

/// A statement, and everything that decides where it runs.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What it is.
    pub statement: &'a Statement,
    /// Its bytes, where it was read.
    pub text: Option<&'a [u8]>,
    /// How it was read.
    pub mode: LexMode,
    /// The tables that it reads, where that has been found out already.
    pub relations: Option<&'a Relations>,
    /// It may read a temporary table of the session.
    pub reads_temporary: bool,
    /// A replica has refused a statement with this digest, because it writes.
    pub known_to_write: bool,
    /// Whose it is.
    pub session: &'a SessionView,
    /// The servers.
    pub topology: &'a Topology,
    /// What an operator has decided.
    pub policy: Policy,
    /// What all sessions of this Headgate have written.
    pub process: Floor,
    /// When it arrived.
    pub arrived: Instant,
    /// Which replicas are asked about.
    pub among: Among,
    /// What the servers have to do.
    pub loads: &'a dyn Loads,
    /// What a choice between servers depends on beside them.
    pub dice: Dice,
    /// The time.
    pub now: Instant,
}

/// The replicas that a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// All but this one, which has just not run the read, for that reason.
    Others(ServerId, Refused),
}

impl Among {
    /// Why a replica is none of them.
    pub(super) fn refuses(self, server: ServerId) -> Option<Refused> {
        match self {
            Self::Others(tried, why) if tried == server => Some(why),
            Self::All | Self::Others(..) => None,
        }
    }
}

impl<'a> Question<'a> {
    const fn sight(&self) -> Text<'a> {
        Text { bytes: self.text, mode: self.mode, relations: self.relations }
    }
}

/// Decides where a statement runs.
#[inline]
pub fn decide(question: &Question<'_>, trace: &mut impl Trace) -> Decision {
    let primary = |reason| Decision { target: Target::Primary, reason, worth_waiting: false };
    if let Some(reason) = must_stay(question) {
        return primary(reason);
    }
    let needs = Needs::of(question);
    if needs.is_unreadable() {
        return primary(Reason::HintUnreadable);
    }
    let mut outlook: Option<Refused> = None;
    let mut worth_waiting = false;
    let mut passes = false;
    for server in question.topology.replicas() {
        match needs.pass(server, question) {
            Ok(()) => passes = true,
            Err(why) => {
                trace.refused(server.id, why);
                worth_waiting |= needs.is_near(server, why, question);
                if outlook.is_none_or(|known| known.nearness() < why.nearness()) {
                    outlook = Some(why);
                }
            }
        }
    }
    if passes {
        return among(question, &needs);
    }
    Decision { worth_waiting, ..without_replica(question, &needs, outlook) }
}

/// One of the servers that may have it.
fn among(question: &Question<'_>, needs: &Needs) -> Decision {
    let Question { topology, policy, now, .. } = question;
    let candidate = |server: &Server| {
        let share = u32::from(server.weight.max(1)).saturating_mul(server.warmth(policy.warm_up, *now));
        Candidate { server: server.id, share: share.max(1) }
    };
    // Few replicas pass, so going through them again needs no list.
    let passing = topology.replicas().filter(|server| needs.pass(server, question).is_ok());
    let member = topology.primary().filter(|_| policy.primary_reads == PrimaryReads::Member);
    let candidates = passing.chain(member).map(candidate);
    let chosen = balance::choose(policy.balance, candidates, question.loads, question.dice);
    let (target, reason) = match chosen {
        Some(server) if topology.primary != Ok(server) => {
            (Target::Replica(server), reason_elsewhere(question))
        }
        _ => (Target::Primary, Reason::PrimaryTurn),
    };
    Decision { target, reason, worth_waiting: false }
}

/// What becomes of a read that no replica may run as things are.
fn without_replica(question: &Question<'_>, needs: &Needs, outlook: Option<Refused>) -> Decision {
    let Question { topology, policy, .. } = question;
    let reason = outlook.map_or(Reason::NoReplica, Refused::reason);
    let lags = matches!(outlook, Some(Refused::Lag(_) | Refused::Lagged(_)));
    let target = match policy.when_lagging {
        WhenLagging::Freshest if lags => {
            let behind = |server: &&Server| {
                matches!(needs.pass(server, question), Err(Refused::Lag(_) | Refused::Lagged(_)))
            };
            let freshest = topology.replicas().filter(behind).max_by_key(|server| server.as_of);
            freshest.map_or(Target::Primary, |server| Target::Replica(server.id))
        }
        WhenLagging::Error if lags => Target::Nowhere,
        _ if policy.primary_reads == PrimaryReads::Never => Target::Nowhere,
        _ => Target::Primary,
    };
    match target {
        Target::Replica(_) => Decision { target, reason: reason_lagging(question), worth_waiting: false },
        _ => Decision { target, reason, worth_waiting: false },
    }
}

/// Why a replica may have it that lags like all of them.
fn reason_lagging(question: &Question<'_>) -> Reason {
    match reason_elsewhere(question) {
        Reason::PlainRead => Reason::Freshest,
        // What is done there goes by these.
        reason => reason,
    }
}

/// Whether a replica that was chosen for a read some time ago still serves it. It has what it had then.
#[must_use]
pub fn still_serves(question: &Question<'_>, server: ServerId) -> bool {
    let needs = Needs::of(question);
    let passes = |replica: &Server| needs.pass(replica, question).is_ok();
    match question.topology.replicas().find(|replica| replica.id == server) {
        Some(replica) => match needs.still_pass(replica, question) {
            Ok(()) => true,
            // As long as all lag.
            Err(Refused::Lag(_) | Refused::Lagged(_)) => {
                question.policy.when_lagging == WhenLagging::Freshest
                    && !question.topology.replicas().any(passes)
            }
            Err(_) => false,
        },
        None => false,
    }
}

/// Why a replica may have it.
fn reason_elsewhere(question: &Question<'_>) -> Reason {
    let Question { statement, topology, .. } = question;
    if let Class::Transaction(_) = statement.class {
        return Reason::ReadOnlyTransaction;
    }
    if question.session.in_transaction || !question.session.autocommit {
        return Reason::LazyTransaction;
    }
    let is_plain = |facts: &Facts| reaches_unknown(statement, question.sight(), facts).is_none();
    match statement.hints.route {
        Some(_) if !topology.facts.as_deref().is_some_and(is_plain) => Reason::HintReplica,
        _ => Reason::PlainRead,
    }
}

/// Why the statement must run on the primary whatever the replicas are.
fn must_stay(question: &Question<'_>) -> Option<Reason> {
    let Question { statement, session, topology, policy, .. } = question;
    let hints = statement.hints;
    if hints.unreadable {
        return Some(Reason::HintUnreadable);
    }
    if hints.route == Some(RouteHint::Primary) {
        return Some(Reason::HintPrimary);
    }
    let vouched = hints.route == Some(RouteHint::Replica);
    match &statement.class {
        Class::PlainRead => {}
        Class::PrimaryRead(why) if vouched && why.yields_to_hint() => {}
        // Which functions it calls is looked at below.
        Class::Calls => {}
        Class::Inspect | Class::Describe if vouched => {}
        Class::Transaction(TransactionKind::BeginReadOnly) if policy.read_only_transactions => {
            if session.declared_in_vain {
                return Some(Reason::DeclaredInVain);
            }
        }
        Class::Data => return Some(Reason::Write),
        Class::Ddl => return Some(Reason::Ddl),
        Class::Account => return Some(Reason::Account),
        Class::Transaction(_) | Class::SetAutocommit | Class::SetTransaction => {
            return Some(Reason::TransactionControl);
        }
        Class::Inspect => return Some(Reason::Inspect),
        Class::Describe => return Some(Reason::Describe),
        Class::Use(_) | Class::SetNames { .. } | Class::SetCharset | Class::SetVariables(_) => {
            return Some(Reason::SessionChange);
        }
        Class::Bond(_) => return Some(Reason::SessionChange),
        Class::Several(_) => return Some(Reason::Several),
        Class::PrimaryRead(_) | Class::SetGlobal | Class::Kill(_) | Class::Other(_) => {
            return Some(Reason::NotPlain);
        }
    }
    let Some(facts) = &topology.facts else { return Some(Reason::NoReplica) };
    let checks = [
        (question.known_to_write, Reason::KnownToWrite),
        (!policy.split, Reason::SplitOff),
        (session.in_xa, Reason::InTransaction),
        (question.reads_temporary, Reason::TemporaryTable),
        (session.tables_locked, Reason::TablesLocked),
        (session.in_transaction && !may_be_lazy(question, facts), Reason::InTransaction),
        (!session.autocommit && !may_be_lazy(question, facts), Reason::AutocommitOff),
        (session.next_transaction_set, Reason::NextTransaction),
        (is_isolated_otherwise(question, facts), Reason::Isolation),
        (session.changed.is_some(), Reason::SessionChanged),
        (session.unreported, Reason::Unreported),
        (session.local_schema, Reason::LocalSchema),
        (!session.charset_known, Reason::CharsetUnknown),
        (session.generation != facts.generation, Reason::DefaultsChanged),
        (facts.init_connect, Reason::InitConnect),
        (facts.hindrance == Some(Hindrance::NoGtids), Reason::NoGtids),
        (facts.hindrance == Some(Hindrance::AutoIsNull), Reason::AutoIsNull),
        (facts.hindrance == Some(Hindrance::Grammar), Reason::Grammar),
        (facts.hindrance == Some(Hindrance::LogFiltered), Reason::LogFiltered),
        (facts.hindrance == Some(Hindrance::HandshakeIgnored), Reason::HandshakeIgnored),
        (session.defined.is_some_and(|defined| facts.asked < defined), Reason::Defined),
        (facts.catalog.is_none(), Reason::ViewsUnknown),
    ];
    checks.iter().find_map(|(holds, reason)| holds.then_some(*reason)).or_else(|| {
        let reaches = || reaches_unknown(statement, question.sight(), facts);
        (!vouched).then(reaches).flatten()
    })
}

/// The isolation level of the session's transactions.
fn isolation(session: &SessionView, facts: &Facts) -> Option<Isolation> {
    let default = || {
        let names = ["transaction_isolation", "tx_isolation"];
        let level = names.iter().find_map(|name| facts.defaults.get(*name));
        level.map_or(Some(Isolation::RepeatableRead), |level| Isolation::of_word(level.as_bytes()))
    };
    session.isolation.or_else(default)
}

/// Whether the transaction that begins has another isolation level than REPEATABLE READ. Only there is all of it
/// one snapshot, so that the replica needs to be fresh enough at its beginning only; under SERIALIZABLE its reads
/// would lock, and hold up replication.
fn is_isolated_otherwise(question: &Question<'_>, facts: &Facts) -> bool {
    matches!(question.statement.class, Class::Transaction(_))
        && isolation(question.session, facts) != Some(Isolation::RepeatableRead)
}

/// Whether a read of the transaction that is open, or that it would open, may run elsewhere: the transaction has done
/// nothing but read, and each of its reads is a snapshot by itself, or the operator has said that it may be
/// (HAZARDS 16).
fn may_be_lazy(question: &Question<'_>, facts: &Facts) -> bool {
    let Question { session, statement, policy, .. } = question;
    session.only_read
        && (session.in_transaction || !session.savepoint)
        && matches!(statement.class, Class::PlainRead | Class::Calls)
        && match isolation(session, facts) {
            Some(Isolation::ReadCommitted) => true,
            Some(Isolation::RepeatableRead) => policy.lazy_transactions,
            _ => false,
        }
}
