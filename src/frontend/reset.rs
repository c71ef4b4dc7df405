//! COM_RESET_CONNECTION: a session as after a login, on the connection it has.

use std::time::Duration;

use super::errand::Errand;
use super::session::{Closing, LoggedIn, Session};
use super::settling::{ASKED_WITHIN, asked_anew, outdated};
use crate::backend::BackendError;
use crate::runtime::clock;
use crate::session::{Changed, Hold, Touched};
use crate::wire::reply::Shape;
use crate::wire::session_track::Wish;

impl Session {
    /// COM_RESET_CONNECTION: the server's trackers go with everything else, so they are set again before
    /// the client goes on.
    pub(super) async fn reset(&mut self) -> Result<(), Closing> {
        self.give_back_lent();
        // Before it has a connection that others may wait for.
        asked_anew(&self.context, clock::now() + ASKED_WITHIN).await;
        let reset = self.followed_on_primary(Errand::command(Shape::Results, Touched::Wrote)).await?;
        let limit = self.context.shared.limits().connect_timeout;
        // Where it was refused, nothing was reset. After a server's ERR, ROW_COUNT() is -1.
        let done = reset.is_some() && self.behind.row_count == 0;
        let Some(primary) = self.login.primary.held().filter(|_| done) else { return Ok(()) };
        self.statements.clear();
        primary.was_reset(limit).await?;
        self.topology = self.context.topology();
        let generation = self.topology.facts.as_ref().map_or(0, |facts| facts.generation);
        self.login.state.reset(primary.status, generation, clock::now());
        if let Some(aged) = self.topology.facts.as_ref().and_then(|facts| outdated(&self.context, facts)) {
            self.login.state.define(aged);
        }
        self.choose_schema_again(limit).await?;
        self.begin_anew().await?;
        if self.login.form.wish == Wish::Everything {
            self.login.form.wish = Wish::Defaults;
        }
        Ok(())
    }

    /// A connection that others will have too is as after a login, where the schema decides what a reset leaves to the
    /// server.
    async fn choose_schema_again(&mut self, limit: Duration) -> Result<(), Closing> {
        let LoggedIn { primary, state, .. } = &mut self.login;
        if primary.is_pooled()
            && let Some(connection) = primary.held()
        {
            connection.schema = state.schema().map(Into::into);
            match connection.choose_schema_again(limit).await {
                // It is gone, and yet the current one here.
                Err(BackendError::Refused { .. }) => state.hold_for(Hold::Changed(Changed::NotCarried)),
                chosen => chosen?,
            }
        }
        Ok(())
    }
}
