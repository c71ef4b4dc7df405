//! How often replicas hear from a primary without writes: what they had before Headgate set it, and what may be relied on.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::state::put;
use super::watch::ServerSettings;
use crate::election::Heartbeat;
use crate::topology::ServerId;

/// The name of the file that holds what was found.
const FILE: &str = "heartbeats.toml";

/// The longest heartbeat that any replica waits for: a primary that is silent for less may be well.
pub(super) fn in_force(
    managed: Option<Duration>,
    set: &HashMap<ServerId, ServerSettings>,
    primary: Option<ServerId>,
) -> Option<Heartbeat> {
    let replicas = set.iter().filter(|(server, _)| Some(**server) != primary);
    let longest = replicas.filter_map(|(_, settings)| settings.heartbeat).max()?;
    Some(match managed {
        Some(wanted) if longest <= wanted => Heartbeat::Managed(wanted),
        _ => Heartbeat::Found(longest),
    })
}

/// Notes what a replica had, unless that is noted already: what Headgate has set itself is not what it had.
pub(super) fn record(folder: &Path, replica: &str, found: Duration) -> std::io::Result<()> {
    let path = folder.join(FILE);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut known: BTreeMap<String, f64> = toml::from_str(&text).unwrap_or_default();
    if known.contains_key(replica) {
        return Ok(());
    }
    known.insert(replica.to_owned(), found.as_secs_f64());
    let table = toml::to_string(&known).map_err(std::io::Error::other)?;
    put(
        &path,
        &format!("# What replicas had in seconds before Headgate set it (failover.heartbeat).\n{table}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_replica_counts() {
        let seconds = Duration::from_secs_f64;
        let set = |periods: &[f64]| {
            let settings = |period: &f64| ServerSettings {
                heartbeat: Some(seconds(*period)),
                ..ServerSettings::default()
            };
            (1..).map(ServerId).zip(periods.iter().map(settings)).collect::<HashMap<_, _>>()
        };
        let wanted = seconds(0.5);
        assert_eq!(in_force(Some(wanted), &set(&[0.5, 0.5]), None), Some(Heartbeat::Managed(wanted)));
        assert_eq!(in_force(Some(wanted), &set(&[0.5, 30.0]), None), Some(Heartbeat::Found(seconds(30.0))));
        assert_eq!(in_force(None, &set(&[0.5]), None), Some(Heartbeat::Found(wanted)));
        assert_eq!(in_force(Some(wanted), &set(&[]), None), None);
        // A primary that was a replica may keep a setting that nobody uses.
        assert_eq!(in_force(None, &set(&[30.0]), Some(ServerId(1))), None);
    }
}
