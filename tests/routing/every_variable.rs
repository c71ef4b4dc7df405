//! Every variable that a session can set, in every spelling of SET: what the session then sees of all its variables,
//! on another connection than the one that ran the SET, is what it would see on a connection of its own.
//!
//! A client does the same through Headgate and directly on the primary. After every statement it looks at all its
//! variables on both: through Headgate on a replica (`pool.mode = "session"`), or on the only connection to the primary,
//! which another session has had meanwhile (`transaction`). That one has other values of everything that is carried,
//! and must see nothing but those; and one of the replicas has yet others as its defaults. A session that stays where it
//! is, is right as well; the test says which variables make it.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use headgate::lab::{DATABASE, Flavor, Node};
use headgate::probing::queries::COMPARED;
use headgate::session::{Handling, levels};
use headgate::wire::command::Command;
use headgate::wire::err::ErrPacket;
use tokio::time::{Instant, sleep};

use crate::client::{Connection, Options, Shape};
use crate::settable::{Found, Settable, settable};
use crate::stage::{PATIENCE, Stage, run, stage, through};
use crate::view::{Between, Variables, differences, look};

/// Where a session's statements run beside its first connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Reads on replicas.
    Replicas,
    /// Everything on whatever connection to the primary is free.
    Moves,
}

impl Way {
    /// One connection to each server that has anything to carry, and who does not get it gives up at once.
    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Replicas => {
                &["--pool-mode=session", "--set=routing.consistency=eventual", "--set=pool.max_idle=1"]
            }
            Self::Moves => {
                &["--pool-mode=transaction", "--max-connections-per-server=1", "--pool-wait-timeout=10ms"]
            }
        }
    }
}

/// All connections are in use: the session keeps its own.
const FULL: u16 = 1040;

/// What a session is expected to do after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Its next statement can run on another connection.
    Moves,
    /// It may stay where it is.
    MayStay,
}

impl Next {
    fn after_setting(name: &str) -> Self {
        if goes(name) { Self::Moves } else { Self::MayStay }
    }

    /// Whether it is tried again: a warning keeps a session where it is until the next statement, and a replica may be
    /// late.
    fn tries_again(self, attempts: usize, since: Instant) -> bool {
        attempts < 2 || (self == Self::Moves && since.elapsed() < PATIENCE)
    }
}

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The other session: it has set what any session can carry, and then only looks.
struct Other {
    connection: Connection,
    expected: Variables,
}

impl Other {
    async fn start(client: &Options, direct: &Options, found: &Found) -> Result<Self> {
        let (mut connection, mut twin) = (client.connect().await?, direct.connect().await?);
        let last = found.settable.iter().filter(|variable| goes_along(&variable.name));
        let sets: Vec<String> = last
            .filter_map(|Settable { name, values }| Some(format!("{name} = {}", values.get(1)?)))
            .collect();
        let sets = sets.chunks(16).map(|sets| format!("SET SESSION {}", sets.join(", ")));
        for sql in sets.chain(["SET NAMES latin1 COLLATE latin1_german1_ci".to_owned()]) {
            run(&mut connection, &sql).await?;
            run(&mut twin, &sql).await?;
        }
        let expected = look(&mut twin, "primary", &found.show()).await?;
        twin.quit().await?;
        Ok(Self { connection, expected: expected.map_err(|error| anyhow!("{error}"))? })
    }
}

/// Whether a variable goes with its session to other connections.
fn goes_along(name: &str) -> bool {
    matches!(Handling::of(name.as_bytes()), Handling::Carried | Handling::Local)
}

/// Whether a session that has given it another value is expected elsewhere.
fn goes(name: &str) -> bool {
    // What IS NULL finds depends on the connection where it is ON.
    (goes_along(name) && name != "sql_auto_is_null") || is_charset(name)
}

/// Whether it goes there with the character sets.
fn is_charset(name: &str) -> bool {
    matches!(
        name,
        "character_set_client"
            | "character_set_connection"
            | "character_set_results"
            | "collation_connection"
    )
}

#[derive(Debug, Default)]
struct Tally {
    statements: usize,
    /// Looks on another connection.
    compared: usize,
    /// Looks of the other session.
    beside: usize,
    /// Refused the same way.
    refused: usize,
    wrong: Vec<String>,
}

