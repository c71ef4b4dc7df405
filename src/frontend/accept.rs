//! Accepts clients.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::serve;
use crate::net::listener::Listener;
use crate::net::socket::Socket;
use crate::runtime::shutdown::{self, Phase};
use crate::runtime::{clock, tasks};

/// Pause after an accept that failed for want of file descriptors or memory, so that the loop does not
/// spin while there are none.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients until the drain begins.
pub async fn run(listener: Listener, context: Arc<Context>, mut shutdown: shutdown::Listener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok(socket) => admit(socket, &context, &shutdown),
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted; check the limit of open files");
                clock::sleep(PAUSE).await;
            }
        }
    }
}

fn admit(socket: Socket, context: &Arc<Context>, shutdown: &shutdown::Listener) {
    let context = Arc::clone(context);
    let shutdown = shutdown.clone();
    tasks::spawn("client", async move { serve::serve(socket, context, shutdown).await });
}
