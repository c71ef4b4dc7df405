//! Real answers: MySQL 9.7.4 and MariaDB 10.11.19.

use super::*;
use crate::election::Receiver;
use crate::gtid::Transactions;
use crate::topology::{Flavor, ServerId};
use crate::wire::answer::Answer;

struct Cluster;

impl Names for Cluster {
    fn at(&self, address: &str) -> Option<ServerId> {
        (address == "127.0.0.1:24996").then_some(ServerId(0))
    }

    fn origin(&self, origin: &str) -> Option<ServerId> {
        matches!(origin, "63816a62-ec52-11f1-9cbf-02fc00000001" | "1").then_some(ServerId(0))
    }
}

fn answer(row: &[(&str, &str)]) -> Answer {
    Answer {
        columns: row.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows: vec![row.iter().map(|(_, value)| Some((*value).to_owned())).collect()],
        ..Answer::default()
    }
}

fn fixed(flavor: Flavor) -> Fixed {
    Fixed { flavor, version: 90_704, log_filtered: false, purged: "0-1-3".parse().unwrap() }
}

const MYSQL_OWN: [(&str, &str); 7] = [
    ("origin", "63A92B02-ec52-11f1-83dc-02fc00000001"),
    ("run", "1795997402"),
    ("read_only", "1"),
    ("log_bin", "1"),
    ("passes_on", "1"),
    ("executed", "63816a62-ec52-11f1-9cbf-02fc00000001:1-5,\n63a92b02-ec52-11f1-83dc-02fc00000001:1"),
    ("purged", ""),
];

fn mysql_channel(receiver: &str, error: &str) -> Answer {
    answer(&[
        ("host", "127.0.0.1"),
        ("port", "24998"),
        ("source", "63816a62-ec52-11f1-9cbf-02fc00000001"),
        ("receiver", receiver),
        ("heartbeats", "6"),
        ("received", "63816a62-ec52-11f1-9cbf-02fc00000001:3-7"),
        ("error", error),
        ("applier", "ON"),
        ("filters", "0"),
    ])
}

const MARIADB_CHANNEL: [(&str, &str); 10] = [
    ("Master_Host", "127.0.0.1"),
    ("Master_Port", "25035"),
    ("Slave_IO_Running", "Yes"),
    ("Slave_SQL_Running", "Yes"),
    ("Master_Server_Id", "1"),
    ("Last_IO_Errno", "0"),
    ("Gtid_IO_Pos", "0-1-7"),
    ("Replicate_Do_DB", ""),
    ("Slave_received_heartbeats", "6"),
    ("Slave_heartbeat_period", "30.000"),
];

#[test]
fn a_replica_of_mysql_stands_so() {
    let (report, channels) =
        report(&fixed(Flavor::MySql), &answer(&MYSQL_OWN), &mysql_channel("ON", "0"), &Cluster).unwrap();
    let channel = report.channel.clone().unwrap();
    assert_eq!(
        (channel.source, channel.receiver, channel.heartbeats),
        (Some(ServerId(0)), Receiver::Running, 6)
    );
    assert!(channel.applier && report.logs && !report.writable && !report.filtered && !channels.several);
    assert_eq!(report.origin, "63a92b02-ec52-11f1-83dc-02fc00000001");
    assert_eq!(report.received.count(), 8, "{}", report.received);
    assert_eq!(report.executed.count(), 6);
}

#[test]
fn receivers_say_what_they_have() {
    let check = |receiver, error, expected| {
        let channel = mysql_channel(receiver, error);
        let (report, _) = report(&fixed(Flavor::MySql), &answer(&MYSQL_OWN), &channel, &Cluster).unwrap();
        assert_eq!(report.channel.unwrap().receiver, expected, "{receiver} {error}");
    };
    check("ON", "0", Receiver::Running);
    check("OFF", "0", Receiver::Stopped);
    check("CONNECTING", "2003", Receiver::Connecting);
    check("CONNECTING", "1040", Receiver::Crowded);
}

