//! The session's connection to the primary: its own for life, or lent for as long as it is needed.
//!
//! In the pool mode `transaction` a session gives its connection back after every statement, unless there is a reason
//! to keep it ([`Hold`]). Before its next statement it takes the nearest of those that wait, which is brought to what
//! the session is and has confirmed that before the client's statement goes out. Whatever is not known of a
//! connection is asked before it is given back, so that nobody else is left with it (HAZARDS 1, 2, 6).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::checkout::{CLEAR_WARNINGS, setting};
use super::context::PoolMode;
use super::own::LIMIT;
use super::reach::Spot;
use super::session::{Closing, LoggedIn, Session};
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pool::{Handed, Key, Shelf, Ticket};
use crate::pooling::Fit;
use crate::runtime::clock;
use crate::session::{Assignments, Changed, Hold, State, Variables};
use crate::sql::{self, Class, Leaves, Statement, Traces, Unclear};
use crate::topology::{Flavor, Hindrance, ServerId};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::Header;
use crate::wire::status::StatusFlags;

/// What LAST_INSERT_ID() says, under a name of our own.
const INSERT_ID: &str = "SELECT LAST_INSERT_ID() AS id";

/// The same, and makes it 0. All connections that nobody has say 0, so that what a session finds there when it has
/// inserted something is its own.
const TAKE_INSERT_ID: &str = "SELECT LAST_INSERT_ID() AS id, LAST_INSERT_ID(0) AS none";

/// A session's hold on its primary.
#[derive(Debug)]
pub(super) struct Lease {
    server: ServerId,
    flavor: Flavor,
    /// Those of the session's last reply.
    status: StatusFlags,
    held: Option<Connection>,
    /// Where it is given back; nothing where it is the session's own.
    pool: Option<Arc<Shelf>>,
    /// The connection that was given back last.
    last: Option<Ticket>,
    /// The reason for which it is kept.
    keeps: Option<Hold>,
}

