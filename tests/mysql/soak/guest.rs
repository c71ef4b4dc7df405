//! One client of the soak: its connection, its model, and what it has said and heard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headgate::lab::Flavor;
use headgate::wire::command::Command;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use super::model::{Model, Variables};
use super::prepared::Statement;
use super::stage::{ACCOUNTS, PASSWORD, Stage};
use crate::chance::Chance;
use crate::client::{Connection, Options, Reply, Shape};

/// Statements that are shown of a client whose answer is wrong.
const REMEMBERED: usize = 20;

/// For one action, the waits for connections and locks in it included.
const PATIENCE: Duration = Duration::from_secs(180);

/// "All connections are in use" is no answer to any of these: whoever keeps a connection has asked for leave.
const GONE: u16 = 1235;

/// What keeps the session on its connection, and how it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pin {
    /// `@soak` has this value.
    UserVariable(u64),
    /// The temporary table `soak_a.scratch` has one row with this value.
    Temporary(u64),
    /// The statement `soak`, prepared by text, answers with this.
    Prepared(u64),
    /// It has its named lock so many times.
    Lock(u32),
    /// CONNECTION_ID() says so.
    Connection(String),
}

/// A client.
pub(super) struct Guest {
    pub(super) number: usize,
    pub(super) stage: Arc<Stage>,
    pub(super) chance: Chance,
    /// Nothing only while it comes back.
    connection: Option<Connection>,
    pub(super) account: usize,
    pub(super) model: Model,
    pub(super) statements: Vec<Statement>,
    pub(super) pins: Vec<Pin>,
    /// Actions until the pins are given up.
    pub(super) pinned_for: usize,
    /// Rows of `soak_a.limbo`, where statements go whose client did not wait for the answer.
    pub(super) vanished: u32,
    /// Leave to keep a connection.
    permit: Option<OwnedSemaphorePermit>,
    history: VecDeque<String>,
}

