//! What the answers mean.

use crate::election::{Channel, Receiver, Report};
use crate::gtid::{BadGtid, MariaDbState, Transactions};
use crate::probing::observe::FILTERS;
use crate::probing::write_probe;
use crate::topology::{Flavor, ServerId};
use crate::wire::answer::{Answer, Row};

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// Something is not there.
    #[error("the server does not tell {what}")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// A text is no set of transactions.
    #[error(transparent)]
    Gtid(#[from] BadGtid),
}

/// What does not change while a connection lives, or hardly ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Its flavor.
    pub flavor: Flavor,
    /// As version comments number it.
    pub version: u32,
    /// Its binary log leaves something out.
    pub log_filtered: bool,
    /// What MariaDB cannot send any more. MySQL tells with its own.
    pub purged: MariaDbState,
}

/// Finds a server by what a replica calls its source.
pub trait Names {
    /// By the address that the replica connects to, as `host:port`.
    fn at(&self, address: &str) -> Option<ServerId>;
    /// By the UUID of MySQL or the server id of MariaDB.
    fn origin(&self, origin: &str) -> Option<ServerId>;
}

/// What a server says of its channels beside what goes into the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channels {
    /// Where it replicates from, as `host:port`, and that server's UUID or id, where it knows it.
    pub source: Option<(String, String)>,
    /// It replicates from several sources.
    pub several: bool,
}

/// Reads the answers to [`super::Questions`].
///
/// # Errors
/// Where something is missing or unreadable.
pub fn report(
    fixed: &Fixed,
    own: &Answer,
    channels: &Answer,
    names: &impl Names,
) -> Result<(Report, Channels), BadReport> {
    let get = |what: &'static str| own.value(what).ok_or(BadReport::Missing { what });
    let transactions = |text: &str| -> Result<Transactions, BadGtid> {
        Ok(match fixed.flavor {
            Flavor::MySql => Transactions::MySql(text.replace('\n', "").parse()?),
            Flavor::MariaDb => Transactions::MariaDb(text.parse()?),
        })
    };
    let executed = transactions(get("executed")?)?;
    let purged = match fixed.flavor {
        Flavor::MySql => transactions(get("purged")?)?,
        Flavor::MariaDb => Transactions::MariaDb(fixed.purged.clone()),
    };
    let mut received = executed.clone();
    let first = channels.rows.first();
    let mut told = Channels { several: channels.rows.len() > 1, ..Channels::default() };
    let mut filtered = fixed.log_filtered || told.several;
    let channel = match first {
        None => None,
        Some(row) => {
            let answered = ChannelRow { answer: channels, row, flavor: fixed.flavor };
            received.insert_all(&transactions(answered.received())?);
            filtered |= answered.filtered();
            let (address, origin) = answered.source();
            let by_origin =
                || Some(origin.as_str()).filter(|origin| !origin.is_empty()).and_then(|o| names.origin(o));
            // The address first: after CHANGE … the source's name is that of the one before until there is a connection.
            let source = names.at(&address).or_else(by_origin);
            told.source = Some((address, origin));
            Some(Channel {
                source,
                receiver: answered.receiver(),
                applier: answered.applier(),
                heartbeats: answered.heartbeats(),
            })
        }
    };
    let on = |what: &'static str| Ok::<_, BadReport>(matches!(get(what)?, "1" | "ON"));
    let report = Report {
        origin: get("origin")?.to_ascii_lowercase(),
        run: get("run")?.parse().map_err(|_| BadReport::Missing { what: "run" })?,
        version: fixed.version,
        writable: matches!(get("read_only")?, "0" | "OFF"),
        channel,
        executed,
        received,
        purged,
        logs: on("log_bin")? && on("passes_on")?,
        filtered,
        prepared: Vec::new(),
    };
    Ok((report, told))
}

/// One row about a channel.
struct ChannelRow<'a> {
    answer: &'a Answer,
    row: &'a Row,
    flavor: Flavor,
}

/// ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED: the source lives.
const CROWDED: [&str; 3] = ["1040", "1203", "1226"];

