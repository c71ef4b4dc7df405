//! The command loop of one client.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::context::Context;
use super::plan::{Plan, query_text};
use super::relay::{self, Ending, RelayError, Terms, Volume};
use super::replica::{Lent, Shelves};
use crate::backend::{BackendError, Connection, Purpose};
use crate::net::link::Link;
use crate::pool::{Key, Shelf};
use crate::routing::{self, Decision, Reason, Target};
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::runtime::shutdown::{self, Phase};
use crate::session::{End, Source, State, Touched};
use crate::sql::{self, Class, Statement, Unclear};
use crate::topology::{Flavor, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::reply::{ClientForm, Shape, Tracker};
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

/// The longest statement that is read before it is sent on. Longer ones go to the primary unread.
const LONGEST_READ: usize = 256 * 1024;

/// How long a plain read waits for proof that a replica has what its session has seen.
const FRESHNESS_WAIT: Duration = Duration::from_millis(20);

/// What a client has once it is logged in.
pub(super) struct LoggedIn {
    pub(super) user: Box<[u8]>,
    pub(super) secret: Arc<LockedBytes>,
    pub(super) collation: u16,
    pub(super) capabilities: Capabilities,
    pub(super) form: ClientForm,
    pub(super) primary: Connection,
    pub(super) state: State,
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
}

impl From<RelayError> for Closing {
    fn from(error: RelayError) -> Self {
        Self::Relay(error)
    }
}

/// One client and its connection to the primary.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) client: Link,
    pub(super) login: LoggedIn,
    pub(super) shelves: Shelves,
    /// Where the last statement ran, if it was a replica.
    pub(super) lent: Option<Lent>,
    pub(super) volume: Volume,
    topology: watch::Receiver<Arc<Topology>>,
    shutdown: shutdown::Listener,
    /// The client asks about the statement before, so its replica connections are kept until the next.
    pub(super) looks_back: bool,
    used_primary: Instant,
}

/// What ends the wait for a command.
enum Woken {
    Client,
    Primary,
    Shutdown,
}

impl Session {
    pub(super) fn new(
        context: Arc<Context>,
        client: Link,
        login: LoggedIn,
        shutdown: shutdown::Listener,
    ) -> Self {
        let topology = context.shared.topology.clone();
        Self {
            context,
            client,
            login,
            shelves: Shelves::default(),
            lent: None,
            volume: Volume::default(),
            topology,
            shutdown,
            looks_back: false,
            used_primary: clock::now(),
        }
    }

    /// Serves commands until there is a reason to stop.
    pub(super) async fn run(&mut self) -> Closing {
        loop {
            let served = async {
                self.next_command().await?;
                self.command().await
            }
            .await;
            if let Err(closing) = served {
                return closing;
            }
        }
    }

    /// The client, and the primary connection where it may serve others after a reset.
    pub(super) fn into_parts(self) -> (Link, Option<(Arc<Shelf>, Connection)>) {
        let LoggedIn { primary, state, user, capabilities, .. } = self.login;
        // What may have changed a role is not undone by a reset; MariaDB's connections are never proven
        // anew (HAZARDS 3).
        let reusable = primary.flavor() == Flavor::MySql
            && primary.is_between_replies()
            && state.view().changed.is_none();
        let key = Key {
            server: primary.server(),
            purpose: Purpose::Primary,
            user,
            capabilities: capabilities & Capabilities::MEANINGFUL,
        };
        let shelf = reusable.then(|| self.context.pool.shelf(key));
        (self.client, shelf.map(|shelf| (shelf, primary)))
    }

    /// Waits until a command has begun to arrive.
    async fn next_command(&mut self) -> Result<(), Closing> {
        while self.client.inbox.len() <= HEADER {
            if !self.client.inbox.is_empty() {
                relay::more_from_client(&mut self.client).await?;
                continue;
            }
            let idle = !self.login.state.view().in_transaction;
            let wanted = if idle { Phase::Draining } else { Phase::Ending };
            let (client, primary) = (&mut self.client, &mut self.login.primary.link);
            let readable = poll_fn(|cx| {
                if client.poll_readable(cx).is_ready() {
                    return Poll::Ready(Woken::Client);
                }
                primary.poll_readable(cx).map(|_| Woken::Primary)
            });
            let woken = tokio::select! {
                biased;
                woken = readable => woken,
                () = self.shutdown.reached(wanted) => Woken::Shutdown,
            };
            match woken {
                Woken::Client => {
                    if !matches!(self.client.fill_if_empty().await, Ok(n) if n > 0) {
                        return Err(Closing::Quit);
                    }
                }
                Woken::Primary => return Err(self.primary_spoke().await),
                Woken::Shutdown => {
                    // ER_SERVER_SHUTDOWN.
                    let error = ErrPacket::own(1053, b"08S01", "Headgate is shutting down; connect again");
                    self.tell(0, &error).await?;
                    return Err(Closing::Told("shutdown"));
                }
            }
        }
        Ok(())
    }

