//! The decision.

use std::time::{Duration, Instant};

use super::reach::{Text, reaches_unknown};
use super::reason::Reason;
use crate::session::SessionView;
use crate::sql::{Class, LexMode, Relations, RouteHint, Statement, TransactionKind};
use crate::topology::{Facts, Hindrance, Server, ServerId, Topology};

/// What an operator has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Send plain reads to replicas at all.
    pub split: bool,
    /// The oldest data that a read may show.
    pub max_lag: Duration,
    /// What a read may miss.
    pub consistency: Consistency,
    /// Run transactions that are declared read only on a replica.
    pub read_only_transactions: bool,
}

/// What a read on a replica may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Nothing that its own session has written or seen.
    Session,
    /// Whatever is younger than the lag limit, its own session's writes included.
    Eventual,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            split: true,
            max_lag: Duration::from_secs(10),
            consistency: Consistency::Session,
            read_only_transactions: true,
        }
    }
}

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// On the session's connection to the primary.
    Primary,
    /// On a connection to this replica.
    Replica(ServerId),
}

/// A target and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where.
    pub target: Target,
    /// Why.
    pub reason: Reason,
    /// Some replica has all that the session wrote and lacks only the proof that it has what the
    /// session has seen. The next look at the servers is likely to bring it, so a short wait may keep
    /// a session that only reads from staying on the primary for ever.
    pub worth_waiting: bool,
}

/// Why a replica was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its data has no date.
    Undated,
    /// Its data is older than allowed.
    Lag(Duration),
    /// It may lack what the session has written.
    Wrote,
    /// It may lack what the session has seen.
    Seen,
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
#[derive(Debug, Clone, Copy)]
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
    /// Turns the replicas.
    pub rotation: u64,
    /// The time.
    pub now: Instant,
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
    let mut outlook = Reason::NoReplica;
    let mut count = 0;
    for server in question.topology.replicas() {
        match passes(server, question) {
            Ok(()) => count += 1,
            Err(why) => {
                trace.refused(server.id, why);
                outlook = nearer(outlook, why);
            }
        }
    }
    if count == 0 {
        return Decision { worth_waiting: outlook == Reason::Seen, ..primary(outlook) };
    }
    // Few replicas pass, so going through them again needs no list.
    let turn = usize::try_from(question.rotation % count).unwrap_or(0);
    let mut passing = question.topology.replicas().filter(|server| passes(server, question).is_ok());
    match passing.nth(turn) {
        Some(server) => Decision {
            target: Target::Replica(server.id),
            reason: reason_elsewhere(question),
            worth_waiting: false,
        },
        None => primary(outlook),
    }
}

/// Why a replica may have it.
fn reason_elsewhere(question: &Question<'_>) -> Reason {
    let Question { statement, topology, .. } = question;
    if let Class::Transaction(_) = statement.class {
        return Reason::ReadOnlyTransaction;
    }
    let is_plain = |facts: &Facts| reaches_unknown(statement, question.sight(), facts).is_none();
    match statement.hints.route {
        Some(_) if !topology.facts.as_deref().is_some_and(is_plain) => Reason::HintReplica,
        _ => Reason::PlainRead,
    }
}

/// Of two obstacles, the one that is nearer to being overcome.
fn nearer(known: Reason, why: Refused) -> Reason {
    match (known, why) {
        (_, Refused::Seen) | (Reason::Seen, _) => Reason::Seen,
        (_, Refused::Wrote) | (Reason::Wrote, _) => Reason::Wrote,
        (_, Refused::Undated | Refused::Lag(_)) => Reason::Lag,
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
        (session.in_transaction || session.in_xa, Reason::InTransaction),
        (question.reads_temporary, Reason::TemporaryTable),
        (session.tables_locked, Reason::TablesLocked),
        (!session.autocommit, Reason::AutocommitOff),
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

/// Whether the transaction that begins has another isolation level than REPEATABLE READ. Only there is all of it
/// one snapshot, so that the replica needs to be fresh enough at its beginning only; under SERIALIZABLE its reads
/// would lock, and hold up replication.
fn is_isolated_otherwise(question: &Question<'_>, facts: &Facts) -> bool {
    let default = || {
        let names = ["transaction_isolation", "tx_isolation"];
        let level = names.iter().find_map(|name| facts.defaults.get(*name));
        level.is_none_or(|level| level == "REPEATABLE-READ")
    };
    matches!(question.statement.class, Class::Transaction(_))
        && !question.session.repeatable_read.unwrap_or_else(default)
}

/// Whether a replica is fresh enough for the session.
#[inline]
fn passes(server: &Server, question: &Question<'_>) -> Result<(), Refused> {
    let Question { session, policy, now, .. } = question;
    let as_of = server.as_of.ok_or(Refused::Undated)?;
    let age = now.saturating_duration_since(as_of);
    if age > question.statement.hints.max_lag.unwrap_or(policy.max_lag) {
        return Err(Refused::Lag(age));
    }
    if policy.consistency == Consistency::Eventual {
        return Ok(());
    }
    if session.wrote.is_some_and(|wrote| as_of < wrote) {
        return Err(Refused::Wrote);
    }
    // A replica that has not been away does not go back, so who has shown it can show it again.
    let unbroken = session.seen.zip(server.since).is_some_and(|(seen, since)| seen >= since);
    let showed_it = session.last_replica == Some(server.id) && unbroken;
    if !showed_it && session.seen.is_some_and(|seen| as_of < seen) {
        return Err(Refused::Seen);
    }
    Ok(())
}
