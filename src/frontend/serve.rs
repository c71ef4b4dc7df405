//! One client, from accept to close.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use super::caller::LoginError;
use super::context::{Context, Shared};
use super::door::{Entrance, Visit};
use super::kill::end_connections_of;
use super::login;
use super::relay::RelayError;
use super::session::{Closing, LoggedIn, Remains, Session};
use crate::backend::{Connection, Purpose};
use crate::net::link::{Link, Stream};
use crate::net::socket::Socket;
use crate::pool::Shelf;
use crate::runtime::clock::Late;
use crate::runtime::{clock, shutdown, tasks};
use crate::wire::err::ErrPacket;
use crate::wire::frame::put_packet;
use crate::wire::login_request::LoginRequest;

/// Serves one client, who has come in there.
pub(super) async fn serve(
    socket: Socket,
    entrance: Entrance,
    context: Arc<Context>,
    shutdown: shutdown::Listener,
) {
    let shared = Arc::clone(&context.shared);
    let mut visit = match Visit::begin(&socket, entrance, &shared) {
        Ok(visit) => visit,
        Err(refusal) => {
            shared.counters.refusals.count(refusal.index());
            shared.counters.logins.refused.increment(1);
            // Not louder: strangers could fill the log.
            tracing::debug!(client = ?socket.peer(), why = %refusal, "client turned away");
            return refuse_unseen(socket, &refusal.to_client()).await;
        }
    };
    let _open = shared.counters.sessions.open();
    // On the heap, and gone with the login: what a login needs is many times what a session needs.
    let login =
        Box::pin(clock::within(shared.limits().login_timeout, login::run(socket, &context, &mut visit)));
    let login = login.await;
    let mut login = judged(login, visit.client, &shared);
    while let Some((link, logged_in)) = login.take() {
        let former = logged_in.former();
        let Some((link, request)) = converse(link, logged_in, &context, shutdown.clone()).await else {
            return;
        };
        let again = Box::pin(login::again(link, request, former, &context, &visit));
        login = judged(clock::within(shared.limits().login_timeout, again).await, visit.client, &shared);
    }
}

/// Counts and logs a login that came to nothing.
fn judged(
    login: Result<Result<(Link, LoggedIn), LoginError>, Late>,
    peer: Option<SocketAddr>,
    shared: &Shared,
) -> Option<(Link, LoggedIn)> {
    let logins = &shared.counters.logins;
    match login {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(LoginError::Refused(error))) => {
            logins.refused.increment(1);
            tracing::info!(client = ?peer, %error, "login refused");
        }
        Ok(Err(LoginError::Io(error))) => {
            logins.failed.increment(1);
            tracing::debug!(client = ?peer, %error, "login abandoned");
        }
        Err(late) => {
            logins.failed.increment(1);
            tracing::info!(client = ?peer, %late, "login abandoned");
        }
    }
    None
}

/// Serves a client that is logged in, to the end. Gives its link back where it logs in anew.
async fn converse(
    link: Link,
    logged_in: LoggedIn,
    context: &Arc<Context>,
    shutdown: shutdown::Listener,
) -> Option<(Link, LoginRequest)> {
    let shared = &context.shared;
    let mut session = Session::new(Arc::clone(context), link, logged_in, shutdown);
    let card = session.card();
    let client = card.client;
    let Some(closing) = card.until_killed(pin!(session.run())).await else {
        tracing::info!(?client, session = card.id, "session ended by KILL");
        // Nobody waits for it: the client is to see the end at once.
        let (card, context) = (Arc::clone(&card), Arc::clone(context));
        tasks::spawn("kill", async move { end_connections_of(&card, &context).await });
        return None;
    };
    let mut again = None;
    match closing {
        Closing::Relay(RelayError::Client(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
            tracing::info!(?client, session = card.id, %error, "session ended: its client does not read or write");
        }
        Closing::Quit | Closing::Relay(RelayError::Client(_)) => {}
        Closing::Relay(RelayError::Server(error)) => {
            shared.counters.errors.count(error.kind());
            tracing::warn!(?client, %error, "session ended by its server");
        }
        Closing::Told(why) => tracing::debug!(?client, why, "session ended"),
        Closing::ChangeUser(request) => again = Some(*request),
    }
    let Remains { link, primary, shelf } = session.into_remains();
    match (again, primary, shelf) {
        (Some(request), primary, shelf) => {
            // What the one held must be free when the other is told that it is in.
            if let Some(primary) = primary {
                put_away(primary, shelf).await;
            }
            return Some((link, request));
        }
        (None, Some(primary), Some(shelf)) => {
            tasks::spawn("reclaim", put_away(primary, Some(shelf)));
        }
        (None, Some(primary), None) => primary.leave(),
        (None, None, _) => {}
    }
    link.close().await;
    None
}

/// Undoes what a session left behind on its connection to the primary, and puts it back where it may serve
/// others.
async fn put_away(mut connection: Connection, shelf: Option<Arc<Shelf>>) {
    if connection.is_between_replies() {
        match connection.reset(Purpose::Primary, RECLAIM_LIMIT).await {
            Ok(()) => {
                if let Some(shelf) = shelf {
                    return shelf.put(connection, clock::now());
                }
            }
            Err(error) => tracing::debug!(%error, "a connection was not reset"),
        }
    }
    connection.part(PART_LIMIT).await;
}

/// For undoing what a session left behind; a large transaction takes its time to roll back.
const RECLAIM_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// For a server to hang up.
const PART_LIMIT: std::time::Duration = std::time::Duration::from_secs(1);

/// Tells a client no in place of a greeting.
async fn refuse_unseen(socket: Socket, error: &ErrPacket) {
    let mut out = Vec::new();
    put_packet(&mut out, &mut 0, &error.payload_before_greeting());
    let mut link = Link::new(Stream::Plain(socket));
    if link.send(&out, std::time::Duration::from_secs(1)).await.is_ok() {
        link.close().await;
    }
}
