//! The command loop of one client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use zeroize::Zeroize;

use super::checkout::Shelves;
use super::context::{Context, Whose};
use super::fate::Fate;
use super::idle::Idle;
use super::lease::Lease;
use super::lent::Lent;
use super::login::Former;
use super::plan::Plan;
use super::prepared::Execution;
use super::reach::Reach;
use super::read_only::ReadOnly;
use super::relay::{self, RelayError};
use super::roster::{Card, Presence};
use super::tally::Place;
use super::vigil::Vigil;
use crate::auth::Nonce;
use crate::backend::{BackendError, Connection, Purpose};
use crate::failover::Pass;
use crate::net::link::Link;
use crate::pool::Shelf;
use crate::routing::{Preferences, Reason, Target};
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::runtime::shutdown;
use crate::session::{Behind, Here, State, Statements, Variables};
use crate::sql::Traces;
use crate::topology::{Flavor, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::change_user;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::login_request::LoginRequest;
use crate::wire::reply::ClientForm;

/// What a client has once it is logged in.
pub(super) struct LoggedIn {
    pub(super) id: u32,
    pub(super) user: Box<[u8]>,
    pub(super) secret: Arc<LockedBytes>,
    pub(super) collation: u16,
    pub(super) capabilities: Capabilities,
    pub(super) form: ClientForm,
    pub(super) primary: Lease,
    pub(super) state: State,
    /// The character sets that a connection has when this client has just logged in, where they are known.
    pub(super) first_names: Option<Arc<str>>,
    /// The greeting's, for a COM_CHANGE_USER of a client that cannot be given another.
    pub(super) nonce: Nonce,
    /// Where the client is; nothing for Unix sockets.
    pub(super) client: Option<SocketAddr>,
    /// What its user has of routing settings.
    pub(super) preferences: Preferences,
    /// Its place among those of its user.
    pub(super) _place: Place<Box<[u8]>>,
    /// Its card on the roster.
    pub(super) presence: Presence,
}

impl LoggedIn {
    /// Which connections may serve it.
    pub(super) fn whose(&self) -> Whose<'_> {
        Whose { user: &self.user, capabilities: self.capabilities, client: self.client }
    }

    /// What is left of it when the client logs in anew.
    pub(super) const fn former(&self) -> Former {
        Former { id: self.id, capabilities: self.capabilities, nonce: self.nonce }
    }
}

