//! Clusters as they are found, and what is said of them.

use std::time::Duration;

use super::*;
use crate::probing::grants::Grants;
use crate::probing::{Identity, Replication};
use crate::topology::{Address, Flavor};
use crate::wire::answer::Answer;

/// A MySQL 9.7 with nothing to complain about, `db{number}:3306`.
fn told(number: u64, source: Option<u64>) -> Told {
    let channel = |source: u64| Replication {
        source: format!("db{source}:3306"),
        source_uuid: format!("uuid-{source}"),
        source_server_id: source,
        ..Replication::default()
    };
    let hostname = format!("db{number}");
    let super_read_only = if source.is_some() { "ON" } else { "OFF" };
    let variables = [
        ("gtid_mode", "ON"),
        ("hostname", &hostname),
        ("interactive_timeout", "28800"),
        ("local_infile", "OFF"),
        ("log_bin", "ON"),
        ("max_connections", "5000"),
        ("performance_schema", "ON"),
        ("port", "3306"),
        ("skip_name_resolve", "ON"),
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("old_mode", ""),
        ("super_read_only", super_read_only),
        ("wait_timeout", "28800"),
    ];
    Told {
        flavor: Flavor::MySql,
        version: "9.7.4".to_owned(),
        version_number: 90_704,
        identity: Identity { uuid: format!("uuid-{number}"), server_id: number, read_only: source.is_some() },
        channels: Ok(source.map(channel).into_iter().collect()),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        grants: grants(&["ALL PRIVILEGES ON *.*"]),
        log_filtered: Some(false),
        handshake_ignored: false,
        encrypted: true,
        seen_as: vec!["10.0.0.9".to_owned()],
        account: ("headgate".to_owned(), "10.0.0.%".to_owned()),
        accounts: Ok(vec![account("app", "%")]),
        followers: Ok(Vec::new()),
    }
}

fn grants(granted: &[&str]) -> Grants {
    let rows = granted.iter().map(|text| vec![Some(format!("GRANT {text} TO `headgate`@`%`"))]).collect();
    Grants::read(&Answer { columns: vec!["Grants".to_owned()], rows, ..Answer::default() })
}

fn account(user: &str, host: &str) -> Account {
    let plugin = "caching_sha2_password".to_owned();
    Account { user: user.to_owned(), host: host.to_owned(), plugin, ..Account::default() }
}

fn set(told: &mut Told, name: &str, value: &str) {
    told.variables.insert(name.to_owned(), value.to_owned());
}

/// A primary, db1, and its replica, db2.
fn pair() -> [Told; 2] {
    [told(1, None), told(2, Some(1))]
}

fn survey(servers: impl IntoIterator<Item = Result<Told, String>>) -> Survey {
    let address = |number| Address::Tcp { host: format!("db{number}"), port: 3306 };
    let server = |(number, told): (u16, _)| Surveyed { address: address(number), told };
    Survey((1..).zip(servers).map(server).collect())
}

const PLAN: Plan = Plan {
    judge_grants: true,
    split: true,
    max_connections: Some(4_000),
    idle_timeout: Duration::from_secs(60),
    tls_disabled: false,
    client_certificate: false,
    announces_clients: false,
};

fn audited(survey: &Survey, plan: &Plan) -> Vec<String> {
    audit(survey, &survey.judge(), plan).iter().map(ToString::to_string).collect()
}

/// Changes a sound cluster and compares the findings, each by a part of it.
#[track_caller]
fn check(change: impl FnOnce(&mut [Told; 2]), expected: &[&str]) {
    check_with(change, &PLAN, expected);
}

#[track_caller]
fn check_with(change: impl FnOnce(&mut [Told; 2]), plan: &Plan, expected: &[&str]) {
    let mut servers = pair();
    change(&mut servers);
    let found = audited(&survey(servers.map(Ok)), plan);
    let as_expected =
        found.len() == expected.len() && found.iter().zip(expected).all(|(one, part)| one.contains(part));
    assert!(as_expected, "expected {expected:#?}, found {found:#?}");
}

