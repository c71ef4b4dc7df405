//! Backend connections that wait for their next session.
//!
//! A [`Pool`] belongs to one worker: nothing on the relay path is shared between workers but the
//! limits. What waits here is clean: logged in, all trackers on, no transaction, and on replicas
//! read only. `pooling` decides which connection serves; this module carries it out.

mod limits;
mod places;
mod ready;
mod shelf;
mod waiting;

pub use limits::{Limits, Member, ServerLimits, Stalled};
pub use places::{Handed, Place};
pub use ready::Opening;
pub use shelf::{Key, Pool, Shelf, Ticket};
