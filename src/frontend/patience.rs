//! How long somebody waits for a connection, over several attempts.

use std::time::{Duration, Instant};

use crate::backend::BackendError;
use crate::runtime::clock;

/// A wait that has begun.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
}

impl Patience {
    /// It begins now and lasts so long.
    pub(super) fn of(limit: Duration) -> Self {
        Self { until: clock::now() + limit }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(clock::now())
    }

    /// Whether there is time for another attempt after a server's refusal, which is the answer where there is none.
    pub(super) fn bears(&self, refusal: BackendError) -> Result<(), BackendError> {
        if self.left().is_zero() {
            return Err(refusal);
        }
        tracing::debug!(error = %refusal, "a server takes no more connections; waiting");
        Ok(())
    }
}
