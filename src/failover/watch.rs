//! Asks one server how it stands, four times a second, over a connection of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::directory::Directory;
use super::line::open;
use super::settings::Common;
use crate::backend::{BackendError, Connection, Target};
use crate::election::{Report, Sight, Trouble};
use crate::gtid::MariaDbState;
use crate::probing::standing::{
    FIRST_LOG, Fixed, LOG_FILTERS, Lack, PROCESSES, Questions, Slot, first_log_state, heartbeat, lacks,
    processes, report, semi_sync, slots,
};
use crate::probing::{log_is_filtered, queries};
use crate::runtime::clock;
use crate::topology::{self, Flavor, ServerId};
use crate::wire::answer::Answer;

/// How often a server is asked while all is well.
const EVERY: Duration = Duration::from_millis(250);
/// And while a server is in trouble, whichever it is.
const BRISKLY: Duration = Duration::from_millis(100);
/// How long a server may take for a connection and a login, and for an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often settings are asked for, which people change by hand.
const SETTINGS_EVERY: Duration = Duration::from_secs(10);

/// What has been learned of a server.
#[derive(Debug)]
pub(super) enum Told {
    /// It was asked at this time, and this came of it.
    Sight(Instant, Sight),
    /// What it lacks for failover; nothing where it has all. Told once for each connection.
    Lacks(Vec<Lack>),
    /// What it is set to.
    Set(ServerSettings),
    /// Another connection than this watch's says that a Headgate watches the server; whose, for people.
    Rivals(Vec<(Slot, String)>),
}

/// What a server is set to, where failover has to do with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ServerSettings {
    /// How often its source says that it is there; nothing where it has no source.
    pub(super) heartbeat: Option<Duration>,
    /// `rpl_semi_sync…`, with their values.
    pub(super) semi_sync: HashMap<String, String>,
}

/// What it works with.
pub(super) struct Watch {
    pub(super) target: Target,
    pub(super) settings: Common,
    pub(super) directory: Arc<Directory>,
    pub(super) tell: mpsc::Sender<(ServerId, Told)>,
    /// A server is in trouble.
    pub(super) brisk: watch::Receiver<bool>,
}

/// A connection, and what is known of the server at its end.
struct Asked {
    connection: Connection,
    fixed: Fixed,
    questions: Questions,
    settings_at: Instant,
}

/// The process at the other end, and the connections to it that were this watch's: the server may hold one for open that
/// is not.
#[derive(Default)]
struct Memory {
    run: u64,
    mine: Vec<u64>,
}

impl Watch {
    /// Asks until nobody listens any more.
    pub(super) async fn run(self) {
        let mut memory = Memory::default();
        while !self.tell.is_closed() {
            let asked = clock::now();
            let problem = match self.begin(&mut memory).await {
                Ok(at_work) => self.ask_on(at_work, &mut memory).await,
                Err((problem, logged_in)) => Some(sight(&problem, logged_in)),
            };
            if let Some(sight) = problem {
                self.tell(Told::Sight(asked, sight)).await;
                self.pause(BRISKLY).await;
            }
        }
    }

    /// Asks in turn until the connection fails. Nothing where it only broke: what a new one brings tells more.
    async fn ask_on(&self, mut at_work: Asked, memory: &mut Memory) -> Option<Sight> {
        loop {
            let asked = clock::now();
            match self.ask(&mut at_work, memory).await {
                Ok(report) => self.tell(Told::Sight(asked, Sight::Answered(Box::new(report)))).await,
                // Behind an old connection the network may be cut; whether the server hangs, a new login tells.
                Err(problem @ BackendError::Late { .. }) => return Some(sight(&problem, false)),
                Err(problem @ BackendError::Refused { .. }) => {
                    self.tell(Told::Sight(asked, sight(&problem, true))).await;
                }
                Err(_) => return None,
            }
            if clock::now().saturating_duration_since(at_work.settings_at) > SETTINGS_EVERY {
                self.look_at_settings(&mut at_work).await.ok()?;
            }
            self.pause(EVERY).await;
            if self.tell.is_closed() {
                return None;
            }
        }
    }

    async fn ask(&self, at_work: &mut Asked, memory: &mut Memory) -> Result<Report, BackendError> {
        let Asked { connection, fixed, questions, .. } = at_work;
        let own = connection.query(&questions.own, PATIENCE).await?;
        let channels = connection.query(questions.channel, PATIENCE).await?;
        let (report, told) = report(fixed, &own, &channels, &*self.directory).map_err(|problem| {
            let error = crate::wire::err::ErrPacket::own(1105, b"HY000", &problem.to_string());
            BackendError::Refused { error }
        })?;
        self.directory.is_called(self.target.server, &report.origin);
        self.directory.learn(&told);
        if memory.run != report.run {
            *memory = Memory { run: report.run, mine: Vec::new() };
        }
        let me = u64::from(connection.thread_id());
        if !memory.mine.contains(&me) {
            memory.mine.push(me);
        }
        let strangers: Vec<Slot> =
            slots(&own).into_iter().filter(|slot| !memory.mine.contains(&slot.connection)).collect();
        if !strangers.is_empty() {
            let named = name_rivals(connection, strangers).await?;
            self.tell(Told::Rivals(named)).await;
        }
        Ok(report)
    }

