//! The machine's commands, as statements of each server.
//!
//! Each order opens a connection, is carried out on it, and answers with how the server stands then. Each may be given
//! twice. What cannot be taken back is sent so that the server itself compares the time ([`Line::order`]).

mod fence;
mod follow;
mod promote;
mod rebuild;
mod receiver;
mod semi_sync;

use std::time::{Duration, Instant};

use super::answers;
use super::directory::Directory;
use super::line::Line;
use super::settings::Settings;
use super::watch::ServerSettings;
use crate::election::{Action, Done, Failure, Report};
use crate::runtime::clock;
use crate::topology::{Flavor, ServerId};

pub(super) use receiver::set_heartbeat;

/// What orders need beside a connection.
#[derive(Debug)]
pub(super) struct Office<'a> {
    pub(super) settings: &'a Settings,
    pub(super) directory: &'a Directory,
    /// What the primary that is or was had set, as far as it is known.
    pub(super) model: Option<&'a ServerSettings>,
    /// The server that the order is about is not the primary, or not well.
    pub(super) stray: bool,
}

/// How often a server is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Carries a command out that is about a server.
pub(super) async fn carry_out(office: &Office<'_>, action: Action, until: Instant) -> Result<Done, Failure> {
    let Some(server) = action.server() else { return Err(Failure::Refused("no server is meant".into())) };
    let mut line = office.line(server, until).await?;
    let done = match action {
        Action::RestartReceiver { .. } => receiver::restart(office, &mut line).await?,
        Action::StopReceiver { .. } => receiver::stop(office, &mut line).await?,
        Action::Fence { .. } => fence::fence(office, &mut line).await?,
        Action::Unfence { .. } => fence::unfence(office, &mut line).await?,
        Action::DrainApplier { up_to, .. } => promote::drain(office, &mut line, &up_to).await?,
        Action::Promote { .. } => promote::promote(office, &mut line).await?,
        Action::Follow { source, within, accept, .. } => {
            follow::follow(office, &mut line, source, within.as_ref(), accept.as_ref()).await?
        }
        Action::RestoreSemiSync { .. } => semi_sync::restore(office, &mut line).await?,
        Action::Rebuild { donor, .. } => rebuild::rebuild(office, &mut line, donor).await?,
        _ => Done::Plainly,
    };
    line.hang_up();
    Ok(done)
}

impl Office<'_> {
    async fn line(&self, server: ServerId, until: Instant) -> Result<Line, Failure> {
        let Some(target) = self.settings.target(server) else {
            return Err(Failure::Refused(format!("{server} is not known")));
        };
        Line::open(target, self.settings, until).await
    }

    /// How the server stands, as an answer.
    async fn report(&self, line: &mut Line) -> Result<Done, Failure> {
        Ok(Done::Report(Box::new(self.stand(line).await?)))
    }

    async fn stand(&self, line: &mut Line) -> Result<Report, Failure> {
        Ok(answers::ask(line, self.directory).await?.0)
    }
}

/// Waits for the next look.
async fn wait(line: &Line) -> Result<(), Failure> {
    line.left()?;
    clock::sleep(LOOK).await;
    Ok(())
}

/// The word for a replica in statements.
const fn replica(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "REPLICA",
        Flavor::MariaDb => "SLAVE",
    }
}

/// ER_SLAVE_NOT_CONFIGURED / ER_REPLICA_NOT_CONFIGURED: what has no source has no receiver to stop.
const NOT_A_REPLICA: &[u16] = &[1200];

/// A string in a statement, under the sql_mode that a [`Line`] sets.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