/// A client, through Headgate and directly, and the other session.
struct Scene {
    way: Way,
    primary: String,
    /// What it looks with.
    show: String,
    client: Options,
    direct: Options,
    session: Connection,
    twin: Connection,
    other: Other,
    tally: Tally,
    /// Ends of sessions so far that were kept where they were.
    ends: usize,
}

impl Scene {
    async fn begin(way: Way, client: Options, direct: Options, found: &Found) -> Result<Self> {
        let mut twin = direct.connect().await?;
        Ok(Self {
            way,
            primary: twin.query("SELECT @@port").await?.value().context("a port")?,
            show: found.show(),
            session: connect_when_free(&client).await?,
            twin,
            other: Other::start(&client, &direct, found).await?,
            client,
            direct,
            tally: Tally::default(),
            ends: 0,
        })
    }

    /// Runs a statement on both sides. True where the next one may run on another connection.
    async fn step(&mut self, sql: &str, touched: &[&str], next: Next) -> Result<bool> {
        self.both(sql).await?;
        let moves = self.check(sql, touched, next).await.with_context(|| sql.to_owned())?;
        if !moves {
            ensure!(next == Next::MayStay, "{sql}: the session stays where it is");
            self.begin_anew().await?;
        }
        Ok(moves)
    }

    async fn both(&mut self, sql: &str) -> Result<()> {
        let expected = self.twin.query(sql).await?.error;
        let seen = self.session.query(sql).await?.error;
        self.tally.statements += 1;
        self.tally.refused += usize::from(expected.is_some());
        if seen != expected {
            let [seen, expected] = [seen, expected].map(told);
            self.tally.wrong.push(format!("{sql}: {seen} and not {expected}"));
        }
        Ok(())
    }

    /// Looks at everything. False where the session stays on its connection.
    async fn check(&mut self, place: &str, touched: &[&str], next: Next) -> Result<bool> {
        let expected = look(&mut self.twin, "primary", &self.show).await?;
        let mut free = true;
        if self.way == Way::Moves {
            free = self.let_other_in(place, next).await?;
        }
        let seen = match self.way {
            Way::Replicas => self.look_on_replica(next).await?,
            Way::Moves => look(&mut self.session, "primary", &self.show).await?,
        };
        let (expected, seen) = match (expected, seen) {
            (Ok(expected), Ok(seen)) => (expected, seen),
            (expected, seen) => {
                let [seen, expected] = [seen.err(), expected.err()].map(told);
                if seen != expected {
                    self.tally.wrong.push(format!("{place}: a look ends in {seen} and not {expected}"));
                }
                return Ok(free);
            }
        };
        let at_home = seen["port"] == self.primary;
        let between = if at_home { Between::Primaries } else { Between::Servers };
        let found = differences(&seen, &expected, between, touched);
        if !found.is_empty() {
            self.tally.wrong.push(format!("{place}:{found}"));
        }
        if self.way == Way::Replicas {
            free = !at_home;
            if free {
                let seen = look(&mut self.other.connection, "replica", &self.show).await?;
                self.judge_other(place, &seen.map_err(|error| anyhow!("{error}"))?);
            }
        }
        self.tally.compared += usize::from(free);
        Ok(free)
    }

    async fn look_on_replica(&mut self, next: Next) -> Result<Result<Variables, ErrPacket>> {
        let since = Instant::now();
        let mut attempts = 0;
        loop {
            let seen = look(&mut self.session, "replica", &self.show).await?;
            attempts += 1;
            let at_home = seen.as_ref().is_ok_and(|seen| seen["port"] == self.primary);
            if !at_home || !next.tries_again(attempts, since) {
                return Ok(seen);
            }
            sleep(PAUSE).await;
        }
    }

    /// The other session takes the connection, if it can.
    async fn let_other_in(&mut self, place: &str, next: Next) -> Result<bool> {
        let since = Instant::now();
        let mut attempts = 0;
        loop {
            // Served after the connection was given back.
            self.session.command(&[Command::Ping as u8], Shape::Query).await?;
            match look(&mut self.other.connection, "primary", &self.show).await? {
                Ok(seen) => {
                    self.judge_other(place, &seen);
                    self.other.connection.command(&[Command::Ping as u8], Shape::Query).await?;
                    return Ok(true);
                }
                Err(error) if error.code == FULL => {}
                Err(error) => return Err(anyhow!("{error}")),
            }
            attempts += 1;
            if !next.tries_again(attempts, since) {
                return Ok(false);
            }
            // Nobody will ask about the statement before any more.
            self.session.query("/* headgate: primary */ SELECT id FROM t LIMIT 0").await?;
        }
    }

