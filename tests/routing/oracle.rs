//! What Headgate thinks a session is, against what the server knows (HAZARDS 1): after every statement of the
//! corpus `tests/corpus/session/*.sql`, a replica connection brought to the session's state must have the
//! variables that the session's own connection to the primary has. A session that stays on the primary is
//! always right; it is counted.
//!
//! Beside each session lives another one that changes nothing: what is carried over must not stay behind.

use anyhow::{Context, Result};
use headgate::lab::Flavor;
use headgate::wire::command::Command;

use crate::client::{Connection, Options, Shape};
use crate::corpus;
use crate::stage::{Stage, stage, through};
use crate::view::{Between, EVERYTHING, differences, look};

const DEFINITIONS: &[&str] = &[
    "CREATE DATABASE IF NOT EXISTS latin CHARACTER SET latin1",
    "DROP DATABASE app",
    "CREATE DATABASE app CHARACTER SET utf8mb4",
    "CREATE TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(200))",
    "INSERT INTO app.t (id) VALUES (1)",
    "CREATE TABLE app.t_sets (a INT)",
    "CREATE TABLE app.t_fails (a INT)",
    "CREATE PROCEDURE app.p_reads() SELECT COUNT(*) FROM app.t",
    "CREATE PROCEDURE app.p_sets() SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+06:00'",
    "CREATE PROCEDURE app.p_sets_and_fails() BEGIN SET SESSION group_concat_max_len = 5555; SIGNAL SQLSTATE '45000'; \
     END",
    "CREATE PROCEDURE app.p_sets_names() SET NAMES latin2",
    "CREATE FUNCTION app.sets_sql_mode() RETURNS INT NO SQL BEGIN SET SESSION group_concat_max_len = 4444; RETURN 1; \
     END",
    "CREATE VIEW app.v_sets AS SELECT app.sets_sql_mode() AS n",
    "CREATE TRIGGER app.t_sets_it BEFORE INSERT ON app.t_sets FOR EACH ROW SET SESSION group_concat_max_len = 3333",
    "CREATE TRIGGER app.t_fails_it BEFORE INSERT ON app.t_fails FOR EACH ROW BEGIN SET SESSION \
     group_concat_max_len = 2222; SIGNAL SQLSTATE '45000'; END",
];

/// What one line of the corpus does.
enum Step {
    Statement(Vec<u8>),
    /// COM_RESET_CONNECTION
    Reset,
    /// COM_INIT_DB
    Schema(String),
}

/// Statements of one session, each with its place.
type Script = Vec<(String, Step)>;

/// The sessions of the corpus: `-- ?` begins one, `-- ? each` makes one of every statement; `-- > mysql` and `-- > mariadb` are for that family only,
/// up to the next such line or session; `\reset` and `\schema NAME` are commands that are no statement.
fn scripts(flavor: Flavor) -> Vec<Script> {
    let mut scripts = Vec::new();
    for (file, text) in corpus::files("session") {
        let (mut wanted, mut each) = (true, false);
        for (at, line) in text.lines().enumerate() {
            let place = format!("{file}:{}", at + 1);
            if line.starts_with("-- ?") {
                scripts.push(Vec::new());
                (wanted, each) = (true, line.starts_with("-- ? each"));
            } else if let Some(family) = line.strip_prefix("-- > ") {
                wanted = family.parse::<Flavor>().unwrap_or_else(|_| panic!("{place}: {line}")) == flavor;
            } else if wanted && !line.is_empty() && !line.starts_with("-- ") {
                let step =
                    match line.strip_prefix('\\').map(|line| line.split_once(' ').unwrap_or((line, ""))) {
                        Some(("reset", "")) => Step::Reset,
                        Some(("schema", name)) => Step::Schema(name.to_owned()),
                        Some(_) => panic!("{place}: {line}"),
                        None => Step::Statement(corpus::bytes(line).unwrap()),
                    };
                if each {
                    scripts.push(Vec::new());
                }
                scripts.last_mut().unwrap().push((place, step));
            }
        }
    }
    scripts
}

/// How often a session that is on the primary is asked.
const ATTEMPTS: usize = 3;

/// Differences shown of a test that fails.
const SHOWN: usize = 30;

/// What was found of one session after one statement.
enum Found {
    /// It stays on the primary.
    Pinned,
    /// The server refused to say.
    Untold,
    Same,
    Differs(String),
}