#[test]
fn a_replica_of_mariadb_stands_so() {
    let own = [
        ("origin", "2"),
        ("run", "1795997402"),
        ("read_only", "1"),
        ("log_bin", "1"),
        ("passes_on", "1"),
        ("executed", "0-1-5"),
    ];
    let (report, _) =
        report(&fixed(Flavor::MariaDb), &answer(&own), &answer(&MARIADB_CHANNEL), &Cluster).unwrap();
    assert_eq!(report.received, Transactions::MariaDb("0-1-7".parse().unwrap()));
    assert_eq!(report.purged, Transactions::MariaDb("0-1-3".parse().unwrap()));
    let channel = report.channel.unwrap();
    assert_eq!((channel.source, channel.receiver), (Some(ServerId(0)), Receiver::Running));
}

#[test]
fn a_primary_has_no_channel() {
    let mut own = MYSQL_OWN;
    own[2] = ("read_only", "0");
    let (report, _) = report(&fixed(Flavor::MySql), &answer(&own), &Answer::default(), &Cluster).unwrap();
    assert!(report.writable && report.channel.is_none());
    assert_eq!(report.received, report.executed);
}

#[test]
fn the_oldest_log_tells_what_came_before() {
    let columns = ["Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"];
    let check = |list: &str, expected: &str| {
        let row = |kind: &str, info: &str| {
            ["binlog.000001", "4", kind, "1", "256", info].iter().map(|v| Some((*v).to_owned())).collect()
        };
        let answer = Answer {
            columns: columns.map(str::to_owned).to_vec(),
            rows: vec![row("Format_desc", "Server ver: 10.11.19-MariaDB"), row("Gtid_list", list)],
            ..Answer::default()
        };
        assert_eq!(first_log_state(&answer).unwrap().to_string(), expected);
    };
    check("[]", "");
    check("[0-1-100,\n0-2-50]", "0-1-100,0-2-50");
}

#[test]
fn only_strangers_are_sent_away() {
    let row = |id: &str, user: &str, command: &str| {
        [id, user, "localhost:1", command].iter().map(|value| Some((*value).to_owned())).collect()
    };
    let answer = Answer {
        columns: ["Id", "User", "Host", "Command"].map(str::to_owned).to_vec(),
        rows: vec![
            row("5", "event_scheduler", "Daemon"),
            row("6", "system user", "Connect"),
            row("7", "replication", "Binlog Dump GTID"),
            row("8", "headgate", "Sleep"),
            row("9", "app", "Query"),
        ],
        ..Answer::default()
    };
    let ids: Vec<u64> = processes(&answer, &["headgate"]).iter().map(|process| process.id).collect();
    assert_eq!(ids, [9]);
}

#[test]
fn events_keep_their_definers() {
    let answer = answer(&[("EVENT_SCHEMA", "a`b"), ("EVENT_NAME", "e"), ("DEFINER", "x@y@%")]);
    assert_eq!(disabled_events(&answer), ["ALTER DEFINER = `x@y`@`%` EVENT `a``b`.`e` ENABLE"]);
}

#[test]
fn what_is_lacking_is_named() {
    let grants = answer(&[("Grants", "GRANT REPLICATION CLIENT, SHOW VIEW ON *.* TO `headgate`@`%`")]);
    let variables = |mode: &str| Answer {
        columns: vec!["Variable_name".into(), "Value".into()],
        rows: [("gtid_mode", mode), ("performance_schema", "ON"), ("log_bin", "ON")]
            .map(|(name, value)| vec![Some(name.to_owned()), Some(value.to_owned())])
            .to_vec(),
        ..Answer::default()
    };
    let lacking = lacks(Flavor::MySql, 90_704, &grants, &variables("OFF"));
    assert!(lacking.contains(&Lack::Setting { name: "gtid_mode", wanted: "ON" }));
    assert!(lacking.contains(&Lack::Grant { privilege: "CONNECTION_ADMIN", on: "*.*" }));
    let all = answer(&[("Grants", "GRANT ALL PRIVILEGES ON *.* TO `root`@`%`")]);
    assert_eq!(lacks(Flavor::MySql, 90_704, &all, &variables("ON")), []);
}

#[test]
fn a_slot_of_another_connection_is_a_rival() {
    let own = answer(&[("slot1", "12"), ("slot2", "15"), ("me", "12")]);
    assert_eq!(slots(&own), [Slot { connection: 15 }]);
}
