//! A logged-in connection.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Purpose;
use super::error::BackendError;
use super::statements::Kept;
use crate::auth::client_side::Channel;
use crate::net::link::Link;
use crate::pooling::Setting;
use crate::runtime::clock;
use crate::runtime::locked::LockedBytes;
use crate::session::{UserVariables, Variables};
use crate::topology::{Flavor, ServerId};
use crate::wire::capabilities::Capabilities;
use crate::wire::command::Command;
use crate::wire::frame::{HEADER, Header, put_packet, split_packet};
use crate::wire::greeting::Greeting;
use crate::wire::status::StatusFlags;

/// The longest packet outside of a reply: greetings and login packets are short.
pub(super) const MAX_LOGIN_PACKET: usize = 1024 * 1024;

/// How long a server may leave bytes unread before its connection is given up.
pub const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// COM_QUIT, as a packet.
const GOODBYE: [u8; 5] = [1, 0, 0, 0, Command::Quit as u8];

/// A connection to a server, logged in and with all trackers on.
pub struct Connection {
    /// The stream.
    pub link: Link,
    /// Status flags of the last reply.
    pub status: StatusFlags,
    /// The schema in use.
    pub schema: Option<Box<[u8]>>,
    /// The `SET NAMES` that would make this connection's character sets, where it is known.
    pub names: Option<Arc<str>>,
    /// Session variables that were set on it.
    pub variables: Variables,
    /// The same, of those that matter on the primary alone.
    pub local: Variables,
    /// User variables that have been set.
    pub user: UserVariables,
    /// What LAST_INSERT_ID() was made on it for the session that has it; 0 while nobody has it.
    pub insert_id: u64,
    /// What it has of variables that were not set: the primary's defaults, and when they were those.
    pub defaults: Defaults,
    /// The payload of the OK that ended the login.
    pub login_ok: Vec<u8>,
    /// How often it was lent. Tells whether someone else has used it since.
    pub uses: u64,
    /// When the login was last proven.
    pub proven: Instant,
    /// What the server greeted with; kept by control connections only.
    pub greeting: Option<Box<Greeting>>,
    /// It ran a statement whose effects are not known, so that no other session may have it.
    pub spent: bool,
    /// The account's password has expired: the server takes nothing but a new one. Nothing is tracked.
    pub sandboxed: bool,
    /// A session has left warnings or an error on it. MariaDB shows them until a statement names a table.
    pub warned: bool,
    /// The server closes it when it has idled for this long, where a session has said so.
    pub closes_after: Option<Duration>,
    /// It has idled for so long that something on the way may have forgotten it.
    pub long_idle: bool,
    /// Statements that are prepared on it.
    pub(super) kept: Kept,
    /// A session's command is under way.
    pub(super) in_reply: bool,
    pub(super) server: ServerId,
    pub(super) purpose: Purpose,
    pub(super) thread_id: u32,
    pub(super) flavor: Flavor,
    pub(super) channel: Channel,
    pub(super) capabilities: Capabilities,
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: Vec<u8>,
    /// What proves its user, kept for as long as the connection may serve that user again.
    pub credential: Option<Arc<LockedBytes>>,
    /// The place in its server's limit that this connection takes.
    pub(super) place: Option<Box<dyn Any + Send + Sync>>,
}

/// The defaults that a connection was given in place of its server's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The values.
    pub variables: Variables,
    /// The generation of the primary's defaults that they belong to.
    pub generation: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("thread_id", &self.thread_id)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The server at the other end.
    #[must_use]
    pub const fn server(&self) -> ServerId {
        self.server
    }

    /// This connection's id at the server.
    #[must_use]
    pub const fn thread_id(&self) -> u32 {
        self.thread_id
    }

    /// What it was made ready for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What was negotiated.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// MySQL or MariaDB.
    #[must_use]
    pub const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// What the connection has, for the choice among idle ones.
    #[must_use]
    pub fn setting(&self) -> Setting<'_> {
        Setting {
            schema: self.schema.as_deref(),
            names: self.names.as_deref(),
            variables: &self.variables,
            local: &self.local,
            user: &self.user,
            autocommit: self.status.contains(StatusFlags::AUTOCOMMIT),
        }
    }

    /// Lets the connection count against a limit for as long as it lives.
    pub fn hold(&mut self, place: Box<dyn Any + Send + Sync>) {
        self.place = Some(place);
    }

    /// The server has made the session a new one.
    pub(super) fn forget_session(&mut self) {
        self.names = None;
        self.variables = Variables::DEFAULT;
        self.local = Variables::DEFAULT;
        self.user = UserVariables::NONE;
        self.insert_id = 0;
        self.defaults = Defaults::default();
        self.kept = Kept::default();
    }

    /// Leaves, and gives up the place that it took.
    #[must_use]
    pub fn give_up_place(mut self) -> Option<Box<dyn Any + Send + Sync>> {
        let place = self.place.take();
        self.leave();
        place
    }

    /// True when nothing has happened on an idle connection: it is still there and owes no bytes.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        self.link.is_quiet()
    }

    /// A command of a session is about to be sent.
    pub fn begin(&mut self) {
        self.in_reply = true;
    }

    /// The reply to it is over.
    pub fn finish(&mut self, status: StatusFlags) {
        self.status = status;
        self.in_reply = false;
        self.link.rest();
    }

    /// True when no reply is owed and no byte is left of one.
    #[must_use]
    pub fn is_between_replies(&self) -> bool {
        !self.in_reply && self.link.inbox.is_empty()
    }

    /// Says goodbye and closes, without waiting. Servers count who leaves without a word as aborted, and
    /// people watch that count.
    pub fn leave(mut self) {
        if self.is_between_replies() {
            self.link.send_now(&GOODBYE);
        }
    }

    /// Says goodbye and waits until the server has hung up, for at most `limit`: then the account has a
    /// connection less.
    pub async fn part(mut self, limit: Duration) {
        if self.is_between_replies() && self.link.send(&GOODBYE, limit).await.is_ok() {
            self.outlast(limit).await;
        }
    }

    /// Waits until the server has hung up by itself, for at most `limit`.
    pub async fn outlast(mut self, limit: Duration) {
        let _ = clock::within(limit, async {
            while self.link.fill().await? > 0 {
                let n = self.link.inbox.len();
                self.link.consume(n);
            }
            Ok::<_, std::io::Error>(())
        })
        .await;
    }
}

/// Sends one payload, continuing the conversation's sequence numbers.
pub(super) async fn send_packet(link: &mut Link, seq: &mut u8, payload: &[u8]) -> Result<(), BackendError> {
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(payload.len() + HEADER));
    put_packet(&mut out, seq, payload);
    link.send(&out, WRITE_LIMIT).await?;
    Ok(())
}

/// Receives one short packet whole.
pub(super) async fn receive_packet(link: &mut Link) -> Result<(Header, Vec<u8>), BackendError> {
    loop {
        if let Some((header, payload)) = split_packet(&link.inbox, MAX_LOGIN_PACKET)? {
            let payload = payload.to_vec();
            link.consume(HEADER + header.len);
            return Ok((header, payload));
        }
        if link.fill().await? == 0 {
            return Err(BackendError::Closed);
        }
    }
}
