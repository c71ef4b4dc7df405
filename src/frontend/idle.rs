//! Between two commands: who speaks first, the client, the primary, the clock, or the drain.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::relay::{self, RelayError};
use super::session::{Closing, Session};
use crate::backend::{BackendError, Connection};
use crate::net::link::Link;
use crate::runtime::clock::{self, LazyTimer};
use crate::runtime::shutdown::{self, Phase};
use crate::session::{Changed, Hold};
use crate::topology::Flavor;
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};

/// Who asks about a statement does so at once. After this long the answers are copied.
const ASKS_WITHIN: Duration = Duration::from_millis(500);

/// How often a session that keeps a replica's connection for such questions looks whether that replica is drained.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// What ends the wait for a command beside the client and the primary.
pub(super) struct Idle {
    pub(super) shutdown: shutdown::Listener,
    drain: Drain,
    /// Wakes a session whose client says nothing.
    timer: LazyTimer,
    /// Wakes one that keeps a connection for questions which do not come.
    release: LazyTimer,
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
    /// The client has said nothing for too long.
    Idle,
    /// It has not asked about the statement before.
    NoQuestion,
    /// The primary is given up, with the transaction that is open there.
    Cut,
}

impl Idle {
    pub(super) fn new(shutdown: shutdown::Listener) -> Self {
        let mut listener = shutdown.clone();
        let begins = Box::pin(async move { listener.reached(Phase::Draining).await });
        Self {
            shutdown,
            drain: Drain { begins, heard: false },
            timer: LazyTimer::default(),
            release: LazyTimer::default(),
        }
    }
}

impl Session {
    /// Waits until a command has begun to arrive.
    pub(super) async fn next_command(&mut self) -> Result<(), Closing> {
        self.client.next_command();
        self.leave_reign();
        while !has_begun(&self.client.inbox) {
            if !self.client.inbox.is_empty() {
                relay::more_from_client(&mut self.client).await?;
                continue;
            }
            let idle = !self.login.state.view().in_transaction;
            let wanted = if idle { Phase::Draining } else { Phase::Ending };
            let phase = self.idle.shutdown.phase();
            if phase >= wanted {
                return Err(self.shut_down().await);
            }
            let woken = if phase == Phase::Running {
                self.wait().await
            } else {
                // Draining, with a transaction open: until it is over, or the end.
                let (client, primary) = (&mut self.client, self.login.primary.held());
                let mut primary = primary.map(|primary| &mut primary.link);
                tokio::select! {
                    biased;
                    woken = poll_fn(|cx| poll_either(client, primary.as_deref_mut(), cx)) => woken,
                    () = self.idle.shutdown.reached(Phase::Ending) => Woken::Shutdown,
                }
            };
            match woken {
                // Of a compressed packet it may be the beginning alone that has come.
                Woken::Client if self.client.inbox.is_empty() => {
                    relay::more_from_client(&mut self.client).await?;
                }
                Woken::Client => {}
                Woken::Primary => {
                    if let Some(closing) = self.primary_spoke().await {
                        return Err(closing);
                    }
                    self.leave_traffic();
                }
                Woken::Cut if self.is_cut_idle() => self.leave_traffic(),
                Woken::Cut => return Err(RelayError::Server(BackendError::Closed).into()),
                Woken::Idle => return Err(self.idled().await),
                Woken::NoQuestion => {
                    self.give_back_drained();
                    if self.login.primary.keeps() == Some(Hold::Diagnostics) {
                        self.copy_diagnostics().await?;
                    }
                }
                // The loop looks what it means for this session.
                Woken::Shutdown => {}
            }
        }
        Ok(())
    }