    fn judge_other(&mut self, place: &str, seen: &Variables) {
        let between = if seen["port"] == self.primary { Between::Primaries } else { Between::Servers };
        let found = differences(seen, &self.other.expected, between, &[]);
        if !found.is_empty() {
            self.tally.wrong.push(format!("{place}, the other session:{found}"));
        }
        self.tally.beside += 1;
    }

    /// A session that stays where it is begins anew: by a reset, or another login.
    async fn begin_anew(&mut self) -> Result<()> {
        self.ends += 1;
        if self.ends.is_multiple_of(4) {
            for connection in [&mut self.session, &mut self.twin] {
                connection.command(&[Command::Quit as u8], Shape::Nothing).await?;
            }
            self.session = connect_when_free(&self.client).await?;
            self.twin = self.direct.connect().await?;
            return Ok(());
        }
        for connection in [&mut self.session, &mut self.twin] {
            let reply = connection.command(&[Command::ResetConnection as u8], Shape::Query).await?;
            ensure!(reply.error.is_none(), "{:?}", reply.error);
        }
        if self.way == Way::Moves {
            // What a reset leaves to the server is the schema's again on a shared connection (docs/differences.md).
            self.twin
                .command(&[&[Command::InitDb as u8], DATABASE.as_bytes()].concat(), Shape::Query)
                .await?;
        }
        // As drivers do: how a text with a backslash is read is not known otherwise until the servers are asked.
        self.both("SET NAMES utf8mb4").await
    }
}

