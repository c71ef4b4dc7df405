//! Keeps connections ready for users that have been here lately (`pool.min_idle`).

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose};
use crate::pool::{Key, Opening, Shelf};
use crate::runtime::clock;
use crate::runtime::shutdown::{self, Phase};
use crate::session::Variables;
use crate::topology::{Server, ServerId, ServerState, Topology};
use crate::wire::capabilities::Capabilities;

/// How often the shelves are looked through.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Pause after an attempt that came to nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// Opens what lacks at one server, one connection after the other, until the drain begins.
pub async fn keep_ready(server: ServerId, context: Arc<Context>, mut shutdown: shutdown::Listener) {
    while clock::within(LOOK_EVERY, shutdown.reached(Phase::Draining)).await.is_err() {
        for (key, shelf, opening) in context.pool.lacking(server, clock::now()) {
            let topology = context.topology();
            if !is_served_by(&key, &topology) {
                continue;
            }
            match open(&key, &opening, &context, &topology).await {
                Ok(Some(connection)) => shelf.put(connection, clock::now()),
                // Its place is needed otherwise.
                Ok(None) => {}
                Err(error) => give_up(&key, &shelf, &opening, &context, &error),
            }
        }
    }
}

/// Whether the server does what the connections are for.
fn is_served_by(key: &Key, topology: &Topology) -> bool {
    match key.purpose {
        Purpose::Primary => topology.primary == Ok(key.server),
        Purpose::Replica => {
            let serves = |server: &Server| server.state == ServerState::Replica && server.drained.is_none();
            topology.server(key.server).is_some_and(serves)
        }
        Purpose::Control => false,
    }
}

/// Nothing where there is no place, or not enough is known.
async fn open(
    key: &Key,
    opening: &Opening,
    context: &Context,
    topology: &Topology,
) -> Result<Option<Connection>, BackendError> {
    let users = context.shared.pool_users();
    // Nothing is closed for it, and nobody waits: they would be first.
    let Ok(place) = context.pool.limits().place_now(key.server, users.claim(&key.user)) else {
        return Ok(None);
    };
    let (Some(target), Some(facts)) = (context.target(topology, key.server, None), &topology.facts) else {
        return Ok(None);
    };
    let Some(secret) = opening.secret.read(Secret::decode) else { return Ok(None) };
    let credentials = Credentials {
        user: &key.user,
        secret: &secret,
        schema: None,
        collation: opening.collation,
        capabilities: key.capabilities,
        attributes: &[],
    };
    let opened = Connection::open(&target, credentials, key.purpose).await;
    if let Some(refusal) = opened.as_ref().err().filter(|error| error.is_shortage()) {
        place.refused(refusal);
        return Ok(None);
    }
    let mut connection = opened?;
    if connection.sandboxed {
        // It could serve nobody but to change the password.
        return Err(BackendError::NotCarried);
    }
    let ignores_space = key.capabilities.contains(Capabilities::IGNORE_SPACE);
    let defaults = Variables::of_login(&facts.defaults, ignores_space);
    connection.level(&defaults, facts.generation, target.timeout).await?;
    if key.purpose == Purpose::Primary {
        connection.names.clone_from(&opening.names);
    }
    connection.hold(Box::new(place));
    Ok(Some(connection))
}

/// A refusal is not asked for twice: it would lock accounts.
fn give_up(key: &Key, shelf: &Shelf, opening: &Opening, context: &Context, error: &BackendError) {
    let user = String::from_utf8_lossy(&key.user);
    context.pool.limits().failed(key.server);
    context.shared.counters.errors.count(error.kind());
    match error {
        BackendError::Refused { .. } | BackendError::Login { .. } | BackendError::NotCarried => {
            tracing::info!(?user, server = %key.server, %error, "no connections are kept ready for a user any more");
            shelf.refused(opening);
        }
        _ => {
            tracing::debug!(?user, server = %key.server, %error, "no connection was made ready");
            shelf.pause_filling(clock::now() + PAUSE);
        }
    }
}
