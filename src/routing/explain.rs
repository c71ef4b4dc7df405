//! What is done with a statement and why, for people: `EXPLAIN ROUTE` and `headgate explain`.

use std::fmt;
use std::time::Instant;

use super::balance::Dice;
use super::decide::{Among, Decision, Question, Target, decide};
use super::fresh::Refused;
use super::policy::Policy;
use crate::session::{Changed, SessionView, State};
use crate::sql::{LexMode, Statement, classify, relations};
use crate::topology::{Collations, Floor, Server, ServerId, ServerState, Topology};
use crate::wire::status::StatusFlags;

/// A decision with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the statement is.
    pub statement: Statement,
    /// Where it would run, and why.
    pub decision: Decision,
    /// Why the session's reads would stay on the primary from then on, if they would.
    pub pins: Option<Changed>,
    /// What became of each server.
    pub servers: Vec<Candidate>,
}

/// One server and what was thought of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub id: ServerId,
    /// Its address.
    pub address: String,
    /// What it is now.
    pub role: &'static str,
    /// The verdict.
    pub verdict: Verdict,
}

/// What becomes of a server in a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The statement runs here.
    Chosen,
    /// It could have run here; it was another's turn.
    Eligible,
    /// It serves nothing.
    NotServing(String),
    /// Its data is not fresh enough.
    PassedOver(Refused),
    /// It was not looked at: the statement needs the primary, or no primary.
    NotAsked,
}

/// Decides about a statement as for a session, and tells the whole of it.
#[must_use]
pub fn explain(
    text: &[u8],
    mode: LexMode,
    session: &SessionView,
    topology: &Topology,
    policy: Policy,
    known_to_write: bool,
    now: Instant,
) -> Explanation {
    let statement = classify(text, mode);
    // A session's first such statement is decided without them, and so may go to the primary once more.
    let relations = relations(text, mode);
    let question = Question {
        statement: &statement,
        text: Some(text),
        mode,
        relations: relations.as_ref(),
        // Their names are the session's own.
        reads_temporary: session.temporary_tables,
        known_to_write,
        session,
        topology,
        policy,
        process: Floor::NONE,
        arrived: now,
        among: Among::All,
        loads: &(),
        dice: Dice { turn: 0, client: 0 },
        now,
    };
    let mut refused: Vec<(ServerId, Refused)> = Vec::new();
    let decision = decide(&question, &mut refused);
    let candidate = |server: &Server| {
        let why = refused.iter().find(|(id, _)| *id == server.id).map(|(_, why)| *why);
        let verdict = match (&server.state, decision.target, why) {
            (ServerState::NotServing(why), _, _) => Verdict::NotServing(why.to_string()),
            (ServerState::Primary, Target::Primary, _) => Verdict::Chosen,
            (ServerState::Replica, Target::Replica(id), _) if id == server.id => Verdict::Chosen,
            (_, _, Some(why)) => Verdict::PassedOver(why),
            (ServerState::Replica, Target::Replica(_), None) => Verdict::Eligible,
            (ServerState::Primary | ServerState::Replica, _, None) => Verdict::NotAsked,
        };
        let role = match server.state {
            ServerState::Primary => "primary",
            ServerState::Replica => "replica",
            ServerState::NotServing(_) => "none",
        };
        Candidate { id: server.id, address: server.address.to_string(), role, verdict }
    };
    let servers = topology.servers.iter().map(candidate).collect();
    let pins = match decision.target {
        Target::Primary => session.changed.or_else(|| pins(&statement)),
        Target::Replica(_) | Target::Nowhere => None,
    };
    Explanation { statement, decision, pins, servers }
}

/// What the session model makes of a statement that is sent to the primary.
fn pins(statement: &Statement) -> Option<Changed> {
    let mut state = State::new(None, 0, &Collations::default(), StatusFlags::AUTOCOMMIT, 0);
    state.begin(&statement.class);
    state.view().changed
}

impl Explanation {
    /// `primary`, or the number and address of a replica.
    #[must_use]
    pub fn target(&self) -> String {
        match self.decision.target {
            Target::Primary => "primary".to_owned(),
            Target::Nowhere => "no server".to_owned(),
            Target::Replica(id) => {
                let address =
                    self.servers.iter().find(|server| server.id == id).map(|server| &server.address);
                format!("replica {}", address.map_or("", String::as_str))
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { reason, .. } = self.decision;
        writeln!(f, "statement  {}", self.statement.class)?;
        let hints = self.statement.hints;
        if let Some(route) = hints.route {
            writeln!(f, "hint       {route}")?;
        }
        if let Some(max_lag) = hints.max_lag {
            writeln!(f, "hint       max_lag={} ms", max_lag.as_millis())?;
        }
        writeln!(f, "goes to    {}", self.target())?;
        writeln!(f, "because    {reason} ({})", reason.label())?;
        if let Some(why) = self.pins {
            writeln!(f, "from then  the session's reads stay on the primary until it is reset: {why}")?;
        }
        let width = self.servers.iter().map(|server| server.address.len()).max().unwrap_or(0);
        for Candidate { address, role, verdict, .. } in &self.servers {
            write!(f, "\n{address:width$}  {role:7}  {verdict}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Eligible => f.write_str("fresh enough; another's turn"),
            Self::NotServing(why) => f.write_str(why),
            Self::PassedOver(why) => why.fmt(f),
            Self::NotAsked => f.write_str("not considered"),
        }
    }
}
