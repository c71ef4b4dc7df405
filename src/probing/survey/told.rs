//! What servers answered.

use std::collections::BTreeMap;

use super::account::Account;
use super::followers::Follower;
use crate::probing::family::Kin;
use crate::probing::grants::Grants;
use crate::probing::{Identity, Judgement, Known, Observation, Replication, judge, queries};
use crate::topology::{Address, Flavor, ServerId};

/// All servers that were asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey(pub Vec<Surveyed>);

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// Where it was asked.
    pub address: Address,
    /// What it said, or why it could not be asked.
    pub told: Result<Told, String>,
}

/// What one server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// MySQL or MariaDB.
    pub flavor: Flavor,
    /// As it greets.
    pub version: String,
    /// As version comments number it; 0 where it cannot be read.
    pub version_number: u32,
    /// Who it is.
    pub identity: Identity,
    /// From whom it replicates, or why that may not be seen.
    pub channels: Result<Vec<Replication>, String>,
    /// Its global variables, of those that are asked for.
    pub variables: BTreeMap<String, String>,
    /// What the account that asked holds.
    pub grants: Grants,
    /// Its binary log leaves schemas out. Nothing where that may not be seen.
    pub log_filtered: Option<bool>,
    /// It does not heed the collation that a login asks for.
    pub handshake_ignored: bool,
    /// The connection was encrypted.
    pub encrypted: bool,
    /// From where it saw the connection come: host names and addresses.
    pub seen_as: Vec<String>,
    /// The account that it took the login for: name and host part.
    pub account: (String, String),
    /// Its accounts, or why they may not be seen.
    pub accounts: Result<Vec<Account>, String>,
    /// Replicas it tells of, where it was asked for them, or why it would not.
    pub followers: Result<Vec<Follower>, String>,
}

impl Told {
    /// The value of a global variable; empty where the server has none of that name.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.variable(name).to_ascii_uppercase().as_str(), "ON" | "1" | "YES")
    }

    /// Flavor and version for people.
    #[must_use]
    pub fn name(&self) -> String {
        let number = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let number = number.split(['-', '+']).next().unwrap_or_default();
        match self.flavor {
            Flavor::MySql => format!("MySQL {number}"),
            Flavor::MariaDb => format!("MariaDB {number}"),
        }
    }

    fn observation(&self) -> Result<Observation, String> {
        let compared = |(name, _): &(&String, &String)| queries::COMPARED.contains(&name.as_str());
        Ok(Observation {
            identity: self.identity.clone(),
            channels: self.channels.clone()?,
            defaults: self
                .variables
                .iter()
                .filter(compared)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            max_connections: self.variable("max_connections").parse().ok(),
            kin: Kin::default(),
            executed: None,
        })
    }
}

impl Survey {
    /// The servers by the numbers that a [`Judgement`] calls them.
    pub fn servers(&self) -> impl Iterator<Item = (ServerId, &Surveyed)> {
        (0..).map(ServerId).zip(&self.0)
    }

    /// Those that answered.
    pub fn answering(&self) -> impl Iterator<Item = (&Surveyed, &Told)> {
        self.0.iter().filter_map(|server| Some((server, server.told.as_ref().ok()?)))
    }

    /// Who is the primary, and what the others are used for: by the code that decides it at work.
    #[must_use]
    pub fn judge(&self) -> Judgement {
        let observation = |server: &Surveyed| server.told.as_ref().map_err(Clone::clone)?.observation();
        let observations: Vec<_> = self.0.iter().map(observation).collect();
        let known: Vec<_> = self
            .servers()
            .zip(&observations)
            .map(|((id, server), observation)| Known {
                id,
                address: &server.address,
                identity: server.told.as_ref().ok().map(|told| &told.identity),
                now: observation.as_ref().map_err(String::as_str),
            })
            .collect();
        judge(&known, None)
    }

    /// The primary of a judgement, if there is one that answered.
    #[must_use]
    pub fn primary(&self, judgement: &Judgement) -> Option<(&Surveyed, &Told)> {
        let primary = judgement.primary.as_ref().ok()?;
        let (_, server) = self.servers().find(|(id, _)| id == primary)?;
        Some((server, server.told.as_ref().ok()?))
    }

    /// Every server that answered but the primary.
    pub fn others<'a>(&'a self, judgement: &'a Judgement) -> impl Iterator<Item = (&'a Surveyed, &'a Told)> {
        let primary = judgement.primary.as_ref().ok();
        self.servers()
            .filter(move |(id, _)| Some(id) != primary)
            .filter_map(|(_, server)| Some((server, server.told.as_ref().ok()?)))
    }
}
