//! Shelves that are kept filled: what it takes to open connections in the name of a user that has been here lately.

use std::sync::Arc;
use std::time::Instant;

use super::shelf::{Key, Pool, Shelf};
use crate::pooling::{Refill, Stock};
use crate::runtime::locked::LockedBytes;
use crate::topology::ServerId;

/// What connections of a shelf are opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// What proves the user, in locked memory.
    pub secret: Arc<LockedBytes>,
    /// The collation that its client has named.
    pub collation: u16,
    /// The character sets that come of it, where they are known.
    pub names: Option<Arc<str>>,
}

/// A shelf that is kept filled.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) opening: Opening,
    pub(super) seen: Instant,
    pub(super) paused_until: Option<Instant>,
}

impl Shelf {
    /// A session of the shelf's user has begun: the shelf is kept filled from now on, with what this one has shown.
    pub fn keep_filled(&self, opening: Opening, now: Instant) {
        if self.limits.limits().ready.min_idle > 0 {
            *self.filled.lock() = Some(Filled { opening, seen: now, paused_until: None });
        }
    }

    /// The server refuses what connections were opened with. A session that has shown something else since is
    /// believed.
    pub fn refused(&self, opening: &Opening) {
        self.filled.lock().take_if(|filled| Arc::ptr_eq(&filled.opening.secret, &opening.secret));
    }

    /// No connection is to be made ready before `time`: the last attempt came to nothing.
    pub fn pause_filling(&self, time: Instant) {
        if let Some(filled) = &mut *self.filled.lock() {
            filled.paused_until = Some(time);
        }
    }

    /// Whether one more connection is to be made ready, and with what.
    fn lacks(&self, key: &Key, in_use: bool, now: Instant) -> Option<Opening> {
        let limits = &self.limits;
        let mut filled = self.filled.lock();
        let record = filled.as_mut()?;
        if in_use {
            record.seen = now;
        }
        let stock = Stock {
            idle: self.count(),
            seen: record.seen,
            paused_until: record.paused_until,
            taken: limits.open(key.server),
            limit: limits.allowed(key.server),
            awaited: limits.waiting(key.server) > 0,
        };
        match limits.limits().ready.decide(&stock, now) {
            Refill::Open => Some(record.opening.clone()),
            Refill::Gone => {
                *filled = None;
                None
            }
            Refill::Enough | Refill::Paused | Refill::Crowded => None,
        }
    }
}

impl Pool {
    /// The shelves at a server that lack a connection, and what one is opened with. Not those whose connections are
    /// each a single client's by its address.
    #[must_use]
    pub fn lacking(&self, server: ServerId, now: Instant) -> Vec<(Key, Arc<Shelf>, Opening)> {
        let shelves = self.shelves.lock();
        let lacking = |(key, shelf): (&Key, &Arc<Shelf>)| {
            // Sessions hold on to their shelves.
            let opening = shelf.lacks(key, Arc::strong_count(shelf) > 1, now)?;
            Some((key.clone(), Arc::clone(shelf), opening))
        };
        let here = shelves.iter().filter(|(key, _)| key.server == server && key.client.is_none());
        here.filter_map(lacking).collect()
    }
}