/// Asks more than once where the session is on the primary: an error keeps it there for a while only.
async fn compare(connection: &mut Connection, primary: &str) -> Result<Found> {
    for _ in 0..ATTEMPTS {
        let reply = connection.query("/* headgate: replica */ SELECT @@port").await?;
        if reply.value().is_none_or(|port| port != primary) {
            return compare_once(connection, primary).await;
        }
    }
    Ok(Found::Pinned)
}

async fn compare_once(connection: &mut Connection, primary: &str) -> Result<Found> {
    let seen = look(connection, "replica", EVERYTHING).await?;
    let expected = look(connection, "primary", EVERYTHING).await?;
    let (Ok(seen), Ok(expected)) = (seen, expected) else { return Ok(Found::Untold) };
    assert_eq!(expected["port"], primary, "a hint asked for the primary");
    if seen["port"] == primary {
        return Ok(Found::Pinned);
    }
    let differences = differences(&seen, &expected, Between::Servers, &[]);
    Ok(if differences.is_empty() { Found::Same } else { Found::Differs(differences) })
}

#[derive(Debug, Default)]
struct Tally {
    steps: usize,
    compared: usize,
    pinned: usize,
    untold: usize,
    bystander_compared: usize,
    wrong: Vec<String>,
}

async fn perform(connection: &mut Connection, step: &Step) -> Result<()> {
    match step {
        Step::Statement(text) => connection.query(text).await?,
        Step::Reset => connection.command(&[Command::ResetConnection as u8], Shape::Query).await?,
        Step::Schema(name) => {
            connection.command(&[&[Command::InitDb as u8], name.as_bytes()].concat(), Shape::Query).await?
        }
    };
    Ok(())
}

/// Plays one session, beside one that does nothing.
async fn play(
    flavor: Flavor,
    client: &Options,
    script: &Script,
    primary: &str,
    tally: &mut Tally,
) -> Result<()> {
    let mut session = client.connect().await?;
    let mut bystander = client.connect().await?;
    for (place, step) in script {
        perform(&mut session, step).await.with_context(|| place.clone())?;
        tally.steps += 1;
        match compare(&mut session, primary).await.with_context(|| place.clone())? {
            Found::Pinned => {
                println!("  {flavor}: pinned after {place}");
                tally.pinned += 1;
                // Its reads stay on the primary, so that it leaves nothing behind elsewhere.
                continue;
            }
            Found::Untold => tally.untold += 1,
            Found::Same => tally.compared += 1,
            Found::Differs(differences) => tally.wrong.push(format!("{place}:{differences}")),
        }
        // A connection that this leaves to others.
        session.query("SELECT 1 FROM DUAL").await.with_context(|| place.clone())?;
        match compare(&mut bystander, primary).await.with_context(|| place.clone())? {
            Found::Same => tally.bystander_compared += 1,
            Found::Pinned | Found::Untold => {}
            Found::Differs(differences) => tally.wrong.push(format!("{place}, bystander:{differences}")),
        }
    }
    session.quit().await?;
    bystander.quit().await
}

async fn mirrors(flavor: Flavor) {
    let stage: Stage = stage(flavor).await;
    stage.prepare(DEFINITIONS.iter().copied()).await;
    // A write would keep the session on the primary until a replica has it: that is another test's matter.
    let headgate = stage.headgate(&["--set=routing.consistency=eventual"]).await;
    let client = through(&headgate, stage.cluster.accounts().root);
    let primary = stage.cluster.primary().direct_address().port().to_string();
    let mut tally = Tally::default();
    for script in scripts(flavor) {
        play(flavor, &client, &script, &primary, &mut tally).await.unwrap();
    }
    let Tally { steps, compared, pinned, untold, bystander_compared, wrong } = tally;
    println!(
        "{flavor}: {steps} statements, {compared} compared, {pinned} pinned, {untold} not told, \
              {bystander_compared} beside"
    );
    let first = wrong.get(..wrong.len().min(SHOWN)).unwrap_or_default().join("\n");
    assert!(wrong.is_empty(), "{flavor}: {} differ, at first\n{first}", wrong.len());
    assert!(compared * 2 >= steps, "only {compared} of {steps} compared");
    assert!(bystander_compared * 10 >= compared * 8, "only {bystander_compared} of {compared} beside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_a_session_is_so_on_mysql() {
    mirrors(Flavor::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_a_session_is_so_on_mariadb() {
    mirrors(Flavor::MariaDb).await;
}
