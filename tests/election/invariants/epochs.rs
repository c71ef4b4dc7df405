//! No command of an earlier reign, or after its deadline, takes effect.

use headgate::election::Command;

use crate::history::{History, changes_roles};

/// A command is about to take effect on a server.
pub(crate) fn no_old_command_takes_effect(history: &mut History, command: &Command) {
    if command.epoch.0 < history.newest && changes_roles(&command.action) {
        let newest = history.newest;
        history.violate(
            "old epochs",
            format!("{:?} of epoch {} after epoch {newest} began", command.action, command.epoch.0),
        );
    }
}
