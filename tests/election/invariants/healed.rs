//! When faults have stopped, all is well after a while; or what is not says why, and that is true.

use headgate::election::{Machine, Quarantine, Receiver};

use crate::server::Server;

/// Why it has not healed; nothing where it has.
pub(crate) fn unhealed(
    machine: Option<&Machine>,
    servers: &[Server],
    published: Option<usize>,
    held: bool,
    gone: impl Fn(&Server) -> bool,
) -> Option<String> {
    let Some(machine) = machine else { return Some("Headgate does not run".into()) };
    if !machine.phase().is_at_rest() {
        return Some(format!("{:?}", machine.phase()));
    }
    let Some(primary) = machine.primary().map(|primary| usize::from(primary.0)) else {
        return Some("no primary".into());
    };
    if published != Some(primary) || held {
        return Some(format!("server {primary} is not published, or writes are held"));
    }
    if !servers[primary].up || !servers[primary].writable {
        return Some(format!("server {primary} is not writable"));
    }
    let quarantined = |server: usize| {
        machine.quarantined().find(|(id, _)| usize::from(id.0) == server).map(|(_, why)| why.clone())
    };
    for server in servers.iter().filter(|server| server.id != primary && !gone(server)) {
        if server.writable {
            return Some(format!("server {} is writable too", server.id));
        }
        if let Some(why) = quarantined(server.id) {
            if let Some(lie) = lie(&why, server, &servers[primary]) {
                return Some(format!("server {} is in quarantine and {lie}: {why}", server.id));
            }
            continue;
        }
        let Some(link) = server.link.as_ref().filter(|link| link.source == primary) else {
            return Some(format!("server {} does not follow", server.id));
        };
        if link.receiver != Receiver::Running {
            return Some(format!("the receiver of server {} is {:?}", server.id, link.receiver));
        }
    }
    None
}

/// What is not true of a reason for a quarantine.
fn lie(why: &Quarantine, server: &Server, primary: &Server) -> Option<&'static str> {
    let is_true = match why {
        Quarantine::Errant(_) => {
            server.held.iter().chain(server.relay.iter().map(|tx| &tx.id)).any(|id| !primary.has(*id))
        }
        Quarantine::Prepared(_) => !server.prepared.is_empty(),
        Quarantine::LogsPurged(_) => {
            primary.log[..primary.purged].iter().any(|tx| !server.has_received(tx.id))
        }
    };
    (!is_true).then_some("it is not true")
}
