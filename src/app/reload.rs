//! SIGHUP: reads everything again and takes up what can be taken up.

use super::build::{Parts, backend_tls, certificate, live};
use super::settings::{Loaded, Source, Surroundings};
use crate::config;
use crate::net::tls::ClientTls;
use crate::telemetry::logging::Logging;

/// Reads the configuration again. Where it has problems, all of them are logged and nothing changes.
pub(super) fn reload(
    current: &mut Loaded,
    source: &Source,
    surroundings: &Surroundings,
    parts: &Parts,
    logging: &Logging,
) {
    let next = match source.load(surroundings) {
        Ok(next) => next,
        Err(problems) => {
            tracing::error!("the configuration was not reloaded, it has problems:\n{problems}");
            return;
        }
    };
    let plan = config::diff(&current.config, &next.config);
    for change in &plan.needs_restart {
        tracing::warn!(%change, "takes effect after a restart");
    }
    let settings = &next.settings;
    // Certificates are read again whether their paths have changed or not.
    if let Err(error) = parts.shared.server_tls.reload(&certificate(&settings.front, &settings.state_dir)) {
        tracing::error!(%error, "the certificate was not reloaded; the old one stays");
    }
    match ClientTls::load(&backend_tls(&settings.backend)) {
        Ok(tls) => parts.shared.client_tls.store(std::sync::Arc::new(tls)),
        Err(error) => {
            tracing::error!(%error, "TLS towards the servers was not reloaded; the old settings stay")
        }
    }
    match live(settings, parts.model) {
        Ok(live) => parts.shared.live.store(std::sync::Arc::new(live)),
        Err(error) => tracing::error!(%error, "limits and routing were not reloaded"),
    }
    if let Err(error) = logging.set_filter(&settings.log.filter) {
        tracing::error!(%error, "the log filter was not changed");
    }
    for change in &plan.apply {
        tracing::info!(%change, "reloaded");
    }
    tracing::info!("configuration reloaded");
    *current = next;
}
