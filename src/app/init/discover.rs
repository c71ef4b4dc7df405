//! Servers that were not named, but that those named tell of.

use std::sync::Arc;

use crate::app::survey::{Caller, names_of, survey};
use crate::probing::survey::{Lead, Survey, leads};
use crate::topology::Address;

/// A server tells of others, which tell of others: so often that is followed.
const ROUNDS: usize = 4;

/// The most servers that are asked.
const MOST_SERVERS: usize = 32;

/// Asks the servers that others tell of and adds those that answer. Returns what came of each.
pub(super) async fn discover(found: &mut Survey, caller: &Arc<Caller>) -> Vec<String> {
    let (mut tried, mut outcomes): (Vec<Lead>, Vec<String>) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let fresh: Vec<Lead> = leads(found).into_iter().filter(|lead| !tried.contains(lead)).collect();
        if fresh.is_empty() {
            break;
        }
        for lead in fresh {
            if found.0.len() < MOST_SERVERS {
                outcomes.push(follow(&lead, found, caller).await);
            }
            tried.push(lead);
        }
    }
    for (server, told) in found.answering() {
        if let Err(why) = &told.followers {
            outcomes.push(format!("{} does not tell of its replicas: {why}", server.address));
        }
    }
    outcomes
}

async fn follow(lead: &Lead, found: &mut Survey, caller: &Arc<Caller>) -> String {
    let told_by = &lead.told_by;
    let by_name = "name it with --server if it belongs to the cluster";
    let Some(address) = &lead.address else {
        return format!("a server ({told_by}) does not say where it is reached (report_host): {by_name}");
    };
    if let Some(why) = doubt(address, lead.hosts.as_deref()).await {
        return format!("{address} ({told_by}) was not asked, since {why}: {by_name}");
    }
    let Some(asked) = survey(std::slice::from_ref(address), caller).await.0.pop() else {
        return format!("{address} ({told_by}) could not be asked");
    };
    match &asked.told {
        Err(why) => format!("{address} ({told_by}) was not added: {why}"),
        Ok(told) if !lead.is(&told.identity) => {
            format!("{address} ({told_by}) was not added: another server answers there")
        }
        Ok(_) => {
            let outcome = format!("{address} was found ({told_by}) and added");
            found.0.push(asked);
            outcome
        }
    }
}

/// Why the administrator's password should not be shown to a server at this address (HAZARDS 24).
async fn doubt(address: &Address, hosts: Option<&[String]>) -> Option<String> {
    let hosts = hosts?;
    if hosts.is_empty() {
        return Some("it is not connected to its primary".to_owned());
    }
    let Address::Tcp { host, .. } = address else { return Some("it is no address of a network".to_owned()) };
    let reported = names_of(host).await;
    for host in hosts {
        if names_of(host).await.iter().any(|name| reported.contains(name)) {
            return None;
        }
    }
    Some(format!("its connection to the primary comes from elsewhere ({})", hosts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replica_is_believed_where_its_connection_comes_from() {
        let address = "10.0.0.2:3306".parse().unwrap();
        let doubted = async |hosts: Option<&[&str]>| {
            let hosts: Option<Vec<String>> =
                hosts.map(|hosts| hosts.iter().map(ToString::to_string).collect());
            doubt(&address, hosts.as_deref()).await.is_some()
        };
        assert!(!doubted(None).await);
        assert!(!doubted(Some(&["10.0.0.2"])).await);
        assert!(!doubted(Some(&["10.0.0.3", "10.0.0.2"])).await);
        assert!(doubted(Some(&["10.0.0.3"])).await);
        assert!(doubted(Some(&[])).await);
    }
}
