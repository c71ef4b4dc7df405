//! Moves one command to a server and its reply to the client.
//!
//! Neither is ever held whole: commands longer than a buffer stream through, replies go out as they
//! come in, and who reads slowly slows who sends.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::vigil::{Alarm, Vigil};
use crate::backend::{BackendError, Connection, WRITE_LIMIT};
use crate::net::link::Link;
use crate::pool::ServerLimits;
use crate::runtime::clock;
use crate::wire::compress::Broken;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::{End, Progress, Tracker};
use crate::wire::session_track::Change;

/// Which side failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The client: nobody is left to be told.
    #[error("the client's connection failed: {0}")]
    Client(#[source] io::Error),
    /// The server.
    #[error(transparent)]
    Server(#[from] BackendError),
    /// The server, while the client was sending a file of which more is to come.
    #[error(transparent)]
    MidFile(BackendError),
}

impl RelayError {
    /// What a client is told that has broken its compressed stream.
    pub(super) fn breach(&self) -> Option<ErrPacket> {
        let Self::Client(error) = self else { return None };
        let broken = error.get_ref()?.downcast_ref::<Broken>()?;
        Some(ErrPacket::own(broken.code(), b"08S01", &broken.to_string()))
    }
}

/// How long a client may pause in the middle of a command.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// How a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client has it all.
    Delivered(End),
    /// It was an ERR at once, and it was to be held back: the client has seen nothing of these bytes.
    HeldBack(End, Vec<u8>),
    /// It has not ended; the relay can go on where it stopped.
    Interrupted(Alarm),
}

/// What the relay needs to know of its client.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    /// How long a client may leave bytes unread.
    pub(super) client_write_timeout: Duration,
    /// Hold an ERR back where it is the first packet of the reply.
    pub(super) hold_error: bool,
    /// What else is looked at meanwhile.
    pub(super) vigil: &'a mut Vigil,
    /// The bounds of a pool whose connection the client holds while it does not read; nothing where the
    /// connection is the session's own.
    pub(super) lender: Option<&'a ServerLimits>,
}

/// After this long without taking anything a client counts as one that does not read.
const GRACE: Duration = Duration::from_secs(1);

/// Passes the command at the front of the client's inbox on, however long it is.
pub(super) async fn forward_command(
    client: &mut Link,
    server: &mut Connection,
    lender: Option<&ServerLimits>,
) -> Result<(), RelayError> {
    server.begin();
    let numbers = if client.is_compressed() { Numbers::From(0) } else { Numbers::Less(0) };
    stream_packets(client, server, |header, _| !header.continues(), numbers, lender).await
}

/// Drops the command at the front of the client's inbox, however long it is. Returns the sequence number
/// of the answer to it.
pub(super) async fn discard_command(client: &mut Link) -> Result<u8, RelayError> {
    loop {
        let header = header(client).await?;
        let mut left = HEADER + header.len;
        while left > 0 {
            if client.inbox.is_empty() {
                more_from_client(client).await?;
            }
            let n = left.min(client.inbox.len());
            client.consume(n);
            left -= n;
        }
        if !header.continues() {
            return Ok(client.number_inside().unwrap_or(header.seq.wrapping_add(1)));
        }
    }
}

/// Waits for more of what a client sends while it holds a connection of a pool. One that pauses does so with leave, as one
/// that does not read (HAZARDS 27).
async fn more_while_lent(
    client: &mut Link,
    server: &Connection,
    lender: Option<&ServerLimits>,
) -> Result<(), RelayError> {
    let mut more = pin!(more_from_client(client));
    let Some(lender) = lender else { return more.await };
    if let Ok(more) = clock::within_if_slow(GRACE, more.as_mut()).await {
        return more;
    }
    let Some(_held) = lender.may_stall(server.server()) else {
        let text = "too many clients leave their statements half sent";
        return Err(RelayError::Client(io::Error::new(io::ErrorKind::TimedOut, text)));
    };
    more.await
}

/// Waits for a packet's header.
async fn header(client: &mut Link) -> Result<Header, RelayError> {
    loop {
        if let Some(header) = Header::read(&client.inbox) {
            return Ok(header);
        }
        more_from_client(client).await?;
    }
}

/// Which numbers the packets of a client get at the server.
#[derive(Debug, Clone, Copy)]
enum Numbers {
    /// Their own, less so many.
    Less(u8),
    /// Counted from here. Clients that compress number the packets inside as they please
    /// (libmysqlclient by the count of the packets outside): servers look at the outer numbers alone.
    From(u8),
}

impl Numbers {
    fn next(&mut self, own: u8) -> u8 {
        match self {
            Self::Less(shift) => own.wrapping_sub(*shift),
            Self::From(next) => std::mem::replace(next, next.wrapping_add(1)),
        }
    }
}

/// Passes packets on from client to server until one for which `last` holds has passed. `last` is
/// told whether the packet continues the one before.
async fn stream_packets(
    client: &mut Link,
    server: &mut Connection,
    last: impl Fn(Header, bool) -> bool,
    mut numbers: Numbers,
    lender: Option<&ServerLimits>,
) -> Result<(), RelayError> {
    let mut continued = false;
    loop {
        let header = header(client).await?;
        if let Some(seq) = client.inbox.get_mut(HEADER - 1) {
            *seq = numbers.next(header.seq);
        }
        let mut left = HEADER + header.len;
        while left > 0 {
            if client.inbox.is_empty() {
                more_while_lent(client, server, lender).await?;
            }
            let n = left.min(client.inbox.len());
            client.pass_on(n, &mut server.link, WRITE_LIMIT).await.map_err(lost_server)?;
            left -= n;
        }
        if last(header, continued) {
            client.rest();
            return Ok(());
        }
        continued = header.continues();
    }
}

