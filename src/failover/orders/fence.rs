//! Making a server read only, and writable again.

use super::carry_out::Office;
use super::semi_sync;
use crate::election::{Done, Failure};
use crate::failover::line::Line;
use crate::probing::standing::{BACKUP_LOCKS, PROCESSES, prepared, prepared_branches, processes};
use crate::topology::Flavor;

/// ER_NO_SUCH_THREAD: it has gone by itself. ER_KILL_DENIED_ERROR and ER_SPECIFIC_ACCESS_DENIED_ERROR: a SYSTEM_USER, whom
/// only another one may end; `super_read_only` holds for it all the same.
const CANNOT_BE_ENDED: &[u16] = &[1094, 1095, 1227, 3879];

/// Makes a server read only, ends the sessions of others, and looks for what would pass the fence.
///
/// The server is read only before anybody is sent away, since clients come back at once. `lock_wait_timeout` is set on a
/// [`Line`]: without it `super_read_only` waits for a table lock or a backup, blocks every write meanwhile, and happens
/// after its client has gone (HAZARDS 22).
pub(super) async fn fence(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    let variable = match line.flavor() {
        Flavor::MySql => "super_read_only",
        Flavor::MariaDb => "read_only",
    };
    if office.stray {
        // Nobody there need be waited for. What waits to be acknowledged by replicas that have left would keep the server
        // writable for as long as it waits; those it would be acknowledged to have been sent away by then.
        send_away(office, line).await?;
        semi_sync::wait_no_more(line).await?;
    } else if line.flavor() == Flavor::MySql {
        let locks = line.ask(BACKUP_LOCKS).await?;
        if locks.value("locks") != Some("0") {
            return Err(Failure::Refused(
                "a backup or FLUSH TABLES WITH READ LOCK is under way on it".to_owned(),
            ));
        }
    }
    line.set_global(variable, "1").await?;
    send_away(office, line).await?;
    let branches = line.ask(prepared_branches(line.flavor())).await?;
    let mut report = office.stand(line).await?;
    if report.writable {
        return Err(Failure::Refused("it says that it is writable".into()));
    }
    report.prepared = prepared(&branches);
    Ok(Done::Report(Box::new(report)))
}

/// Ends all sessions but those of Headgate, of replicas and of the server itself.
async fn send_away(office: &Office<'_>, line: &mut Line) -> Result<(), Failure> {
    let spared = [office.settings.control.user.as_str()];
    let all = line.ask(PROCESSES).await?;
    let kills: Vec<String> =
        processes(&all, &spared).iter().map(|process| format!("KILL {}", process.id)).collect();
    line.ask_all(&kills, CANNOT_BE_ENDED).await
}

/// Makes a server writable, and reads that back.
pub(super) async fn unfence(office: &Office<'_>, line: &mut Line) -> Result<Done, Failure> {
    // On MySQL this takes super_read_only away with it.
    line.set_global("read_only", "0").await?;
    let report = office.stand(line).await?;
    if !report.writable {
        return Err(Failure::Refused("it says that it is read only".into()));
    }
    Ok(Done::Report(Box::new(report)))
}
