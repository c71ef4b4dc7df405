//! Writes on the primary now and then, to see whether writes get through.
//!
//! It goes through the gate like every client's write: while the primary is replaced it does not write, and whoever holds
//! the gate waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::Gauge;
use tokio::sync::watch;

use super::gate::Gate;
use super::line::open;
use super::settings::Account;
use crate::backend::{BackendError, Connection, Way};
use crate::probing::write_probe::{ProbeTable, Writes};
use crate::runtime::{clock, tasks};
use crate::topology::{ServerId, Topology, Trouble};

/// How and as whom it is written.
#[derive(Debug)]
pub struct WriteProbe {
    /// Where to.
    pub table: ProbeTable,
    /// How often.
    pub every: Duration,
    /// A write that has not ended after so long is stuck.
    pub late: Duration,
    /// As whom.
    pub control: Account,
    /// The name of this run of Headgate among others.
    pub instance: String,
    /// How servers are reached.
    pub way: Way,
}

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A write may wait for room on a disk for as long as this before its connection is given up for a new one.
const LONGEST: Duration = Duration::from_secs(3600);

/// Writes for as long as Headgate runs, and tells what comes of it. `stuck` shows for how many seconds nothing has got
/// through.
#[must_use]
pub fn start(
    probe: WriteProbe,
    gate: Arc<Gate>,
    topology: watch::Receiver<Arc<Topology>>,
    stuck: Gauge,
) -> watch::Receiver<Writes> {
    let (publish, writes) = watch::channel(Writes::default());
    tasks::spawn("write probe", Writer { probe, gate, topology, publish, stuck }.run());
    writes
}

struct Writer {
    probe: WriteProbe,
    gate: Arc<Gate>,
    topology: watch::Receiver<Arc<Topology>>,
    publish: watch::Sender<Writes>,
    stuck: Gauge,
}

/// Why a connection is used no more.
enum Over {
    /// The server is not the primary any more, or is being replaced.
    Replaced,
    /// It failed.
    Failed(BackendError),
}

impl Writer {
    async fn run(mut self) {
        loop {
            let primary = self.topology.borrow_and_update().primary.clone().ok();
            let Some(server) = primary else {
                self.tell(Writes::Unknown);
                if self.topology.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if self.publish.borrow().of(server).is_none() {
                self.tell(Writes::Unknown);
            }
            let mut moved = self.topology.clone();
            let mut cuts = self.gate.cuts();
            cuts.mark_unchanged();
            tokio::select! {
                over = self.write_on(server) => {
                    // Whether it can be reached at all is for the monitor to say.
                    if let Over::Failed(error) = over {
                        tracing::debug!(%error, "the write probe lost its connection");
                    }
                }
                moved = moved.wait_for(|topology| topology.primary != Ok(server)) => if moved.is_err() { return },
                _ = cuts.changed() => {}
            }
            clock::sleep(self.probe.every.min(PATIENCE)).await;
        }
    }

    /// Writes in turn until the connection fails.
    async fn write_on(&self, server: ServerId) -> Over {
        let target = {
            let topology = self.topology.borrow();
            let Some(known) = topology.server(server) else { return Over::Replaced };
            self.probe.way.target(server, &known.address, known.only.clone())
        };
        let mut connection = match open(&target, &self.probe.control, &self.probe.instance, PATIENCE).await {
            Ok(connection) => connection,
            Err(error) => return Over::Failed(error),
        };
        loop {
            let Some(pass) = self.gate.enter() else { return Over::Replaced };
            let written = self.write(&mut connection, server).await;
            drop(pass);
            match written {
                Ok(true) => self.tell(Writes::Work { server }),
                // It is no primary, which the monitor is about to see.
                Ok(false) => self.tell(Writes::Unknown),
                Err(BackendError::Refused { error }) => {
                    self.tell_refusal(server, &BackendError::Refused { error })
                }
                Err(error) => return Over::Failed(error),
            }
            clock::sleep(self.probe.every).await;
        }
    }

    /// Writes once, and tells how long it has not ended for as long as it has not.
    /// False where the server is read only, and nothing was written.
    async fn write(&self, connection: &mut Connection, server: ServerId) -> Result<bool, BackendError> {
        let asked = clock::now();
        let answer = connection.query(ProbeTable::MAY_WRITE, PATIENCE).await?;
        if answer.value("read_only") != Some("0") {
            return Ok(false);
        }
        let sql = self.probe.table.write();
        let mut answer = std::pin::pin!(connection.query(&sql, LONGEST));
        loop {
            match clock::within(self.probe.late, answer.as_mut()).await {
                Ok(answer) => return answer.map(|_| true),
                Err(_) => self.tell_late(server, asked),
            }
        }
    }

    fn tell_late(&self, server: ServerId, asked: Instant) {
        let problem = "a write of Headgate's own does not end: its disk may be full, replicas may not acknowledge, or \
                       somebody may hold a global lock";
        let failed =
            self.publish.borrow().failed(server, Trouble::WriteLate, problem.into(), asked, clock::now());
        self.tell(failed);
    }

    fn tell_refusal(&self, server: ServerId, error: &BackendError) {
        let mut problem = error.to_string();
        if let BackendError::Refused { error } = error
            && let Some(advice) = self.probe.table.advice(error.code)
        {
            problem = format!("{problem}; {advice}");
        }
        let (now, trouble) = (clock::now(), error.trouble());
        // ER_LOCK_WAIT_TIMEOUT: a write before this one, which was given up here, is stuck there.
        let waits = matches!(error, BackendError::Refused { error } if error.code == 1205);
        let trouble = if waits { Trouble::WriteLate } else { trouble };
        let failed = self.publish.borrow().failed(server, trouble, problem.into(), now, now);
        self.tell(failed);
    }

    fn tell(&self, writes: Writes) {
        let seconds = match &writes {
            Writes::Fail { since, .. } => clock::now().saturating_duration_since(*since).as_secs_f64(),
            Writes::Work { .. } => 0.0,
            Writes::Unknown => f64::NAN,
        };
        self.stuck.set(seconds);
        let before = self.publish.send_replace(writes.clone());
        match (&before, &writes) {
            (Writes::Fail { problem: old, .. }, Writes::Fail { problem, .. }) if old == problem => {}
            (_, Writes::Fail { server, problem, .. }) => {
                tracing::error!(server = %self.address(*server), %problem, "writes do not get through");
            }
            (Writes::Fail { .. }, Writes::Work { server }) => {
                tracing::info!(server = %self.address(*server), "writes get through again");
            }
            _ => {}
        }
    }

    fn address(&self, server: ServerId) -> String {
        let topology = self.topology.borrow();
        topology.server(server).map_or_else(|| server.to_string(), |known| known.address.to_string())
    }
}