/// What is left of a session.
pub(super) struct Remains {
    pub(super) link: Link,
    /// Its connection to the primary, where it has one.
    pub(super) primary: Option<Connection>,
    /// Where that may serve others after a reset.
    pub(super) shelf: Option<Arc<Shelf>>,
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Closing {
    /// The client said goodbye, or hung up.
    Quit,
    /// A stream failed.
    Relay(RelayError),
    /// The client was told why.
    Told(&'static str),
    /// The client logs in anew, on the same connection.
    ChangeUser(Box<LoginRequest>),
}

impl From<BackendError> for Closing {
    fn from(error: BackendError) -> Self {
        Self::Relay(RelayError::Server(error))
    }
}

impl From<RelayError> for Closing {
    fn from(error: RelayError) -> Self {
        Self::Relay(error)
    }
}

/// Questions about a statement, and the replies that its server gave to them.
pub(super) type Copies = Arc<[(&'static str, Vec<u8>)]>;

/// One client and its connection to the primary.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) client: Link,
    pub(super) login: LoggedIn,
    pub(super) shelves: Shelves,
    /// Where the last statement ran, if it was a replica.
    pub(super) lent: Option<Lent>,
    /// What it has prepared.
    pub(super) statements: Statements,
    /// The prepared statement that the command at the front of the inbox runs, where it may run anywhere.
    pub(super) executing: Option<Execution>,
    /// The transaction that is open on a replica.
    pub(super) read_only: Option<ReadOnly>,
    pub(super) published: watch::Receiver<Arc<Topology>>,
    /// The snapshot that the present statement is decided on.
    pub(super) topology: Arc<Topology>,
    /// Leave to be on the primary, while a statement or a transaction is.
    pub(super) pass: Option<Pass>,
    /// Leave to do something at all, while a statement or a transaction is under way.
    pub(super) inside: Option<Pass>,
    /// What it had was lost with its primary.
    pub(super) doomed: bool,
    /// Its transaction was lost with its primary, and the client has not heard of that.
    pub(super) cut_short: Option<Fate>,
    /// When the present statement arrived.
    pub(super) arrived: Instant,
    pub(super) idle: Idle,
    /// Looks on while a server is at work.
    pub(super) vigil: Vigil,
    /// The same snapshots, for a session that waits for a replica.
    pub(super) lookout: watch::Receiver<Arc<Topology>>,
    /// The client asks about the statement before, so the connections that it runs on are kept until the next.
    pub(super) looks_back: bool,
    /// Headgate has asked something of its own on the primary since.
    pub(super) asked_own: bool,
    /// What the statement before may have left there.
    pub(super) traces: Traces,
    /// What of that the connection knows on which it ran.
    pub(super) here: Here,
    /// How the statement before has ended on the primary.
    pub(super) behind: Behind,
    /// What the server says of its warnings, where its connection was given back.
    pub(super) copied_warnings: Option<Copies>,
    /// The defaults of session variables that the session began with.
    pub(super) defaults: Variables,
    /// When the primary connection last answered.
    pub(super) used_primary: Instant,
}

impl Session {
    pub(super) fn new(
        context: Arc<Context>,
        client: Link,
        login: LoggedIn,
        shutdown: shutdown::Listener,
    ) -> Self {
        let published = context.shared.topology.clone();
        let lookout = published.clone();
        let topology = context.topology();
        Self {
            context,
            client,
            login,
            shelves: Shelves::default(),
            lent: None,
            statements: Statements::default(),
            executing: None,
            read_only: None,
            published,
            topology,
            pass: None,
            inside: None,
            doomed: false,
            cut_short: None,
            arrived: clock::now(),
            idle: Idle::new(shutdown),
            vigil: Vigil::default(),
            lookout,
            looks_back: false,
            asked_own: false,
            traces: Traces::default(),
            here: Here::ALL,
            behind: Behind::NOTHING,
            copied_warnings: None,
            defaults: Variables::DEFAULT,
            used_primary: clock::now(),
        }
    }

    /// Where a KILL finds this session.
    pub(super) fn reach(&self) -> &Reach {
        self.login.presence.reach()
    }

    /// What the console sees of this session.
    pub(super) fn card(&self) -> Arc<Card> {
        self.login.presence.card()
    }

    /// Serves commands until there is a reason to stop.
    pub(super) async fn run(&mut self) -> Closing {
        if let Err(closing) = self.join_pool().await {
            return closing;
        }
        loop {
            let served = async {
                self.next_command().await?;
                self.command().await?;
                self.give_back(false).await?;
                self.leave_reign();
                self.leave_traffic();
                Ok(())
            }
            .await;
            let keeps = self.login.primary.keeps();
            self.login.presence.show(&self.login.state, self.lex_mode(), keeps);
            self.count_traffic();
            if let Err(closing) = served {
                if let Closing::Relay(error) = &closing
                    && let Some(breach) = error.breach()
                {
                    // Servers say it, and close.
                    let seq = self.client.number_inside().unwrap_or(1);
                    let _ = self.tell(seq, &breach).await;
                }
                return closing;
            }
        }
    }

    /// The end of the session.
    pub(super) fn into_remains(mut self) -> Remains {
        self.give_back_lent();
        if let Some(transaction) = self.read_only.take() {
            transaction.leave();
        }
        // A reset leaves the schema as it is.
        self.note_setting();
        let spared = self.reach().give_up_primary();
        let Some(mut primary) = self.login.primary.held.take() else {
            return Remains { link: self.client, primary: None, shelf: None };
        };
        // What may have changed a role is not undone by a reset; MariaDB's connections are never proven
        // anew (HAZARDS 3).
        let reusable = primary.flavor() == Flavor::MySql
            && spared
            && primary.is_between_replies()
            && self.login.state.may_be_reset();
        let shelf =
            reusable.then(|| self.context.shelf(primary.server(), Purpose::Primary, self.login.whose()));
        if reusable {
            primary.credential = Some(Arc::clone(&self.login.secret));
        }
        Remains { link: self.client, primary: Some(primary), shelf }
    }

    /// Serves the command at the front of the inbox.
    async fn command(&mut self) -> Result<(), Closing> {
        if self.client.is_compressed()
            && let Some(seq) = self.client.inbox.get_mut(HEADER - 1)
        {
            // Servers look at the numbers of the packets outside alone.
            *seq = 0;
        }
        let Some(header) = Header::read(&self.client.inbox) else { return Err(Closing::Quit) };
        if header.seq != 0 {
            // ER_NET_PACKETS_OUT_OF_ORDER.
            let text = "packets out of order";
            self.tell(header.seq.wrapping_add(1), &ErrPacket::own(1156, b"08S01", text)).await?;
            return Err(Closing::Told(text));
        }
        // Servers take an empty packet for COM_SLEEP, which they do not know.
        let byte = self.client.inbox.get(HEADER).filter(|_| header.len > 0);
        let byte = byte.copied().unwrap_or(Command::Sleep as u8);
        let plan = Plan::of(byte);
        // These have no reply.
        let silent = matches!(plan, Plan::Silent | Plan::Quit)
            || matches!(Command::of(byte), Some(Command::StmtClose | Command::StmtSendLongData));
        if let Err(error) = self.enter_traffic(byte, header).await? {
            return self.refuse_unsent(plan, header, &error).await;
        }
        if self.follow_reign(!silent).await? {
            self.note_unsent(plan);
            return Ok(());
        }
        let decides = matches!(plan, Plan::Query | Plan::Prepare | Plan::Execute);
        if self.read_only.is_some() && !decides && !self.command_in_read_only(byte).await? {
            return Ok(());
        }
        if self.login.primary.is_pooled() && self.served_for_pooled(byte, header).await? {
            return Ok(());
        }
        match plan {
            Plan::Query => self.query(header).await,
            Plan::Quit => Err(Closing::Quit),
            Plan::Kill => self.kill_command(header).await,
            // The OK of a ping repeats the warning count of the statement before.
            Plan::Relay(_)
                if byte == Command::Ping as u8 && self.lent.as_ref().is_some_and(Lent::is_kept) =>
            {
                self.ping_lent().await
            }
            Plan::Prepare => self.prepare(header).await,
            Plan::Execute => self.execute(byte, header).await,
            Plan::Relay(shape) => {
                self.note_statement(byte, header).await?;
                self.relay_command(byte, shape).await
            }
            Plan::Silent => {
                self.note_statement(byte, header).await?;
                self.count(Target::Primary, Reason::Command);
                self.forward_silently().await
            }
            Plan::ChangeUser => Err(self.change_user(header).await?),
            Plan::Dump => self.dump(header).await,
            Plan::Reset => self.reset().await,
            // ER_UNKNOWN_COM_ERROR.
            Plan::Unknown => {
                let error = ErrPacket { code: 1047, state: *b"08S01", message: b"Unknown command".to_vec() };
                self.refuse(&error).await
            }
        }
    }

    /// Whether the snapshot knows a primary that is not the session's.
    pub(super) fn primary_has_changed(&self) -> bool {
        self.topology.primary.as_ref().is_ok_and(|primary| *primary != self.login.primary.server())
    }

    /// COM_CHANGE_USER ends this session; another follows on the same link.
    async fn change_user(&mut self, header: Header) -> Result<Closing, Closing> {
        let readable = header.len <= change_user::MAX_PAYLOAD;
        if readable {
            relay::payload_from_client(&mut self.client, header.len).await?;
        }
        let payload = self.client.inbox.get(HEADER..HEADER + header.len).filter(|_| readable);
        let request = payload.and_then(|payload| change_user::parse(payload, self.login.capabilities).ok());
        let Some(request) = request else {
            // ER_UNKNOWN_COM_ERROR, as servers call it.
            let text = "COM_CHANGE_USER cannot be read";
            self.refuse(&ErrPacket::own(1047, b"08S01", text)).await?;
            return Err(Closing::Told(text));
        };
        // It may hold a password.
        self.client.inbox.get_mut(HEADER..HEADER + header.len).unwrap_or_default().zeroize();
        relay::discard_command(&mut self.client).await?;
        Ok(Closing::ChangeUser(Box::new(request)))
    }

    /// Refuses the command at the front of the inbox.
    pub(super) async fn refuse(&mut self, error: &ErrPacket) -> Result<(), Closing> {
        let seq = relay::discard_command(&mut self.client).await?;
        self.tell(seq, error).await
    }

    /// Sends an ERR.
    pub(super) async fn tell(&mut self, mut seq: u8, error: &ErrPacket) -> Result<(), Closing> {
        let mut out = Vec::new();
        put_packet(&mut out, &mut seq, &error.payload());
        let limit = self.context.shared.limits().client_write_timeout;
        self.client.send(&out, limit).await.map_err(|error| RelayError::Client(error).into())
    }

    /// Counts the bytes that have come and gone since the last time.
    pub(super) fn count_traffic(&mut self) {
        let volume = self.client.take_volume();
        let traffic = &self.context.shared.counters.traffic;
        traffic.received.increment(volume.received);
        traffic.sent.increment(volume.sent);
    }

    #[inline]
    pub(super) fn count(&self, target: Target, reason: Reason) {
        self.login.presence.count(target, reason, clock::now());
        let statements = &self.context.shared.counters.statements;
        match target {
            Target::Primary | Target::Nowhere => statements.primary.count(reason.index()),
            Target::Replica(_) => statements.replica.count(reason.index()),
        }
    }
}
