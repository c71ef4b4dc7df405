//! The session's connection to the primary: its own for life, or lent for as long as it is needed.
//!
//! In the pool mode `transaction` a session gives its connection back after every statement, unless there is a reason
//! to keep it ([`Hold`]). Before its next statement it takes the nearest of those that wait, which is brought to what
//! the session is and has confirmed that before the client's statement goes out. Whatever is not known of a
//! connection is asked before it is given back, so that nobody else is left with it (HAZARDS 1, 2, 6).

use std::sync::Arc;

use super::checkout::{CLEAR_WARNINGS, setting};
use super::own::LIMIT;
use super::patience::Patience;
use super::reach::Spot;
use super::session::{Closing, Session};
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pool::{Handed, Shelf, Ticket};
use crate::pooling::{Fit, Mode};
use crate::runtime::clock::{self, LazyTimer};
use crate::session::{Hold, Variables};
use crate::topology::{Flavor, Hindrance, ServerId};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::status::StatusFlags;

/// ER_MUST_CHANGE_PASSWORD.
const MUST_CHANGE_PASSWORD: u16 = 1820;

/// A session's hold on its primary.
#[derive(Debug)]
pub(super) struct Lease {
    server: ServerId,
    flavor: Flavor,
    /// Those of the session's last reply.
    pub(super) status: StatusFlags,
    pub(super) held: Option<Connection>,
    /// Where others are had, and where it is given back unless it is the session's own; nothing where neither is done.
    pub(super) pool: Option<Arc<Shelf>>,
    /// It is the session's own for as long as it lasts.
    own: bool,
    /// The connection that was given back last.
    pub(super) last: Option<Ticket>,
    /// The reason for which it is kept.
    pub(super) keeps: Option<Hold>,
    /// Wakes a session that has waited in line for too long.
    pub(super) patience: LazyTimer,
}

impl Lease {
    /// The connection that a session has logged in on.
    pub(super) fn of(connection: Connection) -> Self {
        Self {
            server: connection.server(),
            flavor: connection.flavor(),
            status: connection.status,
            held: Some(connection),
            pool: None,
            own: false,
            last: None,
            keeps: None,
            patience: LazyTimer::default(),
        }
    }

    /// The primary.
    pub(super) const fn server(&self) -> ServerId {
        self.server
    }

    /// MySQL or MariaDB.
    pub(super) const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Status flags of the session's last reply from there.
    pub(super) fn status(&self) -> StatusFlags {
        self.held.as_ref().map_or(self.status, |held| held.status)
    }

    /// The connection, where the session has it.
    pub(super) const fn held(&mut self) -> Option<&mut Connection> {
        self.held.as_mut()
    }

    /// The connection of a session that has made sure of it.
    pub(super) fn get(&mut self) -> Result<&mut Connection, BackendError> {
        self.held.as_mut().ok_or(BackendError::Closed)
    }

    /// Whether the session can go on on another connection: all that it does to its own is followed.
    pub(super) const fn is_pooled(&self) -> bool {
        self.pool.is_some()
    }

    /// Whether the connection is given back between statements.
    pub(super) const fn is_shared(&self) -> bool {
        self.pool.is_some() && !self.own
    }

    /// From now on connections come from this server.
    pub(super) fn bind(&mut self, server: ServerId, shelf: Arc<Shelf>) {
        (self.server, self.pool, self.last) = (server, Some(shelf), None);
    }

    /// The connection is gone, and all that was under way on it.
    pub(super) fn lose(&mut self) {
        (self.held, self.last, self.keeps) = (None, None, None);
        self.status = StatusFlags(self.status.0 & StatusFlags::AUTOCOMMIT.0);
    }

    /// Why the session keeps its connection at the moment.
    pub(super) const fn keeps(&self) -> Option<Hold> {
        self.keeps
    }

    /// The connection is kept, for a reason that lasts until the next statement.
    pub(super) const fn keep_on(&mut self) {
        self.keeps = None;
    }

    pub(super) fn put(&mut self, connection: Connection) {
        self.status = connection.status;
        self.held = Some(connection);
    }
}

impl Session {
    /// From now on the connection is given back between statements, where the user's mode says so.
    pub(super) async fn join_pool(&mut self) -> Result<(), Closing> {
        let own = self.login.presence.card().pool.mode != Mode::Transaction;
        if own && !self.context.shared.gate.is_active() {
            return Ok(());
        }
        let primary = self.login.primary.server();
        let shelf = self.context.shelf(primary, Purpose::Primary, self.login.whose());
        if !own {
            self.keep_filled(&shelf);
            self.want_stored_code();
        }
        (self.login.primary.pool, self.login.primary.own) = (Some(shelf), own);
        self.begin_anew().await?;
        if !own && let Some(connection) = self.login.primary.held.as_mut() {
            self.context.pool.limits().learn(&self.login.user, connection, LIMIT).await?;
        }
        self.give_back(true).await
    }

