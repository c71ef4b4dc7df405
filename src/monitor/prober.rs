//! Asks one server who it is, whom it follows and what is set there, over a connection of its own. How far it has
//! come is asked on another one ([`super::pulse`]), since some of this takes its time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::definitions::Reading;
use super::picture::Seen;
use super::pulse::describe;
use super::run::{COLLATION_NAME, Settings, open};
use crate::backend::{BackendError, Connection, Target};
use crate::probing::family::Kin;
use crate::probing::{
    Identity, Observation, Replication, executed, grants_show_views, log_is_filtered, max_connections,
    queries,
};
use crate::runtime::clock;
use crate::topology::{Catalog, Collations, Facts, Flavor, Hindrance, ServerId, Topology};
use crate::wire::answer::Answer;
use crate::wire::err::ErrPacket;
use crate::wire::greeting::Greeting;

/// ER_PARSE_ERROR: the server does not know the statement.
const PARSE_ERROR: u16 = 1064;

/// What a prober works with.
pub(super) struct Prober {
    pub(super) target: Target,
    pub(super) settings: Arc<Settings>,
    pub(super) seen: mpsc::Sender<(ServerId, Seen)>,
    /// Counts up when the server may be another than it was.
    pub(super) doubted: watch::Receiver<u64>,
    /// Counts up when defaults, views or accounts may have changed.
    pub(super) changed: watch::Receiver<u64>,
    pub(super) topology: watch::Receiver<Arc<Topology>>,
}

impl Prober {
    /// Asks until nobody listens any more.
    pub(super) async fn run(mut self) {
        while !self.seen.is_closed() {
            let problem = match open(&self.target, &self.settings).await {
                Ok(connection) => self.watch(connection).await,
                Err(error) => error,
            };
            self.tell(Seen::Unobserved(clock::now(), describe(&problem))).await;
            clock::sleep(self.settings.retry).await;
        }
    }

    /// Asks in turn until the connection fails; says why.
    async fn watch(&mut self, mut connection: Connection) -> BackendError {
        let mut status_due = clock::now();
        let mut defaults_due = status_due;
        let mut defaults = std::collections::BTreeMap::new();
        let mut defaults_asked = status_due;
        let mut knows_facts = false;
        let mut reading = Reading::default();
        let mut word = None;
        loop {
            let changed = self.changed.has_changed().unwrap_or(false);
            if changed {
                self.changed.mark_unchanged();
            }
            // What is changed from here on makes another round.
            let now = clock::now();
            let asked = async {
                if changed || now >= defaults_due {
                    (defaults, defaults_asked) = (self.ask_defaults(&mut connection).await?, now);
                    word = Some(self.ask_who(&mut connection).await?);
                    defaults_due = now + self.settings.defaults_every;
                    knows_facts = false;
                    status_due = now;
                }
                if now >= status_due {
                    let asked = clock::now();
                    let mut observation = self.ask_status(&mut connection, defaults.clone()).await?;
                    if let Some(word) = &mut word {
                        self.ask_others(&mut connection, word, &mut observation).await?;
                        self.tell(Seen::Word(Box::new(word.word.clone()))).await;
                    }
                    self.tell(Seen::Observation(asked, Box::new(observation))).await;
                    status_due = now + self.settings.status_every;
                }
                let is_primary = self.topology.borrow().primary == Ok(self.target.server);
                if is_primary && !knows_facts {
                    if defaults_asked < now {
                        (defaults, defaults_asked) = (self.ask_defaults(&mut connection).await?, now);
                    }
                    let facts = self.ask_facts(&mut connection, now, defaults.clone(), &mut reading).await?;
                    self.tell(Seen::Facts(Box::new(facts))).await;
                    knows_facts = true;
                }
                Ok(())
            }
            .await;
            if let Err(problem) = asked {
                return problem;
            }
            match self.pause(status_due, knows_facts).await {
                Ok(true) => status_due = clock::now(),
                Ok(false) => {}
                Err(_) => return BackendError::Closed,
            }
        }
    }

    /// Waits for the next round: until it is time, something changed, or the server has become the primary. True where
    /// it is to be asked at once who it is.
    async fn pause(
        &mut self,
        status_due: Instant,
        knows_facts: bool,
    ) -> Result<bool, watch::error::RecvError> {
        let me = self.target.server;
        let left = status_due.saturating_duration_since(clock::now());
        let reigns = |topology: &Arc<Topology>| topology.primary == Ok(me) && !knows_facts;
        tokio::select! {
            doubted = self.doubted.changed() => doubted.map(|()| true),
            changed = self.changed.changed() => {
                // Still unseen for the round that follows.
                self.changed.mark_changed();
                changed.map(|()| false)
            }
            reigns = self.topology.wait_for(reigns) => reigns.map(|_| false),
            () = clock::sleep(left) => Ok(false),
        }
    }

    async fn tell(&self, seen: Seen) {
        // Nobody listens when Headgate ends; the next round notices.
        let _ = self.seen.send((self.target.server, seen)).await;
    }

