//! Opens the console.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::build::Parts;
use super::settings::{Admin, PasswordSource, Settings};
use super::workers::Contexts;
use crate::admin::{self, Bounds, Console, View};
use crate::auth::Secret;
use crate::net::listener::{Listener, Sharing};
use crate::runtime::shutdown::Shutdown;
use crate::runtime::{clock, tasks};
use crate::topology::Address;

/// A console that has its password and its place, and serves nobody yet.
pub(super) struct Prepared {
    own: Admin,
    file: PathBuf,
    secret: Secret,
    listeners: Vec<Listener>,
}

/// Does what can fail, before the first client is accepted. Nothing where the console is off.
pub(super) async fn prepare(settings: &Settings) -> anyhow::Result<Option<Prepared>> {
    let Some(own) = settings.admin.clone() else { return Ok(None) };
    let (file, secret) = password(&own, settings)?;
    let listeners = Listener::bind(&own.listen, Sharing::Alone).await?;
    Ok(Some(Prepared { own, file, secret, listeners }))
}

impl Prepared {
    /// Serves the console.
    pub(super) fn serve(self, parts: &Parts, workers: Contexts, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Self { own, file, secret, listeners } = self;
        let view = View {
            shared: Arc::clone(&parts.shared),
            workers,
            registry: Arc::clone(&parts.registry),
            failover: parts.failover.clone(),
            writes: parts.writes.clone(),
            rolling: Arc::default(),
            started: clock::now(),
        };
        let bounds = Bounds { sessions: usize::try_from(own.max_sessions.get())?, idle: own.idle_timeout };
        let console = Arc::new(Console::new(view, secret, bounds));
        for listener in listeners {
            tasks::spawn("console", admin::run(listener, Arc::clone(&console), shutdown.listener()));
        }
        let connect = match &own.listen {
            Address::Tcp { host, port } => format!("mysql -h {host} -P {port} -u admin -p"),
            Address::Unix(path) => format!("mysql -S {} -u admin -p", path.display()),
        };
        tracing::info!(listen = %own.listen, password_file = %file.display(), connect, "console ready");
        Ok(())
    }
}

/// The password and the file it is in.
fn password(own: &Admin, settings: &Settings) -> anyhow::Result<(PathBuf, Secret)> {
    let Some(file) = &own.password_file else {
        return admin::load_or_make(&settings.state_dir).context("the console has no password");
    };
    let unasked = || Err(std::io::ErrorKind::Unsupported.into());
    let secret = PasswordSource::File(file.clone()).fetch(unasked).context("the console has no password")?;
    if matches!(secret, Secret::Empty) {
        bail!("admin.password_file: {} is empty; write a password into it", file.display());
    }
    Ok((file.clone(), secret))
}
