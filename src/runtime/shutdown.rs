//! The orderly end: sessions are asked to finish, then told.

use tokio::sync::watch;

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Go on.
    Running,
    /// End as soon as no transaction is open.
    Draining,
    /// End now.
    Ending,
}

/// Tells everyone.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<Phase>);

/// Hears it.
#[derive(Debug, Clone)]
pub struct Listener(watch::Receiver<Phase>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Running))
    }
}

impl Shutdown {
    /// Moves on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let moved = phase > *current;
            *current = phase.max(*current);
            moved
        });
    }

    /// A new listener.
    #[must_use]
    pub fn listener(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Listener {
    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until `phase` or a later one is reached. The end of the sender counts as [`Phase::Ending`].
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the sender is gone, and with it everything that could still be waited for.
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}
