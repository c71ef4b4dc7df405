//! The command loop of one client.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::Sleep;

use super::checkout::Shelves;
use super::context::Context;
use super::plan::Plan;
use super::read_only::ReadOnly;
use super::relay::{self, RelayError};
use super::replica::{self, Lent};
use super::roster::{Card, Presence};
use crate::backend::{BackendError, Connection, Purpose};
use crate::net::link::Link;
use crate::pool::{Key, Shelf};
use crate::routing::{Reason, Target};
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::runtime::shutdown::{self, Phase};
use crate::session::State;
use crate::topology::{Flavor, Topology};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet};
use crate::wire::reply::ClientForm;

/// What a client has once it is logged in.
pub(super) struct LoggedIn {
    pub(super) id: u32,
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
    /// The transaction that is open on a replica.
    pub(super) read_only: Option<ReadOnly>,
    pub(super) published: watch::Receiver<Arc<Topology>>,
    /// The snapshot that the present statement is decided on.
    pub(super) topology: Arc<Topology>,
    shutdown: shutdown::Listener,
    drain: Drain,
    /// Wakes a session that waits for a replica. Armed once for many statements: see [`Session::on_replica`].
    pub(super) patience: Option<Pin<Box<Sleep>>>,
    /// The client asks about the statement before, so its replica connections are kept until the next.
    pub(super) looks_back: bool,
    /// When the primary connection last answered.
    pub(super) used_primary: Instant,
    presence: Presence,
}

