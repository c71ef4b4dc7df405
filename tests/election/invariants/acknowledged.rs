//! No commit that a client was told of is lost while a candidate has it; with `safe`, none at all that no operator has given
//! up.

use crate::history::History;
use crate::server::Server;

/// A server is published as the primary. `could`: whether a server could have been it instead.
pub(crate) fn no_acknowledged_commit_is_lost(
    history: &mut History,
    servers: &[Server],
    primary: usize,
    safe: bool,
    could: impl Fn(&Server) -> bool,
) {
    let missing: Vec<u32> =
        history.acknowledged.iter().copied().filter(|id| !servers[primary].has(*id)).collect();
    for id in missing {
        history.acknowledged.remove(&id);
        history.lost += 1;
        let holder = servers.iter().find(|server| {
            server.id != primary
                && history.stopped.contains(&server.id)
                && server.has_received(id)
                && could(server)
        });
        if let Some(holder) = holder {
            let holder = holder.id;
            history
                .violate("acknowledged", format!("{id} is on server {holder} and not on server {primary}"));
        }
        if safe && !history.accepted {
            history
                .violate("acknowledged", format!("{id} is lost on server {primary}, the policy being safe"));
        }
    }
}
