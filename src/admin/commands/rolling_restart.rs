//! ROLLING RESTART.

use tokio::runtime::Handle;

use super::change;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::tables;
use crate::admin::view::View;

/// Guides through the restart of all servers.
pub(super) struct RollingRestart;

impl Command for RollingRestart {
    fn names(&self) -> &'static [&'static str] {
        &["ROLLING RESTART"]
    }

    fn usage(&self) -> &'static str {
        "ROLLING RESTART [STOP]"
    }

    fn meaning(&self) -> &'static str {
        "Guides through a restart of all servers, one after the other, without a client noticing: each replica is \
         drained, you restart it when SHOW ROLLING RESTART says so, and it serves again when it has come back, follows and \
         has caught up; last, another server becomes the primary, and the old one likewise. STOP, a failure or a failover \
         ends it, and what was drained is undrained. Servers that failover does not know take no part."
    }

    fn example(&self) -> &'static str {
        "ROLLING RESTART"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let declined = |why: String| ConsoleError::Declined { why };
        match request.tokens.len() {
            2 => {
                change::must_be_possible(view)?;
                view.rolling.begin(view).map_err(declined)?;
            }
            3 if request.begins_with("ROLLING RESTART STOP") => {
                // Statements of the console run where waiting is allowed.
                let stopped = view.rolling.stop(view, request.asker.name.clone());
                if !Handle::current().block_on(stopped) {
                    return Err(declined("no rolling restart is under way".to_owned()));
                }
            }
            _ => {
                let why = "there is something behind it that is not STOP".to_owned();
                return Err(ConsoleError::Usage { why, usage: self.usage() });
            }
        }
        tracing::info!(by = request.asker.name, statement = request.text, "from the console");
        Ok(tables::show(&tables::ROLLING_RESTART, view))
    }
}