impl Guest {
    /// Logs in for the first time.
    pub(super) async fn arrive(number: usize, stage: Arc<Stage>) -> Result<Self> {
        let mut chance = Chance::new(stage.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let (account, schema) = (chance.below(ACCOUNTS.len()), chance.below(2));
        let options = options(&stage, account, schema, &mut chance);
        let connection = Some(options.connect().await?);
        let model = Model::new(stage.begins.login.clone(), schema);
        let mut guest = Self {
            number,
            stage,
            chance,
            connection,
            account,
            model,
            statements: Vec::new(),
            pins: Vec::new(),
            pinned_for: 0,
            vanished: 0,
            permit: None,
            history: VecDeque::new(),
        };
        guest.look().await?;
        Ok(guest)
    }

    /// Acts until the soak is over. The error is what it was told and should not have been.
    pub(super) async fn live(mut self) -> Result<(), String> {
        let mut step = 0_u64;
        while self.stage.goes_on() {
            step += 1;
            // Each step has a seed of its own, so that what one meets does not decide about all that follow.
            let seed = self.stage.seed ^ ((self.number as u64) << 40) ^ (step << 8);
            self.chance = Chance::new(seed);
            let acted = timeout(PATIENCE, self.act()).await.context("it takes too long");
            if let Err(error) = acted.and_then(|acted| acted) {
                return Err(self.complaint(step, &error));
            }
            if !self.holds() {
                self.permit = None;
            }
            self.think().await;
        }
        if let Err(error) = self.end().await {
            return Err(self.complaint(step, &error));
        }
        Ok(())
    }

    /// All that it has is there; then it logs out.
    async fn end(&mut self) -> Result<()> {
        self.leave_and_return(true).await?;
        for schema in 0..2 {
            self.use_schema(schema).await?;
            self.read_rows(true).await?;
        }
        self.read_books().await?;
        self.leave().await
    }

    fn complaint(&self, step: u64, error: &anyhow::Error) -> String {
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        let Model { variables, schema, .. } = &self.model;
        format!(
            "HEADGATE_SOAK_SEED={} client {} ({}, session {:?}), step {step}: {error:#}\nit has schema {schema}, \
             variables {variables:?}, pins {:?}, a transaction: {}; its last statements:\n  {}",
            self.stage.seed,
            self.number,
            ACCOUNTS[self.account],
            self.connection.as_ref().map(|connection| connection.greeting.thread_id),
            self.pins,
            self.model.in_transaction(),
            history.join("\n  ")
        )
    }

    /// What people do between two statements.
    pub(super) async fn think(&mut self) {
        let millis = match self.chance.below(100) {
            0..50 => return,
            50..90 => self.chance.below(20),
            90..99 => 100,
            _ => 1_000,
        };
        sleep(Duration::from_millis(millis as u64)).await;
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().unwrap()
    }

    pub(super) fn flavor(&self) -> Flavor {
        self.stage.flavor
    }

    // What keeps a connection.

    /// Whether its session keeps a connection.
    fn holds(&self) -> bool {
        self.model.in_transaction() || !self.pins.is_empty()
    }

    /// Leave to keep a connection for a while. False where too many have it already: more than there are connections
    /// would wait for each other.
    pub(super) fn may_hold(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.stage.permits).try_acquire_owned().ok();
        }
        self.permit.is_some()
    }

    // Coming and going.

    /// Sees the primary as it is now: a session that has just begun may be shown what is older than what another
    /// session of the same client has written.
    async fn look(&mut self) -> Result<()> {
        self.expect("/* headgate: primary */ SELECT COUNT(*) FROM soak_a.bank", "20").await
    }

    /// The session is another one, which has begun with these variables.
    pub(super) fn begin_anew(&mut self, variables: Variables) {
        self.model.begin_anew(variables);
        self.statements.clear();
        self.pins.clear();
    }

    /// Logs in again, after what has become of the session before.
    pub(super) async fn return_again(&mut self) -> Result<()> {
        self.account = self.chance.below(ACCOUNTS.len());
        let schema = self.chance.below(2);
        let options = options(&self.stage, self.account, schema, &mut self.chance);
        // What it held is let go first: others may wait for that.
        self.connection = None;
        self.connection = Some(options.connect().await.context("logging in again")?);
        self.history.push_back(format!("(logged in as {})", ACCOUNTS[self.account]));
        self.begin_anew(self.stage.begins.login.clone());
        self.model.schema = schema;
        self.look().await
    }

    /// Logs out in order, or goes without a word, and comes back.
    pub(super) async fn leave_and_return(&mut self, in_order: bool) -> Result<()> {
        if in_order {
            self.leave().await?;
        }
        self.return_again().await
    }

    async fn leave(&mut self) -> Result<()> {
        self.history.push_back("(quits)".to_owned());
        self.connection().command(&[Command::Quit as u8], Shape::Nothing).await?;
        ensure!(self.connection().is_closed().await, "it is not let go");
        Ok(())
    }

    /// COM_CHANGE_USER, to whatever account.
    pub(super) async fn change_user(&mut self) -> Result<()> {
        let (account, schema) = (self.chance.below(ACCOUNTS.len()), self.chance.below(2));
        let options = options(&self.stage, account, schema, &mut self.chance);
        self.history.push_back(format!("(changes to {})", ACCOUNTS[account]));
        if let Some(refusal) = options.change_user(self.connection()).await? {
            bail!("COM_CHANGE_USER to {}: {refusal}", ACCOUNTS[account]);
        }
        self.account = account;
        self.begin_anew(self.stage.begins.change_user.clone());
        self.model.schema = schema;
        self.look().await
    }

    // Asking.

    /// Sends a statement and takes whatever comes.
    pub(super) async fn ask(&mut self, sql: impl AsRef<[u8]>) -> Result<Reply> {
        let sql = sql.as_ref();
        let asked = self.connection().query(sql).await;
        self.heard(&sql.escape_ascii().to_string(), asked)
    }

    /// Remembers what was said and heard.
    pub(super) fn heard(&mut self, said: &str, heard: Result<Reply>) -> Result<Reply> {
        let answer = match &heard {
            Ok(reply) => told(reply),
            Err(error) => format!("{error:#}"),
        };
        if self.history.len() == REMEMBERED {
            self.history.pop_front();
        }
        self.history.push_back(format!("{} -> {}", short(said), short(&answer)));
        heard.with_context(|| short(said))
    }

    /// A statement that must succeed.
    pub(super) async fn ok(&mut self, sql: impl AsRef<[u8]>) -> Result<Reply> {
        let sql = sql.as_ref();
        let reply = self.ask(sql).await?;
        match &reply.error {
            Some(error) => bail!("{}: {error}", short(&sql.escape_ascii().to_string())),
            None => Ok(reply),
        }
    }

    /// A statement that changes so many rows.
    pub(super) async fn changes(&mut self, sql: &str, rows: usize) -> Result<Reply> {
        let reply = self.ok(sql).await?;
        ensure!(reply.affected == rows as u64, "{sql}: {} rows changed, not {rows}", reply.affected);
        Ok(reply)
    }

    /// A statement whose rows must be these, in the words of [`told`].
    pub(super) async fn expect(&mut self, sql: impl AsRef<[u8]>, wanted: &str) -> Result<()> {
        let sql = sql.as_ref();
        let reply = self.ask(sql).await?;
        ensure!(
            told(&reply) == wanted,
            "{}\n  told   {}\n  wanted {wanted}",
            sql.escape_ascii(),
            told(&reply)
        );
        Ok(())
    }

    /// As [`Guest::expect`]; but docs/differences.md lets Headgate refuse the question. False where it did.
    pub(super) async fn expect_or_gone(&mut self, sql: &str, wanted: &str) -> Result<bool> {
        let reply = self.ask(sql).await?;
        let gone = reply.error.as_ref().is_some_and(|error| error.code == GONE);
        ensure!(
            gone || told(&reply) == wanted,
            "{sql}\n  told   {}\n  wanted {wanted}, or 1235",
            told(&reply)
        );
        if gone {
            self.stage.count("refused by 1235");
        }
        Ok(!gone)
    }

    /// A statement that must fail so.
    pub(super) async fn fails(&mut self, sql: impl AsRef<[u8]>, code: u16) -> Result<()> {
        self.expect(sql, &format!("error {code}")).await
    }
}

/// How an account logs in.
fn options(stage: &Stage, account: usize, schema: usize, chance: &mut Chance) -> Options {
    let options = Options::new(stage.address, ACCOUNTS[account], PASSWORD);
    options.schema(super::model::SCHEMAS[schema]).tls(chance.once_in(3))
}

/// The rows of all results: `a|b;c|d`, results apart by `//`, or the error's number.
pub(super) fn told(reply: &Reply) -> String {
    if let Some(error) = &reply.error {
        return format!("error {}", error.code);
    }
    let value = |value: &Option<Vec<u8>>| match value {
        Some(bytes) => bytes.escape_ascii().to_string(),
        None => "NULL".to_owned(),
    };
    let row = |row: &Vec<Option<Vec<u8>>>| row.iter().map(value).collect::<Vec<_>>().join("|");
    let result = |rows: &Vec<_>| rows.iter().map(row).collect::<Vec<_>>().join(";");
    reply.results.iter().map(result).collect::<Vec<_>>().join("//")
}

fn short(text: &str) -> String {
    let long = text.chars().count() > 260;
    let mut short: String = text.chars().take(260).collect();
    if long {
        short += "...";
    }
    short
}
