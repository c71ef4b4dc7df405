//! KILL: of what a client, or Headgate itself, wants ended.
//!
//! A client's KILL runs on its own connection to the primary, so the server decides whether it may: who is told
//! what, is the server's own word. What runs on a replica is ended there after that, over a connection in the
//! same name.

use std::net::SocketAddr;
use std::sync::Arc;

use super::context::Context;
use super::errand::Errand;
use super::ids::Owner;
use super::primary::INTERRUPTED;
use super::reach::Spot;
use super::relay::{self, RelayError};
use super::roster::Card;
use super::session::{Closing, LoggedIn, Session};
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pooling::Mode;
use crate::routing::{Reason, Target};
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::session::{Behind, Touched};
use crate::sql::Kill;
use crate::topology::ServerId;
use crate::wire::answer::Answer;
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::cursor::Cursor;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::ok::OkPacket;
use crate::wire::reply::Shape;

/// ER_NO_SUCH_THREAD.
const NO_SUCH_THREAD: u16 = 1094;

/// ER_KILL_DENIED_ERROR.
const KILL_DENIED: u16 = 1095;

/// How a client asked.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text {
        query: bool,
        soft: bool,
    },
    /// COM_PROCESS_KILL.
    Command,
}

/// What it asked for.
#[derive(Debug)]
enum Aim {
    Session(Arc<Card>),
    /// A connection that Headgate does not know: the primary may.
    Unknown(u64),
}

impl Session {
    /// Serves a KILL by id. Nothing where the statement is the server's alone to understand.
    pub(super) async fn kill(&mut self, kill: Kill) -> Result<bool, Closing> {
        let Kill::Id { id, query, soft } = kill else { return Ok(false) };
        self.kill_by_id(id, Form::Text { query, soft }).await.map(|()| true)
    }

    /// Serves a COM_PROCESS_KILL.
    pub(super) async fn kill_command(&mut self, header: Header) -> Result<(), Closing> {
        let len = header.len.min(5);
        relay::payload_from_client(&mut self.client, len).await?;
        let argument = self.client.inbox.get(HEADER + 1..HEADER + len).unwrap_or_default();
        match Cursor::new(argument).u32("connection id") {
            Ok(id) => self.kill_by_id(u64::from(id), Form::Command).await,
            // Without an id it reaches nobody; what is wrong with it, the primary says.
            Err(_) => self.on_primary(Errand::command(Shape::Results, Touched::Nothing)).await,
        }
    }

    async fn kill_by_id(&mut self, id: u64, form: Form) -> Result<(), Closing> {
        self.give_back_lent();
        let aim = match self.aim(id) {
            Ok(aim) => aim,
            Err(error) => return self.refuse_kill(&error).await,
        };
        self.count(Target::Primary, Reason::Command);
        let own = matches!(&aim, Aim::Session(card) if card.id == self.login.id);
        if own && self.login.primary.is_pooled() && matches!(form, Form::Text { query: true, .. }) {
            // Nothing else of the session's is under way, and what is, is this.
            return self.refuse_kill(&interrupted()).await;
        }
        let verdict = match &aim {
            Aim::Unknown(id) => self.run_kill(*id, form).await?,
            Aim::Session(card) => self.run_kill_of(card, id, form).await?,
        };
        if let Aim::Session(card) = &aim {
            match &verdict {
                Ok(_) => {
                    if let Err(error) = self.kill_on_replica(card, form).await {
                        return self.refuse_kill(&error.to_client()).await;
                    }
                    let ends = !matches!(form, Form::Text { query: true, .. });
                    if ends && card.pool.mode == Mode::Transaction {
                        // What has lost its connection alone would go on with another.
                        card.kill();
                    }
                }
                // Nothing has happened to it.
                Err(_) => card.reach.spare_primary(),
            }
        }
        match verdict {
            Ok(_) => self.tell_ok().await,
            // The server speaks of its own id, the client knows another. Of one that Headgate does not know it
            // speaks as it is asked, cut to 32 bits on MySQL.
            Err(error) if matches!(aim, Aim::Session(_)) => self.refuse_kill(&in_terms_of(id, error)).await,
            Err(error) => self.refuse_kill(&error).await,
        }
    }

    /// The answer to a KILL that has failed. No connection knows of this error.
    async fn refuse_kill(&mut self, error: &ErrPacket) -> Result<(), Closing> {
        self.behind = Behind { row_count: -1, found_rows: None, clean: false };
        (self.asked_own, self.copied_warnings) = (true, None);
        self.forget_where_it_ran();
        self.refuse(error).await
    }

