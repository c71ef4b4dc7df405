//! The primary's verdict on a login (HAZARDS 17).

use super::context::Whose;
use super::login::Candidate;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::topology::Flavor;
use crate::wire::login_request::LoginRequest;

impl Candidate<'_> {
    /// Lets the primary judge: on an idle connection of the same user, or on a new one. MariaDB keeps
    /// roles over COM_CHANGE_USER (HAZARDS 3), so there it is always a new one.
    pub(super) async fn prove(
        &self,
        request: &LoginRequest,
        secret: &Secret,
    ) -> Result<Connection, BackendError> {
        let limit = self.context.shared.limits().connect_timeout;
        let mut attributes = request.attributes.clone();
        if let Some(client) = self.client {
            attributes.push((b"headgate_client".to_vec(), client.to_string().into_bytes()));
        }
        let credentials = Credentials {
            user: &request.user,
            secret,
            schema: request.schema.as_deref(),
            collation: request.collation,
            capabilities: self.capabilities,
            attributes: &attributes,
        };
        // Only who shows what the idle connections were opened with is judged on one of them: a guess costs
        // no connection, and takes as long as a guess at a name that nobody has.
        let is_known =
            self.context.shared.known.get(&request.user).is_some_and(|known| known.same_as(secret));
        if self.facts.flavor == Flavor::MySql && is_known {
            let Self { capabilities, client, .. } = *self;
            let whose = Whose { user: &request.user, capabilities, client };
            let shelf = self.context.shelf(self.primary, Purpose::Primary, whose);
            while let Some(mut idle) = shelf.take_any() {
                match idle.change_user(credentials, Purpose::Primary, limit).await {
                    Ok(()) => return Ok(idle),
                    // It counts twice while it changes, and the server hangs up on it.
                    Err(error) if error.is_user_limit() => idle.outlast(limit).await,
                    // The verdict; anything else is the idle connection's own trouble.
                    Err(error @ (BackendError::Refused { .. } | BackendError::Login { .. })) => {
                        return Err(error);
                    }
                    Err(error) => tracing::debug!(%error, "an idle connection was of no use"),
                }
            }
        }
        let users = self.context.shared.pool_users();
        let place = self.context.pool.wait_for_place(self.primary, users.claim(&request.user)).await;
        let place = place?;
        let target = self.context.target(self.topology, self.primary, self.client);
        let target = target.ok_or(BackendError::Closed)?;
        let opened = Connection::open(&target, credentials, Purpose::Primary).await;
        let mut connection = opened.inspect_err(|error| {
            if !matches!(error, BackendError::Refused { .. }) {
                self.context.pool.limits().failed(self.primary);
            }
        })?;
        connection.hold(Box::new(place));
        Ok(connection)
    }
}