/// Waits for the first `len` bytes of the payload of the command at the front of the client's inbox.
pub(super) async fn payload_from_client(client: &mut Link, len: usize) -> Result<(), RelayError> {
    while client.inbox.len() < HEADER + len {
        more_from_client(client).await?;
    }
    Ok(())
}

pub(super) async fn more_from_client(client: &mut Link) -> Result<(), RelayError> {
    // As long as the server waits by itself (net_read_timeout).
    let filled = clock::within_if_slow(READ_LIMIT, client.fill()).await;
    match filled.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late))) {
        Ok(0) => Err(RelayError::Client(io::ErrorKind::UnexpectedEof.into())),
        Ok(_) => Ok(()),
        Err(error) => Err(RelayError::Client(error)),
    }
}

/// Hears what a reply reports, before the client gets the bytes that say so.
pub(super) trait Witness {
    /// The session's state has changed.
    fn change(&mut self, change: Change<'_>);

    /// The client is about to get some of the reply.
    fn deliver(&mut self) {}

    /// The reply is over.
    fn end(&mut self, _end: &End) {}
}

impl<F: FnMut(Change<'_>)> Witness for F {
    fn change(&mut self, change: Change<'_>) {
        self(change);
    }
}

/// Relays one reply, telling `witness` what it reports.
pub(super) async fn reply(
    client: &mut Link,
    server: &mut Connection,
    tracker: &mut Tracker,
    terms: Terms<'_>,
    mut witness: impl Witness,
) -> Result<Ending, RelayError> {
    if client.is_compressed() {
        tracker.pause();
        if tracker.untouched() {
            number(tracker, client);
        }
    }
    loop {
        let mut see = |change: Change<'_>| witness.change(change);
        let step = tracker.advance(&mut server.link.inbox, &mut see).map_err(BackendError::from)?;
        if step.ready > 0 {
            witness.deliver();
        }
        if let Progress::Complete(end) = &step.progress {
            witness.end(end);
        }
        if let Progress::Complete(end @ End { error: Some(_), at_once: true, .. }) = step.progress
            && terms.hold_error
        {
            let held = server.link.inbox.get(..step.ready).unwrap_or_default().to_vec();
            server.link.consume(step.ready);
            server.finish(end.status);
            return Ok(Ending::HeldBack(end, held));
        }
        deliver(client, server, step.ready, &terms).await.map_err(RelayError::Client)?;
        match step.progress {
            Progress::Complete(end) => {
                server.finish(end.status);
                return Ok(Ending::Delivered(end));
            }
            Progress::More => match fill(client, server, terms.vigil).await {
                Ok(Ok(0)) => return Err(BackendError::Closed.into()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(BackendError::from(error).into()),
                Err(alarm) => return Ok(Ending::Interrupted(alarm)),
            },
            Progress::FileWanted => {
                let numbers = match client.is_compressed() {
                    true => Numbers::From(tracker.next_server_seq()),
                    false => Numbers::Less(tracker.shift()),
                };
                // The file ends with an empty packet; the server says nothing before it.
                let last = |header: Header, continued: bool| header.len == 0 && !continued;
                let sent = stream_packets(client, server, last, numbers, terms.lender).await;
                sent.map_err(|error| match error {
                    RelayError::Server(error) => RelayError::MidFile(error),
                    other => other,
                })?;
                number(tracker, client);
            }
            Progress::NextResult => number(tracker, client),
        }
    }
}

/// Gives the next packet the number it has from a server that compresses, which some clients look at.
fn number(tracker: &mut Tracker, client: &Link) {
    if let Some(seq) = client.number_inside() {
        tracker.number(seq);
    }
}

/// Gives the client what is ready of a reply.
async fn deliver(
    client: &mut Link,
    server: &mut Connection,
    ready: usize,
    terms: &Terms<'_>,
) -> io::Result<()> {
    let (limit, id) = (terms.client_write_timeout, server.server());
    let Some(lender) = terms.lender.filter(|_| ready > 0) else {
        return server.link.pass_on(ready, client, limit).await;
    };
    let bytes = server.link.inbox.get(..ready).unwrap_or_default();
    client.send_patiently(bytes, GRACE, limit, || lender.may_stall(id)).await?;
    server.link.consume(ready);
    Ok(())
}

/// Reads more of a reply, unless something else comes up before.
async fn fill(
    client: &mut Link,
    server: &mut Connection,
    vigil: &mut Vigil,
) -> Result<io::Result<usize>, Alarm> {
    if vigil.is_overtime() {
        return Err(Alarm::Overtime);
    }
    let mut filled = pin!(server.link.fill());
    poll_fn(|cx| match filled.as_mut().poll(cx) {
        Poll::Ready(filled) => Poll::Ready(Ok(filled)),
        Poll::Pending => vigil.poll(client, cx).map(Err),
    })
    .await
}

/// Reads the rest of a reply that nobody waits for any more.
pub(super) async fn outlast(server: &mut Connection, tracker: &mut Tracker) -> Result<(), BackendError> {
    loop {
        let step = tracker.advance(&mut server.link.inbox, &mut |_| {})?;
        server.link.consume(step.ready);
        match step.progress {
            Progress::Complete(end) => {
                server.finish(end.status);
                return Ok(());
            }
            Progress::NextResult => {}
            Progress::More if server.link.fill().await? > 0 => {}
            // The client's file is wanted, and there is no client.
            Progress::More | Progress::FileWanted => return Err(BackendError::Closed),
        }
    }
}

pub(super) fn lost_server(source: io::Error) -> RelayError {
    RelayError::Server(BackendError::Io { source })
}