    /// Connects, and asks for what does not change. Where that fails, says whether the server let us in.
    async fn begin(&self, memory: &mut Memory) -> Result<Asked, (BackendError, bool)> {
        let connection = open(&self.target, &self.settings.control, &self.settings.instance, PATIENCE)
            .await
            .map_err(|error| (error, false))?;
        memory.mine.push(u64::from(connection.thread_id()));
        self.inspect(connection).await.map_err(|error| (error, true))
    }

    async fn inspect(&self, mut connection: Connection) -> Result<Asked, BackendError> {
        let flavor = connection.flavor();
        let version =
            connection.greeting.as_ref().map_or(0, |greeting| Flavor::version_of_greeting(&greeting.version));
        let grants = connection.query(queries::GRANTS, PATIENCE).await?;
        let variables = connection.query(VARIABLES, PATIENCE).await?;
        self.tell(Told::Lacks(lacks(flavor, version, &grants, &variables))).await;
        let mut log_filtered = false;
        for question in LOG_FILTERS {
            match connection.query(question, PATIENCE).await {
                Ok(answer) => {
                    log_filtered = log_is_filtered(&answer);
                    break;
                }
                // The other name of it.
                Err(BackendError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        connection.query(&Questions::take_slot(), PATIENCE).await?;
        let fixed = Fixed { flavor, version, log_filtered, purged: MariaDbState::default() };
        let questions = Questions::of(flavor, version);
        let mut at_work = Asked { connection, fixed, questions, settings_at: clock::now() };
        self.look_at_settings(&mut at_work).await?;
        Ok(at_work)
    }

    /// Asks for what people change by hand.
    async fn look_at_settings(&self, at_work: &mut Asked) -> Result<(), BackendError> {
        let Asked { connection, fixed, settings_at, .. } = at_work;
        *settings_at = clock::now();
        if fixed.flavor == Flavor::MariaDb
            && let Ok(answer) = refused_is_empty(connection.query(FIRST_LOG, PATIENCE).await)?
            && let Ok(purged) = first_log_state(&answer)
        {
            fixed.purged = purged;
        }
        let variables = connection.query(semi_sync(), PATIENCE).await?;
        let pair = |row: &Vec<Option<String>>| Some((row.first()?.clone()?, row.get(1)?.clone()?));
        let semi_sync = variables.rows.iter().filter_map(pair).collect();
        let period = match refused_is_empty(connection.query(heartbeat(fixed.flavor), PATIENCE).await)? {
            Ok(answer) => {
                answer.value("period").or(answer.value("Slave_heartbeat_period")).map(str::to_owned)
            }
            Err(()) => None,
        };
        let seconds = period.and_then(|text| text.parse::<f64>().ok()).filter(|seconds| *seconds > 0.0);
        let heartbeat = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        self.tell(Told::Set(ServerSettings { heartbeat, semi_sync })).await;
        Ok(())
    }

    async fn pause(&self, longest: Duration) {
        let mut brisk = self.brisk.clone();
        let pause = if *brisk.borrow_and_update() { longest.min(BRISKLY) } else { longest };
        tokio::select! {
            () = clock::sleep(pause) => {}
            // The end is noticed by the next attempt to tell something.
            changed = brisk.changed(), if pause > BRISKLY => if changed.is_err() { clock::sleep(pause).await },
        }
    }

    async fn tell(&self, told: Told) {
        // Nobody listens when Headgate ends.
        let _ = self.tell.send((self.target.server, told)).await;
    }
}

/// What a problem says of the server. `logged_in`: it let us in, and failed then.
fn sight(problem: &BackendError, logged_in: bool) -> Sight {
    use topology::Trouble as Seen;
    match problem.trouble() {
        Seen::Refused | Seen::Lost => Sight::Trouble(Trouble::Refused),
        // Heartbeats may still come from it.
        Seen::Silent if logged_in => Sight::Trouble(Trouble::Hung),
        Seen::Silent | Seen::Unreachable => Sight::Trouble(Trouble::Silent),
        Seen::DiskFull => Sight::Trouble(Trouble::DiskFull),
        // Whoever answers with an error lives.
        _ => Sight::Crowded,
    }
}

const VARIABLES: &str =
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_mode', 'performance_schema', 'log_bin')";

/// Tells an answer from a refusal, and both from a connection that is of no further use.
fn refused_is_empty(answer: Result<Answer, BackendError>) -> Result<Result<Answer, ()>, BackendError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(BackendError::Refused { .. }) => Ok(Err(())),
        Err(error) => Err(error),
    }
}

/// Says where other Headgates come from.
async fn name_rivals(
    connection: &mut Connection,
    strangers: Vec<Slot>,
) -> Result<Vec<(Slot, String)>, BackendError> {
    let known = match refused_is_empty(connection.query(PROCESSES, PATIENCE).await)? {
        Ok(answer) => processes(&answer, &[]),
        Err(()) => Vec::new(),
    };
    let named = |slot: Slot| {
        let process = known.iter().find(|process| process.id == slot.connection);
        let host = process.map_or("elsewhere", |process| process.host.as_str());
        (slot, format!("at {host}"))
    };
    Ok(strangers.into_iter().map(named).collect())
}
