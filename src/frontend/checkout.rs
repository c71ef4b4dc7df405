//! Replica connections for a session: taken from the pool or opened; and how any connection is brought to what the
//! session is.

use std::sync::Arc;
use std::time::Duration;

use super::session::Session;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pool::{Opening, Shelf};
use crate::pooling::{Fit, Setting};
use crate::routing::Reason;
use crate::runtime::clock;
use crate::session::{State, UserVariables, Variables};
use crate::topology::{Flavor, ServerId};
use crate::wire::capabilities::Capabilities;

/// For getting a replica connection ready. The primary is there, so a slow replica is not waited for.
pub(super) const READY_LIMIT: Duration = Duration::from_secs(1);

/// What other sessions were warned of is not the next one's business. Only a statement that names a table
/// clears it.
pub(super) const CLEAR_WARNINGS: &str = "SELECT 1 FROM (SELECT 1) AS nothing";

/// The shelves a session takes connections from, so that a statement needs no look-up by key.
#[derive(Debug, Default)]
pub(super) struct Shelves(Vec<(ServerId, Arc<Shelf>)>);

impl Session {
    pub(super) fn shelf(&mut self, server: ServerId) -> Arc<Shelf> {
        if let Some((_, shelf)) = self.shelves.0.iter().find(|(id, _)| *id == server) {
            return Arc::clone(shelf);
        }
        let shelf = self.context.shelf(server, Purpose::Replica, self.login.whose());
        self.keep_filled(&shelf);
        self.shelves.0.push((server, Arc::clone(&shelf)));
        shelf
    }

    /// Connections may be made ready on a shelf with what this session has shown.
    pub(super) fn keep_filled(&self, shelf: &Shelf) {
        // An expired password opens nothing that could serve others.
        if self.login.state.view().changed.is_none() {
            let secret = Arc::clone(&self.login.secret);
            let (collation, names) = (self.login.collation, self.login.first_names.clone());
            shelf.keep_filled(Opening { secret, collation, names }, clock::now());
        }
    }

    /// A connection with the session's schema and character sets.
    pub(super) async fn ready(&mut self, id: ServerId, shelf: &Shelf) -> Result<Connection, Reason> {
        let (mut connection, fit) = match self.take(shelf) {
            Some(found) => found,
            None if shelf.is_paused(clock::now()) => return Err(Reason::ReplicaFailed),
            None => {
                let connection = self.open(id, shelf).await?;
                let fit = Fit::between(connection.setting(), setting(&self.login.state, Purpose::Replica));
                (connection, fit.ok_or(Reason::CharsetUnknown)?)
            }
        };
        if connection.warned && connection.flavor() == Flavor::MariaDb {
            let cleared = connection.query(CLEAR_WARNINGS, READY_LIMIT).await;
            cleared.map_err(|_| Reason::ReplicaFailed)?;
            connection.warned = false;
        }
        if fit.round_trips() == 0 {
            return Ok(connection);
        }
        self.align(&mut connection, fit).await.map(|()| connection)
    }

    /// The nearest idle connection. Those that begin with what the primary's defaults were once are closed.
    fn take(&self, shelf: &Shelf) -> Option<(Connection, Fit)> {
        let generation = self.topology.facts.as_ref().map(|facts| facts.generation);
        loop {
            let (connection, fit) = shelf.take(setting(&self.login.state, Purpose::Replica), clock::now())?;
            if Some(connection.defaults.generation) == generation {
                return Some((connection, fit));
            }
            connection.leave();
        }
    }

    /// Brings a connection that is in use to what the session is by now.
    pub(super) async fn realign(&mut self, connection: &mut Connection) -> Result<(), Reason> {
        match Fit::between(connection.setting(), setting(&self.login.state, Purpose::Replica)) {
            Some(fit) if fit.round_trips() == 0 => Ok(()),
            Some(fit) => self.align(connection, fit).await,
            None => Err(Reason::CharsetUnknown),
        }
    }

    async fn align(&mut self, connection: &mut Connection, fit: Fit) -> Result<(), Reason> {
        match connection.bring(setting(&self.login.state, Purpose::Replica), fit, READY_LIMIT).await {
            Ok(true) => Ok(()),
            // It would be tried in vain with every read.
            Ok(false) => {
                self.login.state.give_up_carrying();
                Err(Reason::SessionChanged)
            }
            // A schema that has not come to the replica yet, a character set it does not know.
            Err(BackendError::Refused { .. }) => Err(Reason::ReplicaRefused),
            Err(_) => Err(Reason::ReplicaFailed),
        }
    }

    /// Opens a connection in the session's name.
    async fn open(&mut self, id: ServerId, shelf: &Shelf) -> Result<Connection, Reason> {
        let context = &self.context;
        let users = context.shared.pool_users();
        let claim = users.claim(&self.login.user);
        let place = context.pool.place_now(id, claim).map_err(|_| Reason::ReplicaBusy)?;
        let mut target =
            context.target(&context.topology(), id, self.login.client).ok_or(Reason::ReplicaFailed)?;
        target.timeout = target.timeout.min(READY_LIMIT);
        let secret = self.login.secret.read(Secret::decode).ok_or(Reason::ReplicaFailed)?;
        let credentials = Credentials {
            user: &self.login.user,
            secret: &secret,
            schema: None,
            collation: self.login.collation,
            capabilities: self.login.capabilities,
            attributes: &[],
        };
        let facts = self.topology.facts.clone().ok_or(Reason::ReplicaFailed)?;
        let ignores_space = self.login.capabilities.contains(Capabilities::IGNORE_SPACE);
        let opened = async {
            let mut connection = Connection::open(&target, credentials, Purpose::Replica).await?;
            let defaults = Variables::of_login(&facts.defaults, ignores_space);
            connection.level(&defaults, facts.generation, READY_LIMIT).await?;
            context.pool.limits().learn(&self.login.user, &mut connection, READY_LIMIT).await?;
            Ok::<_, BackendError>(connection)
        };
        let opened = opened.await;
        if let Some(refusal) = opened.as_ref().err().filter(|error| error.is_shortage()) {
            place.refused(refusal);
            return Err(Reason::ReplicaBusy);
        }
        let mut connection = opened.map_err(|error| {
            tracing::info!(server = %id, %error, "no connection to a replica; the read runs on the primary");
            context.shared.counters.errors.count(error.kind());
            context.pool.limits().failed(id);
            context.shared.troubles.report(id, error.trouble());
            // One attempt a second tells as much as one a statement, and locks no account.
            shelf.pause_until(clock::now() + READY_LIMIT);
            Reason::ReplicaFailed
        })?;
        connection.hold(Box::new(place));
        Ok(connection)
    }
}

/// What a session needs of a connection.
pub(super) fn setting(state: &State, purpose: Purpose) -> Setting<'_> {
    let (schema, names) = (state.schema(), state.names().map(|sql| &**sql));
    let variables = state.variables();
    match purpose {
        Purpose::Primary => {
            let (local, user) = (state.home(), state.user_variables());
            Setting { schema, names, variables, local, user, autocommit: state.view().autocommit }
        }
        // Nothing is read there that would depend on them.
        Purpose::Replica | Purpose::Control => {
            let (local, user) = (&Variables::DEFAULT, &UserVariables::NONE);
            Setting { schema, names, variables, local, user, autocommit: true }
        }
    }
}
