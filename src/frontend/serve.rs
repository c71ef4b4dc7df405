//! One client, from accept to close.

use std::pin::pin;
use std::sync::Arc;

use super::caller::LoginError;
use super::context::{Admission, Context};
use super::login;
use super::relay::RelayError;
use super::session::{Closing, Session};
use crate::backend::{BackendError, Connection, Purpose};
use crate::net::link::{Link, Stream};
use crate::net::socket::Socket;
use crate::pool::Shelf;
use crate::runtime::shutdown;
use crate::runtime::{clock, tasks};
use crate::wire::err::ErrPacket;
use crate::wire::frame::put_packet;

/// Serves one client.
pub(super) async fn serve(socket: Socket, context: Arc<Context>, shutdown: shutdown::Listener) {
    let shared = Arc::clone(&context.shared);
    let Some(_admission) = Admission::take(&shared) else {
        // ER_CON_COUNT_ERROR, in the server's own words.
        refuse_unseen(socket, &ErrPacket::own(1040, b"08004", "Too many connections (listen.max_clients)"))
            .await;
        shared.counters.logins.refused.increment(1);
        return;
    };
    let _open = shared.counters.sessions.open();
    let peer = socket.peer();
    // On the heap, and gone with the login: what a login needs is many times what a session needs.
    let login = Box::pin(clock::within(shared.limits().login_timeout, login::run(socket, &context)));
    let (link, logged_in) = match login.await {
        Ok(Ok(done)) => done,
        Ok(Err(LoginError::Refused(error))) => {
            shared.counters.logins.refused.increment(1);
            tracing::info!(client = ?peer, %error, "login refused");
            return;
        }
        Ok(Err(LoginError::Io(error))) => {
            shared.counters.logins.failed.increment(1);
            tracing::debug!(client = ?peer, %error, "login abandoned");
            return;
        }
        Err(late) => {
            shared.counters.logins.failed.increment(1);
            tracing::info!(client = ?peer, %late, "login abandoned");
            return;
        }
    };
    let mut session = Session::new(Arc::clone(&context), link, logged_in, shutdown);
    let card = session.card();
    let Some(closing) = card.until_killed(pin!(session.run())).await else {
        tracing::info!(client = ?peer, session = card.id, "session ended by KILL");
        return;
    };
    match &closing {
        Closing::Quit | Closing::Relay(RelayError::Client(_)) => {}
        Closing::Relay(RelayError::Server(error)) => {
            shared.counters.errors.count(error.kind());
            tracing::warn!(client = ?peer, %error, "session ended by its server");
        }
        Closing::Told(why) => tracing::debug!(client = ?peer, why, "session ended"),
    }
    let (client, primary) = session.into_parts();
    client.close().await;
    if let Some((shelf, connection)) = primary {
        reclaim(shelf, connection);
    }
}

/// Makes a primary connection clean and puts it back, off every client's path.
fn reclaim(shelf: Arc<Shelf>, mut connection: Connection) {
    tasks::spawn("reclaim", async move {
        match connection.reset(Purpose::Primary, RECLAIM_LIMIT).await {
            Ok(()) => shelf.put(connection, clock::now()),
            Err(BackendError::Refused { error }) => tracing::debug!(%error, "a connection was not reset"),
            Err(error) => tracing::debug!(%error, "a connection was not reset"),
        }
    });
}

/// For undoing what a session left behind; a large transaction takes its time to roll back.
const RECLAIM_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Tells a client no in place of a greeting.
async fn refuse_unseen(socket: Socket, error: &ErrPacket) {
    let mut out = Vec::new();
    put_packet(&mut out, &mut 0, &error.payload_before_greeting());
    let mut link = Link::new(Stream::Plain(socket));
    if link.send(&out, std::time::Duration::from_secs(1)).await.is_ok() {
        link.close().await;
    }
}
