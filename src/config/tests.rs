use std::time::Duration;

use proptest::prelude::*;

use super::*;
use super::{BackendTls, Endpoint, LogFormat, OnOff, Problems, RuntimeModel};

fn flag(key: &str, flag: &str, values: &[&str]) -> Override {
    Override {
        key: key.to_owned(),
        flag: flag.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

/// The problems of `text`, one line each: place, what, remedy.
fn problems(text: &str, overrides: &[Override]) -> Vec<String> {
    Problems::sorted(read("headgate.toml", text, overrides).problems)
        .0
        .iter()
        .map(|problem| format!("{}: {} | {}", problem.place, problem.what, problem.remedy))
        .collect()
}

/// A reading without problems.
#[track_caller]
fn right(text: &str, overrides: &[Override]) -> Reading {
    let reading = read("headgate.toml", text, overrides);
    assert_eq!(reading.problems, [], "of\n{text}");
    reading
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(problems(text, &[]), expected, "of\n{text}");
}

fn tcp(host: &str, port: u16) -> Endpoint {
    Endpoint::Tcp { host: host.to_owned(), port }
}

#[test]
fn an_empty_file_is_the_defaults() {
    let reading = right("", &[]);
    assert_eq!(reading.config, Config::default());
    assert_eq!(reading.place("pool.max_idle"), Place::Unwritten);
}

#[test]
fn every_kind_of_key_is_read() {
    let text = r#"
listen = { address = ["0.0.0.0:4306", "[::]:4306", "unix:/run/headgate.sock"], http = "off" }
servers.addresses = ["db1:3306"]
servers.tls = "verify-ca"

[control]
user = "watch"
password_file = "/etc/headgate/control.password"

[pool]
max_connections_per_server = 1_000
wait_timeout = "250ms"

[routing]
split = false

[runtime]
model = "per-core"

[log]
format = "json"
"#;
    let Reading { config, .. } = right(text, &[]);
    assert_eq!(config.listen.address.len(), 3);
    assert_eq!(config.listen.http, OnOff::Off);
    assert_eq!(
        config.listen.admin,
        OnOff::On(tcp("127.0.0.1", 4307)),
        "what is not written keeps its default"
    );
    assert_eq!(config.servers.addresses, [tcp("db1", 3306)]);
    assert_eq!(config.servers.tls, BackendTls::VerifyCa);
    assert_eq!(config.control.user.as_deref(), Some("watch"));
    assert_eq!(config.pool.max_connections_per_server, Some(1_000));
    assert_eq!(config.pool.wait_timeout, Duration::from_millis(250));
    assert!(!config.routing.split);
    assert_eq!(config.runtime.model, RuntimeModel::PerCore);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let text = "[servers]\naddresses = [\"db1:3306\"]\n[runtime]\nworkers = 2\n[routing]\nsplit = true";
    let overrides = [
        flag("servers.addresses", "--server", &["db2:3306", "[::1]:3307"]),
        flag("runtime.workers", "--workers", &["3", "4"]),
        flag("routing.split", "--set", &["false"]),
        flag("control.user", "--control-user", &["42"]),
    ];
    let reading = right(text, &overrides);
    assert_eq!(reading.config.servers.addresses, [tcp("db2", 3306), tcp("::1", 3307)]);
    assert_eq!(reading.config.runtime.workers, 4);
    assert!(!reading.config.routing.split);
    assert_eq!(reading.config.control.user.as_deref(), Some("42"), "a name of digits is still a name");
    assert_eq!(reading.place("servers.addresses"), Place::Flag("--server".to_owned()));
    assert_eq!(reading.place("routing.split"), Place::Flag("--set".to_owned()));
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = "\
[listen]
address = [
    \"0.0.0.0:4306\",
    \"4306\",
    \"::1:4306\",
]
require_tls = \"yes\"

[pool]
max_idel = 3
idle_timeout = 60

[rooting]
split = true

[limits]
max_clients = 0
";
    let overrides = [flag("runtime.workers", "--workers", &["many"])];
    assert_eq!(
        problems(text, &overrides),
        [
            "headgate.toml:4: listen.address: \"4306\" is not an address: it names no port | write 4306:PORT",
            "headgate.toml:5: listen.address: \"::1:4306\" is not an address: an IPv6 address needs brackets | \
             write it as [::1]:3306",
            "headgate.toml:7: listen.require_tls: expected true or false, found the text \"yes\" | write true or \
             false, without quotes",
            "headgate.toml:10: pool.max_idel is not a key | did you mean pool.max_idle?",
            "headgate.toml:11: pool.idle_timeout: 60 has no unit | write \"60s\" or \"60ms\"",
            "headgate.toml:13: [rooting] is not a table Headgate knows | did you mean [routing]?",
            "headgate.toml:17: limits.max_clients: 0 is not allowed | choose a value between 1 and 1000000",
            "--workers: runtime.workers: expected a whole number, found the text \"many\" | write digits only, such \
             as 100",
        ]
    );
}

#[test]
fn a_wrong_type_says_what_to_write() {
    check(
        "servers.addresses = \"db1:3306\"",
        &[
            "headgate.toml:1: servers.addresses: expected a list, found the text \"db1:3306\" | write it in brackets: \
           [\"db1:3306\"]",
        ],
    );
    check(
        "pool.max_idle = \"8\"",
        &[
            "headgate.toml:1: pool.max_idle: expected a whole number, found the text \"8\" | write 8 without quotes",
        ],
    );
    check(
        "pool.max_idle = -1",
        &[
            "headgate.toml:1: pool.max_idle: expected a whole number, found the number -1 | write a number between 0 \
           and 4294967295",
        ],
    );
    check(
        "pool.max_idle = 1.5",
        &[
            "headgate.toml:1: pool.max_idle: expected a whole number, found a number with a fraction | write digits \
           only, such as 100",
        ],
    );
    check(
        "servers.tls = \"verify_ca\"",
        &[
            "headgate.toml:1: servers.tls: does not know \"verify_ca\" | did you mean verify-ca? The choices are \
           disabled, preferred, required, verify-ca, verify-identity",
        ],
    );
    check(
        "servers.ca = \"\"",
        &["headgate.toml:1: servers.ca: is empty | write a value, or leave the key out"],
    );
    check(
        "control.user = 2026-11-21",
        &["headgate.toml:1: control.user: expected text, found a date or time | put the value in quotes"],
    );
    check("pool = 3", &["headgate.toml:1: pool is a table | write [pool] and the keys below it"]);
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    check(
        "[limits]\nmax_idle = 3",
        &["headgate.toml:2: limits.max_idle is not a key | did you mean pool.max_idle, in the table [pool]?"],
    );
    check(
        "split = true",
        &[
            "headgate.toml:1: split stands outside any table | did you mean routing.split, in the table [routing]?",
        ],
    );
    check(
        "[log]\ncolour = true",
        &["headgate.toml:2: log.colour is not a key | the keys of [log] are filter, format"],
    );
    check(
        "[control]\npassword = \"secret\"",
        &[
            "headgate.toml:2: control.password is not a key | put the password into a file that only Headgate's user \
           can read, and name the file with control.password_file",
        ],
    );
    check(
        "[zzzzzzzz]",
        &[
            "headgate.toml:1: [zzzzzzzz] is not a table Headgate knows | the tables are listen, clients, servers, control, \
           pool, limits, routing, health, failover, admin, runtime, state, log",
        ],
    );
}

#[test]
fn broken_toml_does_not_hide_the_rest() {
    let found = problems("[pool]\nmax_idle = = 3\nidle_timeout = 60\n", &[]);
    assert!(
        found.iter().any(|problem| problem.starts_with("headgate.toml:2: this is not TOML")),
        "{found:?}"
    );
    assert!(found.iter().any(|problem| problem.contains("60 has no unit")), "{found:?}");
}

#[test]
fn a_key_written_twice_is_refused() {
    let found = problems("[pool]\nmax_idle = 1\nmax_idle = 2\n", &[]);
    assert!(found.len() == 1 && found[0].starts_with("headgate.toml:3: "), "{found:?}");
}

#[test]
fn a_broken_key_is_known_to_be_broken() {
    let reading = read("headgate.toml", "[servers]\naddresses = [\"db1\"]\n", &[]);
    assert!(reading.is_broken("servers.addresses") && !reading.is_broken("servers.ca"));
    let replaced = [flag("servers.addresses", "--server", &["db1:3306"])];
    let reading = read("headgate.toml", "[servers]\naddresses = [\"db1\"]\n", &replaced);
    assert!(!reading.is_broken("servers.addresses"));
    assert_eq!(reading.problems.len(), 1, "the line is reported all the same");
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let found = problems("[control]\npassword = \"s3cret\"\nuser = [\"s3cret\"]", &[]).join("\n");
    assert!(!found.contains("s3cret"), "{found}");
}

#[test]
fn every_default_is_a_value_its_key_takes() {
    for key in KEYS {
        let Some(default) = key.default() else { continue };
        let text = format!("{} = {default}", key.name);
        assert_eq!(right(&text, &[]).config, Config::default(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = read("headgate.toml", &text, &[]);
    }

    #[test]
    fn any_value_for_any_key_is_read_or_refused(
        index in 0..KEYS.len(),
        value in prop_oneof!["\\PC{0,20}", "\"[a-z0-9:/.]{0,20}\"", "-?[0-9]{1,30}", "\\[[0-9\", a]{0,20}\\]"],
    ) {
        let key = &KEYS[index];
        let text = format!("{} = {value}", key.name);
        let reading = read("headgate.toml", &text, &[]);
        if reading.problems.is_empty() && let Some(shown) = key.show(&reading.config) {
            // What was read can be written back and reads the same.
            let again = right(&format!("{} = {shown}", key.name), &[]);
            prop_assert_eq!(again.config, reading.config);
        }
    }
}

#[test]
fn networks_and_rules_are_complained_about_where_they_stand() {
    check(
        "[clients]\nallow = [\n  \"10.0.0.0/8\",\n  \"10.0.0.1/8\",\n]\ndeny = [\"db1\"]\nusers = [\"app\", \"b max 0\"]",
        &[
            "headgate.toml:4: clients.allow: \"10.0.0.1/8\" is not a network: the address has bits beyond the first 8 \
             | write 10.0.0.0/8 for the network, or 10.0.0.1 for the one address",
            "headgate.toml:6: clients.deny: \"db1\" is not a network: it is no IP address | write 192.0.2.0/24, \
             2001:db8::/32, a single address, or unix",
            "headgate.toml:7: clients.users: \"app\" is not a rule: it says nothing of its user | write NAME from \
             NETWORK, NETWORK max NUMBER connections NUMBER pool MODE consistency WORD max_lag DURATION; what is not needed \
             may be left out",
            "headgate.toml:7: clients.users: \"b max 0\" is not a rule: no number of 1 or more stands behind max | \
             write NAME from NETWORK, NETWORK max NUMBER connections NUMBER pool MODE consistency WORD max_lag DURATION; what is not needed \
             may be left out",
        ],
    );
    let rules = flag("clients.users", "--set clients.users", &["app from 10.0.0.0/8, ::1 max 5", "b max 1"]);
    let users = right("", &[rules]).config.clients.users.unwrap();
    assert_eq!(
        users.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["app from 10.0.0.0/8, ::1 max 5", "b max 1"]
    );
}