#[test]
fn what_discovery_finds_is_told_in_one_line() {
    let [primary, replica] = pair();
    let all = survey([Ok(primary.clone()), Ok(replica)]);
    let sources = "  discovery finds the sources of servers that are named";
    assert_eq!(discovery(&all, true).unwrap(), format!("{sources} (docs/servers.md)\n"));
    let asked_for = discovery(&all, false).unwrap();
    assert!(
        asked_for.starts_with(sources) && asked_for.contains("; REPLICATION SLAVE ON *.* would show"),
        "{asked_for}"
    );
    let usual = Told { grants: grants(&["REPLICATION CLIENT, PROCESS ON *.*"]), ..primary };
    let usual = discovery(&survey([Ok(usual)]), true).unwrap();
    assert!(usual.contains("REPLICATION SLAVE") && !usual.contains("PROCESS"), "{usual}");
    assert_eq!(discovery(&survey([Err("away".to_owned())]), true), None);
}

#[test]
fn a_sound_cluster_has_nothing_to_complain_about() {
    check(|_| {}, &[]);
    let survey = survey(pair().map(Ok));
    let judgement = survey.judge();
    assert_eq!(
        servers(&survey, &judgement),
        "  db1:3306  primary  MySQL 9.7.4, takes writes, gtid_mode ON, TLS\n  \
         db2:3306  replica  MySQL 9.7.4, read only, gtid_mode ON, TLS\n"
    );
    assert_eq!(findings(&[]), "\nof the cluster: no problems, no warnings");
}

#[test]
fn servers_that_serve_nothing_are_problems() {
    let silent = survey([Ok(told(1, None)), Err("db2:3306 cannot be reached: refused".to_owned())]);
    let found = audited(&silent, &PLAN);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("  problem: db2:3306 serves nothing: db2:3306 cannot be reached"),
        "{found:?}"
    );
    check(
        |[_, replica]| replica.channels = Ok(Vec::new()),
        &["problem: db2:3306 serves nothing: it replicates from nobody"],
    );
    check(
        |[_, replica]| {
            replica.channels.as_mut().unwrap()[0].stopped = Some("the applier does not run".into())
        },
        &["problem: db2:3306 serves nothing: replication is stopped: the applier does not run"],
    );
    check(
        |[_, replica]| replica.channels.as_mut().unwrap()[0].delay = 60,
        &["warning: db2:3306 serves nothing: it is delayed by 60 s on purpose"],
    );
    check(
        |[_, replica]| set(replica, "old_mode", "NO_PROGRESS_INFO"),
        &[
            "problem: db2:3306 serves nothing, since its defaults are not the primary's: old_mode is \"NO_PROGRESS_INFO\" and there \"\"",
        ],
    );
    // Sessions can be given the primary's.
    check(|[_, replica]| set(replica, "sql_mode", "ANSI"), &[]);
    check(
        |[primary, _]| primary.identity.read_only = true,
        &["problem: there is no primary: no server takes writes"],
    );
    check(
        |[primary, _]| set(primary, "wsrep_on", "ON"),
        &["problem: db1:3306 is a node of a Galera cluster"],
    );
}

#[test]
fn a_lone_server_is_said_to_be_one() {
    let found = audited(&survey([Ok(told(1, None))]), &PLAN);
    assert!(found.len() == 1 && found[0].contains("warning: there is one server"), "{found:?}");
}

#[test]
fn one_server_under_two_addresses_is_seen() {
    let found = audited(&survey([Ok(told(1, None)), Ok(told(1, None))]), &PLAN);
    assert!(found.iter().any(|one| one.contains("db1:3306 and db2:3306 are the same server")), "{found:?}");
}

