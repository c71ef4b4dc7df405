//! Another session that has the only connection between any two statements of a script, and leaves it as different as it
//! can be: what a script then sees of it, or loses to it, shows.

use anyhow::{Result, bail};

use headgate::wire::command::Command;

use crate::client::{Connection, Options, Shape};

/// All connections are in use: the script keeps its own.
const FULL: u16 = 1040;

/// What it sets for itself, once.
const SETTINGS: &[&str] = &[
    "SET NAMES latin1 COLLATE latin1_german1_ci",
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT', time_zone = '+05:00', \
     group_concat_max_len = 4, sql_select_limit = 7, lc_time_names = 'fr_FR', div_precision_increment = 1",
    "SET SESSION foreign_key_checks = 0, unique_checks = 0",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET autocommit = 0",
];

/// What it does between two statements of the script.
const TURN: &[&str] = &[
    "INSERT INTO turns (a) VALUES (1), (2), (3)",
    "SELECT a FROM turns ORDER BY id DESC LIMIT 5",
    "UPDATE turns SET a = 4 WHERE a = 99",
    "COMMIT",
];

/// The session.
pub(crate) struct Interloper {
    connection: Connection,
    /// Turns in which it had the connection.
    turns: usize,
    /// Turns to let go by: the script has just kept its connection, and every attempt takes the time of a wait.
    rest: u32,
}

impl Interloper {
    /// Logs in. The schema it is given is its own.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let mut connection = options.connect().await?;
        let table = "CREATE TABLE IF NOT EXISTS turns (id INT AUTO_INCREMENT PRIMARY KEY, a INT)";
        for sql in std::iter::once(&table).chain(SETTINGS) {
            let reply = connection.query(*sql).await?;
            if let Some(error) = reply.error {
                bail!("{sql}: {error}");
            }
        }
        Ok(Self { connection, turns: 0, rest: 0 })
    }

    /// Takes the connection, unless the script keeps it.
    pub(crate) async fn turn(&mut self) -> Result<()> {
        if self.rest > 0 {
            self.rest -= 1;
            return Ok(());
        }
        for sql in TURN {
            let reply = self.connection.query(*sql).await?;
            match reply.error {
                Some(error) if error.code == FULL => {
                    self.rest = 2;
                    return Ok(());
                }
                Some(error) => bail!("the interloper's {sql}: {error}"),
                None => {}
            }
        }
        self.turns += 1;
        // Served after the connection was given back.
        self.connection.command(&[Command::Ping as u8], Shape::Query).await?;
        Ok(())
    }

    /// Logs out. Says in how many turns it had the connection.
    pub(crate) async fn leave(self) -> Result<usize> {
        self.connection.quit().await?;
        Ok(self.turns)
    }
}