    /// The session is as after a login: it begins with the defaults of the primary.
    pub(super) async fn begin_anew(&mut self) -> Result<(), Closing> {
        if !self.login.primary.is_pooled() {
            return Ok(());
        }
        let Some(facts) = self.topology.facts.clone() else { return Ok(()) };
        let ignores_space = self.login.capabilities.contains(Capabilities::IGNORE_SPACE);
        self.defaults = Variables::of_login(&facts.defaults, ignores_space);
        self.login.state.begin_with(facts.generation);
        if facts.init_connect || facts.hindrance == Some(Hindrance::AutoIsNull) {
            // A session begins with what that has made of it, and no two need be alike.
            self.login.state.hold_for(Hold::StoredCode);
        }
        if self.login.primary.own {
            // It is what a login has made it.
            return Ok(());
        }
        if let Some(connection) = self.login.primary.held.as_mut().filter(|held| !held.sandboxed) {
            let levelled = async {
                connection.level(&self.defaults, facts.generation, LIMIT).await?;
                clear(connection).await
            };
            match levelled.await {
                // MariaDB takes a SET, and nothing else, where the password has expired.
                Err(BackendError::Refused { error }) if error.code == MUST_CHANGE_PASSWORD => {
                    self.login.state.begin_expired();
                }
                levelled => levelled?,
            }
        }
        self.asked_own = true;
        Ok(())
    }

    /// Makes sure that the session has its connection to the primary, and that it is as the session is. An error is the
    /// answer to the command for which it was wanted; nothing of that has been sent.
    pub(super) async fn lease(&mut self) -> Result<(), ErrPacket> {
        let deadline = self.hold_deadline();
        loop {
            self.enter_reign().await?;
            if self.login.primary.held.is_some() {
                return Ok(());
            }
            // Whoever replaces the primary need not wait for who is only looking for a connection to it.
            self.leave_reign();
            let connection = match self.checked_out().await {
                Ok(connection) => connection,
                Err(error) if self.outlives_primaries() && is_lost(&error) && clock::now() < deadline => {
                    self.report_primary(error.trouble());
                    self.pause_for_primary().await;
                    continue;
                }
                Err(error) => return Err(self.not_leased(&error)),
            };
            self.reach().lend_primary(Spot::of(&connection));
            self.login.primary.put(connection);
            // It has answers to nothing that the client may ask about the statement before.
            self.asked_own = true;
        }
    }

    /// What a client is told where a statement gets no connection.
    pub(super) fn not_leased(&self, error: &BackendError) -> ErrPacket {
        self.context.shared.counters.errors.count(error.kind());
        tracing::info!(session = self.login.id, %error, "no connection for a statement");
        error.to_client()
    }