#[test]
fn versions_fit_together_and_are_new_enough() {
    let version = |told: &mut Told, text: &str, number| {
        (told.version, told.version_number) = (text.to_owned(), number);
    };
    check(
        |[_, replica]| version(replica, "8.4.6", 80_406),
        &["warning: db2:3306 runs MySQL 8.4.6, older than the primary's MySQL 9.7.4"],
    );
    check(|[primary, _]| version(primary, "8.4.6", 80_406), &[]);
    check(
        |servers| servers.iter_mut().for_each(|told| version(told, "5.7.44-log", 50_744)),
        &["problem: db1:3306 runs MySQL 5.7.44, which is too old", "problem: db2:3306"],
    );
}

#[test]
fn missing_grants_are_named_with_the_statement_and_the_servers() {
    let without_code = ["REPLICATION CLIENT, SHOW VIEW ON *.*", "SELECT ON `mysql`.`user`"];
    check(
        |servers| servers.iter_mut().for_each(|told| told.grants = grants(&without_code)),
        &[
            "warning: SHOW_ROUTINE ON *.* is missing, without which reads that call stored functions run on the \
             primary\n      GRANT SHOW_ROUTINE ON *.* TO 'headgate'@'10.0.0.%';",
            "warning: SELECT ON performance_schema.user_defined_functions is missing",
            "warning: TRIGGER ON *.* is missing, without which sessions that write keep their connections to the \
             primary where these are shared, and reads after a CALL run on the primary\n      GRANT TRIGGER ON *.* \
             TO 'headgate'@'10.0.0.%';",
        ],
    );
    check(
        |[_, replica]| {
            replica.grants = grants(&["SHOW VIEW ON *.*", "SELECT ON `mysql`.`user`", "SHOW_ROUTINE ON *.*"]);
            replica.channels = Err("the server answered 1227".to_owned());
        },
        &[
            "problem: db2:3306 serves nothing: the server answered 1227",
            "problem: REPLICATION CLIENT ON *.* is missing on db2:3306",
            "warning: SELECT ON performance_schema.user_defined_functions is missing on db2:3306",
            "warning: TRIGGER ON *.* is missing on db2:3306",
        ],
    );
    let somebody_else = Plan { judge_grants: false, ..PLAN };
    check_with(|[primary, _]| primary.grants = Grants::default(), &somebody_else, &[]);
}

#[test]
fn settings_that_keep_reads_on_the_primary_are_named() {
    let stays = "so every read stays on the primary";
    check(
        |servers| servers.iter_mut().for_each(|told| set(told, "gtid_mode", "OFF")),
        &[&format!("warning: gtid_mode is OFF on db1:3306, {stays}")],
    );
    let no_split = Plan { split: false, ..PLAN };
    check_with(|servers| servers.iter_mut().for_each(|told| set(told, "gtid_mode", "OFF")), &no_split, &[]);
    check(
        |servers| servers.iter_mut().for_each(|told| set(told, "init_connect", "SET @a = 1")),
        &[&format!("warning: init_connect is set on db1:3306, {stays}")],
    );
    check(|[primary, _]| primary.log_filtered = Some(true), &["warning: the binary log leaves schemas out"]);
    check(
        |[primary, _]| primary.handshake_ignored = true,
        &["warning: the character set of logins is ignored"],
    );
    check(|[primary, _]| set(primary, "performance_schema", "OFF"), &["warning: performance_schema is off"]);
}

#[test]
fn replicas_are_closed_to_writers() {
    check(
        |[_, replica]| replica.identity.read_only = false,
        &[
            "warning: db2:3306 takes writes from whoever connects to it directly\n      SET PERSIST super_read_only",
        ],
    );
    check(
        |[_, replica]| set(replica, "super_read_only", "OFF"),
        &["warning: db2:3306 is read only, but not for accounts with CONNECTION_ADMIN or SUPER"],
    );
    check(|[_, replica]| set(replica, "log_bin", "OFF"), &["warning: db2:3306 has no binary log"]);
}

