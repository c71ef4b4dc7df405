//! Where a session can be reached by a KILL.
//!
//! A KILL that arrives late hits whatever its connection does by then (HAZARDS 7). So a connection at which one
//! was ever aimed while a session had it is never given to another session: it is closed. That needs no waiting
//! for the KILL's own answer, and no order of events breaks it: who aims and who gives back take one lock.

use parking_lot::Mutex;

use crate::backend::Connection;
use crate::topology::ServerId;

/// A connection, as its server calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The server.
    pub(super) server: ServerId,
    /// The connection's id there.
    pub(super) thread_id: u32,
}

impl Spot {
    /// Where a connection ends.
    #[must_use]
    pub(super) const fn of(connection: &Connection) -> Self {
        Self { server: connection.server(), thread_id: connection.thread_id() }
    }
}

/// The connections that a session has.
#[derive(Debug, Default)]
pub(super) struct Reach {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Its own connection to the primary.
    primary: Option<Aimed>,
    /// The replica that runs its statement.
    replica: Option<Aimed>,
}

#[derive(Debug)]
struct Aimed {
    spot: Spot,
    /// KILLs that were aimed at it and have not been refused.
    strikes: u32,
}

impl Reach {
    /// A session with its connection to the primary.
    pub(super) fn of(primary: Spot) -> Self {
        Self { held: Mutex::new(Held { primary: Some(Aimed { spot: primary, strikes: 0 }), replica: None }) }
    }

    /// The session has a connection to the primary.
    pub(super) fn lend_primary(&self, spot: Spot) {
        self.held.lock().primary = Some(Aimed { spot, strikes: 0 });
    }

    /// A statement is about to run on a replica.
    pub(super) fn lend(&self, spot: Spot) {
        self.held.lock().replica = Some(Aimed { spot, strikes: 0 });
    }

    /// It is over there. True where the connection may serve others.
    pub(super) fn take_back(&self) -> bool {
        self.held.lock().replica.take().is_none_or(|aimed| aimed.strikes == 0)
    }

    /// The session gives its connection to the primary up. True where that connection to the primary may serve others.
    pub(super) fn give_up_primary(&self) -> bool {
        self.held.lock().primary.take().is_none_or(|aimed| aimed.strikes == 0)
    }

    /// Where the primary knows the session.
    pub(super) fn primary(&self) -> Option<Spot> {
        self.held.lock().primary.as_ref().map(|aimed| aimed.spot)
    }

    /// Takes aim at the connection to the primary; nothing where the session has none any more.
    pub(super) fn aim_at_primary(&self) -> Option<Spot> {
        self.held.lock().primary.as_mut().map(Aimed::strike)
    }

    /// The server has refused the KILL that was last aimed at the connection to the primary.
    pub(super) fn spare_primary(&self) {
        if let Some(aimed) = &mut self.held.lock().primary {
            aimed.strikes = aimed.strikes.saturating_sub(1);
        }
    }

    /// Takes aim at the replica that runs the session's statement, if one does.
    pub(super) fn aim_at_replica(&self) -> Option<Spot> {
        self.held.lock().replica.as_mut().map(Aimed::strike)
    }
}

impl Aimed {
    const fn strike(&mut self) -> Spot {
        self.strikes = self.strikes.saturating_add(1);
        self.spot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn spot(server: u16, thread_id: u32) -> Spot {
        Spot { server: ServerId(server), thread_id }
    }

    #[test]
    fn what_was_aimed_at_serves_nobody_else() {
        let reach = Reach::of(spot(0, 7));
        assert_eq!(reach.primary(), Some(spot(0, 7)));
        assert_eq!(reach.aim_at_replica(), None, "it runs nowhere else");
        reach.lend(spot(1, 8));
        assert!(reach.take_back());
        assert_eq!(reach.aim_at_replica(), None, "the statement is over");
        reach.lend(spot(1, 8));
        assert_eq!(reach.aim_at_replica(), Some(spot(1, 8)));
        assert!(!reach.take_back());
        reach.lend(spot(1, 9));
        assert!(reach.take_back(), "another connection");
        assert_eq!(reach.aim_at_primary(), Some(spot(0, 7)));
        reach.aim_at_primary();
        reach.spare_primary();
        assert!(!reach.give_up_primary(), "one of two was refused");
        assert_eq!(reach.aim_at_primary(), None);
        let reach = Reach::of(spot(0, 7));
        reach.aim_at_primary();
        reach.spare_primary();
        assert!(reach.give_up_primary(), "a stranger's KILL costs nobody a connection");
    }
}