impl Lease {
    /// The connection that a session has logged in on.
    pub(super) const fn of(connection: Connection) -> Self {
        Self {
            server: connection.server(),
            flavor: connection.flavor(),
            status: connection.status,
            held: Some(connection),
            pool: None,
            last: None,
            keeps: None,
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

    /// Whether the connection is one of many that serve many sessions.
    pub(super) const fn is_pooled(&self) -> bool {
        self.pool.is_some()
    }

    /// Why the session keeps its connection at the moment.
    pub(super) const fn keeps(&self) -> Option<Hold> {
        self.keeps
    }

    /// The end of the session.
    pub(super) fn into_held(self) -> Option<Connection> {
        self.held
    }

    /// The connection is kept, for a reason that lasts until the next statement.
    pub(super) const fn keep_on(&mut self) {
        self.keeps = None;
    }

    fn put(&mut self, connection: Connection) {
        self.status = connection.status;
        self.held = Some(connection);
    }
}

impl Session {
    /// From now on the connection is given back between statements, where the user's mode says so.
    pub(super) async fn join_pool(&mut self) -> Result<(), Closing> {
        if self.context.shared.pool_mode != PoolMode::Transaction {
            return Ok(());
        }
        let shelf = self.primary_shelf();
        self.login.primary.pool = Some(shelf);
        self.begin_anew().await?;
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
        if facts.init_connect || facts.hindrance == Some(Hindrance::AutoIsNull) {
            // A session begins with what that has made of it, and no two need be alike.
            self.login.state.hold_for(Hold::StoredCode);
        }
        if let Some(connection) = self.login.primary.held() {
            connection.level(&self.defaults, facts.generation, LIMIT).await?;
            clear(connection).await?;
        }
        self.asked_own = true;
        Ok(())
    }

    fn primary_shelf(&self) -> Arc<Shelf> {
        self.context.pool.shelf(Key {
            server: self.login.primary.server(),
            purpose: Purpose::Primary,
            user: self.login.user.clone(),
            capabilities: self.login.capabilities & Capabilities::MEANINGFUL,
            client: self.context.shared.announced_address(self.login.client),
        })
    }

    /// Makes sure that the session has its connection to the primary, and that it is as the session is. An error is the
    /// answer to the command for which it was wanted; nothing of that has been sent.
    pub(super) async fn lease(&mut self) -> Result<(), ErrPacket> {
        if self.login.primary.held.is_none() {
            let connection = self.checked_out().await.map_err(|error| self.not_leased(&error))?;
            self.reach().lend_primary(Spot::of(&connection));
            self.login.primary.put(connection);
            // It has answers to nothing that the client may ask about the statement before.
            self.asked_own = true;
        }
        Ok(())
    }

    /// Makes sure of the connection for a statement, and notes what that may leave there. The error is the
    /// answer to it. True where it is a CALL of which servers report all that it does to the session.
    pub(super) async fn lease_for(
        &mut self,
        statement: &Statement,
    ) -> Result<Result<bool, ErrPacket>, Closing> {
        if !self.login.primary.is_pooled() {
            return Ok(Ok(false));
        }
        let header = Header::read(&self.client.inbox);
        let text = header.and_then(|header| self.text(header));
        let mut traces = text.map_or(Traces::ALL, |text| sql::traces(text, self.lex_mode()));
        let told_call = text.is_some_and(|text| self.is_told_call(statement, text));
        traces.sets_insert_id |= told_call;
        let stored_code = self.may_reach_stored_code(statement, text);
        let unclear = matches!(statement.class, Class::Other(_) | Class::Calls);
        let wants_insert_id = traces.insert_id || stored_code || unclear;
        if let Err(error) = self.lease().await {
            return Ok(Err(error));
        }
        if let Err(error) = self.address_execution().await? {
            return Ok(Err(error));
        }
        if wants_insert_id {
            self.carry_insert_id().await?;
        }
        if self.login.state.variables().get("sql_auto_is_null").is_some_and(|value| value != "OFF") {
            // What IS NULL finds depends on the last insert.
            self.login.state.hold_for(Hold::Changed(Changed::Variable));
        }
        self.login.state.begin_traces(statement, traces, stored_code);
        self.traces = traces;
        Ok(Ok(told_call))
    }

    /// Whether a statement is a CALL of something that leaves nothing behind but what servers report.
    fn is_told_call(&self, statement: &Statement, text: &[u8]) -> bool {
        let mode = self.lex_mode();
        let facts = self.topology.facts.as_deref();
        let Some((facts, traps)) = facts.and_then(|facts| Some((facts, facts.traps.as_deref()?))) else {
            return false;
        };
        let is_known = self.login.state.view().defined.is_none_or(|defined| defined <= facts.asked);
        matches!(statement.class, Class::Other(Unclear::Effects))
            && is_known
            && sql::is_plain_call(text, mode)
            && traps.reached(text, mode) == Leaves::Named
            && !sql::mentions(text, mode, sql::is_local_schema)
    }

    /// Whether a statement may run stored code that leaves something behind which servers do not report.
    fn may_reach_stored_code(&self, statement: &Statement, text: Option<&[u8]>) -> bool {
        let class = &statement.class;
        let runs = matches!(
            class,
            Class::Data | Class::PlainRead | Class::PrimaryRead(_) | Class::Inspect | Class::Several(_)
        );
        let Some(facts) = self.topology.facts.as_deref().filter(|_| runs) else { return false };
        match (&facts.traps, &facts.catalog) {
            (Some(traps), _) if traps.is_empty() => false,
            (Some(traps), _) => {
                let mode = self.lex_mode();
                text.is_none_or(|text| traps.reached(text, mode) == Leaves::Unreported)
            }
            // A trigger could be at any table, a function in any view.
            (None, Some(catalog)) => {
                if !self.context.shared.told_of_triggers.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "sessions that write keep their connections: the control account may not see what triggers do; GRANT \
                         TRIGGER ON *.* to it"
                    );
                }
                matches!(class, Class::Data | Class::Several(_)) || !catalog.has_only_pure_views()
            }
            (None, None) => true,
        }
    }