    pub(super) async fn ask(&self, connection: &mut Connection, sql: &str) -> Result<Answer, BackendError> {
        connection.query(sql, self.settings.deadline).await
    }

    async fn ask_defaults(
        &self,
        connection: &mut Connection,
    ) -> Result<std::collections::BTreeMap<String, String>, BackendError> {
        let answer = self.ask(connection, &queries::defaults()).await?;
        let pair = |mut row: Vec<Option<String>>| {
            let value = row.pop()??;
            Some((row.pop()??, value))
        };
        Ok(answer.rows.into_iter().filter_map(pair).collect())
    }

    async fn ask_status(
        &self,
        connection: &mut Connection,
        defaults: std::collections::BTreeMap<String, String>,
    ) -> Result<Observation, BackendError> {
        let flavor = connection.flavor();
        let answer = self.ask(connection, queries::identity(flavor)).await?;
        let identity =
            Identity::read(&answer).ok_or(crate::wire::Malformed::new("answer to who the server is"))?;
        let replication = match self.ask(connection, queries::replication(flavor)).await {
            Err(BackendError::Refused { error: ErrPacket { code: PARSE_ERROR, .. } }) => {
                self.ask(connection, queries::OLD_REPLICATION).await?
            }
            other => other?,
        };
        let executed = executed(flavor, &self.ask(connection, queries::executed(flavor)).await?);
        Ok(Observation {
            identity,
            channels: Replication::read(&replication),
            defaults,
            max_connections: max_connections(&answer),
            kin: Kin::default(),
            executed,
        })
    }

    async fn ask_facts(
        &self,
        connection: &mut Connection,
        asked: Instant,
        defaults: std::collections::BTreeMap<String, String>,
        reading: &mut Reading,
    ) -> Result<Facts, BackendError> {
        let settings = self.ask(connection, queries::FACTS).await?;
        let collations = self.ask(connection, queries::COLLATIONS).await?;
        let grants = self.ask(connection, queries::GRANTS).await?;
        let greeting = connection.greeting.clone().ok_or(BackendError::Closed)?;
        let mut catalog = None;
        if grants_show_views(&grants) {
            let version = Flavor::version_of_greeting(&greeting.version);
            catalog = Some(self.ask_catalog(connection, &grants, version, reading).await?);
        }
        let mut traps = None;
        if self.settings.stored_code_wanted.load(Ordering::Relaxed) {
            traps = self.ask_traps(connection, &grants, reading).await?;
        }
        let log_filtered = self.asks_log_filters(connection).await?;
        let mut facts = facts(*greeting, asked, &settings, collations, catalog, defaults);
        facts.traps = traps;
        if log_filtered {
            facts.hindrance.get_or_insert(Hindrance::LogFiltered);
        }
        Ok(facts)
    }

    /// Whether the binary log leaves schemas out, or it cannot be known.
    async fn asks_log_filters(&self, connection: &mut Connection) -> Result<bool, BackendError> {
        for sql in queries::BINARY_LOG {
            match self.ask(connection, sql).await {
                Ok(status) => return Ok(log_is_filtered(&status)),
                Err(BackendError::Refused { error: ErrPacket { code: PARSE_ERROR, .. } }) => {}
                Err(BackendError::Refused { error }) => {
                    tracing::debug!(%error, "the binary log's status is refused");
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn facts(
    greeting: Greeting,
    asked: Instant,
    settings: &Answer,
    collations: Answer,
    catalog: Option<Arc<Catalog>>,
    defaults: std::collections::BTreeMap<String, String>,
) -> Facts {
    let flavor = Flavor::of_greeting(&greeting.version);
    let sql_mode = settings.value("sql_mode").unwrap_or_default();
    let handshake_ignored = settings.value("collation") != Some(COLLATION_NAME);
    let timeout = |name: &str| {
        Duration::from_secs(settings.value(name).and_then(|seconds| seconds.parse().ok()).unwrap_or(28_800))
    };
    let mode = crate::sql::LexMode::new(sql_mode, "utf8mb4", flavor.dialect());
    let collation = |row: Vec<Option<String>>| {
        let mut row = row.into_iter();
        Some((row.next()??.parse().ok()?, row.next()??, row.next()??))
    };
    Facts {
        version_number: Flavor::version_of_greeting(&greeting.version),
        version: greeting.version,
        flavor,
        capabilities: greeting.capabilities,
        collation: greeting.collation,
        plugin: greeting.plugin,
        ansi_quotes: mode.ansi_quotes,
        no_backslash_escapes: mode.no_backslash_escapes,
        init_connect: settings.value("init_connect").is_some_and(|sql| !sql.is_empty()),
        wait_timeout: timeout("wait_timeout"),
        interactive_timeout: timeout("interactive_timeout"),
        asked,
        hindrance: Hindrance::among(flavor, &defaults)
            .or(handshake_ignored.then_some(Hindrance::HandshakeIgnored)),
        generation: 0,
        collations: Collations::new(collations.rows.into_iter().filter_map(collation)),
        defaults,
        catalog,
        traps: None,
    }
}