    /// The primary's verdict about a KILL of a session.
    async fn run_kill_of(
        &mut self,
        card: &Card,
        id: u64,
        form: Form,
    ) -> Result<Result<Answer, ErrPacket>, Closing> {
        let pooled = card.pool.mode == Mode::Transaction;
        match card.reach.aim_at_primary() {
            Some(spot) if spot.server == self.login.primary.server() => {
                let verdict = self.run_kill(u64::from(spot.thread_id), form).await?;
                let gone = matches!(&verdict, Err(error) if error.code == NO_SUCH_THREAD);
                if !gone || !pooled || self.context.shared.roster.card(card.id).is_none() {
                    return Ok(verdict);
                }
                // The session has given that connection up meanwhile, and goes on without.
            }
            None if pooled => {}
            // It is about to end by itself: its primary is none any more.
            Some(_) | None => return Ok(Err(no_such_thread(id))),
        }
        match self.stand_in(card).await {
            Ok(stand_in) => {
                let verdict = self.run_kill(u64::from(stand_in.thread_id()), form).await?;
                stand_in.leave();
                Ok(verdict)
            }
            Err(error) => Ok(Err(error.to_client())),
        }
    }

    /// A connection in the name of a session that has none at the moment, so that the primary can say whether this
    /// one may kill it.
    async fn stand_in(&mut self, card: &Card) -> Result<Connection, BackendError> {
        let server = self.login.primary.server();
        Striker::of(&self.context, card).connect(server).await
    }

    /// What an id stands for.
    fn aim(&self, id: u64) -> Result<Aim, ErrPacket> {
        let shared = &self.context.shared;
        match shared.ids.owner(id) {
            Owner::Ours(ours) => shared.roster.card(ours).map(Aim::Session).ok_or_else(|| no_such_thread(id)),
            Owner::Server => {
                let thread_id = u32::try_from(id).unwrap_or(0);
                let spot = Spot { server: self.login.primary.server(), thread_id };
                Ok(shared.roster.at_primary(spot).map_or(Aim::Unknown(id), Aim::Session))
            }
            Owner::Another(instance) => {
                let text = format!(
                    "Unknown thread id: {id} (a client of the Headgate with listen.instance = {instance}; \
                     this one is {})",
                    shared.ids.instance()
                );
                Err(ErrPacket { code: NO_SUCH_THREAD, state: *b"HY000", message: text.into_bytes() })
            }
        }
    }

    /// The primary's verdict.
    async fn run_kill(&mut self, id: u64, form: Form) -> Result<Result<Answer, ErrPacket>, Closing> {
        let (command, argument) = match form {
            Form::Text { query, soft } => (Command::Query, statement(id, query, soft).into_bytes()),
            Form::Command => (Command::ProcessKill, u32::try_from(id).unwrap_or(0).to_le_bytes().to_vec()),
        };
        if !self.login.primary.is_pooled() || self.login.primary.held().is_some() {
            return self.command_primary(command, &argument).await;
        }
        // What is to make room must not wait for room.
        let server = self.login.primary.server();
        let limit = self.context.shared.limits().connect_timeout;
        let struck = async {
            let striker = Striker::by(&self.context, &self.login);
            let _turn = clock::within(limit, self.context.shared.strikes.acquire()).await?;
            let mut connection = striker.connect(server).await?;
            let answer = connection.command(command, &argument, limit).await;
            connection.leave();
            answer
        };
        Ok(struck.await.map_err(|error| error.to_client()))
    }

    /// The primary has let the KILL pass. Where the session's statement runs on a replica, it is ended there.
    /// An error where it goes on.
    async fn kill_on_replica(&mut self, card: &Card, form: Form) -> Result<(), BackendError> {
        let Some(spot) = card.reach.aim_at_replica() else { return Ok(()) };
        let (query, soft) = match form {
            Form::Text { query, soft } => (query, soft),
            Form::Command => (false, false),
        };
        if let Err(error) = self.strike(spot, query, soft).await {
            tracing::warn!(session = card.id, server = %spot.server, %error, "KILL did not reach a replica");
            if query {
                return Err(error);
            }
            card.kill();
        }
        Ok(())
    }

    /// Ends what a connection does, in this session's name.
    pub(super) async fn strike(&mut self, spot: Spot, query: bool, soft: bool) -> Result<(), BackendError> {
        let striker = Striker::by(&self.context, &self.login);
        striker.strike(spot, &statement(u64::from(spot.thread_id), query, soft)).await
    }

