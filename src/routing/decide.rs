use std::time::{Duration, Instant};

use super::Reason;
use super::candidate::{Refusal, Trace, examine};
use crate::session::SessionView;
use crate::sql::{self, Class, Statement};
use crate::topology::{NoPrimary, ServerId, Topology};

/// What routing needs of a statement.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub statement: &'a Statement,
    /// The text it was classified from.
    pub text: &'a [u8],
}

/// What an operator decides about routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Reads go to replicas at all.
    pub split: bool,
    /// No read shows data older than this. The time since a replica was last asked counts as age.
    pub max_lag: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { split: true, max_lag: Duration::from_secs(10) }
    }
}

/// Where a statement runs, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub target: Target,
    pub reason: Reason,
    /// Nothing is executed twice by running it again elsewhere: it only reads, outside a transaction.
    pub may_retry: bool,
    /// A replica would serve it but for being known to be at this time: once one is, decide again.
    /// Only set where such a replica has all that the session wrote.
    pub worth_waiting: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Primary(ServerId),
    Replica(ServerId),
    None(NoPrimary),
}

/// Decides where a statement runs. `rotation` counts the reads that replicas were given.
pub fn decide(
    query: Query<'_>,
    session: &SessionView<'_>,
    topology: &Topology,
    rotation: &mut u64,
    now: Instant,
    policy: &Policy,
) -> Decision {
    decide_traced(query, session, topology, rotation, now, policy, &mut ())
}

/// As [`decide`], and tells `trace` why each candidate was refused.
pub fn decide_traced(
    query: Query<'_>,
    session: &SessionView<'_>,
    topology: &Topology,
    rotation: &mut u64,
    now: Instant,
    policy: &Policy,
    trace: &mut impl Trace,
) -> Decision {
    if let Some(reason) = belongs_on_primary(query, session, topology, policy) {
        let may_retry = query.statement.is_plain_read() && session.autocommit && !session.in_transaction;
        return on_primary(topology, reason, may_retry, None);
    }
    let fits =
        |id| topology.server(id).is_some_and(|server| examine(server, &session.floors, now, policy).is_ok());
    let mut best = Refusal::NotServing;
    let mut eligible: u64 = 0;
    for server in &topology.servers {
        match examine(server, &session.floors, now, policy) {
            Ok(()) => eligible += 1,
            Err(refusal) => {
                trace.refused(server.id, refusal);
                if nearness(refusal) > nearness(best) {
                    best = refusal;
                }
            }
        }
    }
    let turn = rotation.checked_rem(eligible).and_then(|turn| usize::try_from(turn).ok());
    let chosen = turn
        .and_then(|turn| topology.servers.iter().map(|server| server.id).filter(|id| fits(*id)).nth(turn));
    if let Some(id) = chosen {
        *rotation = rotation.wrapping_add(1);
        return Decision {
            target: Target::Replica(id),
            reason: Reason::PlainRead,
            may_retry: true,
            worth_waiting: None,
        };
    }
    let (reason, worth_waiting) = match best {
        Refusal::LacksObserved => (Reason::LacksObserved, session.floors.observed),
        Refusal::LacksWritten => (Reason::LacksWritten, None),
        Refusal::TooFarBehind { .. } | Refusal::UnknownPosition => (Reason::TooFarBehind, None),
        Refusal::NotServing | Refusal::Primary => (Reason::NoReplica, None),
    };
    on_primary(topology, reason, true, worth_waiting)
}

fn on_primary(
    topology: &Topology,
    reason: Reason,
    may_retry: bool,
    worth_waiting: Option<Instant>,
) -> Decision {
    let target = match &topology.primary {
        Ok(id) => Target::Primary(*id),
        Err(why) => Target::None(why.clone()),
    };
    Decision { target, reason, may_retry, worth_waiting }
}

/// How near a refused candidate came, so that the reason given is the one that mattered.
fn nearness(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::NotServing | Refusal::Primary => 0,
        Refusal::UnknownPosition => 1,
        Refusal::TooFarBehind { .. } => 2,
        Refusal::LacksWritten => 3,
        Refusal::LacksObserved => 4,
    }
}

/// Why no replica may serve this statement, whatever the replicas are like.
fn belongs_on_primary(
    query: Query<'_>,
    session: &SessionView<'_>,
    topology: &Topology,
    policy: &Policy,
) -> Option<Reason> {
    by_class(&query.statement.class)
        .or_else(|| by_session(session))
        .or_else(|| by_topology(session, topology))
        .or_else(|| (!policy.split).then_some(Reason::SplitOff))
        .or_else(|| by_views(query, session, topology))
}

fn by_class(class: &Class) -> Option<Reason> {
    Some(match class {
        Class::PlainRead => return None,
        Class::PrimaryRead(why) => Reason::NotPlain(*why),
        Class::Data => Reason::Data,
        Class::Use(_) | Class::SetNames { .. } | Class::SetAutocommit | Class::SetGlobal => {
            Reason::SessionControl
        }
        Class::Transaction(_) => Reason::TransactionControl,
        Class::Inspect => Reason::Inspect,
        Class::Ddl => Reason::Ddl,
        Class::Account => Reason::Account,
        Class::Kill(_) => Reason::Kill,
        Class::Other(why) => Reason::Unclear(*why),
    })
}

fn by_session(session: &SessionView<'_>) -> Option<Reason> {
    if session.in_transaction {
        return Some(Reason::InTransaction);
    }
    if !session.autocommit {
        return Some(Reason::AutocommitOff);
    }
    if let Some(why) = session.changed {
        return Some(Reason::Changed(why));
    }
    if session.characteristics {
        return Some(Reason::Characteristics);
    }
    if session.unreported {
        return Some(Reason::Unreported);
    }
    if session.charset.name().is_none() {
        return Some(Reason::UnknownCharset);
    }
    let local = session.schema.is_some_and(|schema| sql::is_local_schema(schema.as_bytes()));
    local.then_some(Reason::LocalSchema)
}

fn by_topology(session: &SessionView<'_>, topology: &Topology) -> Option<Reason> {
    if session.epoch != topology.epoch {
        return Some(Reason::OtherEpoch);
    }
    if let Some(why) = topology.defaults.hindrance {
        return Some(Reason::Hindered(why));
    }
    (session.generation != topology.defaults.generation).then_some(Reason::OtherDefaults)
}

fn by_views(query: Query<'_>, session: &SessionView<'_>, topology: &Topology) -> Option<Reason> {
    let Some(views) = &topology.views else { return Some(Reason::ViewsUnknown) };
    let named = !views.is_empty() && sql::mentions(query.text, session.mode, |name| views.contains(name));
    named.then_some(Reason::View)
}