    fn not_leased(&self, error: &BackendError) -> ErrPacket {
        self.context.shared.counters.errors.count(error.kind());
        tracing::info!(session = self.login.id, %error, "no connection to the primary for a statement");
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

    /// The nearest idle connection, a new one, or the first that comes free.
    async fn nearest(&mut self, shelf: &Arc<Shelf>) -> Result<(Connection, Fit), BackendError> {
        let id = self.login.primary.server();
        loop {
            if let Some(found) = self.take_from(shelf) {
                return Ok(found);
            }
            let place = match self.context.pool.place_now(id) {
                Ok(place) => place,
                Err(_) => match self.context.pool.wait_for_connection(id, shelf).await? {
                    Handed::Place(place) => place,
                    Handed::Connection(mut connection) => {
                        connection.uses += 1;
                        match Fit::between(connection.setting(), setting(&self.login.state, Purpose::Primary))
                        {
                            Some(fit) => return Ok((*connection, fit)),
                            None => {
                                connection.leave();
                                continue;
                            }
                        }
                    }
                },
            };
            let mut connection = self.open_primary().await?;
            connection.hold(Box::new(place));
            let fit = Fit::between(connection.setting(), setting(&self.login.state, Purpose::Primary));
            return Ok((connection, fit.ok_or(BackendError::NotCarried)?));
        }
    }

    /// An idle connection that began as the session did.
    fn take_from(&self, shelf: &Shelf) -> Option<(Connection, Fit)> {
        let generation = self.login.state.view().generation;
        loop {
            let (connection, fit) = shelf.take(setting(&self.login.state, Purpose::Primary), clock::now())?;
            if connection.defaults.generation == generation || connection.defaults.generation == 0 {
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

    /// Gives LAST_INSERT_ID() the session's value.
    pub(super) async fn carry_insert_id(&mut self) -> Result<(), Closing> {
        if self.login.primary.get()?.insert_id == self.login.state.insert_id() {
            // Whatever has run since, it says what it should.
            return Ok(());
        }
        if self.login.state.has_inserted() {
            self.read_insert_id(INSERT_ID).await?;
        }
        let wanted = self.login.state.insert_id();
        let connection = self.login.primary.get()?;
        if connection.insert_id != wanted {
            let mut set = Assignments::default();
            set.put("last_insert_id", &wanted.to_string());
            connection.query(&set.sql().unwrap_or_default(), LIMIT).await?;
            connection.insert_id = wanted;
        }
        Ok(())
    }

    /// Asks what LAST_INSERT_ID() says.
    async fn read_insert_id(&mut self, sql: &str) -> Result<(), Closing> {
        let answer = self.ask_primary(sql).await?;
        let found = answer.ok().and_then(|answer| answer.value("id")?.parse().ok());
        let connection = self.login.primary.get()?;
        match found {
            Some(found) => {
                self.login.state.read_insert_id(connection.insert_id, found);
                connection.insert_id = found;
            }
            None => self.login.state.begin_unknown(),
        }
        Ok(())
    }

    /// Gives the connection to the primary back, unless there is a reason to keep it. `quiet`: nothing has run on it
    /// that the client may ask about.
    pub(super) async fn give_back(&mut self, quiet: bool) -> Result<(), Closing> {
        if !self.login.primary.is_pooled() || self.login.primary.held.is_none() {
            return Ok(());
        }
        let hold = self.reason_to_keep(quiet).await?;
        self.login.primary.keeps = hold;
        if hold.is_some() {
            return Ok(());
        }
        let Some(mut connection) = self.login.primary.held.take() else { return Ok(()) };
        self.login.primary.status = connection.status;
        describe(&mut connection, &self.login.state);
        connection.warned |= !self.behind.clean;
        // At what a KILL was aimed, the KILL may still arrive.
        connection.spent |= !self.reach().give_up_primary();
        self.login.primary.last = Some(Ticket::of(&connection));
        if let Some(shelf) = &self.login.primary.pool {
            shelf.put(connection, clock::now());
        }
        Ok(())
    }

    /// Notes on the connection what it is: what the session is, whose changes went there.
    pub(super) fn note_setting(&mut self) {
        let LoggedIn { primary, state, .. } = &mut self.login;
        if primary.is_pooled()
            && let Some(connection) = primary.held()
        {
            describe(connection, state);
        }
    }

    /// Why the session must keep its connection, when all has been asked that may be asked.
    async fn reason_to_keep(&mut self, quiet: bool) -> Result<Option<Hold>, Closing> {
        let connection = self.login.primary.get()?;
        let (status, between) = (connection.status, connection.is_between_replies());
        if !between {
            // Something is owed. Whatever it is, nobody else shall have it.
            self.login.state.begin_unknown();
        }
        if self.statements.keep_home() {
            return Ok(Some(Hold::Statement));
        }
        let asked = !self.behind.clean || self.traces.counts_rows || self.looks_back;
        if !quiet && asked {
            return Ok(Some(Hold::Diagnostics));
        }
        match self.login.state.hold(status) {
            None => {}
            Some(Hold::CharsetUnknown) => _ = self.read_charsets().await?,
            Some(Hold::Unreported) => self.flush_reports().await?,
            hold => return Ok(hold),
        }
        if self.login.state.has_inserted() || self.login.primary.get()?.insert_id != 0 {
            self.read_insert_id(TAKE_INSERT_ID).await?;
            self.login.primary.get()?.insert_id = 0;
        }
        let status = self.login.primary.status();
        Ok(self.login.state.hold(status))
    }

    /// Has the server report what an ERR has hidden. The diagnostics stay as they are.
    pub(super) async fn flush_reports(&mut self) -> Result<(), Closing> {
        if !self.login.state.view().unreported {
            return Ok(());
        }
        self.login.state.expect_hidden();
        match self.login.primary.flavor() {
            // The next OK tells all.
            Flavor::MySql => {
                if self.command_primary(Command::Ping, &[]).await?.is_ok() {
                    self.login.state.reported_all();
                }
            }
            Flavor::MariaDb => _ = self.have_reported().await?,
        }
        Ok(())
    }

    /// The connection on which the statement before ran, where nobody has used it since. False where somebody has.
    pub(super) fn lease_again(&mut self) -> bool {
        if self.asked_own {
            return false;
        }
        let lease = &mut self.login.primary;
        if lease.held.is_some() {
            return true;
        }
        let ticket = lease.last.take();
        let Some(connection) =
            lease.pool.as_ref().zip(ticket).and_then(|(shelf, ticket)| shelf.take_again(ticket))
        else {
            return false;
        };
        lease.put(connection);
        if let Some(held) = &self.login.primary.held {
            let spot = Spot::of(held);
            self.reach().lend_primary(spot);
        }
        true
    }
}

/// MariaDB shows what others were warned of until a statement names a table.
async fn clear(connection: &mut Connection) -> Result<(), BackendError> {
    if connection.flavor() == Flavor::MariaDb && std::mem::take(&mut connection.warned) {
        connection.query(CLEAR_WARNINGS, LIMIT).await?;
    }
    Ok(())
}

/// What a session knows of the connection that it has.
fn describe(connection: &mut Connection, state: &State) {
    if connection.schema.as_deref() != state.schema() {
        connection.schema = state.schema().map(Into::into);
    }
    connection.names = state.names().cloned();
    connection.variables = state.variables().clone();
    connection.local = state.home().clone();
    connection.closes_after = state.wait_timeout();
}
