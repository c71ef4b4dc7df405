//! Making a server a copy of another.

use super::carry_out::{Office, quoted};
use crate::auth::Secret;
use crate::election::{Done, Failure};
use crate::failover::line::Line;
use crate::probing::standing::CLONE_PLUGIN;
use crate::topology::{Address, Flavor, ServerId};

/// ER_RESTART_SERVER_FAILED: the copy is complete, and whoever supervises the server must start it again.
const MUST_BE_STARTED: &[u16] = &[3707];

/// Has a MySQL server replace all it has by what `donor` has (CLONE).
pub(super) async fn rebuild(office: &Office<'_>, line: &mut Line, donor: ServerId) -> Result<Done, Failure> {
    let refused = |why: &str| Failure::Refused(why.to_owned());
    if line.flavor() == Flavor::MariaDb {
        return Err(refused("MariaDB has no CLONE; restore it from a backup and let it follow"));
    }
    let active = line.ask(CLONE_PLUGIN).await?;
    if active.value("status") != Some("ACTIVE") {
        return Err(refused(
            "it has no clone plugin: INSTALL PLUGIN clone SONAME 'mysql_clone.so' on both servers",
        ));
    }
    let target = office.directory.target(donor).ok_or_else(|| refused("the donor is not known"))?;
    let Address::Tcp { host, port } = &target.address else {
        return Err(refused("servers cannot reach a Unix socket"));
    };
    let control = &office.settings.control;
    let password = match &control.secret {
        Secret::Clear(password) => {
            std::str::from_utf8(password).map_err(|_| refused("the password is no text"))?
        }
        _ => "",
    };
    line.set_global("clone_valid_donor_list", &quoted(&format!("{host}:{port}"))).await?;
    // It is read only for all but Headgate still, and refuses even this while it is so for Headgate too.
    line.set_global("super_read_only", "0").await?;
    let (user, host, password) = (quoted(&control.user), quoted(host), quoted(password));
    // The server keeps the password out of its logs only where it sees the statement itself.
    let clone = format!("CLONE INSTANCE FROM {user}@{host}:{port} IDENTIFIED BY {password}");
    let cloned = line.ask_unless(&clone, MUST_BE_STARTED).await;
    if cloned.is_err() {
        // A server that has gone meanwhile comes back as it was configured, and is fenced then.
        let _ = line.set_global("super_read_only", "1").await;
    }
    cloned.map(|()| Done::Plainly)
}
