//! One console session: commands come in, what may pass is relayed to opensrv-mysql, its replies go out.
//!
//! opensrv-mysql runs in memory behind a pipe, as one more server behind the front end, and is spoken to
//! as servers are: with DEPRECATE_EOF and SESSION_TRACK, so that the tracker can follow its replies and
//! bring them into the form that the client asked for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::filter::Plan;
use super::login::{USER, ok_payload};
use super::opensrv;
use super::request::Asker;
use super::server::Console;
use crate::net::link::Link;
use crate::runtime::shutdown::{self, Phase};
use crate::runtime::{clock, tasks};
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header, put_packet, split_packet};
use crate::wire::login_request::LoginRequest;
use crate::wire::ok::eof_payload;
use crate::wire::reply::{ClientForm, Progress, Shape, Tracker};
use crate::wire::session_track::Wish;
use crate::wire::status::StatusFlags;

/// The longest statement.
pub(super) const LONGEST_STATEMENT: usize = 64 * 1024;
/// Bytes that the pipe holds.
const PIPE: usize = 64 * 1024;
/// How long a client may pause in the middle of a command, and leave its reply unread.
const CLIENT_LIMIT: Duration = Duration::from_secs(30);
/// How long a reply may take: longer than those of all other sessions, which may come first.
const REPLY_LIMIT: Duration = Duration::from_secs(120);

/// How a session ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client said goodbye, or hung up.
    Quit,
    /// It was told, or could not be told any more.
    Failed(&'static str),
    /// What runs in memory failed.
    Bug(io::Error),
}

/// The pipe to opensrv-mysql.
struct Inner {
    stream: DuplexStream,
    inbox: BytesMut,
    status: StatusFlags,
    _server: tasks::Owned,
}

struct Conversation {
    client: Link,
    inner: Inner,
    form: ClientForm,
    console: Arc<Console>,
    shutdown: shutdown::Listener,
}

/// Serves an administrator who is logged in.
pub(super) async fn run(
    client: Link,
    capabilities: Capabilities,
    asker: Asker,
    console: Arc<Console>,
    shutdown: shutdown::Listener,
) -> Ending {
    let inner = match Inner::open(asker, &console).await {
        Ok(inner) => inner,
        Err(error) => return Ending::Bug(error),
    };
    let form =
        ClientForm { deprecate_eof: capabilities.contains(Capabilities::DEPRECATE_EOF), wish: Wish::Nothing };
    let mut conversation = Conversation { client, inner, form, console, shutdown };
    loop {
        if let Err(ending) = conversation.command().await {
            conversation.client.close().await;
            return ending;
        }
    }
}

impl Conversation {
    /// Serves one command.
    async fn command(&mut self) -> Result<(), Ending> {
        let header = self.header().await?;
        if header.seq != 0 {
            // ER_NET_PACKETS_OUT_OF_ORDER.
            self.last_word(ErrPacket::own(1156, b"08S01", "packets out of order")).await?;
        }
        if header.len > LONGEST_STATEMENT {
            // ER_NET_PACKET_TOO_LARGE: as on a server, that is the end of the connection.
            self.last_word(ErrPacket::own(1153, b"08S01", "the console takes 64 KiB and no more")).await?;
        }
        while self.client.inbox.len() < HEADER + header.len {
            self.more().await?;
        }
        let payload = self.client.inbox.split_to(HEADER + header.len).split_off(HEADER);
        self.client.rest();
        // Servers take an empty packet for COM_SLEEP, which they do not know.
        match Plan::of(payload.first().copied().unwrap_or_default()) {
            Plan::Quit => Err(Ending::Quit),
            Plan::Silent => Ok(()),
            Plan::Query => {
                // A space before the text keeps opensrv-mysql from answering some statements by itself.
                let text = payload.get(1..).unwrap_or_default();
                let command = [&[payload.first().copied().unwrap_or_default(), b' '], text].concat();
                self.relay_text(&command, Shape::Results).await
            }
            Plan::Text(shape) => self.relay_text(&payload, shape).await,
            Plan::Relay(shape) => self.relay(&payload, shape).await,
            Plan::Done => self.answer(&ok_payload()).await,
            Plan::SetOption if self.form.deprecate_eof => {
                let mut ok = ok_payload();
                if let Some(head) = ok.first_mut() {
                    *head = crate::wire::ok::EOF;
                }
                self.answer(&ok).await
            }
            Plan::SetOption => self.answer(&eof_payload(0, StatusFlags::AUTOCOMMIT)).await,
            Plan::Statistics => {
                let view = &self.console.view;
                let uptime = clock::now().saturating_duration_since(view.started).as_secs();
                let sessions = view.shared.roster.cards().len();
                self.answer(format!("Uptime: {uptime}  Threads: {sessions}").as_bytes()).await
            }
            Plan::Refuse(code, text) => self.answer(&ErrPacket::own(code, b"HY000", text).payload()).await,
        }
    }

