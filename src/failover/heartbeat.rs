//! How often replicas hear from a primary without writes: what they had before Headgate set it, and what may be relied on.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::driver::{Driver, Note};
use super::office;
use super::state::put;
use super::watch::ServerSettings;
use crate::election::{Event, Heartbeat, Phase, Rules};
use crate::runtime::{clock, tasks};
use crate::topology::ServerId;

/// The name of the file that holds what was found.
const FILE: &str = "heartbeats.toml";

/// No replica's is set again sooner.
const AGAIN: Duration = Duration::from_secs(10);

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

/// What replicas had before Headgate set it, by address.
pub(super) type Recorded = BTreeMap<String, Duration>;

/// Reads what was recorded. What is unreadable is not known.
pub(super) fn recorded(folder: &Path) -> Recorded {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let known: BTreeMap<String, f64> = toml::from_str(&text).unwrap_or_default();
    let period = |(address, seconds)| Some((address, Duration::try_from_secs_f64(seconds).ok()?));
    known.into_iter().filter_map(period).collect()
}

fn write(folder: &Path, known: &Recorded) -> std::io::Result<()> {
    let seconds: BTreeMap<&String, f64> =
        known.iter().map(|(address, period)| (address, period.as_secs_f64())).collect();
    let table = toml::to_string(&seconds).map_err(std::io::Error::other)?;
    put(
        &folder.join(FILE),
        &format!("# What replicas had in seconds before Headgate set it (failover.heartbeat).\n{table}"),
    )
}

/// Notes what a replica had, unless that is noted already: what Headgate has set itself is not what it had.
fn record(folder: &Path, known: &mut Recorded, replica: &str, found: Duration) -> std::io::Result<()> {
    if known.contains_key(replica) {
        return Ok(());
    }
    known.insert(replica.to_owned(), found);
    write(folder, known).inspect_err(|_| {
        known.remove(replica);
    })
}

impl Driver {
    pub(super) fn has_heartbeat(&mut self, server: ServerId, period: Duration) {
        self.set.entry(server).or_default().heartbeat = Some(period);
        if self.settings.heartbeat.is_none()
            && let Some(address) = self.directory.address(server)
            && self.recorded.remove(&address).is_some()
            && let Err(error) = write(&self.settings.state_dir, &self.recorded)
        {
            tracing::warn!(%error, "what replicas had for a heartbeat could not be written down");
        }
        self.rely_on_heartbeats();
    }

    /// Tells the machine what silence means by now.
    pub(super) fn rely_on_heartbeats(&mut self) {
        let primary = self.machine.primary();
        // Who is known to follow another server is no witness of the primary's silence.
        let hears = |server: &ServerId| {
            self.receivers.get(server).is_none_or(|source| primary.is_none_or(|primary| *source == primary))
        };
        let set = self.set.iter().filter(|(server, _)| hears(server));
        let set: HashMap<ServerId, ServerSettings> =
            set.map(|(server, settings)| (*server, settings.clone())).collect();
        let period = in_force(self.settings.heartbeat, &set, primary);
        if let Some(heartbeat) = period.filter(|period| *period != self.machine.rules().heartbeat) {
            let (Heartbeat::Managed(every) | Heartbeat::Found(every)) = heartbeat;
            let rules = Rules { heartbeat, ..self.machine.rules().clone() };
            let silence = rules.silence();
            self.note(
                "heartbeat",
                format!("replicas hear every {every:?}; a silence counts after {silence:?}"),
            );
            self.step(Event::Rules(rules));
        }
    }

    /// Has replicas told what they are to hear, one attempt in ten seconds, while nothing is being changed. Where Headgate
    /// is to leave that alone by now, they get what they had.
    pub(super) fn see_to_heartbeats(&mut self) {
        if *self.machine.phase() != Phase::Healthy || self.rivals.told().is_some() || !self.speaks {
            return;
        }
        let now = clock::now();
        let primary = self.machine.primary();
        let mut due = Vec::new();
        for (server, settings) in &self.set {
            let follows = primary.is_some() && self.receivers.get(server) == primary.as_ref();
            let tried = self.heartbeats_tried.get(server);
            let rests = tried.is_some_and(|at| now.saturating_duration_since(*at) <= AGAIN);
            let address = self.directory.address(*server).unwrap_or_default();
            let wanted = self.settings.heartbeat.or_else(|| self.recorded.get(&address).copied());
            if let (Some(found), Some(wanted)) = (settings.heartbeat, wanted)
                && follows
                && !rests
            {
                due.push((*server, address, found, wanted));
            }
        }
        for (server, address, found, wanted) in due {
            if found == wanted {
                // It has it already, be it that an earlier run could not say so.
                if self.recorded.contains_key(&address) {
                    self.has_heartbeat(server, wanted);
                }
                continue;
            }
            self.heartbeats_tried.insert(server, now);
            let managed = self.settings.heartbeat.is_some();
            if managed
                && let Err(error) = record(&self.settings.state_dir, &mut self.recorded, &address, found)
            {
                self.note(
                    "heartbeat",
                    format!("{server} keeps {found:?}, which could not be recorded: {error}"),
                );
                continue;
            }
            self.set_heartbeat(server, found, wanted);
        }
    }

    fn set_heartbeat(&mut self, server: ServerId, found: Duration, wanted: Duration) {
        let desk = Arc::clone(self.desks.entry(server).or_default());
        let target = self.directory.target(server);
        let (settings, at_rest) = (Arc::clone(&self.settings), Arc::clone(&self.at_rest));
        let notes = self.notes.0.clone();
        tasks::spawn("heartbeat", async move {
            let outcome = office::set_heartbeat(&settings, target, wanted, &desk, &at_rest).await;
            let what = match &outcome {
                Ok(()) => format!("{server} hears every {wanted:?}, and not every {found:?}"),
                Err(failure) => format!("{server} keeps {found:?}: {failure}"),
            };
            // Nobody listens when Headgate ends.
            let _ = notes.send(Note::Event("heartbeat", what)).await;
            if outcome.is_ok() {
                let _ = notes.send(Note::Heartbeat(server, wanted)).await;
            }
        });
    }
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

    #[test]
    fn what_a_replica_had_first_is_kept_and_found_again() {
        let folder = std::env::temp_dir().join(format!("headgate-heartbeats-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let seconds = Duration::from_secs;
        let mut known = recorded(&folder);
        assert_eq!(known, Recorded::new());
        record(&folder, &mut known, "db2:3306", seconds(30)).unwrap();
        record(&folder, &mut known, "db2:3306", seconds(1)).unwrap();
        assert_eq!(recorded(&folder), Recorded::from([("db2:3306".to_owned(), seconds(30))]));
        fs::remove_dir_all(&folder).unwrap();
    }
}