    /// The primary has hung up on an idle session, perhaps with a last word (ER_CLIENT_INTERACTION_TIMEOUT):
    /// the client is told what it would be told directly.
    async fn primary_spoke(&mut self) -> Closing {
        let link = &mut self.login.primary.link;
        if matches!(link.fill_if_empty().await, Ok(n) if n > 0) {
            let n = link.inbox.len();
            let limit = self.context.shared.limits.client_write_timeout;
            if let Err(error) = link.pass_on(n, &mut self.client, limit).await {
                return RelayError::Client(error).into();
            }
        }
        RelayError::Server(BackendError::Closed).into()
    }

    /// Serves the command at the front of the inbox.
    async fn command(&mut self) -> Result<(), Closing> {
        let header = Header::read(&self.client.inbox);
        let (Some(header), Some(&byte)) = (header, self.client.inbox.get(HEADER)) else {
            return Err(Closing::Quit);
        };
        if header.seq != 0 || header.len == 0 {
            // ER_NET_PACKETS_OUT_OF_ORDER, ER_MALFORMED_PACKET.
            let (code, text) = if header.len == 0 {
                (1835, "malformed communication packet")
            } else {
                (1156, "packets out of order")
            };
            self.tell(header.seq.wrapping_add(1), &ErrPacket::own(code, b"08S01", text)).await?;
            return Err(Closing::Told(text));
        }
        self.check_reign().await?;
        match Plan::of(byte) {
            Plan::Query => self.query(header).await,
            Plan::Quit => Err(Closing::Quit),
            Plan::Relay(shape) => {
                let touched = self.prepare_command(byte, header).await?;
                self.on_primary(shape, touched, Reason::Command).await
            }
            Plan::Silent => {
                self.count(Target::Primary, Reason::Command);
                Ok(relay::forward_command(&mut self.client, &mut self.login.primary).await?)
            }
            Plan::Reset => self.reset().await,
            // ER_NOT_SUPPORTED_YET, ER_UNKNOWN_COM_ERROR.
            Plan::Refuse(text) => self.refuse(&ErrPacket::own(1235, b"42000", text)).await,
            Plan::Unknown => {
                let error = ErrPacket { code: 1047, state: *b"08S01", message: b"Unknown command".to_vec() };
                self.refuse(&error).await
            }
        }
    }

    /// A session belongs to the reign of the primary it is connected to.
    async fn check_reign(&mut self) -> Result<(), Closing> {
        let primary = self.topology.borrow().primary.as_ref().ok().copied();
        if primary.is_none_or(|primary| primary == self.login.primary.server()) {
            return Ok(());
        }
        let error = ErrPacket::own(1053, b"08S01", "another server is the primary now; connect again");
        let seq = relay::discard_command(&mut self.client).await?;
        self.tell(seq, &error).await?;
        Err(Closing::Told("the primary has changed"))
    }