    /// Waits for the header of the next command.
    async fn header(&mut self) -> Result<Header, Ending> {
        if self.client.inbox.is_empty() {
            let idle = self.console.bounds.idle;
            let filled = tokio::select! {
                filled = clock::within(idle, self.client.fill()) => filled,
                () = self.shutdown.reached(Phase::Ending) => {
                    // ER_SERVER_SHUTDOWN.
                    tell(&mut self.client, 0, &ErrPacket::own(1053, b"08S01", "Headgate is shutting down")).await;
                    return Err(Ending::Failed("shutdown"));
                }
            };
            match filled {
                Ok(Ok(n)) if n > 0 => {}
                Ok(_) => return Err(Ending::Quit),
                Err(_) => {
                    // ER_CLIENT_INTERACTION_TIMEOUT.
                    let error = ErrPacket::own(4031, b"HY000", "the session was idle (admin.idle_timeout)");
                    tell(&mut self.client, 0, &error).await;
                    return Err(Ending::Failed("idle for too long"));
                }
            }
        }
        loop {
            if let Some(header) = Header::read(&self.client.inbox) {
                return Ok(header);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Ending> {
        match clock::within(CLIENT_LIMIT, self.client.fill()).await {
            Ok(Ok(n)) if n > 0 => Ok(()),
            Ok(_) => Err(Ending::Quit),
            Err(_) => Err(Ending::Failed("a command was never finished")),
        }
    }

    async fn last_word(&mut self, error: ErrPacket) -> Result<(), Ending> {
        tell(&mut self.client, 1, &error).await;
        Err(Ending::Failed("the protocol was broken"))
    }

    /// Answers a command with one packet.
    async fn answer(&mut self, payload: &[u8]) -> Result<(), Ending> {
        let mut out = Vec::new();
        put_packet(&mut out, &mut 1, payload);
        self.client.send(&out, CLIENT_LIMIT).await.map_err(|_| Ending::Quit)
    }

    /// Relays a command whose text opensrv-mysql reads as UTF-8; it would hang up on anything else.
    async fn relay_text(&mut self, payload: &[u8], shape: Shape) -> Result<(), Ending> {
        if std::str::from_utf8(payload).is_err() {
            // ER_INVALID_CHARACTER_STRING.
            let error = ErrPacket::own(1300, b"HY000", "the console reads UTF-8 only; SET NAMES utf8mb4");
            return self.answer(&error.payload()).await;
        }
        self.relay(payload, shape).await
    }

    async fn relay(&mut self, payload: &[u8], shape: Shape) -> Result<(), Ending> {
        let Inner { stream, inbox, status, .. } = &mut self.inner;
        let mut out = Vec::with_capacity(HEADER + payload.len());
        put_packet(&mut out, &mut 0, payload);
        stream.write_all(&out).await.map_err(Ending::Bug)?;
        let mut tracker = Tracker::new(shape, self.form, *status);
        loop {
            let step = tracker.advance(inbox, &mut |_| {}).map_err(malformed)?;
            let ready = inbox.get(..step.ready).unwrap_or_default();
            self.client.send(ready, CLIENT_LIMIT).await.map_err(|_| Ending::Quit)?;
            inbox.advance(step.ready);
            match step.progress {
                Progress::Complete(end) => {
                    *status = end.status;
                    return Ok(());
                }
                Progress::More => match clock::within(REPLY_LIMIT, stream.read_buf(inbox)).await {
                    Ok(Ok(n)) if n > 0 => {}
                    Ok(Ok(_)) => return Err(Ending::Bug(io::ErrorKind::UnexpectedEof.into())),
                    Ok(Err(error)) => return Err(Ending::Bug(error)),
                    Err(late) => return Err(Ending::Bug(io::Error::new(io::ErrorKind::TimedOut, late))),
                },
                // Results come one by one.
                Progress::NextResult | Progress::FileWanted => {
                    return Err(Ending::Bug(io::ErrorKind::InvalidData.into()));
                }
            }
        }
    }
}

impl Inner {
    /// Starts opensrv-mysql and logs in to it, where everybody may.
    async fn open(asker: Asker, console: &Arc<Console>) -> io::Result<Self> {
        let (stream, theirs) = tokio::io::duplex(PIPE);
        let server = tasks::Owned::spawn("opensrv", opensrv::serve(theirs, asker, Arc::clone(console)));
        let inbox = BytesMut::new();
        let mut inner = Self { stream, inbox, status: StatusFlags::AUTOCOMMIT, _server: server };
        let greeting = inner.packet().await?;
        let request = LoginRequest {
            capabilities: Capabilities::BACKEND,
            max_packet: 1 << 24,
            collation: 45,
            user: USER.as_bytes().to_vec(),
            auth_response: b"in memory".to_vec(),
            schema: None,
            plugin: Some(b"mysql_native_password".to_vec()),
            attributes: Vec::new(),
            zstd_level: 0,
        };
        let mut out = Vec::new();
        put_packet(&mut out, &mut greeting.wrapping_add(1), &request.payload());
        inner.stream.write_all(&out).await?;
        inner.packet().await?;
        Ok(inner)
    }

    /// Takes the next packet off the pipe and returns its sequence number.
    async fn packet(&mut self) -> io::Result<u8> {
        loop {
            let split = split_packet(&self.inbox, PIPE);
            let split = split.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some((header, _)) = split {
                self.inbox.advance(HEADER + header.len);
                return Ok(header.seq);
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn malformed(error: crate::wire::Malformed) -> Ending {
    Ending::Bug(io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Sends an ERR. Whether the client still hears it does not matter.
async fn tell(client: &mut Link, mut seq: u8, error: &ErrPacket) {
    let mut out = Vec::new();
    put_packet(&mut out, &mut seq, &error.payload());
    let _ = client.send(&out, Duration::from_secs(1)).await;
}
