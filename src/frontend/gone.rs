//! Statements whose clients have gone are ended (HAZARDS 8).
//!
//! By KILL QUERY, and what is left of their replies is read. At a KILL of the connection MySQL gives its descriptor back
//! at once (`vio_shutdown`), while the connection's own thread goes on writing TLS records under that number: into
//! whichever connection has been accepted since, which fails in its handshake then.

use std::time::Duration;

use super::reach::Spot;
use super::relay;
use super::session::Session;
use crate::backend::{BackendError, Connection};
use crate::runtime::clock;
use crate::wire::reply::Tracker;

/// A KILL QUERY that comes before the statement has begun ends nothing, so that another follows.
const TRIES: u32 = 3;

/// For the rest of a reply that is being ended.
const REST: Duration = Duration::from_secs(1);

impl Session {
    /// Ends what a connection does. Nobody else may have it then: the KILL may still arrive.
    pub(super) async fn end_abandoned(
        &mut self,
        connection: &mut Connection,
        tracker: &mut Tracker,
    ) -> Result<(), BackendError> {
        let spot = Spot::of(connection);
        connection.spent = true;
        for _ in 0..TRIES {
            self.strike(spot, true, false).await?;
            if let Ok(ended) = clock::within(REST, relay::outlast(connection, tracker)).await {
                return ended;
            }
        }
        self.strike(spot, false, false).await
    }
}
