//! Replica connections for a session: taken from the pool or opened; and how any connection is brought to what the
//! session is.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::patience::Patience;
use super::session::Session;
use super::standing;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pool::{Handed, Opening, Place, Shelf};
use crate::pooling::{Fit, Setting, Shortage};
use crate::routing::{PrimaryReads, Reason};
use crate::runtime::clock;
use crate::session::{State, UserVariables, Variables};
use crate::sql::Statement;
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

    /// A connection with the session's schema and character sets. Where none is free, one that comes free within the
    /// time that is left to the statement.
    pub(super) async fn ready(
        &mut self,
        id: ServerId,
        shelf: &Shelf,
        read: Read<'_>,
    ) -> Result<Connection, Unready> {
        if let Some(found) = self.take(shelf) {
            return Ok(self.brought(found).await?);
        }
        loop {
            let found = match self.place_or_connection(id, shelf, read).await? {
                Handed::Place(place) => self.open(id, shelf, place).await,
                Handed::Connection(connection) => self.taken_over(id, shelf, *connection).await,
            };
            match found {
                // Its server takes no more at the moment, and nobody else may run it.
                Err(Reason::ReplicaBusy) if !self.may_leave_line() && !read.patience.left().is_zero() => {}
                found => return Ok(self.brought(found?).await?),
            }
        }
    }

    /// Whether a read may go elsewhere where a replica is busy.
    fn may_leave_line(&self) -> bool {
        self.policy().primary_reads != PrimaryReads::Never
    }

    /// A place for a new connection, or a connection that another session gives back.
    async fn place_or_connection(
        &mut self,
        id: ServerId,
        shelf: &Shelf,
        read: Read<'_>,
    ) -> Result<Handed, Unready> {
        if shelf.is_paused(clock::now()) {
            return Err(Reason::ReplicaFailed.into());
        }
        let pool = &self.context.pool;
        let users = self.context.shared.pool_users();
        let claim = users.claim(&self.login.user);
        if let Ok(place) = pool.place_now(id, claim) {
            return Ok(Handed::Place(place));
        }
        let leaves = self.may_leave_line();
        // Others wait for what it has on the primary.
        let holds = self.login.primary.is_shared() && self.login.primary.held.is_some();
        if leaves && (holds || !pool.has_all_connections()) {
            return Err(Reason::ReplicaBusy.into());
        }
        let waits = self.context.shared.loads.count(id);
        let timer = (read.patience.left(), &mut self.login.primary.patience);
        let handed = pool.wait_for_connection(id, claim, (shelf, leaves), timer).await;
        drop(waits);
        let ended = {
            let standing = standing::standing(&self.client).len();
            poll_fn(|cx| Poll::Ready(self.client.poll_ended(standing, cx).is_ready())).await
        };
        let handed = match handed {
            Ok(handed) if !ended && self.still_serves(id, read.statement) => return Ok(handed),
            Ok(handed) => handed,
            Err(_) if ended => return Err(Unready::Gone),
            Err(error) => return Err(Unready::in_line(error, leaves && read.again)),
        };
        if let Handed::Connection(connection) = handed {
            shelf.put(*connection, clock::now());
        }
        Err(if ended { Unready::Gone } else { Unready::Outdated })
    }

    /// What another session gave back, if it will do for this one; or else a new one in its place.
    async fn taken_over(
        &mut self,
        id: ServerId,
        shelf: &Shelf,
        connection: Connection,
    ) -> Result<(Connection, Fit), Reason> {
        let began_alike = self.began_as_the_primary(&connection);
        let wants = setting(&self.login.state, Purpose::Replica);
        match shelf.take_over(connection, wants, began_alike) {
            Ok(found) => Ok(found),
            Err(place) => self.open(id, shelf, place.ok_or(Reason::ReplicaFailed)?).await,
        }
    }

    /// Makes a connection what the session is.
    async fn brought(&mut self, (mut connection, fit): (Connection, Fit)) -> Result<Connection, Reason> {
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
        loop {
            let (connection, fit) = shelf.take(setting(&self.login.state, Purpose::Replica), clock::now())?;
            if self.began_as_the_primary(&connection) {
                return Some((connection, fit));
            }
            connection.leave();
        }
    }

    /// Whether a connection to a replica began with what the primary's defaults are.
    fn began_as_the_primary(&self, connection: &Connection) -> bool {
        self.topology.facts.as_ref().is_some_and(|facts| facts.generation == connection.defaults.generation)
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
    async fn open(&mut self, id: ServerId, shelf: &Shelf, place: Place) -> Result<(Connection, Fit), Reason> {
        // Of many that have waited, one tries what fails.
        if shelf.is_paused(clock::now()) {
            return Err(Reason::ReplicaFailed);
        }
        let context = &self.context;
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
        let fit = Fit::between(connection.setting(), setting(&self.login.state, Purpose::Replica));
        Ok((connection, fit.ok_or(Reason::CharsetUnknown)?))
    }
}

/// A read that wants a connection to a replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) statement: &'a Statement,
    /// Why a replica may run it.
    pub(super) why: Reason,
    /// It was tried elsewhere before.
    pub(super) again: bool,
    /// How long it may wait.
    pub(super) patience: &'a Patience,
}

/// Why there is no connection to a replica.
#[derive(Debug)]
pub(super) enum Unready {
    /// The read is to run elsewhere.
    Elsewhere(Reason),
    /// The replica serves it no more, as things are by now.
    Outdated,
    /// It has waited for as long as a statement may.
    Refused(BackendError),
    /// Its client has gone.
    Gone,
}

impl Unready {
    /// What has ended a wait. `leaves`: however long that was.
    fn in_line(error: BackendError, leaves: bool) -> Self {
        match error {
            // It is being removed.
            BackendError::Full { shortage: Shortage::Server { limit: 0 } } => {
                Self::Elsewhere(Reason::ReplicaFailed)
            }
            BackendError::Full { shortage: Shortage::Standing | Shortage::Room { .. } } => {
                Self::Elsewhere(Reason::ReplicaBusy)
            }
            BackendError::Full { .. } if leaves => Self::Elsewhere(Reason::ReplicaBusy),
            error => Self::Refused(error),
        }
    }
}

impl From<Reason> for Unready {
    fn from(reason: Reason) -> Self {
        Self::Elsewhere(reason)
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