    /// Waits for the client, the primary, or the beginning of the drain.
    async fn wait(&mut self) -> Woken {
        let due = self.may_idle_for().map(|limit| clock::now() + limit);
        let keeps = self.login.primary.keeps() == Some(Hold::Diagnostics);
        let (lent, context) = (self.lent.as_ref().filter(|lent| lent.is_kept()), &self.context);
        let release_after = if keeps { Some(ASKS_WITHIN) } else { lent.map(|_| LOOKS_EVERY) };
        let mut release_at = release_after.map(|after| clock::now() + after);
        let (client, vigil) = (&mut self.client, &mut self.vigil);
        // With a transaction open it is inside, and heeds what those inside are told.
        let inside = self.pass.is_some();
        let mut primary = self.login.primary.held().map(|primary| &mut primary.link);
        let Idle { drain: Drain { begins, heard }, timer, release, .. } = &mut self.idle;
        let mut woken_before = false;
        poll_fn(|cx| {
            let ready = poll_either(client, primary.as_deref_mut(), cx);
            if ready.is_ready() {
                return ready;
            }
            if inside && vigil.poll_cut(cx).is_ready() {
                return Poll::Ready(Woken::Cut);
            }
            if due.is_some_and(|due| timer.poll_due(due, cx).is_ready()) {
                return Poll::Ready(Woken::Idle);
            }
            while release_at.is_some_and(|due| release.poll_due(due, cx).is_ready()) {
                if keeps || lent.is_some_and(|lent| lent.is_out_of_use(&context.topology())) {
                    return Poll::Ready(Woken::NoQuestion);
                }
                release_at = Some(clock::now() + LOOKS_EVERY);
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

    /// How long the client may say nothing. A server that has no connection of the session's cannot see to its own
    /// limit.
    fn may_idle_for(&mut self) -> Option<Duration> {
        let own = self.context.shared.limits().client_idle_timeout;
        if self.login.primary.held().is_some() {
            return own;
        }
        let interactive = self.login.capabilities.contains(Capabilities::INTERACTIVE);
        let of_server = || {
            let facts = self.topology.facts.as_ref()?;
            Some(if interactive { facts.interactive_timeout } else { facts.wait_timeout })
        };
        let servers = self.login.state.wait_timeout().or_else(of_server);
        own.into_iter().chain(servers).min()
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

    /// Tells a client that it has said nothing for too long.
    async fn idled(&mut self) -> Closing {
        // ER_CLIENT_INTERACTION_TIMEOUT, in words of our own or of the server whose time it is.
        let error = match self.context.shared.limits().client_idle_timeout {
            Some(limit) if self.may_idle_for() == Some(limit) => {
                let text = "disconnected after saying nothing for limits.client_idle_timeout";
                ErrPacket::own(4031, b"HY000", text)
            }
            // MariaDB hangs up without a word.
            _ if self.login.primary.flavor() == Flavor::MariaDb => {
                return Closing::Told("idle for wait_timeout");
            }
            _ => {
                let text =
                    b"The client was disconnected by the server because of inactivity. See wait_timeout and \
                             interactive_timeout for configuring this behavior.";
                ErrPacket { code: 4031, state: *b"HY000", message: text.to_vec() }
            }
        };
        match self.tell(0, &error).await {
            Ok(()) => Closing::Told("idle for too long"),
            Err(closing) => closing,
        }
    }

    /// The primary has hung up on an idle session, perhaps with a last word (ER_CLIENT_INTERACTION_TIMEOUT):
    /// the client is told what it would be told directly. Nothing where the primary itself is lost, and the session goes
    /// on.
    pub(super) async fn primary_spoke(&mut self) -> Option<Closing> {
        let held = self.login.primary.held();
        let spoke = match held {
            Some(Connection { link, .. }) => matches!(link.fill_if_empty().await, Ok(n) if n > 0),
            None => false,
        };
        let idled =
            spoke && self.login.primary.held().is_some_and(|held| is_word_of_idleness(&held.link.inbox));
        if !idled && self.goes_on_without().await {
            return None;
        }
        if let Some(Connection { link, .. }) = self.login.primary.held()
            && spoke
        {
            let n = link.inbox.len();
            let limit = self.context.shared.limits().client_write_timeout;
            if let Err(error) = link.pass_on(n, &mut self.client, limit).await {
                return Some(RelayError::Client(error).into());
            }
        }
        if self.login.state.view().changed == Some(Changed::Replication) {
            return Some(Closing::Told("the primary has hung up after a dump of its binary log"));
        }
        Some(RelayError::Server(BackendError::Closed).into())
    }
}

/// Whether a server says goodbye because the client has said nothing for too long (ER_CLIENT_INTERACTION_TIMEOUT).
fn is_word_of_idleness(inbox: &[u8]) -> bool {
    matches!(inbox, [_, _, _, _, 0xFF, low, high, ..] if u16::from_le_bytes([*low, *high]) == 4031)
}

/// Whether a command stands at the front of `inbox`, by its first byte at least; an empty packet has none.
fn has_begun(inbox: &[u8]) -> bool {
    Header::read(inbox).is_some_and(|header| header.len == 0 || inbox.len() > HEADER)
}

/// Ready when the client or the primary has something to say.
fn poll_either(client: &mut Link, primary: Option<&mut Link>, cx: &mut task::Context<'_>) -> Poll<Woken> {
    if client.poll_readable(cx).is_ready() {
        return Poll::Ready(Woken::Client);
    }
    primary.map_or(Poll::Pending, |primary| primary.poll_readable(cx).map(|()| Woken::Primary))
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
