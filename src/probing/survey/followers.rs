//! Servers that others tell of.

use std::collections::BTreeSet;

use super::told::Survey;
use crate::probing::Identity;
use crate::topology::Address;
use crate::wire::answer::Answer;

/// A replica that its primary tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Where it says it is reached (`report_host`, `report_port`). Nothing where it does not say.
    pub address: Option<Address>,
    /// Hosts that replicas' connections come from, as the primary sees them: the host of this one is among
    /// them, if it is connected.
    pub hosts: Vec<String>,
    /// `server_uuid`; empty on MariaDB.
    pub uuid: String,
    /// `server_id`.
    pub server_id: u64,
}

/// The commands under which a replica's connection is listed: `Binlog Dump`, `Binlog Dump GTID`.
const DUMP: &str = "Binlog Dump";

/// The most replicas that are taken from one answer.
const MOST: usize = 32;

/// Reads the answers to one of [`super::queries::REPLICAS`] and to [`super::queries::THREADS`].
#[must_use]
pub fn followers(replicas: &Answer, threads: &Answer) -> Vec<Follower> {
    let dumps = threads
        .rows
        .iter()
        .filter(|row| threads.get(row, "Command").is_some_and(|command| command.starts_with(DUMP)))
        .filter_map(|row| threads.get(row, "Host")?.rsplit_once(':'))
        .map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
    // In order, and each once.
    let hosts: Vec<String> = dumps.collect::<BTreeSet<_>>().into_iter().collect();
    let follower = |row| {
        let text = |column| replicas.get(row, column).unwrap_or_default();
        let port: u16 = text("Port").parse().ok()?;
        let host = text("Host");
        let named = !host.is_empty() && port != 0;
        // Silent about its host, it is looked for where the one dump connection comes from.
        let host = if named { Some(host) } else { only(&hosts) };
        let address = host.map(|host| Address::Tcp { host: host.to_owned(), port });
        let uuid = text("Replica_UUID").to_ascii_lowercase();
        let server_id = text("Server_Id").parse().unwrap_or(0);
        Some(Follower { address, hosts: hosts.clone(), uuid, server_id })
    };
    replicas.rows.iter().filter_map(follower).take(MOST).collect()
}

fn only(hosts: &[String]) -> Option<&str> {
    match hosts {
        [one] => Some(one),
        _ => None,
    }
}

/// A server that another one tells of and that has not been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Where it should be reached; nothing where that cannot be told.
    pub address: Option<Address>,
    /// Who tells of it, and as what.
    pub told_by: String,
    /// Its host must be one of these to be believed, those that its replication connection may come from:
    /// whoever may replicate may report any address, and a password is shown to it. Nothing where it is the word
    /// of a replica on its own source.
    pub hosts: Option<Vec<String>>,
    uuid: String,
    server_id: u64,
}

impl Lead {
    /// Whether a server that answers at the address is the one that was told of.
    #[must_use]
    pub fn is(&self, identity: &Identity) -> bool {
        known(identity, &self.uuid, self.server_id)
    }
}

/// The servers that those asked tell of and that are none of them.
#[must_use]
pub fn leads(survey: &Survey) -> Vec<Lead> {
    let mut found: Vec<Lead> = Vec::new();
    for (server, told) in survey.answering() {
        let sources = told.channels.iter().flatten().map(|channel| Lead {
            address: channel.source.parse().ok(),
            told_by: format!("{} replicates from it", server.address),
            hosts: None,
            uuid: channel.source_uuid.clone(),
            server_id: channel.source_server_id,
        });
        let followers = told.followers.iter().flatten().map(|follower| Lead {
            address: follower.address.clone(),
            told_by: format!("it replicates from {}", server.address),
            hosts: Some(follower.hosts.clone()),
            uuid: follower.uuid.clone(),
            server_id: follower.server_id,
        });
        for lead in sources.chain(followers) {
            let asked = survey.0.iter().any(|one| Some(&one.address) == lead.address.as_ref())
                || survey.answering().any(|(_, told)| lead.is(&told.identity));
            let twice =
                found.iter().any(|other| (&other.uuid, other.server_id) == (&lead.uuid, lead.server_id));
            if !asked && !twice {
                found.push(lead);
            }
        }
    }
    found
}

fn known(identity: &Identity, uuid: &str, server_id: u64) -> bool {
    if identity.uuid.is_empty() || uuid.is_empty() {
        identity.server_id == server_id
    } else {
        identity.uuid == uuid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(columns: &[&str], rows: &[&[&str]]) -> Answer {
        let row = |row: &&[&str]| row.iter().map(|text| Some((*text).to_owned())).collect();
        Answer {
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: rows.iter().map(row).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn replicas_are_found_by_what_they_report_or_where_they_come_from() {
        let check = |replicas: Answer, threads: &[[&str; 2]], expected: &[Option<&str>]| {
            let rows: Vec<&[&str]> = threads.iter().map(<[&str; 2]>::as_slice).collect();
            let found = followers(&replicas, &answer(&["Host", "Command"], &rows));
            let told: Vec<_> =
                found.iter().map(|one| one.address.as_ref().map(ToString::to_string)).collect();
            assert_eq!(told, expected.iter().map(|one| one.map(str::to_owned)).collect::<Vec<_>>());
        };
        let mysql =
            |rows: &[&[&str]]| answer(&["Server_Id", "Host", "Port", "Source_Id", "Replica_UUID"], rows);
        let dumps = [["db2:35596", "Binlog Dump GTID"], ["10.0.0.9:1", "Query"], ["", "Daemon"]];
        check(mysql(&[&["2", "db2.net", "3307", "1", "AB"]]), &dumps, &[Some("db2.net:3307")]);
        check(mysql(&[&["2", "", "3306", "1", "AB"]]), &dumps, &[Some("db2:3306")]);
        check(mysql(&[&["2", "", "3306", "1", "AB"]]), &[], &[None]);
        let two = [["db2:35596", "Binlog Dump"], ["db3:1", "Binlog Dump"], ["db3:2", "Binlog Dump"]];
        let silent: &[&[&str]] = &[&["2", "", "3306", "1", "a"], &["3", "", "3306", "1", "b"]];
        check(mysql(silent), &two, &[None, None]);
        let mariadb = answer(&["Server_id", "Host", "Port", "Master_id"], &[&["2", "::1", "3306", "1"]]);
        let found = followers(&mariadb, &answer(&["Host", "Command"], &[&["[::1]:5", "Binlog Dump"]]));
        assert_eq!((found[0].server_id, found[0].uuid.as_str()), (2, ""));
        assert_eq!(found[0].hosts, ["::1"]);
        check(mariadb, &[], &[Some("[::1]:3306")]);
    }
}
