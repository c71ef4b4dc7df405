//! Replica connections for a session: taken from the pool or opened, and brought to what the session is.

use std::sync::Arc;
use std::time::Duration;

use super::session::Session;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Defaults, Purpose};
use crate::pool::{Key, Shelf};
use crate::pooling::{Fit, Setting};
use crate::routing::Reason;
use crate::runtime::clock;
use crate::session::Variables;
use crate::topology::{Facts, Flavor, ServerId};
use crate::wire::Malformed;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;

/// For getting a replica connection ready. The primary is there, so a slow replica is not waited for.
pub(super) const READY_LIMIT: Duration = Duration::from_secs(1);

/// What other sessions were warned of is not the next one's business. Only a statement that names a table
/// clears it.
const CLEAR_WARNINGS: &str = "SELECT 1 FROM (SELECT 1) AS nothing";

/// The shelves a session takes connections from, so that a statement needs no look-up by key.
#[derive(Debug, Default)]
pub(super) struct Shelves(Vec<(ServerId, Arc<Shelf>)>);

impl Session {
    pub(super) fn shelf(&mut self, server: ServerId) -> Arc<Shelf> {
        if let Some((_, shelf)) = self.shelves.0.iter().find(|(id, _)| *id == server) {
            return Arc::clone(shelf);
        }
        let shelf = self.context.pool.shelf(Key {
            server,
            purpose: Purpose::Replica,
            user: self.login.user.clone(),
            capabilities: self.login.capabilities & Capabilities::MEANINGFUL,
            client: self.context.shared.announced_address(self.login.client),
        });
        self.shelves.0.push((server, Arc::clone(&shelf)));
        shelf
    }

    /// What the session needs of a connection.
    fn setting(&self) -> Setting<'_> {
        let state = &self.login.state;
        Setting {
            schema: state.schema(),
            names: state.names().map(|sql| &**sql),
            variables: state.variables(),
        }
    }

    /// A connection with the session's schema and character sets.
    pub(super) async fn ready(&mut self, id: ServerId, shelf: &Shelf) -> Result<Connection, Reason> {
        let (mut connection, fit) = match self.take(shelf) {
            Some(found) => found,
            None if shelf.is_paused(clock::now()) => return Err(Reason::ReplicaFailed),
            None => {
                let connection = self.open(id, shelf).await?;
                let fit = Fit::between(connection.setting(), self.setting());
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
            let (connection, fit) = shelf.take(self.setting(), clock::now())?;
            if Some(connection.defaults.generation) == generation {
                return Some((connection, fit));
            }
            connection.leave();
        }
    }

    /// Brings a connection that is in use to what the session is by now.
    pub(super) async fn realign(&mut self, connection: &mut Connection) -> Result<(), Reason> {
        match Fit::between(connection.setting(), self.setting()) {
            Some(fit) if fit.round_trips() == 0 => Ok(()),
            Some(fit) => self.align(connection, fit).await,
            None => Err(Reason::CharsetUnknown),
        }
    }

    async fn align(&mut self, connection: &mut Connection, fit: Fit) -> Result<(), Reason> {
        match self.set(connection, fit).await {
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

    /// Sends what differs. False where the replica took it for something else.
    async fn set(&mut self, connection: &mut Connection, fit: Fit) -> Result<bool, BackendError> {
        let state = &self.login.state;
        if fit.set_schema
            && let Some(schema) = state.schema()
        {
            connection.command(Command::InitDb, schema, READY_LIMIT).await?;
            connection.schema = Some(schema.into());
        }
        if fit.set_names
            && let Some(names) = state.names()
        {
            connection.query(names, READY_LIMIT).await?;
            connection.names = Some(Arc::clone(names));
        }
        let wanted = state.variables();
        if fit.set_variables
            && let Some(sql) = connection.variables.change_to(wanted, &connection.defaults.variables)
        {
            match connection.query(&sql, READY_LIMIT).await {
                Ok(answer) if wanted.confirmed_by(&connection.variables, &answer.variables) => {
                    connection.variables = wanted.clone();
                }
                Ok(_) | Err(BackendError::Refused { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Opens a connection in the session's name.
    async fn open(&mut self, id: ServerId, shelf: &Shelf) -> Result<Connection, Reason> {
        let context = &self.context;
        let place = context.pool.place_now(id).map_err(|_| Reason::ReplicaBusy)?;
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
        let opened = async {
            let mut connection = Connection::open(&target, credentials, Purpose::Replica).await?;
            level(&mut connection, &facts).await.map(|()| connection)
        };
        let mut connection = opened.await.map_err(|error| {
            tracing::info!(server = %id, %error, "no connection to a replica; the read runs on the primary");
            context.shared.counters.errors.count(error.kind());
            context.pool.limits().failed(id);
            // One attempt a second tells as much as one a statement, and locks no account.
            shelf.pause_until(clock::now() + READY_LIMIT);
            Reason::ReplicaFailed
        })?;
        connection.hold(Box::new(place));
        Ok(connection)
    }
}

/// Gives a new connection to a replica the defaults of the primary, whatever the replica's own are by now
/// (HAZARDS 4).
async fn level(connection: &mut Connection, facts: &Facts) -> Result<(), BackendError> {
    let variables = Variables::of_defaults(&facts.defaults);
    if let Some(sql) = Variables::DEFAULT.change_to(&variables, &Variables::DEFAULT) {
        let answer = connection.query(&sql, READY_LIMIT).await?;
        // Of some variables servers say that they are out of use.
        connection.warned = true;
        if !variables.confirmed_by(&Variables::DEFAULT, &answer.variables) {
            return Err(Malformed::new("answer to a SET (not what was set)").into());
        }
    }
    connection.defaults = Defaults { variables, generation: facts.generation };
    Ok(())
}
