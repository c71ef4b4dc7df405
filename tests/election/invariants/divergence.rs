//! A replica has nothing that its primary lacks.

use crate::history::History;
use crate::server::Server;

/// A server is made to follow another. What it has received and not applied is thrown away then.
pub(crate) fn nothing_of_its_own(history: &mut History, replica: &Server, source: &Server) {
    if let Some(own) = replica.held.iter().find(|id| !source.has(**id)) {
        history.violate(
            "divergence",
            format!("server {} follows server {} and has {own}, which that lacks", replica.id, source.id),
        );
    }
}

/// All has healed: those that follow have nothing that the primary lacks, unless somebody wrote to them directly.
pub(crate) fn followers_have_nothing_of_their_own(history: &mut History, servers: &[Server], primary: usize) {
    for server in
        servers.iter().filter(|server| server.link.as_ref().is_some_and(|link| link.source == primary))
    {
        let own =
            server.held.iter().find(|id| !servers[primary].has(**id) && !history.strays.contains_key(id));
        if let Some(own) = own.copied() {
            history.violate("divergence", format!("server {} has {own}, which the primary lacks", server.id));
        }
    }
}
