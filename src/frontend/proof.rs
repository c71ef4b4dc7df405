//! The primary's verdict on a login (HAZARDS 17).

use super::barred::Nobody;
use super::caller::LoginError;
use super::context::Whose;
use super::login::Candidate;
use super::patience::Patience;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pooling::Mode;
use crate::topology::Flavor;
use crate::wire::login_request::LoginRequest;

impl Candidate<'_> {
    /// Has the primary judge a client, or somebody who does not exist in the place of one who is barred.
    pub(super) async fn try_to_prove(
        &self,
        request: &LoginRequest,
        secret: &Secret,
    ) -> Result<Result<Connection, BackendError>, LoginError> {
        if !self.barred {
            return Ok(self.prove(request, secret).await);
        }
        let nobody = Nobody::instead_of(request, secret)?;
        Ok(Err(nobody.refusal(self.prove(&nobody.request, &nobody.secret).await, &request.user)))
    }

    /// Whether the primary was lost while it judged, and another one will: a login does no harm twice.
    pub(super) fn lost(&self, proven: &Result<Connection, BackendError>) -> bool {
        let shared = &self.context.shared;
        let Err(error) = proven else { return false };
        let trouble = error.trouble();
        let lost = trouble.is_loss();
        if lost {
            shared.troubles.report(self.primary, trouble);
        }
        lost && shared.gate.is_active()
    }

    /// Lets the primary judge: on an idle connection of the same user, or on a new one. MariaDB keeps
    /// roles over COM_CHANGE_USER (HAZARDS 3), so there it is always a new one.
    async fn prove(&self, request: &LoginRequest, secret: &Secret) -> Result<Connection, BackendError> {
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
        self.open(credentials).await
    }

    /// A new connection. Where sessions share them, a login waits for a server that takes no more, as statements do.
    async fn open(&self, credentials: Credentials<'_>) -> Result<Connection, BackendError> {
        let shared = &self.context.shared;
        let users = shared.pool_users();
        let waits = users.mode_of(credentials.user, self.entrance.pool).mode == Mode::Transaction;
        // The client is to be told, and not cut off.
        let limit = self.context.pool.limits().limits().wait.min(shared.limits().login_timeout / 10 * 9);
        let patience = Patience::of(limit);
        loop {
            let claim = users.claim(credentials.user);
            let place = self.context.pool.wait_for_place(self.primary, claim, patience.left()).await?;
            let target = self.context.target(self.topology, self.primary, self.client);
            let target = target.ok_or(BackendError::Closed)?;
            match Connection::open(&target, credentials, Purpose::Primary).await {
                Ok(mut connection) => {
                    connection.hold(Box::new(place));
                    return Ok(connection);
                }
                Err(refusal) if waits && refusal.is_shortage() => {
                    place.refused(&refusal);
                    patience.bears(refusal)?;
                }
                Err(error) => {
                    if !matches!(error, BackendError::Refused { .. }) {
                        self.context.pool.limits().failed(self.primary);
                    }
                    return Err(error);
                }
            }
        }
    }
}
