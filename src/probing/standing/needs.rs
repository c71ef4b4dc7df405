//! What a server and the control account must have for failover.

use std::fmt;

use crate::probing::grants::{Grants, to_fail_over};
use crate::topology::Flavor;
use crate::wire::answer::Answer;

/// Something without which Headgate promotes nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The control account must be granted this.
    Grant {
        /// The privilege.
        privilege: &'static str,
        /// On what.
        on: &'static str,
    },
    /// The server must be set so.
    Setting {
        /// The variable.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

/// The settings to ask for: `SHOW GLOBAL VARIABLES WHERE …`, beside `SHOW GRANTS`.
const SETTINGS: [(Flavor, &str, &str); 4] = [
    (Flavor::MySql, "gtid_mode", "ON"),
    // Without it heartbeats cannot be counted, and an idle primary out of Headgate's reach would be taken for dead.
    (Flavor::MySql, "performance_schema", "ON"),
    (Flavor::MySql, "log_bin", "ON"),
    (Flavor::MariaDb, "log_bin", "ON"),
];

/// What is lacking, by the answers to `SHOW GRANTS` and `SHOW GLOBAL VARIABLES`.
#[must_use]
pub fn lacks(flavor: Flavor, version: u32, grants: &Answer, variables: &Answer) -> Vec<Lack> {
    let held = Grants::read(grants);
    let grants =
        to_fail_over(flavor, version).filter(|need| !held.hold(need.privileges, need.on)).map(|need| {
            Lack::Grant { privilege: need.privileges.first().copied().unwrap_or_default(), on: need.on }
        });
    let value = |name: &str| {
        let row = variables.rows.iter().find(|row| row.first().and_then(Option::as_deref) == Some(name))?;
        row.get(1)?.as_deref()
    };
    let settings = SETTINGS
        .iter()
        .filter(|(of, name, wanted)| *of == flavor && value(name) != Some(wanted))
        .map(|(_, name, wanted)| Lack::Setting { name, wanted });
    grants.chain(settings).collect()
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { privilege, on } => write!(f, "the control account needs {privilege} ON {on}"),
            Self::Setting { name, wanted } => write!(f, "{name} must be {wanted}"),
        }
    }
}