/// Hears of the drain. Waiting for it is begun once and not for each command: it costs a lock that all
/// sessions share.
struct Drain {
    begins: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// It has been polled by this task, which will be woken.
    heard: bool,
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
        let published = context.shared.topology.clone();
        let topology = context.topology();
        let mut listener = shutdown.clone();
        let begins = Box::pin(async move { listener.reached(Phase::Draining).await });
        let presence = context.shared.roster.register(login.id, &login.user, client.socket().peer());
        Self {
            context,
            client,
            login,
            shelves: Shelves::default(),
            lent: None,
            read_only: None,
            published,
            topology,
            shutdown,
            drain: Drain { begins, heard: false },
            patience: None,
            looks_back: false,
            used_primary: clock::now(),
            presence,
        }
    }

    /// What the console sees of this session.
    pub(super) fn card(&self) -> Arc<Card> {
        self.presence.card()
    }

    /// Serves commands until there is a reason to stop.
    pub(super) async fn run(&mut self) -> Closing {
        loop {
            let served = async {
                self.next_command().await?;
                self.command().await
            }
            .await;
            self.presence.show(&self.login.state, self.lex_mode());
            let volume = self.client.take_volume();
            let traffic = &self.context.shared.counters.traffic;
            traffic.received.increment(volume.received);
            traffic.sent.increment(volume.sent);
            if let Err(closing) = served {
                return closing;
            }
        }
    }

    /// The client, and the primary connection with its shelf where it may serve others after a reset.
    pub(super) fn into_parts(mut self) -> (Link, Option<(Arc<Shelf>, Connection)>) {
        self.give_back_lent();
        if let Some(transaction) = self.read_only.take() {
            transaction.leave();
        }
        let LoggedIn { mut primary, state, user, capabilities, secret, .. } = self.login;
        // What may have changed a role is not undone by a reset; MariaDB's connections are never proven
        // anew (HAZARDS 3).
        let reusable = primary.flavor() == Flavor::MySql
            && primary.is_between_replies()
            && state.view().changed.is_none();
        if !reusable {
            primary.leave();
            return (self.client, None);
        }
        let shelf = self.context.pool.shelf(Key {
            server: primary.server(),
            purpose: Purpose::Primary,
            user,
            capabilities: capabilities & Capabilities::MEANINGFUL,
        });
        primary.credential = Some(secret);
        (self.client, Some((shelf, primary)))
    }

    /// Waits until a command has begun to arrive.
    async fn next_command(&mut self) -> Result<(), Closing> {
        while !has_begun(&self.client.inbox) {
            if !self.client.inbox.is_empty() {
                relay::more_from_client(&mut self.client).await?;
                continue;
            }
            let idle = !self.login.state.view().in_transaction;
            let wanted = if idle { Phase::Draining } else { Phase::Ending };
            let phase = self.shutdown.phase();
            if phase >= wanted {
                return Err(self.shut_down().await);
            }
            let woken = if phase == Phase::Running {
                self.wait().await
            } else {
                // Draining, with a transaction open: until it is over, or the end.
                let (client, primary) = (&mut self.client, &mut self.login.primary.link);
                tokio::select! {
                    biased;
                    woken = poll_fn(|cx| poll_either(client, primary, cx)) => woken,
                    () = self.shutdown.reached(Phase::Ending) => Woken::Shutdown,
                }
            };
            match woken {
                Woken::Client => {
                    if !matches!(self.client.fill_if_empty().await, Ok(n) if n > 0) {
                        return Err(Closing::Quit);
                    }
                }
                Woken::Primary => return Err(self.primary_spoke().await),
                // The loop looks what it means for this session.
                Woken::Shutdown => {}
            }
        }
        Ok(())
    }

    /// Waits for the client, the primary, or the beginning of the drain.
    async fn wait(&mut self) -> Woken {
        let (client, primary) = (&mut self.client, &mut self.login.primary.link);
        let Drain { begins, heard } = &mut self.drain;
        let mut woken_before = false;
        poll_fn(|cx| {
            let ready = poll_either(client, primary, cx);
            if ready.is_ready() {
                return ready;
            }
            // Neither spoke: it may be the drain that woke this task.
            if (woken_before || !*heard) && begins.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Shutdown);
            }
            (woken_before, *heard) = (true, true);
            Poll::Pending
        })
        .await
    }

    /// Tells an idle client that Headgate is going.
    async fn shut_down(&mut self) -> Closing {
        // ER_SERVER_SHUTDOWN.
        let error = ErrPacket::own(1053, b"08S01", "Headgate is shutting down; connect again");
        match self.tell(0, &error).await {
            Ok(()) => Closing::Told("shutdown"),
            Err(closing) => closing,
        }
    }

    /// The primary has hung up on an idle session, perhaps with a last word (ER_CLIENT_INTERACTION_TIMEOUT):
    /// the client is told what it would be told directly.
    async fn primary_spoke(&mut self) -> Closing {
        let link = &mut self.login.primary.link;
        if matches!(link.fill_if_empty().await, Ok(n) if n > 0) {
            let n = link.inbox.len();
            let limit = self.context.shared.limits().client_write_timeout;
            if let Err(error) = link.pass_on(n, &mut self.client, limit).await {
                return RelayError::Client(error).into();
            }
        }
        RelayError::Server(BackendError::Closed).into()
    }

    /// Serves the command at the front of the inbox.
    async fn command(&mut self) -> Result<(), Closing> {
        let Some(header) = Header::read(&self.client.inbox) else { return Err(Closing::Quit) };
        if header.seq != 0 {
            // ER_NET_PACKETS_OUT_OF_ORDER.
            let text = "packets out of order";
            self.tell(header.seq.wrapping_add(1), &ErrPacket::own(1156, b"08S01", text)).await?;
            return Err(Closing::Told(text));
        }
        self.check_reign().await?;
        // Servers take an empty packet for COM_SLEEP, which they do not know.
        let byte = self.client.inbox.get(HEADER).filter(|_| header.len > 0);
        let byte = byte.copied().unwrap_or(Command::Sleep as u8);
        let plan = Plan::of(byte);
        if self.read_only.is_some() && plan != Plan::Query && !self.command_in_read_only(byte, plan).await? {
            return Ok(());
        }
        match plan {
            Plan::Query => self.query(header).await,
            Plan::Quit => Err(Closing::Quit),
            // The OK of a ping repeats the warning count of the statement before.
            Plan::Relay(_)
                if byte == Command::Ping as u8 && self.lent.as_ref().is_some_and(Lent::is_kept) =>
            {
                self.ping_lent().await
            }
            Plan::Relay(shape) => match self.prepare_command(byte, header).await? {
                Some(touched) => {
                    let shape = self.settle_shape(shape, header).await?;
                    self.on_primary(shape, touched, Reason::Command).await
                }
                None => self.refuse(&replica::gone()).await,
            },
            Plan::Silent => {
                self.count(Target::Primary, Reason::Command);
                let primary = &mut self.login.primary;
                relay::forward_command(&mut self.client, primary).await?;
                primary.finish(primary.status);
                Ok(())
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
        if self.published.has_changed().unwrap_or(false) {
            self.topology = Arc::clone(&self.published.borrow_and_update());
        }
        let primary = self.topology.primary.as_ref().ok().copied();
        if primary.is_none_or(|primary| primary == self.login.primary.server()) {
            return Ok(());
        }
        let error = ErrPacket::own(1053, b"08S01", "another server is the primary now; connect again");
        let seq = relay::discard_command(&mut self.client).await?;
        self.tell(seq, &error).await?;
        Err(Closing::Told("the primary has changed"))
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

    #[inline]
    pub(super) fn count(&self, target: Target, reason: Reason) {
        self.presence.count(target, reason, clock::now());
        let statements = &self.context.shared.counters.statements;
        match target {
            Target::Primary => statements.primary.count(reason.index()),
            Target::Replica(_) => statements.replica.count(reason.index()),
        }
    }
}

/// Whether a command stands at the front of `inbox`, by its first byte at least; an empty packet has none.
fn has_begun(inbox: &[u8]) -> bool {
    Header::read(inbox).is_some_and(|header| header.len == 0 || inbox.len() > HEADER)
}

/// Ready when the client or the primary has something to say.
fn poll_either(client: &mut Link, primary: &mut Link, cx: &mut task::Context<'_>) -> Poll<Woken> {
    if client.poll_readable(cx).is_ready() {
        return Poll::Ready(Woken::Client);
    }
    primary.poll_readable(cx).map(|()| Woken::Primary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_packet_is_a_command_without_its_byte() {
        assert!(has_begun(&[0, 0, 0, 0]));
        assert!(has_begun(&[1, 0, 0, 0, 0x0E]));
        assert!(!has_begun(&[1, 0, 0, 0]));
        assert!(!has_begun(&[0, 0, 0]));
    }
}
