use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::resolve::state_dir;
use super::*;
use crate::config::{Override, Problems, read};
use crate::pooling::{By, Mode};

fn surroundings() -> Surroundings {
    Surroundings {
        cores: NonZeroUsize::new(4).unwrap(),
        state_dir: PathBuf::from("/var/lib/headgate"),
        password_in_environment: false,
        terminal: false,
    }
}

const COMPLETE: &str = "\
[servers]
addresses = [\"db1:3306\", \"db2:3306\"]
[control]
user = \"watch\"
password_file = \"/etc/headgate/control.password\"
";

fn resolved(text: &str, surroundings: &Surroundings) -> Result<Settings, Problems> {
    resolve(&read("headgate.toml", text, &[]), surroundings)
}

/// The problems of `extra` written under the complete file, as "line: what".
#[track_caller]
fn check(extra: &str, expected: &[&str]) {
    let told = match resolved(&format!("{COMPLETE}{extra}"), &surroundings()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.0.iter().map(|problem| format!("{}: {}", problem.place, problem.what)).collect()
        }
    };
    assert_eq!(told, expected, "of\n{extra}");
}

#[test]
fn the_smallest_configuration_is_enough() {
    let settings = resolved(COMPLETE, &surroundings()).unwrap();
    assert_eq!(settings.servers.len(), 2);
    assert_eq!(settings.front.listen.len(), 1);
    assert_eq!(settings.front.certificate, None);
    assert_eq!(settings.runtime.workers.get(), 4, "one worker a core");
    assert_eq!(settings.state_dir, PathBuf::from("/var/lib/headgate"));
    assert_eq!(settings.pool.max_connections, None);
    assert_eq!(settings.control.password, PasswordSource::File("/etc/headgate/control.password".into()));
}

#[test]
fn nothing_at_all_lacks_servers_account_and_password() {
    let problems = resolved("", &surroundings()).unwrap_err();
    let told: Vec<&str> = problems.0.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "servers.addresses is empty",
            "no control account is named",
            "there is no password for the control account",
        ]
    );
}

#[test]
fn files_come_in_pairs() {
    check("[listen]\ntls_cert = \"c\"", &["headgate.toml:7: listen.tls_cert has no private key"]);
    check("[listen]\ntls_key = \"k\"", &["headgate.toml:7: listen.tls_key has no certificate"]);
    check("[listen]\ntls_key = \"k\"\ntls_cert = \"c\"", &[]);
}

#[test]
fn a_verified_server_needs_an_authority_and_the_other_way_round() {
    let with = |tls: &str| COMPLETE.replace("[control]", &format!("{tls}\n[control]"));
    let told = |text: &str| match resolved(text, &surroundings()) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    };
    assert!(told(&with("tls = \"verify-ca\"")).starts_with("headgate.toml:3: verify-ca needs the authority"));
    assert!(
        told(&with("ca = \"ca.pem\""))
            .starts_with("headgate.toml:3: servers.ca is set, but preferred checks")
    );
    assert_eq!(told(&with("tls = \"verify-identity\"\nca = \"ca.pem\"")), "");
    assert!(told(&with("tls = \"disabled\"\ncert = \"c\"\nkey = \"k\"")).contains("servers.tls is disabled"));
}

#[test]
fn addresses_are_named_once() {
    check(
        "[listen]\naddress = [\"0.0.0.0:4306\", \"[::]:4306\", \"0.0.0.0:4306\"]",
        &["headgate.toml:7: listen.address names 0.0.0.0:4306 twice"],
    );
    check("[listen]\naddress = []", &["headgate.toml:7: listen.address is empty"]);
}

#[test]
fn a_broken_key_is_not_called_missing_as_well() {
    let told = |text: &str| match resolved(text, &surroundings()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.into_iter().map(|problem| problem.what).collect(),
    };
    let text = COMPLETE.replace("\"db1:3306\", \"db2:3306\"", "\"db1\"").replace("user = \"watch\"\n", "");
    assert_eq!(
        told(&text),
        ["servers.addresses: \"db1\" is not an address: it names no port", "no control account is named"]
    );
    let pair = format!("{COMPLETE}[listen]\ntls_cert = \"c\"\ntls_key = 3\n");
    assert_eq!(told(&pair), ["listen.tls_key: expected text, found the number 3"]);
}

#[test]
fn a_server_has_a_port() {
    let text = COMPLETE.replace("db2:3306", "db2:0");
    let problems = resolved(&text, &surroundings()).unwrap_err();
    assert_eq!(problems.0[0].what, "servers.addresses: db2:0 has no port to connect to");
}

#[test]
fn a_log_filter_must_be_one() {
    check(
        "[log]\nfilter = \"inof\"",
        &["headgate.toml:7: log.filter: \"inof\" is neither a level nor TARGET=LEVEL"],
    );
    check("[log]\nfilter = \"warn,headgate::monitor=debug\"", &[]);
}

#[test]
fn idle_connections_never_exceed_the_bound() {
    let settings =
        resolved(&format!("{COMPLETE}[pool]\nmax_connections_per_server = 3"), &surroundings()).unwrap();
    assert_eq!(settings.pool.max_idle, 3);
}