    /// Serves a COM_QUERY.
    async fn query(&mut self, header: Header) -> Result<(), Closing> {
        let readable = header.len <= LONGEST_READ;
        while readable && self.client.inbox.len() < HEADER + header.len {
            relay::more_from_client(&mut self.client).await?;
        }
        let statement = match self.text(header) {
            Some(text) if readable => sql::classify(text, self.lex_mode()),
            _ => Statement { class: Class::Other(Unclear::Unreadable), looks_back: false },
        };
        if let Class::Kill(_) = statement.class {
            let text = "KILL is not supported yet: the ids that clients see are Headgate's; connect to the server itself";
            return self.refuse(&ErrPacket::own(1235, b"42000", text)).await;
        }
        if statement.looks_back
            && let Some(lent) = self.lent.take()
        {
            return self.look_back(lent, &statement.class).await;
        }
        self.give_back_lent();
        let mut decision = self.decide(&statement.class, header);
        if decision.worth_waiting {
            decision = self.wait_for_freshness(&statement.class, header, decision).await;
        }
        let mut reason = decision.reason;
        if let Target::Replica(id) = decision.target {
            match self.on_replica(id).await? {
                None => return Ok(()),
                Some(fallback) => reason = fallback,
            }
        }
        self.login.state.begin(&statement.class);
        let touched = match statement.class {
            Class::PlainRead | Class::PrimaryRead(_) | Class::Inspect | Class::Use(_) => Touched::Saw,
            Class::SetNames { .. } | Class::SetAutocommit => Touched::Nothing,
            _ => Touched::Wrote,
        };
        let sets_trackers = matches!(statement.class, Class::Other(_));
        self.on_primary(Shape::Results, touched, reason).await?;
        if sets_trackers && self.login.form.wish == Wish::Defaults {
            self.widen_wish();
        }
        if statement.ages_pools() || statement.class == Class::Ddl {
            self.something_changed(&statement.class);
        }
        Ok(())
    }

