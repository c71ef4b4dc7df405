//! The seam between the command line and the proxy: everything is known, now run until told to stop.

use super::settings::{Loaded, Source, Surroundings};
use crate::auth::Secret;
use crate::telemetry::logging::Logging;

/// What [`run`] is given.
#[derive(Debug)]
pub struct Start {
    /// The configuration this start uses.
    pub loaded: Loaded,
    /// The control account's password.
    pub password: Secret,
    /// Where to read the configuration again on SIGHUP, and what to resolve it against.
    pub source: Source,
    pub surroundings: Surroundings,
    /// Takes a new filter on reload.
    pub logging: Logging,
}

/// Runs the proxy until SIGTERM or SIGINT and drains it. Builds its own runtime.
pub fn run(start: Start) -> anyhow::Result<()> {
    anyhow::bail!(
        "this build holds no proxy yet; {} servers are configured",
        start.loaded.settings.servers.len()
    )
}