    /// A connection to the primary that is as the session is.
    async fn checked_out(&mut self) -> Result<Connection, BackendError> {
        let Some(shelf) = self.login.primary.pool.clone() else { return Err(BackendError::Closed) };
        loop {
            let (mut connection, fit) = self.nearest(&shelf).await?;
            let idle_since_long = std::mem::take(&mut connection.long_idle);
            let readied = async {
                if idle_since_long {
                    connection.command(Command::Ping, &[], LIMIT).await?;
                }
                if connection.defaults.generation != self.login.state.view().generation {
                    connection.level(&self.defaults, self.login.state.view().generation, LIMIT).await?;
                }
                clear(&mut connection).await?;
                connection.bring(setting(&self.login.state, Purpose::Primary), fit, LIMIT).await
            };
            match readied.await {
                Ok(true) => return Ok(connection),
                Ok(false) => {
                    // What was carried here before is refused now. Nothing better is to be had by trying again.
                    connection.leave();
                    return Err(BackendError::NotCarried);
                }
                // The schema is gone, or the session's right to it: so is the session's current schema.
                Err(BackendError::Refused { error }) if matches!(error.code, 1044 | 1049) => {
                    connection.leave();
                    self.login.state.lose_schema();
                }
                Err(error @ BackendError::Refused { .. }) => {
                    connection.leave();
                    return Err(error);
                }
                // One that idled may have been closed on the way. The next one is new at the latest.
                Err(error) if connection.uses > 0 => {
                    tracing::debug!(%error, "an idle connection to the primary was of no use");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The nearest idle connection, a new one, or the first that comes free. A server that takes no more makes the
    /// session wait: nothing of its statement has been sent.
    async fn nearest(&mut self, shelf: &Arc<Shelf>) -> Result<(Connection, Fit), BackendError> {
        let patience = Patience::of(self.context.pool.limits().limits().wait);
        loop {
            if let Some(found) = self.take_from(shelf) {
                return Ok(found);
            }
            match self.next_one(shelf, &patience).await? {
                Ok(found) => return Ok(found),
                Err(refusal) => patience.bears(refusal)?,
            }
        }
    }

    /// A new connection, or the first that comes free. The inner error is the server's, which takes no more.
    async fn next_one(
        &mut self,
        shelf: &Arc<Shelf>,
        patience: &Patience,
    ) -> Result<Result<(Connection, Fit), BackendError>, BackendError> {
        let id = self.login.primary.server();
        let users = self.context.shared.pool_users();
        let claim = users.claim(&self.login.user);
        let _waits = self.context.shared.loads.count(id);
        let wait = (patience.left(), &mut self.login.primary.patience);
        let place = match self.context.pool.place_now(id, claim) {
            Ok(place) => place,
            Err(_) => match self.context.pool.wait_for_connection(id, claim, (shelf, false), wait).await? {
                Handed::Place(place) => place,
                Handed::Connection(connection) => {
                    let began_alike = self.began_alike(&connection);
                    let wants = setting(&self.login.state, Purpose::Primary);
                    match shelf.take_over(*connection, wants, began_alike) {
                        Ok(found) => return Ok(Ok(found)),
                        // It will not do, but its place will.
                        Err(place) => place.ok_or(BackendError::Closed)?,
                    }
                }
            },
        };
        let mut connection = match self.open_primary().await {
            Ok(mut connection) => {
                self.context.pool.limits().learn(&self.login.user, &mut connection, LIMIT).await?;
                connection
            }
            Err(refusal) if refusal.is_shortage() => {
                place.refused(&refusal);
                return Ok(Err(refusal));
            }
            Err(error) => return Err(error),
        };
        connection.hold(Box::new(place));
        let fit = Fit::between(connection.setting(), setting(&self.login.state, Purpose::Primary));
        Ok(Ok((connection, fit.ok_or(BackendError::NotCarried)?)))
    }

    /// Whether a connection began with the defaults that the session began with, or can still be given them.
    fn began_alike(&self, connection: &Connection) -> bool {
        let generation = connection.defaults.generation;
        generation == 0 || generation == self.login.state.view().generation
    }

    /// An idle connection that began as the session did.
    fn take_from(&self, shelf: &Shelf) -> Option<(Connection, Fit)> {
        loop {
            let (connection, fit) = shelf.take(setting(&self.login.state, Purpose::Primary), clock::now())?;
            if self.began_alike(&connection) {
                return Some((connection, fit));
            }
            connection.leave();
        }
    }

    async fn open_primary(&mut self) -> Result<Connection, BackendError> {
        let context = &self.context;
        let id = self.login.primary.server();
        let target =
            context.target(&context.topology(), id, self.login.client).ok_or(BackendError::Closed)?;
        let secret = self.login.secret.read(Secret::decode).ok_or(BackendError::Closed)?;
        let credentials = Credentials {
            user: &self.login.user,
            secret: &secret,
            schema: self.login.state.schema(),
            collation: self.login.collation,
            capabilities: self.login.capabilities,
            attributes: &[],
        };
        let opened = Connection::open(&target, credentials, Purpose::Primary).await;
        let mut connection = opened.inspect_err(|_| context.pool.limits().failed(id))?;
        connection.names.clone_from(&self.login.first_names);
        Ok(connection)
    }
}

/// Whether a server could not be reached, rather than refused.
const fn is_lost(error: &BackendError) -> bool {
    matches!(
        error,
        BackendError::Connect(_)
            | BackendError::Io { .. }
            | BackendError::Closed
            | BackendError::Late { .. }
            // ER_SERVER_SHUTDOWN.
            | BackendError::Refused { error: ErrPacket { code: 1053, .. } }
    )
}

/// MariaDB shows what others were warned of until a statement names a table.
async fn clear(connection: &mut Connection) -> Result<(), BackendError> {
    if connection.flavor() == Flavor::MariaDb && std::mem::take(&mut connection.warned) {
        connection.query(CLEAR_WARNINGS, LIMIT).await?;
    }
    Ok(())
}
