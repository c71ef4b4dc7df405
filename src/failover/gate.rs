//! What clients meet while there is no primary. A beginning: writes are not held yet.

use std::time::Duration;

use tokio::sync::watch;

use crate::gtid::Transactions;

/// Lets writes begin, or not.
#[derive(Debug)]
pub struct Gate {
    open: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: watch::Sender::new(true) }
    }
}

impl Gate {
    /// Lets no write begin, waits for transactions to end for at most `grace`, and tells what clients have been told is
    /// committed since the last publication; nothing where that is not known.
    pub async fn hold(&self, grace: Duration) -> Option<Transactions> {
        self.open.send_replace(false);
        let _ = grace;
        None
    }

    /// Lets writes begin.
    pub fn release(&self) {
        self.open.send_replace(true);
    }

    /// Ends all connections to the primary, so that nothing more is acknowledged.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Whether writes may begin.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }
}
