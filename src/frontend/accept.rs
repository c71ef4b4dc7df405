//! Accepts clients.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::door::Entrance;
use super::serve;
use crate::net::listener::Listener;
use crate::runtime::shutdown::{self, Phase};
use crate::runtime::{clock, tasks};

/// Pause after an accept that failed for want of file descriptors or memory, so that the loop does not
/// spin while there are none.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients until the drain begins. `entrance`: what holds for those who come in here.
pub async fn run(
    listener: Listener,
    entrance: Entrance,
    context: Arc<Context>,
    mut shutdown: shutdown::Listener,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok(socket) => {
                let (context, shutdown) = (Arc::clone(&context), shutdown.clone());
                tasks::spawn(
                    "client",
                    async move { serve::serve(socket, entrance, context, shutdown).await },
                );
            }
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted; check the limit of open files");
                clock::sleep(PAUSE).await;
            }
        }
    }
}