#[test]
fn the_password_comes_from_flag_then_environment_then_file_then_terminal() {
    let by_flag = Override {
        key: "control.password_file".to_owned(),
        flag: "--control-password-file".to_owned(),
        values: vec!["/flag".to_owned()],
    };
    let without = COMPLETE.replace("password_file = \"/etc/headgate/control.password\"\n", "");
    let source = |text: &str, overrides: &[Override], environment: bool, terminal: bool| {
        let reading = read("headgate.toml", text, overrides);
        let surroundings = Surroundings { password_in_environment: environment, terminal, ..surroundings() };
        resolve(&reading, &surroundings).unwrap().control.password
    };
    let file = |path: &str| PasswordSource::File(path.into());
    assert_eq!(source(COMPLETE, &[by_flag], true, true), file("/flag"));
    assert_eq!(source(COMPLETE, &[], true, true), PasswordSource::Environment(CONTROL_PASSWORD_VARIABLE));
    assert_eq!(source(COMPLETE, &[], false, true), file("/etc/headgate/control.password"));
    assert_eq!(source(&without, &[], false, true), PasswordSource::Prompt);
}

#[test]
fn the_state_directory_follows_the_environment() {
    let check = |variables: &[(&str, &str)], expected: &str| {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
        };
        assert_eq!(state_dir(find), PathBuf::from(expected), "{variables:?}");
    };
    check(&[("STATE_DIRECTORY", "/var/lib/headgate:/var/lib/other"), ("HOME", "/root")], "/var/lib/headgate");
    check(&[("XDG_STATE_HOME", "/home/u/state"), ("HOME", "/home/u")], "/home/u/state/headgate");
    check(&[("XDG_STATE_HOME", "relative"), ("HOME", "/home/u")], "/home/u/.local/state/headgate");
    check(&[], "headgate-state");
}

#[test]
fn who_may_come_in_is_one_set_of_rules() {
    let text = "[clients]\nallow = [\"10.0.0.0/8\"]\nusers = [\"app from unix\", \"b max 2\"]\n\
                [limits]\nmax_clients_per_user = 7";
    let rules = resolved(&format!("{COMPLETE}{text}"), &surroundings()).unwrap().front.rules;
    assert!(rules.address("10.1.1.1".parse().unwrap()).is_ok());
    assert!(rules.address("11.1.1.1".parse().unwrap()).is_err());
    assert!(!rules.user_may_come_from(b"app", Some("10.1.1.1".parse().unwrap())));
    assert!(rules.user_may_come_from(b"app", None));
    let limit = |user| rules.limit_of_user(user).map(NonZeroUsize::get);
    assert_eq!((limit(b"b"), limit(b"app"), rules.per_address), (Some(2), Some(7), None));
    check(
        "[clients]\ndeny = [\"unix\"]\nusers = [\"app max 1\", \"app from ::1\"]",
        &[
            "headgate.toml:7: clients.deny names unix, but clients of Unix sockets are always let in",
            "headgate.toml:8: clients.users has two rules for app",
        ],
    );
}

#[test]
fn modes_come_from_three_keys() {
    let text = "[listen]\naddress = [\"0.0.0.0:1 max_lag 5s\", \"0.0.0.0:2 pool session consistency global\"]\n[pool]\nmode = \"transaction\"\n\
                [clients]\nusers = [\"report pool session\", \"app max 5\"]";
    let settings = resolved(&format!("{COMPLETE}{text}"), &surroundings()).unwrap();
    let listen: Vec<String> = settings.front.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["0.0.0.0:1 max_lag 5000ms", "0.0.0.0:2 pool session consistency global"]);
    let mode = |user: &[u8]| settings.pool.users.mode_of(user, settings.front.listen[1].entrance.pool).by;
    assert_eq!((mode(b"report"), mode(b"app")), (By::User, By::Listener));
    check(
        "[listen]\naddress = [\"0.0.0.0:1\", \"0.0.0.0:1 pool session\"]",
        &["headgate.toml:7: listen.address names 0.0.0.0:1 twice"],
    );
}

#[test]
fn workers_apart_share_no_connections() {
    let told = "the pool mode \"transaction\" does not go with runtime.model = \"per-core\": a worker cannot use the \
                connections that another one has idle";
    for (key, line) in [
        ("pool.mode", "pool.mode = \"transaction\""),
        ("clients.users", "clients.users = [\"a pool transaction\"]"),
        ("listen.address", "listen.address = [\"0.0.0.0:1 pool transaction\"]"),
    ] {
        // Keys with dots stand above the tables.
        let text = format!("{line}\nruntime.model = \"per-core\"\n{COMPLETE}");
        let problems = resolved(&text, &surroundings()).unwrap_err();
        let problems: Vec<_> = problems.0.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(problems, [format!("{key}: {told}")]);
    }
    let usual = |text: &str| resolved(text, &surroundings()).unwrap().pool.users.mode_of(b"a", None).mode;
    assert_eq!(usual(COMPLETE), Mode::Transaction);
    assert_eq!(usual(&format!("runtime.model = \"per-core\"\n{COMPLETE}")), Mode::Session);
}
