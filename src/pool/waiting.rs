//! Places for connections that are still to be opened, and waiting where there are none.

use std::sync::Arc;
use std::time::Duration;

use super::places::{Handed, Place};
use super::shelf::{Key, Pool, Shelf};
use crate::backend::{BackendError, Connection};
use crate::pooling::{Claim, Fit, Setting, Shortage, Want};
use crate::runtime::clock::{self, LazyTimer};
use crate::topology::ServerId;

impl Shelf {
    /// A connection that another session has just given back, if it will do for one that wants to be like this; or else
    /// its place. `began_alike`: it begins with the defaults that the session has.
    ///
    /// # Errors
    /// The place for another connection.
    pub fn take_over(
        &self,
        mut connection: Connection,
        wants: Setting<'_>,
        began_alike: bool,
    ) -> Result<(Connection, Fit), Option<Place>> {
        connection.uses += 1;
        let fit = Fit::between(connection.setting(), wants);
        match fit.filter(|_| began_alike && self.serves(&mut connection, clock::now())) {
            Some(fit) => Ok((connection, fit)),
            None => {
                let place = connection.give_up_place().and_then(|place| place.downcast().ok());
                Err(place.map(|place| *place))
            }
        }
    }
}

impl Pool {
    /// Whether who waits in line gets the first connection that comes free. Where other workers have idle connections,
    /// that is not so.
    #[must_use]
    pub const fn has_all_connections(&self) -> bool {
        !self.one_of_several
    }

    /// Takes a place at a server if one is free, or can be made free by closing an idle connection.
    ///
    /// # Errors
    /// All places that would do are in use, or idle in another worker.
    pub fn place_now(&self, server: ServerId, claim: Claim<'_>) -> Result<Place, Shortage> {
        self.limits.place_now(server, claim).or_else(|shortage| {
            let evicted = self.evict(server, claim, shortage).ok_or(shortage)?;
            evicted.leave();
            self.limits.place_now(server, claim)
        })
    }

    /// Waits for a connection of this shelf, or for a place to open one, with a timer that the waiter goes on with.
    /// `leaves`: not in a line that stands still.
    ///
    /// # Errors
    /// [`BackendError::Full`] past the deadline, where the line stands still, or where too many wait already.
    pub async fn wait_for_connection(
        &self,
        server: ServerId,
        claim: Claim<'_>,
        (shelf, leaves): (&Shelf, bool),
        (limit, timer): (Duration, &mut LazyTimer),
    ) -> Result<Handed, BackendError> {
        let want = Want { shelf: Some(shelf.address()), leaves };
        self.wait(server, claim, want, (limit, timer)).await
    }

    /// Like [`Self::place_now`], but waits for its turn where that fails.
    ///
    /// # Errors
    /// [`BackendError::Full`] past the deadline, or where too many wait already.
    pub async fn wait_for_place(
        &self,
        server: ServerId,
        claim: Claim<'_>,
        limit: Duration,
    ) -> Result<Place, BackendError> {
        if let Ok(place) = self.place_now(server, claim) {
            return Ok(place);
        }
        match self.wait(server, claim, Want::PLACE, (limit, &mut LazyTimer::default())).await? {
            Handed::Place(place) => Ok(place),
            // None was asked for.
            Handed::Connection(_) => Err(BackendError::Closed),
        }
    }

    async fn wait(
        &self,
        server: ServerId,
        claim: Claim<'_>,
        want: Want,
        (limit, timer): (Duration, &mut LazyTimer),
    ) -> Result<Handed, BackendError> {
        let turn = self.limits.queue(server, claim, want)?;
        // What was put back before this one was in line went to a shelf.
        if let Some(idle) = turn.shortage().and_then(|shortage| self.evict(server, claim, shortage)) {
            idle.leave();
        }
        turn.wait(limit, timer).await
    }

    /// The connection to a server that has been idle for longest, of those whose place would help.
    fn evict(&self, server: ServerId, claim: Claim<'_>, shortage: Shortage) -> Option<Connection> {
        let helps = |key: &Key| !shortage.is_of_user() || *key.user == *claim.user;
        let shelves = self.shelves.lock();
        let oldest = |shelf: &Arc<Shelf>| shelf.idle.lock().iter().map(|idle| idle.since).min();
        let (_, shelf) = shelves
            .iter()
            .filter(|(key, _)| key.server == server && helps(key))
            .filter_map(|(_, shelf)| Some((oldest(shelf)?, shelf)))
            .min_by_key(|(since, _)| *since)?;
        let mut idle = shelf.idle.lock();
        let at = idle.iter().enumerate().min_by_key(|(_, idle)| idle.since)?.0;
        Some(idle.swap_remove(at).connection)
    }
}