    /// The text of the COM_QUERY at the front of the inbox.
    fn text(&self, header: Header) -> Option<&[u8]> {
        let payload = self.client.inbox.get(HEADER..HEADER + header.len)?;
        query_text(payload, self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES))
    }

    fn lex_mode(&self) -> sql::LexMode {
        let topology = self.topology.borrow();
        let safe = self.login.state.charset_safe();
        match &topology.facts {
            Some(facts) => facts.lex_mode(safe),
            None => sql::LexMode::new("", "", sql::Dialect::MySql),
        }
    }

    fn decide(&self, class: &Class, header: Header) -> Decision {
        let topology = Arc::clone(&self.topology.borrow());
        let state = &self.login.state;
        let names_view = |facts: &crate::topology::Facts| {
            !facts.has_no_views()
                && self.text(header).is_none_or(|text| {
                    sql::mentions(text, facts.lex_mode(state.charset_safe()), |name| facts.may_be_view(name))
                })
        };
        let shared = &self.context.shared;
        let rotation = match class {
            Class::PlainRead => shared.rotation.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let now = clock::now();
        let decision = routing::decide(
            class,
            state.view(),
            &topology,
            &shared.policy,
            names_view,
            rotation,
            now,
            &mut (),
        );
        if matches!(decision.reason, Reason::Wrote | Reason::Seen) {
            shared.freshness_wanted.notify_one();
        }
        // The server closes what idles; a read now and then keeps the primary connection alive.
        let idle_limit = topology.facts.as_ref().map(|facts| facts.wait_timeout / 2);
        let idles = idle_limit.is_some_and(|limit| now.saturating_duration_since(self.used_primary) > limit);
        if idles && decision.target != Target::Primary {
            return Decision { target: Target::Primary, reason: Reason::KeepAlive, worth_waiting: false };
        }
        decision
    }

    /// Waits, for a short time only, until a replica is known to have what the session has seen.
    async fn wait_for_freshness(
        &mut self,
        class: &Class,
        header: Header,
        mut decision: Decision,
    ) -> Decision {
        let deadline = clock::now() + FRESHNESS_WAIT;
        while decision.worth_waiting {
            let left = deadline.saturating_duration_since(clock::now());
            let changed = clock::within(left, self.topology.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                break;
            }
            decision = self.decide(class, header);
        }
        decision
    }

    /// Notes what a command other than COM_QUERY may do.
    async fn prepare_command(&mut self, byte: u8, header: Header) -> Result<Touched, Closing> {
        self.give_back_lent();
        match Command::of(byte) {
            Some(Command::StmtPrepare) => {
                let readable = header.len <= LONGEST_READ;
                while readable && self.client.inbox.len() < HEADER + header.len {
                    relay::more_from_client(&mut self.client).await?;
                }
                let text = self.client.inbox.get(HEADER + 1..HEADER + header.len);
                let class = text.map(|text| sql::classify(text, self.lex_mode()).class);
                // What runs later runs unread, so what it may do counts from now on.
                match class {
                    Some(
                        Class::PlainRead
                        | Class::PrimaryRead(_)
                        | Class::Data
                        | Class::Inspect
                        | Class::Ddl
                        | Class::Transaction(_)
                        | Class::SetAutocommit
                        | Class::Use(_),
                    ) => {}
                    _ => self.login.state.begin_unknown(),
                }
                Ok(Touched::Nothing)
            }
            Some(Command::Ping | Command::Statistics | Command::StmtReset | Command::SetOption) => {
                Ok(Touched::Nothing)
            }
            Some(Command::StmtFetch | Command::FieldList | Command::InitDb) => Ok(Touched::Saw),
            _ => Ok(Touched::Wrote),
        }
    }

    /// Relays the command at the front of the inbox to the primary, and its reply back.
    async fn on_primary(&mut self, shape: Shape, touched: Touched, reason: Reason) -> Result<(), Closing> {
        self.count(Target::Primary, reason);
        let LoggedIn { primary, state, form, .. } = &mut self.login;
        let mut tracker = Tracker::new(shape, *form, primary.status);
        let sent = relay::forward_command(&mut self.client, primary).await;
        if let Err(error @ RelayError::Client(_)) = sent {
            return Err(error.into());
        }
        // Where the server has hung up on a command, it may have said why first.
        let terms = Terms {
            client_write_timeout: self.context.shared.limits.client_write_timeout,
            hold_error: false,
        };
        let see = |change: crate::wire::session_track::Change<'_>| state.observe(change);
        let reply = relay::reply(&mut self.client, primary, &mut tracker, terms, &mut self.volume, see).await;
        match (reply, sent) {
            (Ok(Ending::Delivered(end) | Ending::HeldBack(end)), Ok(())) => {
                self.used_primary = clock::now();
                self.login.state.settle(End {
                    status: end.status,
                    error: end.error,
                    source: Source::Primary,
                    touched,
                    now: self.used_primary,
                });
                Ok(())
            }
            (Ok(_), Err(error)) => Err(error.into()),
            (Err(RelayError::Server(error)), _) => {
                self.lose_server(&tracker, &error).await?;
                Err(RelayError::Server(error).into())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Tells the client that a server was lost in the middle of a reply, where a packet fits in.
    pub(super) async fn lose_server(
        &mut self,
        tracker: &Tracker,
        error: &BackendError,
    ) -> Result<(), Closing> {
        if !tracker.between_packets() {
            return Err(Closing::Told("a reply was torn"));
        }
        let seq = if tracker.untouched() { 1 } else { tracker.next_client_seq() };
        let text = format!("the connection to the server was lost while it ran the statement ({error})");
        // CR_SERVER_LOST.
        self.tell(seq, &ErrPacket::own(2013, b"HY000", &text)).await
    }

    /// COM_RESET_CONNECTION: the server's trackers go with everything else, so they are set again before
    /// the client goes on.
    async fn reset(&mut self) -> Result<(), Closing> {
        self.give_back_lent();
        self.on_primary(Shape::Results, Touched::Wrote, Reason::Command).await?;
        let limit = self.context.shared.limits.connect_timeout;
        let prepared = self.login.primary.prepare(Purpose::Primary, limit).await;
        prepared.map_err(|error| Closing::Relay(RelayError::Server(error)))?;
        let generation = self.topology.borrow().facts.as_ref().map_or(0, |facts| facts.generation);
        let status = StatusFlags(self.login.primary.status.0);
        self.login.state.reset(status, generation, clock::now());
        if self.login.form.wish == Wish::Everything {
            self.login.form.wish = Wish::Defaults;
        }
        Ok(())
    }

    /// A session that sets something unknown may have asked for session tracking of its own.
    fn widen_wish(&mut self) {
        if self.login.state.has_set_trackers() {
            self.login.form.wish = Wish::Everything;
        }
    }

    /// The monitor looks again, and connections opened under other accounts or defaults are let go.
    fn something_changed(&self, class: &Class) {
        self.context.shared.changed.send_modify(|count| *count += 1);
        if matches!(class, Class::Account | Class::SetGlobal) {
            self.context.pool.close_idle(None);
        }
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
        let limit = self.context.shared.limits.client_write_timeout;
        self.client.send(&out, limit).await.map_err(|error| RelayError::Client(error).into())
    }

    #[inline]
    pub(super) fn count(&self, target: Target, reason: Reason) {
        let statements = &self.context.shared.counters.statements;
        match target {
            Target::Primary => statements.primary.count(reason.index()),
            Target::Replica(_) => statements.replica.count(0),
        }
    }
}