    /// Answers the command at the front of the inbox with an OK.
    pub(super) async fn tell_ok(&mut self) -> Result<(), Closing> {
        // As after any OK; no connection knows of this one.
        self.behind.row_count = 0;
        self.asked_own = true;
        let mut seq = relay::discard_command(&mut self.client).await?;
        let mut out = Vec::new();
        put_packet(&mut out, &mut seq, &OkPacket::plain_payload(self.login.primary.status()));
        let limit = self.context.shared.limits().client_write_timeout;
        self.client.send(&out, limit).await.map_err(|error| RelayError::Client(error).into())
    }
}

/// What a server says of a statement that a KILL has ended.
fn interrupted() -> ErrPacket {
    let message = b"Query execution was interrupted".to_vec();
    ErrPacket { code: INTERRUPTED, state: *b"70100", message }
}

/// Ends what a session does at the moment, in its own name. The session goes on.
///
/// # Errors
/// Its server could not be reached.
pub async fn end_statement_of(card: &Card, context: &Context) -> Result<(), BackendError> {
    let Some(spot) = card.reach.aim_at_replica().or_else(|| card.reach.aim_at_primary()) else {
        return Ok(());
    };
    let end = statement(u64::from(spot.thread_id), true, false);
    Striker::of(context, card).strike(spot, &end).await
}

/// Ends what the connections do of a session that is over in the middle of something: a server does not notice that
/// its client has gone while it is at work. They are closed already, and end with it (`gone` says why it is no KILL of
/// the connections).
pub(super) async fn end_connections_of(card: &Card, context: &Context) {
    let striker = Striker::of(context, card);
    for spot in [card.reach.aim_at_replica(), card.reach.aim_at_primary()].into_iter().flatten() {
        if let Err(error) = striker.strike(spot, &statement(u64::from(spot.thread_id), true, false)).await {
            tracing::warn!(session = card.id, server = %spot.server, %error, "what a killed session did may go on");
        }
    }
}

/// In whose name statements are ended.
pub(super) struct Striker<'a> {
    pub(super) context: &'a Context,
    pub(super) user: &'a [u8],
    pub(super) secret: &'a LockedBytes,
    /// Where that user is: its account may depend on it.
    pub(super) client: Option<SocketAddr>,
}

impl<'a> Striker<'a> {
    /// In the name of the session that this is the card of.
    fn of(context: &'a Context, card: &'a Card) -> Self {
        Self { context, user: &card.user, secret: &card.secret, client: card.client }
    }

    fn by(context: &'a Context, login: &'a LoggedIn) -> Self {
        Self { context, user: &login.user, secret: &login.secret, client: login.client }
    }

    /// Runs a KILL over a connection of its own.
    pub(super) async fn strike(&self, spot: Spot, sql: &str) -> Result<(), BackendError> {
        let shared = &self.context.shared;
        let limit = shared.limits().connect_timeout;
        // The semaphore is never closed, and those who hold it are held to deadlines.
        let _turn = clock::within(limit, shared.strikes.acquire()).await?;
        let mut connection = self.connect(spot.server).await?;
        let answer = connection.query(sql, limit).await;
        connection.leave();
        match answer {
            // It had ended by itself.
            Err(BackendError::Refused { error }) if error.code == NO_SUCH_THREAD => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// A connection in the user's name.
    async fn connect(&self, server: ServerId) -> Result<Connection, BackendError> {
        let target =
            self.context.target(&self.context.topology(), server, self.client).ok_or(BackendError::Closed)?;
        let secret = self.secret.read(Secret::decode).ok_or(BackendError::Closed)?;
        let credentials = Credentials {
            user: self.user,
            secret: &secret,
            schema: None,
            collation: 45,
            capabilities: Capabilities::default(),
            attributes: &[],
        };
        Connection::open(&target, credentials, Purpose::Control).await
    }
}

fn statement(id: u64, query: bool, soft: bool) -> String {
    let (soft, query) = (if soft { "SOFT " } else { "" }, if query { "QUERY " } else { "" });
    format!("KILL {soft}{query}{id}")
}

/// The server's refusal with the id that the client knows.
fn in_terms_of(id: u64, error: ErrPacket) -> ErrPacket {
    match error.code {
        NO_SUCH_THREAD => no_such_thread(id),
        KILL_DENIED => {
            ErrPacket { message: format!("You are not owner of thread {id}").into_bytes(), ..error }
        }
        _ => error,
    }
}

fn no_such_thread(id: u64) -> ErrPacket {
    let message = format!("Unknown thread id: {id}").into_bytes();
    ErrPacket { code: NO_SUCH_THREAD, state: *b"HY000", message }
}
