//! `headgate check --connect`: asks the servers once and says what would bite.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use super::build;
use super::settings::Settings;
use super::survey::{Caller, survey};
use crate::auth::Secret;
use crate::config::BackendTls;
use crate::net::tls::ClientTls;
use crate::probing::survey::{Plan, Severity, audit, discovery, findings, servers};

/// What came of it.
#[derive(Debug)]
pub struct Verdict {
    /// For people.
    pub text: String,
    /// There is more than warnings.
    pub problems: bool,
}

/// Asks every server as the control account.
///
/// # Errors
/// What keeps it from asking at all: files of certificates that cannot be used.
pub fn check(settings: &Settings, password: &Secret) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let tls = ClientTls::load(&build::backend_tls(&settings.backend))?;
    let caller = Arc::new(Caller {
        user: settings.control.user.clone(),
        secret: password.duplicate(),
        tls: Arc::new(ArcSwap::from_pointee(tls)),
        connect_timeout: settings.backend.connect_timeout,
        proxy_protocol: settings.backend.proxy_protocol,
        seek_replicas: false,
    });
    let survey = runtime.block_on(survey(&settings.servers, &caller));
    let judgement = survey.judge();
    let found = audit(&survey, &judgement, &plan(settings));
    let discovered = settings.discovery.as_ref().and_then(|_| discovery(&survey, true)).unwrap_or_default();
    Ok(Verdict {
        text: format!("{}{discovered}{}", servers(&survey, &judgement), findings(&found)),
        problems: found.iter().any(|finding| finding.severity == Severity::Problem),
    })
}

fn plan(settings: &Settings) -> Plan {
    Plan {
        judge_grants: true,
        split: settings.routing.split,
        max_connections: settings.pool.max_connections.map(NonZeroU32::get),
        idle_timeout: settings.pool.idle_timeout,
        tls_disabled: settings.backend.tls == BackendTls::Disabled,
        client_certificate: settings.backend.certificate.is_some(),
        announces_clients: settings.backend.proxy_protocol,
    }
}
