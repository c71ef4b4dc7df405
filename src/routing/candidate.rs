use std::time::{Duration, Instant};

use super::Policy;
use crate::session::Floors;
use crate::topology::{Role, Server, ServerId};

/// Why a server was not chosen for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its role says why.
    #[error("it serves no reads")]
    NotServing,
    #[error("it is the primary")]
    Primary,
    #[error("it is not known how far it is")]
    UnknownPosition,
    #[error("it is {} ms behind or has not been seen for so long", .behind.as_millis())]
    TooFarBehind { behind: Duration },
    #[error("it is not known to have what the session wrote")]
    LacksWritten,
    #[error("it is not known to have what the session saw")]
    LacksObserved,
}

/// Is told why each candidate was refused. `()` listens to nothing and costs nothing.
pub trait Trace {
    fn refused(&mut self, server: ServerId, refusal: Refusal);
}

impl Trace for () {
    fn refused(&mut self, _: ServerId, _: Refusal) {}
}

impl Trace for Vec<(ServerId, Refusal)> {
    fn refused(&mut self, server: ServerId, refusal: Refusal) {
        self.push((server, refusal));
    }
}

/// Whether this server may serve a plain read of a session at these floors.
pub(super) fn examine(
    server: &Server,
    floors: &Floors,
    now: Instant,
    policy: &Policy,
) -> Result<(), Refusal> {
    match server.role {
        Role::Replica => {}
        Role::Primary => return Err(Refusal::Primary),
        Role::NotServing(_) => return Err(Refusal::NotServing),
    }
    let as_of = server.as_of.ok_or(Refusal::UnknownPosition)?;
    let behind = now.saturating_duration_since(as_of);
    if behind > policy.max_lag {
        return Err(Refusal::TooFarBehind { behind });
    }
    if !floors.has_written(as_of) {
        return Err(Refusal::LacksWritten);
    }
    if !floors.has_observed(server.id, as_of) {
        return Err(Refusal::LacksObserved);
    }
    Ok(())
}
