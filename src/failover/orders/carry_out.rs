//! Gives each command to its file, and what all of them need.

use std::time::{Duration, Instant};

use super::{fence, follow, promote, rebuild, receiver, semi_sync};
use crate::election::{Action, Done, Failure, Report};
use crate::failover::answers;
use crate::failover::directory::Directory;
use crate::failover::line::Line;
use crate::failover::settings::Settings;
use crate::failover::watch::ServerSettings;
use crate::runtime::clock;
use crate::topology::{Flavor, ServerId};

/// What orders need beside a connection.
#[derive(Debug)]
pub(in crate::failover) struct Office<'a> {
    pub(in crate::failover) settings: &'a Settings,
    pub(in crate::failover) directory: &'a Directory,
    /// What the primary that is or was had set, as far as it is known.
    pub(in crate::failover) model: Option<&'a ServerSettings>,
    /// The server that the order is about is not the primary, or not well.
    pub(in crate::failover) stray: bool,
}

/// How often a server is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Carries a command out that is about a server.
pub(in crate::failover) async fn carry_out(
    office: &Office<'_>,
    action: Action,
    until: Instant,
) -> Result<Done, Failure> {
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
    pub(super) async fn line(&self, server: ServerId, until: Instant) -> Result<Line, Failure> {
        let Some(target) = self.directory.target(server) else {
            return Err(Failure::Refused(format!("{server} is not known")));
        };
        Line::open(&target, self.settings, until).await
    }

    /// How the server stands, as an answer.
    pub(super) async fn report(&self, line: &mut Line) -> Result<Done, Failure> {
        Ok(Done::Report(Box::new(self.stand(line).await?)))
    }

    pub(super) async fn stand(&self, line: &mut Line) -> Result<Report, Failure> {
        Ok(answers::ask(line, self.directory).await?.0)
    }
}

/// Waits for the next look.
pub(super) async fn wait(line: &Line) -> Result<(), Failure> {
    line.left()?;
    clock::sleep(LOOK).await;
    Ok(())
}

/// The word for a replica in statements.
pub(super) const fn replica(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "REPLICA",
        Flavor::MariaDb => "SLAVE",
    }
}

/// ER_SLAVE_NOT_CONFIGURED / ER_REPLICA_NOT_CONFIGURED: what has no source has no receiver to stop.
pub(super) const NOT_A_REPLICA: &[u16] = &[1200];

/// A string in a statement, under the sql_mode that a [`Line`] sets.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