impl ChannelRow<'_> {
    fn get(&self, mysql: &str, mariadb: &str) -> &str {
        let column = match self.flavor {
            Flavor::MySql => mysql,
            Flavor::MariaDb => mariadb,
        };
        self.answer.get(self.row, column).unwrap_or_default()
    }

    fn source(&self) -> (String, String) {
        let address = format!("{}:{}", self.get("host", "Master_Host"), self.get("port", "Master_Port"));
        let origin = self.get("source", "Master_Server_Id").to_ascii_lowercase();
        // MariaDB says 0 where it does not know.
        (address, if origin == "0" { String::new() } else { origin })
    }

    fn receiver(&self) -> Receiver {
        match self.get("receiver", "Slave_IO_Running") {
            // MariaDB: `Preparing` has logged in and not asked for events yet.
            "ON" | "Yes" | "Preparing" => Receiver::Running,
            "CONNECTING" | "Connecting" if CROWDED.contains(&self.get("error", "Last_IO_Errno")) => {
                Receiver::Crowded
            }
            "CONNECTING" | "Connecting" => Receiver::Connecting,
            _ => Receiver::Stopped,
        }
    }

    fn applier(&self) -> bool {
        matches!(self.get("applier", "Slave_SQL_Running"), "ON" | "Yes")
    }

    fn heartbeats(&self) -> u64 {
        self.get("heartbeats", "Slave_received_heartbeats").parse().unwrap_or(0)
    }

    fn received(&self) -> &str {
        self.get("received", "Gtid_IO_Pos")
    }

    fn filtered(&self) -> bool {
        match self.flavor {
            Flavor::MySql => self.get("filters", "") != "0",
            Flavor::MariaDb => FILTERS.iter().any(|name| !self.get("", name).is_empty()),
        }
    }
}

/// The connection that holds a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its id on the server.
    pub connection: u64,
}

/// The slots that other connections than the asking one hold.
#[must_use]
pub fn slots(own: &Answer) -> Vec<Slot> {
    let me = own.value("me").and_then(|me| me.parse::<u64>().ok());
    (1..=super::questions::SLOTS)
        .filter_map(|slot| own.value(&format!("slot{slot}"))?.parse().ok())
        .filter(|connection| Some(*connection) != me)
        .map(|connection| Slot { connection })
        .collect()
}

/// What came before MariaDB's oldest binary log: the answer to [`super::FIRST_LOG`], whose second event is
/// `Gtid_list [0-1-100,0-2-50]`.
///
/// # Errors
/// Where the list is unreadable.
pub fn first_log_state(answer: &Answer) -> Result<MariaDbState, BadGtid> {
    let list = answer.rows.iter().find(|row| answer.get(row, "Event_type") == Some("Gtid_list"));
    let text = list.and_then(|row| answer.get(row, "Info")).unwrap_or_default();
    text.trim_start_matches('[').trim_end_matches(']').replace('\n', "").parse()
}

/// Somebody who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The connection's id.
    pub id: u64,
    /// The account's name.
    pub user: String,
    /// From where.
    pub host: String,
}

/// Of the answer to [`super::PROCESSES`], those who are no part of the server, send no binary log and are not `spared`.
/// Nobody is who is just writing, be it to see whether writes get through.
#[must_use]
pub fn processes(answer: &Answer, spared: &[&str]) -> Vec<Process> {
    let read = |row: &Row| {
        let get = |column: &str| answer.get(row, column).unwrap_or_default();
        let (user, command) = (get("User"), get("Command"));
        let part_of_server = matches!(user, "system user" | "event_scheduler") || command == "Daemon";
        let sends = command.starts_with("Binlog Dump");
        let writes = get("Info").starts_with(write_probe::WRITE);
        if part_of_server || sends || (spared.contains(&user) && !writes) {
            return None;
        }
        Some(Process { id: get("Id").parse().ok()?, user: user.to_owned(), host: get("Host").to_owned() })
    };
    answer.rows.iter().filter_map(read).collect()
}

/// Of the answer to [`super::PROCESSES`] of MariaDB, the threads of receivers.
#[must_use]
pub fn receivers(answer: &Answer) -> Vec<u64> {
    let is_one = |row: &&Row| answer.get(row, "Command") == Some("Slave_IO");
    answer.rows.iter().filter(is_one).filter_map(|row| answer.get(row, "Id")?.parse().ok()).collect()
}

/// The XA branches of the answer to [`super::prepared_branches`].
#[must_use]
pub fn prepared(answer: &Answer) -> Vec<String> {
    let name = |row: &Row| Some(answer.get(row, "data")?.to_owned());
    answer.rows.iter().filter_map(name).collect()
}

/// The statements that enable the events of the answer to [`super::EVENTS`]. The definer is named, since it would become
/// who runs the statement.
#[must_use]
pub fn disabled_events(answer: &Answer) -> Vec<String> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let statement = |row: &Row| {
        let get = |column: &str| answer.get(row, column);
        let (user, host) = get("DEFINER")?.rsplit_once('@')?;
        let event = format!("{}.{}", quoted(get("EVENT_SCHEMA")?), quoted(get("EVENT_NAME")?));
        Some(format!("ALTER DEFINER = {}@{} EVENT {event} ENABLE", quoted(user), quoted(host)))
    };
    answer.rows.iter().filter_map(statement).collect()
}

/// The answer to [`super::SERVER_CLOCK`], in seconds.
#[must_use]
pub fn seconds_since_epoch(answer: &Answer) -> Option<f64> {
    answer.value("now")?.parse().ok()
}