fn told(error: Option<ErrPacket>) -> String {
    error.map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

/// Logs in as soon as the connection is free that a session before had.
async fn connect_when_free(client: &Options) -> Result<Connection> {
    let end = Instant::now() + PATIENCE;
    loop {
        match client.login().await? {
            Ok(connection) => return Ok(connection),
            Err(refusal) => ensure!(refusal.code == FULL && Instant::now() < end, "{refusal}"),
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// One variable after the other. Says which keep the session where it is.
async fn one_by_one(scene: &mut Scene, found: &Found) -> Result<Vec<String>> {
    let mut keep = Vec::new();
    for Settable { name, values } in &found.settable {
        let set = format!("SET SESSION {name} = {}", values[0]);
        let moves = scene.step(&set, &[name], Next::after_setting(name)).await?;
        if !moves {
            keep.push(name.clone());
        }
        if moves || goes_along(name) {
            scene.step(&format!("SET {name} = DEFAULT"), &[], Next::Moves).await?;
        }
    }
    Ok(keep)
}

/// In the other spellings, two at a time, and with an error behind it.
async fn spelled_otherwise(scene: &mut Scene, found: &Found, flavor: Flavor) -> Result<()> {
    const SPELLINGS: [&str; 4] = ["", "@@session.", "LOCAL ", "@@local."];
    let carried: Vec<&Settable> = found.settable.iter().filter(|variable| goes(&variable.name)).collect();
    for Settable { name, values } in &carried {
        let value = values.last().context("a value")?;
        // MariaDB does not report it. Characteristics of transactions are those of the next one then.
        let stays =
            flavor == Flavor::MariaDb || matches!(&**name, "transaction_isolation" | "transaction_read_only");
        let next = if stays { Next::MayStay } else { Next::Moves };
        scene.step(&format!("SET @@{name} = {value}"), &[name], next).await?;
    }
    for (turn, pair) in carried.chunks_exact(2).enumerate() {
        let [one, other] = pair else { continue };
        let [first, second] = [SPELLINGS[turn % 4], SPELLINGS[turn / 4 % 4]];
        let (a, b) = (&*one.name, &*other.name);
        scene.both(&format!("SET {first}{a} = {}, {second}{b} = {}", one.values[0], other.values[0])).await?;
        let wrong = format!("SET SESSION {a} = DEFAULT, no_such_variable = 1");
        // Whether `@@` sets the session's or the next transaction's is not looked at where MariaDB reports too little.
        let unclear = flavor == Flavor::MariaDb && (is_charset(a) || is_charset(b));
        let next = if unclear { Next::MayStay } else { Next::Moves };
        if scene.step(&wrong, &[a, b], next).await? {
            scene.step(&format!("SET {b} = DEFAULT, {a} = DEFAULT"), &[], Next::Moves).await?;
        }
    }
    Ok(())
}

/// Gives a server other defaults of what Headgate levels. Afterwards `undo` has what takes them back.
async fn other_defaults(server: &mut Connection, found: &Found, undo: &mut Vec<String>) -> Result<()> {
    for Settable { name, values } in &found.settable {
        if !(COMPARED.contains(&&**name) && levels(name, "")) {
            continue;
        }
        let was = run(server, &format!("SELECT @@global.{name}")).await?.value().context("a value")?;
        let was = if was.parse::<f64>().is_ok() { was } else { format!("'{was}'") };
        undo.push(format!("SET GLOBAL {name} = {was}"));
        run(server, &format!("SET GLOBAL {name} = {}", values[0])).await?;
    }
    Ok(())
}

/// Plays all of it on a cluster.
async fn play(stage: &Stage, flavor: Flavor, way: Way) -> Result<()> {
    let account = stage.cluster.accounts().root;
    let direct = |node: &Node| {
        let options = Options::new(node.direct_address(), account.user, account.password);
        options.schema(DATABASE).tls(flavor == Flavor::MySql)
    };
    let found = settable(&mut direct(stage.cluster.primary()).connect().await?, flavor).await?;
    found.print(flavor);
    let mut replica = direct(&stage.cluster.replicas()[0]).connect().await?;
    let mut undo = Vec::new();
    let played = async {
        other_defaults(&mut replica, &found, &mut undo).await?;
        let headgate = stage.headgate(way.flags()).await;
        let client = through(&headgate, account);
        let mut scene = Scene::begin(way, client, direct(stage.cluster.primary()), &found).await?;
        let keep = one_by_one(&mut scene, &found).await?;
        spelled_otherwise(&mut scene, &found, flavor).await?;
        Ok((keep, scene.tally))
    };
    let played: Result<_> = played.await;
    for sql in undo {
        run(&mut replica, &sql).await?;
    }
    let (keep, tally) = played?;
    judge(&found, &keep, tally, flavor, way)
}

fn judge(found: &Found, keep: &[String], tally: Tally, flavor: Flavor, way: Way) -> Result<()> {
    println!("{flavor}, {way:?}: {} keep their sessions where they are: {}", keep.len(), keep.join(" "));
    let Tally { statements, compared, beside, refused, wrong } = tally;
    println!(
        "{flavor}, {way:?}: {statements} statements, {refused} refused, {compared} compared, {beside} beside"
    );
    let first = wrong[..wrong.len().min(SHOWN)].join("\n");
    ensure!(wrong.is_empty(), "{} differ, at first\n{first}", wrong.len());
    let least = if flavor == Flavor::MySql { 155 } else { 185 };
    ensure!(found.settable.len() >= least, "only {} variables could be set", found.settable.len());
    Ok(())
}

/// Differences shown of a test that fails.
const SHOWN: usize = 40;

async fn every_variable(flavor: Flavor, way: Way) {
    let stage = stage(flavor).await;
    stage
        .prepare([
            "DROP DATABASE IF EXISTS app",
            // Neither family's default.
            "CREATE DATABASE app CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            "CREATE TABLE app.t (id INT PRIMARY KEY)",
            "CREATE TABLE app.stop_words (value VARCHAR(30)) ENGINE = InnoDB",
        ])
        .await;
    play(&stage, flavor, way).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variable_is_right_on_replicas_of_mysql() {
    every_variable(Flavor::MySql, Way::Replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variable_is_right_on_replicas_of_mariadb() {
    every_variable(Flavor::MariaDb, Way::Replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variable_moves_right_on_mysql() {
    every_variable(Flavor::MySql, Way::Moves).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_variable_moves_right_on_mariadb() {
    every_variable(Flavor::MariaDb, Way::Moves).await;
}