#[test]
fn connections_fit_into_the_servers() {
    check(
        |[primary, _]| set(primary, "max_connections", "151"),
        &["warning: max_connections is 151 on db1:3306, but Headgate may open 4000"],
    );
    check_with(
        |[primary, _]| set(primary, "max_connections", "151"),
        &Plan { max_connections: Some(136), ..PLAN },
        &[],
    );
    check(
        |[_, replica]| set(replica, "wait_timeout", "60"),
        &["warning: db2:3306 closes connections that idle for 60 s"],
    );
    check(|[_, replica]| set(replica, "wait_timeout", "61"), &[]);
    let fits = |limit: &str| {
        let mut told = told(1, None);
        set(&mut told, "max_connections", limit);
        told.fitting_connections()
    };
    assert_eq!(
        (fits("151"), fits("4000"), fits("10"), fits("1"), fits("x")),
        (Some(136), Some(3_600), Some(5), Some(1), None)
    );
}

#[test]
fn settings_that_ought_to_be_alike_are_compared() {
    check(
        |[_, replica]| set(replica, "local_infile", "ON"),
        &["warning: local_infile is OFF on db1:3306, ON on db2:3306: LOAD DATA LOCAL works on some"],
    );
    check(|[_, replica]| replica.encrypted = false, &["warning: db2:3306 offers no TLS"]);
}

/// Changes the accounts of a sound cluster and compares the findings.
#[track_caller]
fn check_accounts(accounts: Vec<Account>, plan: &Plan, expected: &[&str]) {
    check_with(|[primary, _]| primary.accounts = Ok(accounts), plan, expected);
}

#[test]
fn accounts_that_cannot_log_in_through_headgate_are_named() {
    let with = |user: &str, change: fn(&mut Account)| {
        let mut account = account(user, "%");
        change(&mut account);
        account
    };
    let accounts = vec![
        account("app", "%"),
        with("ed", |one| one.plugin = "ed25519".into()),
        with("ed2", |one| one.plugin = "ed25519".into()),
        with("sock", |one| one.plugin = "auth_socket".into()),
        with("x", |one| one.ssl_type = "X509".into()),
        with("tls", |one| one.ssl_type = "ANY".into()),
        with("mfa", |one| one.several_factors = true),
        with("old", |one| one.expired = true),
        with("", |_| {}),
        with("lost", |one| (one.locked, one.plugin) = (true, "ed25519".into())),
        with("definer", |one| one.plugin = "mysql_no_login".into()),
    ];
    check_accounts(
        accounts.clone(),
        &PLAN,
        &[
            "warning: 'sock'@'%': cannot log in through Headgate, since auth_socket cannot be passed through",
            "warning: 'ed'@'%', 'ed2'@'%': cannot log in through Headgate, since ed25519",
            "warning: 'x'@'%': cannot log in through Headgate, since it shows no certificate",
            "warning: 'mfa'@'%': cannot log in through Headgate, since more than one factor",
            "warning: 'old'@'%': can do nothing before an expired password is changed",
            "warning: ''@'%': taken for every user name that has no account",
            "warning: 'lost'@'%': locked",
        ],
    );
    let plain = Plan { tls_disabled: true, client_certificate: true, ..PLAN };
    let some = accounts.into_iter().filter(|account| ["x", "tls"].contains(&account.user.as_str())).collect();
    check_with(
        |[primary, _]| (primary.encrypted, primary.accounts) = (false, Ok(some)),
        &plain,
        &[
            "'x'@'%': REQUIRE X509, ISSUER or SUBJECT is judged by Headgate's own certificate",
            "'tls'@'%': cannot log in through Headgate, since they REQUIRE SSL",
        ],
    );
}

#[test]
fn accounts_that_are_tied_to_hosts_are_told_by_what_becomes_of_them() {
    let bare = Account { bare: true, ..account("root", "10.0.0.9") };
    let closed = Account { locked: true, ..account("", "10.0.0.9") };
    check_accounts(
        vec![
            account("here", "10.0.0.%"),
            account("there", "192.168.%"),
            account("root", "localhost"),
            bare,
            account("", "10.0.%"),
            account("", "localhost"),
            closed,
        ],
        &PLAN,
        &[
            "problem: 'root'@'10.0.0.9': anybody who reaches Headgate can log in, since there is no password",
            "problem: ''@'10.0.%': taken for every user whose host part is wider",
            "warning: 'here'@'10.0.0.%': open to every client of Headgate that knows the password",
            "warning: 'there'@'192.168.%', 'root'@'localhost': cannot log in through Headgate, since the server takes \
             connections from here to come from 10.0.0.9",
            "warning: ''@'10.0.0.9': locked",
        ],
    );
}

#[test]
fn accounts_keep_their_hosts_where_servers_are_told_of_clients() {
    let accounts = vec![account("here", "10.0.0.%"), account("there", "192.168.%"), account("", "%")];
    let plan = Plan { announces_clients: true, ..PLAN };
    check_accounts(accounts, &plan, &["warning: ''@'%': taken for every user name"]);
}

#[test]
fn many_accounts_are_counted_and_unseen_ones_are_said_to_be() {
    let many = (0..13).map(|number| account(&format!("u{number}"), "10.1.1.1")).collect();
    check_accounts(many, &PLAN, &["'u9'@'10.1.1.1', 3 more: cannot log in"]);
    check(
        |[primary, _]| primary.accounts = Err("the server answered 1142".to_owned()),
        &["warning: accounts could not be looked at: the server answered 1142"],
    );
}

#[test]
fn findings_are_grouped_and_counted() {
    let mut servers = pair();
    set(&mut servers[0], "max_connections", "151");
    servers[1].channels = Ok(Vec::new());
    let survey = survey(servers.map(Ok));
    let text = findings(&audit(&survey, &survey.judge(), &PLAN));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "servers", "{text}");
    assert!(
        lines[2].starts_with("  problem: db2:3306") && lines[3].starts_with("      let it replicate"),
        "{text}"
    );
    assert_eq!((lines[4], lines[5]), ("", "settings"), "{text}");
    assert_eq!(lines.last(), Some(&"of the cluster: 1 problem, 1 warning"), "{text}");
}

#[test]
fn servers_that_others_tell_of_are_leads_until_they_are_known() {
    let mut primary = told(1, None);
    let address = |host: &str| Some(Address::Tcp { host: host.to_owned(), port: 3306 });
    let follower = |number: u64, host| Follower {
        address: address(host),
        hosts: vec![host.to_owned()],
        uuid: format!("uuid-{number}"),
        server_id: number,
    };
    // The second is known under another name.
    primary.followers = Ok(vec![follower(3, "db3"), follower(2, "10.0.0.2")]);
    let mut replica = told(2, Some(1));
    replica.channels.as_mut().unwrap()[0].source = "10.0.0.1:3306".to_owned();
    let both = survey([Ok(primary), Ok(replica.clone())]);
    let found: Vec<_> =
        leads(&both).into_iter().map(|lead| (lead.address.clone(), lead.hosts.clone())).collect();
    assert_eq!(found, [(address("db3"), Some(vec!["db3".to_owned()]))]);
    let alone = leads(&survey([Ok(replica)]));
    assert_eq!((alone.len(), &alone[0].address, &alone[0].hosts), (1, &address("10.0.0.1"), &None));
    assert!(alone[0].is(&told(1, None).identity) && !alone[0].is(&told(4, None).identity));
}

#[test]
fn mariadb_names_itself_without_its_prefix() {
    let mut told = told(1, None);
    (told.flavor, told.version) = (Flavor::MariaDb, "5.5.5-10.11.19-MariaDB-log".to_owned());
    assert_eq!(told.name(), "MariaDB 10.11.19");
}
